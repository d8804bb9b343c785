//! Search: finds resources of one type and turns the pages of what was found.

use std::sync::Arc;

use fhir::Resource;
use fhirpath::search::Registry;
use store::query::{ParsedSearch, QueryError, parse};
use store::{Seq, Snapshot, Stored};

use super::page::{MAX_MATCHES, Matches};
use super::{in_scope, parse as parse_stored, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, Scope, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// Matches on a page unless `_count` says otherwise.
pub const DEFAULT_COUNT: usize = 50;
/// Most included resources on one page.
pub const MAX_INCLUDED: usize = 5_000;

/// One page of results.
#[derive(Debug)]
pub struct Page {
    /// What was asked, as understood.
    pub search: ParsedSearch,
    /// Matches over all pages.
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
    let permit = authorise(app, caller, Action::searching(resource_type))?;
    let search = parse(Registry::r4(), resource_type, params).map_err(|e| refused(&e))?;
    let count = search.count.map_or(DEFAULT_COUNT, |count| count as usize);
    let snapshot = app.store().snapshot()?;
    let (versions, total) = find(&*snapshot, &permit, &search, count)?;
    let token = (versions.len() > count && count > 0).then(|| app.new_token());
    let matches = Matches { owner: caller.user.id.clone(), search, versions };
    let page = load(app, caller, &permit, &*snapshot, &matches, (0, count), query)?;
    if let Some(token) = &token {
        app.pages().keep(token.clone(), Arc::new(matches), app.now_ms());
    }
    Ok(Page { token, total, ..page })
}

/// Turns to the matches from `offset` on of a search that [`search`] answered with `token`.
pub fn turn(app: &App, caller: &Caller, token: &str, offset: usize, count: usize) -> Result<Page> {
    let matches = app.pages().find(token, &caller.user.id, app.now_ms())?;
    let resource_type = matches.search.query.resource_type;
    let permit = authorise(app, caller, Action::searching(resource_type))?;
    let count = count.clamp(1, store::query::MAX_COUNT as usize);
    let snapshot = app.store().snapshot()?;
    let query = format!("{resource_type}?page");
    let page = load(app, caller, &permit, &*snapshot, &matches, (offset, count), &query)?;
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

/// The versions that match, all of them where more pages follow, and how many there are.
fn find(
    snapshot: &dyn Snapshot,
    permit: &Permit,
    search: &ParsedSearch,
    count: usize,
) -> Result<(Vec<Seq>, u64)> {
    if let Scope::Patient(own) = permit.scope() {
        let compartment: std::collections::HashSet<Seq> =
            snapshot.compartment(own)?.into_iter().collect();
        let mut versions = snapshot.find(&search.query, MAX_MATCHES, true)?;
        versions.retain(|seq| compartment.contains(seq));
        let total = versions.len() as u64;
        return Ok((versions, total));
    }
    if count == 0 {
        return Ok((Vec::new(), snapshot.count(&search.query)?));
    }
    let versions = snapshot.find(&search.query, MAX_MATCHES, true)?;
    let total = versions.len() as u64;
    Ok((versions, total))
}

fn load(
    app: &App,
    caller: &Caller,
    permit: &Permit,
    snapshot: &dyn Snapshot,
    found: &Matches,
    (offset, count): (usize, usize),
    query: &str,
) -> Result<Page> {
    let end = offset.saturating_add(count).min(found.versions.len());
    let here = found.versions.get(offset.min(end)..end).unwrap_or_default();
    let matches = snapshot.load(here)?;
    let mut wanted: Vec<Seq> = Vec::new();
    for include in &found.search.includes {
        wanted.extend(snapshot.include(here, include)?);
        if wanted.len() > MAX_INCLUDED {
            return Err(Error::new(
                Kind::TooCostly,
                format!(
                    "the page would include more than {MAX_INCLUDED} resources; lower `_count`"
                ),
            ));
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted.retain(|seq| !here.contains(seq));
    let mut included = Vec::new();
    let mut patients = Vec::new();
    for stored in &matches {
        patients.extend(patients_of(&parse_stored(stored)?));
    }
    for stored in snapshot.load(&wanted)? {
        let resource: Resource = parse_stored(&stored)?;
        let readable = authorise(app, caller, Action::reading(stored.key.resource_type)).is_ok();
        if readable && in_scope(&resource, permit.scope()) {
            patients.extend(patients_of(&resource));
            included.push(stored);
        }
    }
    let pattern = match found.search.query.resource_type {
        "AuditEvent" => Pattern::AuditRead,
        _ => Pattern::Query,
    };
    app.audit(Event::by(caller, pattern).patients(patients).query(query))?;
    Ok(Page {
        search: found.search.clone(),
        total: found.versions.len() as u64,
        matches,
        included,
        token: None,
        offset,
        count,
    })
}
