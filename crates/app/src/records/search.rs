//! Search: finds resources of one type, of several types or of a compartment, and turns the pages
//! of what was found.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use fhir::Id;
use fhirpath::search::Registry;
use store::query::{
    Candidate, Filter, Include, ParsedSearch, Parser, QueryError, Summary, Total, compare,
    compartment, follow_includes, is_in_compartment, sort_keys,
};
use store::{Seq, Snapshot, StoreError, Stored};

use super::confine::confine;
use super::continuing;
use super::page::{MAX_MATCHES, Matches};
use super::{admit, parse as parse_stored, patients_of, shown};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise};
use crate::terminology::Lists;
use crate::{App, Caller, Error, Kind, Result};

/// Matches on a page unless `_count` says otherwise.
pub const DEFAULT_COUNT: usize = 50;
/// Most included resources on one page.
pub const MAX_INCLUDED: usize = 5_000;
/// Most matches over several types that are put in an order.
const MAX_ORDERED: usize = 10_000;

/// Where a search looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Resources of one type.
    Type(&'static str),
    /// Everything; `_type` may name types.
    System,
    /// Resources of one type, or of every type (`None`), in the compartment of a resource.
    Compartment {
        /// The type of the resource in the middle.
        centre: &'static str,
        /// Its id.
        id: Id,
        /// What is searched.
        resource_type: Option<&'static str>,
    },
}

/// One page of results.
#[derive(Debug)]
pub struct Page {
    /// What was asked, as understood; of the first type where there are several.
    pub search: ParsedSearch,
    /// What was searched, as it stands in an address behind the base.
    pub path: String,
    /// Matches over all pages; with `_total=none` no more than that there are more of them.
    pub total: u64,
    /// The matches of this page.
    pub matches: Vec<Stored>,
    /// Resources that came along by `_include` and `_revinclude`.
    pub included: Vec<Stored>,
    /// Under which token the other pages are kept, when there are others.
    pub token: Option<String>,
    /// Number of matches before this page.
    pub offset: usize,
    /// Matches on a page.
    pub count: usize,
}

/// Searches resources of `resource_type`. `query` is the query as received, for the audit.
pub fn search(
    app: &App,
    caller: &Caller,
    resource_type: &'static str,
    params: &[(String, String)],
    query: &str,
) -> Result<Page> {
    search_in(app, caller, &Place::Type(resource_type), params, query)
}

/// Searches a place. `query` is the query as received, for the audit.
pub fn search_in(
    app: &App,
    caller: &Caller,
    place: &Place,
    params: &[(String, String)],
    query: &str,
) -> Result<Page> {
    let registry = app.store().registry();
    let lists = Lists::new(app, caller);
    let parser = Parser::new(&registry).with_terms(&lists);
    let parsed = match place {
        Place::Type(name) | Place::Compartment { resource_type: Some(name), .. } => {
            vec![parser.parse(name, params).map_err(|e| refused(&e))?]
        }
        Place::System => {
            let all = fhir::definitions::resource_types();
            parser.parse_types(all, params).map_err(|e| refused(&e))?
        }
        Place::Compartment { centre, resource_type: None, .. } => {
            let within = is_in_compartment(centre).ok_or_else(Error::not_found)?;
            parser.parse_types(&within, params).map_err(|e| refused(&e))?
        }
    };
    let searches = permitted(app, caller, place, parsed)?;
    let Some((first, _)) = searches.first().cloned() else {
        return Err(Error::invalid("value", "`_type` names no type that can be searched here"));
    };
    let count = page_size(&first);
    let snapshot = app.store().snapshot()?;
    let started = start(&*snapshot, &searches, count)?;
    let as_of = started.is_some().then(|| snapshot.seq());
    let (versions, total) = match started {
        Some(started) => started,
        None => find(&registry, &*snapshot, &searches, count)?,
    };
    let token = (total > count as u64 && count > 0).then(|| app.new_token());
    let used = match place {
        Place::Type(_) | Place::Compartment { resource_type: Some(_), .. } => first.used.clone(),
        _ => params.iter().filter(|(_, value)| !value.is_empty()).cloned().collect(),
    };
    let matches = Matches {
        owner: caller.holder(),
        search: ParsedSearch { used, ..first },
        path: place.path(),
        types: searches.iter().map(|(search, _)| search.query.resource_type).collect(),
        versions,
        as_of,
    };
    let page = load(app, caller, &*snapshot, &matches, (0, count), query)?;
    if let Some(token) = &token {
        app.pages().keep(token.clone(), Arc::new(matches), app.now_ms());
    }
    Ok(Page { token, total, ..page })
}

impl Place {
    fn path(&self) -> String {
        match self {
            Place::Type(name) => (*name).to_owned(),
            Place::System => String::new(),
            Place::Compartment { centre, id, resource_type } => {
                format!("{centre}/{id}/{}", resource_type.unwrap_or("*"))
            }
        }
    }
}

/// Turns to the matches from `offset` on of a search that [`search`] answered with `token`.
pub fn turn(app: &App, caller: &Caller, token: &str, offset: usize, count: usize) -> Result<Page> {
    let mut matches = app.pages().find(token, &caller.holder(), app.now_ms())?;
    for resource_type in &matches.types {
        authorise(app, caller, Action::searching(resource_type))?;
    }
    let count = count.clamp(1, store::query::MAX_COUNT as usize);
    let registry = app.store().registry();
    let snapshot = app.store().snapshot()?;
    if let Some(as_of) = matches.as_of {
        let query = &matches.search.query;
        let versions = continuing::all_as_of(&*snapshot, &registry, query, as_of)?;
        let search = matches.search.clone();
        let (owner, path) = (matches.owner.clone(), matches.path.clone());
        let types = matches.types.clone();
        let whole = Matches { owner, search, path, types, versions, as_of: None };
        matches = Arc::new(whole);
        app.pages().complete(token, matches.clone());
    }
    let query = format!("{}?page", matches.path);
    let page = load(app, caller, &*snapshot, &matches, (offset, count), &query)?;
    Ok(Page { token: Some(token.to_owned()), ..page })
}

/// A search that was not understood, as the error that names what.
pub(crate) fn refused(error: &QueryError) -> Error {
    let code = match error {
        QueryError::Unknown { .. } | QueryError::Unsupported { .. } => "not-supported",
        QueryError::TooMany { .. } => "too-costly",
        _ => "value",
    };
    Error::invalid(code, error.to_string())
}

fn page_size(search: &ParsedSearch) -> usize {
    match search.summary {
        Some(Summary::Count) => 0,
        _ => search.count.map_or(DEFAULT_COUNT, |count| count as usize),
    }
}

/// The searches that the caller may make, each confined to the place. A search of one type is
/// refused where policy says so; of several types those are left out that it does not allow.
pub(super) fn permitted(
    app: &App,
    caller: &Caller,
    place: &Place,
    parsed: Vec<ParsedSearch>,
) -> Result<Vec<(ParsedSearch, Permit)>> {
    let registry = app.store().registry();
    let single = parsed.len() == 1;
    let (mut found, mut refusal) = (Vec::new(), None);
    for mut search in parsed {
        let resource_type = search.query.resource_type;
        let permit = match authorise(app, caller, Action::searching(resource_type)) {
            Ok(permit) => permit,
            Err(error) if single => return Err(error),
            Err(error) => {
                refusal = Some(error);
                continue;
            }
        };
        let centre = match place {
            Place::Compartment { centre, id, .. } if *centre == "Patient" => Some(id),
            _ => None,
        };
        let permit = permit.of_one(app, &search.query, centre)?;
        if let Err(error) = confine(app, caller, &permit, &mut search.query) {
            if single {
                return Err(error);
            }
            refusal = Some(error);
            continue;
        }
        if let Place::Compartment { centre, id, .. } = place {
            let unknown = || {
                let message = format!("`{resource_type}` is in no compartment of `{centre}`");
                Error::new(Kind::NotFound, message)
            };
            let inside = compartment(&registry, centre, id, resource_type);
            search.query.filters.push(inside.ok_or_else(unknown)?);
        }
        search.query.filters.extend(permit.scope().filters(&registry, resource_type));
        found.push((search, permit));
    }
    match refusal {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// The first page alone, where the store finds it without finding everything, and how many match:
/// at least so many, where `_total=none` asks for no number.
fn start(
    snapshot: &dyn Snapshot,
    searches: &[(ParsedSearch, Permit)],
    count: usize,
) -> Result<Option<(Vec<Seq>, u64)>> {
    let [(search, _)] = searches else { return Ok(None) };
    if count == 0 || search.query.filters.iter().any(Filter::has_links) {
        return Ok(None);
    }
    let Some(mut versions) = snapshot.first(&search.query, count + 1)? else { return Ok(None) };
    let found = versions.len();
    versions.truncate(count);
    let total = match search.total {
        _ if found <= count => found as u64,
        Some(Total::None) => found as u64,
        _ => snapshot.count(&search.query)?,
    };
    Ok(Some((versions, total)))
}

/// The versions that match, all of them where more pages follow, and how many there are.
fn find(
    registry: &Registry,
    snapshot: &dyn Snapshot,
    searches: &[(ParsedSearch, Permit)],
    count: usize,
) -> Result<(Vec<Seq>, u64)> {
    if count == 0 {
        let mut total = 0;
        for (search, _) in searches {
            total += snapshot.count(&search.query)?;
        }
        return Ok((Vec::new(), total));
    }
    let mut versions = Vec::new();
    for (search, _) in searches {
        let left = MAX_MATCHES - versions.len();
        versions.extend(snapshot.find(&search.query, left, true)?);
    }
    if let [(first, _), _, ..] = searches
        && !first.query.sort.is_empty()
    {
        versions = in_order(registry, snapshot, searches, versions)?;
    }
    let total = versions.len() as u64;
    Ok((versions, total))
}

/// Puts matches of several types in one order. Their keys are read from their texts, so there is a
/// bound.
fn in_order(
    registry: &Registry,
    snapshot: &dyn Snapshot,
    searches: &[(ParsedSearch, Permit)],
    versions: Vec<Seq>,
) -> Result<Vec<Seq>> {
    if versions.len() > MAX_ORDERED {
        return Err(StoreError::TooCostly { limit: MAX_ORDERED }.into());
    }
    let Some((first, _)) = searches.first() else { return Ok(versions) };
    let mut keyed = Vec::with_capacity(versions.len());
    for stored in snapshot.load(&versions)? {
        let search = searches
            .iter()
            .find(|(search, _)| search.query.resource_type == stored.key.resource_type);
        if let Some((search, _)) = search {
            let entries = registry.extract(&parse_stored(&stored)?);
            let candidate = Candidate {
                resource_type: stored.key.resource_type,
                id: stored.key.id.as_str(),
                last_updated_ms: stored.last_updated_ms,
                entries: &entries,
                text: &stored.text,
            };
            keyed.push((sort_keys(&search.query.sort, candidate, stored.seq), stored.seq));
        }
    }
    keyed.sort_by(|a, b| compare(&first.query.sort, &a.0, &b.0));
    Ok(keyed.into_iter().map(|(_, seq)| seq).collect())
}

/// The matches that patients have not withheld since they were found, and whom they are about.
fn still_open(app: &App, caller: &Caller, matches: Vec<Stored>) -> Result<(Vec<Stored>, Vec<Id>)> {
    let mut permits: HashMap<&'static str, Permit> = HashMap::new();
    let (mut open, mut patients) = (Vec::with_capacity(matches.len()), Vec::new());
    for stored in matches {
        let resource = parse_stored(&stored)?;
        let permit = match permits.entry(stored.key.resource_type) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                new.insert(authorise(app, caller, Action::searching(stored.key.resource_type))?)
            }
        };
        if permit.scope().withheld().is_some_and(|withheld| !withheld.lets(&resource)) {
            continue;
        }
        if let Some((stored, resource)) = shown(app, stored, resource, permit.scope())? {
            patients.extend(patients_of(&resource));
            open.push(stored);
        }
    }
    Ok((open, patients))
}

/// What comes along with matches that the caller may see, as far as the caller may see it: what is
/// withheld leads to nothing else.
fn included(
    (app, caller): (&App, &Caller),
    snapshot: &dyn Snapshot,
    from: &[Seq],
    includes: &[Include],
    patients: &mut Vec<Id>,
) -> Result<Vec<Stored>> {
    let mut permits: HashMap<&'static str, Option<Permit>> = HashMap::new();
    let mut included = Vec::new();
    let mut too_many = false;
    let keep = |found: Vec<Seq>| {
        let mut kept = Vec::with_capacity(found.len());
        for stored in snapshot.load(&found)? {
            let kind = stored.key.resource_type;
            // A refusal is recorded once for a type.
            let readable = permits
                .entry(kind)
                .or_insert_with(|| authorise(app, caller, Action::reading(kind)).ok());
            let Some(permit) = readable else { continue };
            if let Some((stored, resource)) = admit(app, stored, permit.scope())? {
                patients.extend(patients_of(&resource));
                kept.push(stored.seq);
                included.push(stored);
            }
        }
        too_many |= included.len() > MAX_INCLUDED;
        Ok::<_, Error>(kept)
    };
    let followed = follow_includes(snapshot, from, includes, MAX_INCLUDED, keep);
    if too_many {
        let message =
            format!("the page would include more than {MAX_INCLUDED} resources; lower `_count`");
        return Err(Error::new(Kind::TooCostly, message));
    }
    followed?;
    included.sort_by_key(|stored| stored.seq);
    Ok(included)
}

fn load(
    app: &App,
    caller: &Caller,
    snapshot: &dyn Snapshot,
    found: &Matches,
    (offset, count): (usize, usize),
    query: &str,
) -> Result<Page> {
    let end = offset.saturating_add(count).min(found.versions.len());
    let here = found.versions.get(offset.min(end)..end).unwrap_or_default();
    let (matches, mut patients) = still_open(app, caller, snapshot.load(here)?)?;
    let from: Vec<Seq> = matches.iter().map(|stored| stored.seq).collect();
    let includes = &found.search.includes;
    let included = included((app, caller), snapshot, &from, includes, &mut patients)?;
    let pattern = match found.types.contains(&"AuditEvent") {
        true => Pattern::AuditRead,
        false => Pattern::Query,
    };
    app.audit(Event::by(caller, pattern).patients(patients).query(query))?;
    Ok(Page {
        search: found.search.clone(),
        path: found.path.clone(),
        total: found.versions.len() as u64,
        matches,
        included,
        token: None,
        offset,
        count,
    })
}
