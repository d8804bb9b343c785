//! Versions of one resource, of one type, or of everything, newest first.

use store::{HistoryOf, Method, Seq, Stored};

use super::{in_scope, parse, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Result};

/// Most versions on one page.
pub const MAX_COUNT: usize = 1000;

/// What part of history is asked for.
#[derive(Clone, Debug)]
pub struct HistoryRequest {
    /// Whose.
    pub of: HistoryOf,
    /// Only versions committed at or after this time, milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// Versions on a page, at most [`MAX_COUNT`].
    pub count: usize,
    /// Only versions before this place in the order of writes: where the last page ended.
    pub before: Seq,
}

/// One page of history.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// Versions, newest first.
    pub versions: Vec<Stored>,
    /// Where the next page starts, if there is one.
    pub next_before: Option<Seq>,
}

/// Lists versions. History of an unknown resource is [`crate::Kind::NotFound`].
pub fn history(app: &App, caller: &Caller, request: &HistoryRequest) -> Result<HistoryPage> {
    let resource_type = match &request.of {
        HistoryOf::Instance(key) => key.resource_type,
        HistoryOf::Type(resource_type) => resource_type,
        HistoryOf::System => "*",
    };
    let permit = authorise(app, caller, Action::reading(resource_type))?;
    let instance = matches!(request.of, HistoryOf::Instance(_));
    if !permit.is_unlimited() && !instance {
        return Err(Error::not_found());
    }
    let count = request.count.clamp(1, MAX_COUNT);
    let snapshot = app.store().snapshot()?;
    let mut versions =
        snapshot.history(&request.of, request.before, request.since_ms, count + 1)?;
    drop(snapshot);
    if instance && versions.is_empty() && request.before == Seq::MAX && request.since_ms <= 0 {
        return Err(Error::not_found());
    }
    // The audit is read through its own door, which records that it was read.
    versions.retain(|v| v.key.resource_type != "AuditEvent" || resource_type == "AuditEvent");
    let more = versions.len() > count;
    versions.truncate(count);
    let mut patients = Vec::new();
    for stored in versions.iter().filter(|v| v.method != Method::Delete) {
        let resource = parse(stored)?;
        if !in_scope(&resource, permit.scope()) {
            return Err(Error::not_found());
        }
        patients.extend(patients_of(&resource));
    }
    let query = format!("{resource_type}/_history");
    app.audit(Event::by(caller, Pattern::History).patients(patients).query(query))?;
    let next_before = versions.last().filter(|_| more).map(|v| v.seq);
    Ok(HistoryPage { versions, next_before })
}
