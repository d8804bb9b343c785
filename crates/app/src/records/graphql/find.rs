//! Resources for a query: by id, by search, and by the cursor of an earlier search. Each is
//! authorised, counted, and noted for the audit.

use std::cell::OnceCell;
use std::sync::Arc;

use fhir::Resource;
use fhir::definitions::Type;
use fhirpath::search::Registry;
use store::query::{ParsedSearch, Parser};
use store::{Key, Method, Seq, Stored};

use super::arguments::Wanted;
use super::budget::MAX_LIST;
use super::run::Run;
use crate::authorise::{Action, Permit, authorise};
use crate::records::page::{MAX_MATCHES, Matches};
use crate::records::search::{DEFAULT_COUNT, Place, permitted, refused};
use crate::records::{admit, patients_of};
use crate::terminology::Lists;
use crate::{App, Error, Kind, Result};

/// The search parameters of this node.
pub fn registry(app: &App) -> Arc<Registry> {
    app.store().registry()
}

/// One page of a search.
pub struct Page {
    /// The type that was searched.
    pub of: &'static Type,
    /// The matches of the page.
    pub resources: Vec<Arc<Resource>>,
    /// Matches over all pages.
    pub total: usize,
    /// Matches before this page.
    pub offset: usize,
    /// Matches on a page.
    pub count: usize,
    /// All matches, until a cursor is asked for.
    found: Arc<Matches>,
    token: OnceCell<String>,
}

impl Page {
    /// A cursor for the page that begins at `offset`. The matches are kept for it.
    pub fn cursor(&self, app: &App, offset: usize) -> String {
        let token = self.token.get_or_init(|| {
            let token = app.new_token();
            app.pages().keep(token.clone(), self.found.clone(), app.now_ms());
            token
        });
        format!("{token}:{offset}:{}", self.count)
    }
}

impl Run<'_, '_> {
    fn permit(&mut self, resource_type: &'static str, is_search: bool) -> Result<Permit> {
        if let Some(known) = self.permits.get(&(resource_type, is_search)) {
            return known.clone();
        }
        let action = match is_search {
            true => Action::searching(resource_type),
            false => Action::reading(resource_type),
        };
        let permit = authorise(self.app, self.caller, action);
        self.permits.insert((resource_type, is_search), permit.clone());
        permit
    }

    /// A stored version as a resource, if the caller may see it.
    fn admit(&mut self, stored: Stored, permit: &Permit) -> Result<Option<Arc<Resource>>> {
        if stored.method == Method::Delete {
            return Ok(None);
        }
        let Some((stored, resource)) = admit(self.app, stored, permit.scope())? else {
            return Ok(None);
        };
        self.patients.extend(patients_of(&resource));
        self.has_read_audit |= stored.key.resource_type == "AuditEvent";
        Ok(Some(Arc::new(resource)))
    }

    /// The resource with an id, or one version of it; `None` where there is none, and also where
    /// the caller may not see it.
    pub fn read(&mut self, key: Key, version: Option<u64>) -> Result<Option<Arc<Resource>>> {
        let permit = self.permit(key.resource_type, false)?;
        let place = (key, version);
        if let Some(known) = self.by_key.get(&place) {
            return Ok(known.clone());
        }
        self.budget.resources(1)?;
        let stored = match version {
            Some(version) => self.snapshot.vread(&place.0, version)?,
            None => self.snapshot.read(&place.0)?,
        };
        let found = match stored {
            Some(stored) => self.admit(stored, &permit)?,
            None => None,
        };
        self.by_key.insert(place, found.clone());
        Ok(found)
    }

    /// Versions as resources, those left out that the caller may not see.
    fn load(&mut self, versions: &[Seq], permit: &Permit) -> Result<Vec<Arc<Resource>>> {
        let known = |seq: &&Seq| !self.by_seq.contains_key(seq);
        let missing: Vec<Seq> = versions.iter().filter(known).copied().collect();
        self.budget.resources(missing.len())?;
        for stored in self.snapshot.load(&missing)? {
            let seq = stored.seq;
            let found = self.admit(stored, permit)?;
            self.by_seq.insert(seq, found);
        }
        Ok(versions.iter().filter_map(|seq| self.by_seq.get(seq)?.clone()).collect())
    }

    /// The search for resources of a type that `params` describe, as far as the caller may make
    /// it.
    fn search(
        &mut self,
        of: &'static Type,
        params: &[(String, String)],
    ) -> Result<(ParsedSearch, Permit)> {
        let resource_type = fhir::resource_type(of.name).ok_or_else(Error::not_found)?;
        // A refusal is recorded once, however often a query asks.
        self.permit(resource_type, true)?;
        self.budget.search(self.app.now_ms())?;
        let registry = registry(self.app);
        let lists = Lists::new(self.app, self.caller);
        let parser = Parser::new(&registry).with_terms(&lists);
        let parsed = parser.parse(resource_type, params).map_err(|e| refused(&e))?;
        let place = Place::Type(resource_type);
        let mut found = permitted(self.app, self.caller, &place, vec![parsed])?;
        found.pop().ok_or_else(Error::not_found)
    }

    /// The resources that a search finds, all of them or the part asked for.
    pub fn list(&mut self, of: &'static Type, wanted: &Wanted) -> Result<Vec<Arc<Resource>>> {
        let (search, permit) = self.search(of, &wanted.params)?;
        let most = wanted.offset.saturating_add(wanted.count.unwrap_or(MAX_LIST + 1));
        let versions = self.snapshot.find(&search.query, most.min(MAX_MATCHES), false)?;
        let versions = versions.get(wanted.offset..).unwrap_or_default();
        if wanted.count.is_none() && versions.len() > MAX_LIST {
            let message = format!(
                "more than {MAX_LIST} resources match; give `_count`, or use `{}Connection`",
                of.name
            );
            return Err(Error::invalid("too-costly", message));
        }
        self.load(versions, &permit)
    }

    /// One page of what a search finds.
    pub fn page(&mut self, of: &'static Type, wanted: &Wanted) -> Result<Page> {
        let (search, permit) = self.search(of, &wanted.params)?;
        let found = Matches {
            owner: self.caller.holder(),
            path: of.name.to_owned(),
            types: vec![search.query.resource_type],
            versions: self.snapshot.find(&search.query, MAX_MATCHES, true)?,
            as_of: None,
            search,
        };
        let count = wanted.count.unwrap_or(DEFAULT_COUNT);
        self.page_of(of, Arc::new(found), &permit, wanted.offset, count)
    }

    /// The page that a cursor of an earlier search leads to.
    pub fn turn(&mut self, of: &'static Type, cursor: &str) -> Result<Page> {
        let expired =
            || Error::new(Kind::Gone, "this page of results has expired; repeat the search");
        let mut parts = cursor.splitn(3, ':');
        let token = parts.next().unwrap_or_default();
        let mut number = || parts.next().and_then(|n| n.parse::<usize>().ok());
        let (offset, count) = number().zip(number()).ok_or_else(expired)?;
        let found = self.app.pages().find(token, &self.caller.holder(), self.app.now_ms())?;
        if found.types != [of.name] || found.as_of.is_some() {
            return Err(expired());
        }
        let permit = self.permit(found.search.query.resource_type, true)?;
        let count = count.clamp(1, store::query::MAX_COUNT as usize);
        let page = self.page_of(of, found, &permit, offset, count)?;
        // The other pages are under the same token.
        Ok(Page { token: OnceCell::from(token.to_owned()), ..page })
    }

    fn page_of(
        &mut self,
        of: &'static Type,
        found: Arc<Matches>,
        permit: &Permit,
        offset: usize,
        count: usize,
    ) -> Result<Page> {
        let total = found.versions.len();
        let end = offset.saturating_add(count).min(total);
        let here = found.versions.get(offset.min(end)..end).unwrap_or_default();
        let resources = self.load(here, permit)?;
        Ok(Page { of, resources, total, offset, count, found, token: OnceCell::new() })
    }
}
