//! Versions of one resource, of one type, or of everything, newest or oldest first.

mod part;

use store::{HistoryOf, Key, Method, Seq, Snapshot, Stored};

use super::{admit, in_scope, parse, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise};
use crate::{App, Caller, Error, Result};

/// Most versions on one page.
pub const MAX_COUNT: usize = 1000;
/// Versions that are looked at in one go, where a page is shorter.
const LOOKED_AT: usize = 100;
/// How many goes there are for one page without audit entries.
const ROUNDS: usize = 20;

/// What part of history is asked for.
#[derive(Clone, Debug)]
pub struct HistoryRequest {
    /// Whose.
    pub of: HistoryOf,
    /// Only versions committed at or after this time, milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// Only versions that stood at some moment of this time, first and last millisecond.
    pub at_ms: Option<(i64, i64)>,
    /// Versions on a page, at most [`MAX_COUNT`].
    pub count: usize,
    /// In which order, and where the page begins.
    pub from: From,
}

/// The order of a history with the place where a page begins: where the last one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Newest first, before this place in the order of writes (`Seq::MAX` for the newest).
    Newest(Seq),
    /// Oldest first, after `after` and up to `until`: what the first page's snapshot showed
    /// (`Seq::MAX` for the first page).
    Oldest {
        /// 0 for the oldest.
        after: Seq,
        /// The last that counts.
        until: Seq,
    },
}

/// One page of history.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// Versions, in the order asked for.
    pub versions: Vec<Stored>,
    /// Where the next page starts, if there is one.
    pub next: Option<From>,
    /// Versions over all pages, where that is known.
    pub total: Option<u64>,
}

/// Lists versions, those that the caller may see. History of an unknown resource is
/// [`crate::Kind::NotFound`].
pub fn history(app: &App, caller: &Caller, request: &HistoryRequest) -> Result<HistoryPage> {
    let resource_type = match &request.of {
        HistoryOf::Instance(key) => key.resource_type,
        HistoryOf::Type(resource_type) => resource_type,
        HistoryOf::System => "*",
    };
    let instance = matches!(request.of, HistoryOf::Instance(_));
    let action = Action::listing_versions(resource_type, instance);
    let permit = authorise(app, caller, action)?;
    if !instance {
        permit.check_all()?;
    }
    let count = request.count.min(MAX_COUNT);
    let snapshot = app.store().snapshot()?;
    if let HistoryOf::Instance(key) = &request.of
        && !permit.is_unlimited()
    {
        check_seen(&*snapshot, key, &permit)?;
    }
    let (versions, next) = match instance || permit.is_unlimited() {
        true => page(&*snapshot, request, resource_type, count)?,
        false => part::page(&*snapshot, request, &permit, resource_type, count)?,
    };
    let total = match &request.of {
        HistoryOf::Instance(key) => {
            let current = snapshot.read(key)?.ok_or_else(Error::not_found)?;
            // Versions are numbered without gaps.
            (request.since_ms <= 0 && request.at_ms.is_none()).then_some(current.version)
        }
        _ => None,
    };
    drop(snapshot);
    let mut patients = Vec::new();
    let mut shown = |stored: Stored| {
        if stored.method == Method::Delete {
            return Ok(Some(stored));
        }
        // That there are versions beside is told by the number of the newest.
        let Some((stored, resource)) = admit(app, stored, permit.scope())? else {
            return Ok(None);
        };
        patients.extend(patients_of(&resource));
        Ok(Some(stored))
    };
    let versions = versions.into_iter().filter_map(|version| shown(version).transpose());
    let versions = versions.collect::<Result<Vec<_>>>()?;
    let query = format!("{resource_type}/_history");
    app.audit(Event::by(caller, Pattern::History).patients(patients).query(query))?;
    Ok(HistoryPage { versions, next, total })
}

/// Whether a limited caller may know of a resource at all: the newest version with content is
/// inside. A page may hold nothing by which that could be told, a deletion alone for example.
fn check_seen(snapshot: &dyn Snapshot, key: &Key, permit: &Permit) -> Result<()> {
    let mut version = snapshot.read(key)?;
    while let Some(deleted) = version.as_ref().filter(|v| v.method == Method::Delete) {
        version = match deleted.version {
            ..=1 => None,
            number => snapshot.vread(key, number - 1)?,
        };
    }
    let version = version.ok_or_else(Error::not_found)?;
    match in_scope(&parse(&version)?, permit.scope()) {
        true => Ok(()),
        false => Err(Error::not_found()),
    }
}

/// Whether a version stood at some moment of a time: it was there before the time's end, and what
/// replaced it came after the time's start.
fn stood(snapshot: &dyn Snapshot, version: &Stored, at_ms: Option<(i64, i64)>) -> Result<bool> {
    let Some((start, end)) = at_ms else { return Ok(true) };
    if version.last_updated_ms > end {
        return Ok(false);
    }
    if version.last_updated_ms >= start {
        return Ok(true);
    }
    let next = snapshot.vread(&version.key, version.version + 1)?;
    Ok(version.method != Method::Delete && next.is_none_or(|next| next.last_updated_ms > start))
}

/// The versions of a page, and where the next one starts. The audit is read through its own door,
/// which records that it was read, so its entries are passed over here; a page that would hold
/// little else for [`ROUNDS`] pages ends early and still names the next.
fn page(
    snapshot: &dyn Snapshot,
    request: &HistoryRequest,
    resource_type: &str,
    count: usize,
) -> Result<(Vec<Stored>, Option<From>)> {
    let (mut versions, mut from) = (Vec::new(), request.from.begun(snapshot, request.since_ms)?);
    if count == 0 {
        return Ok((versions, None));
    }
    let batch = match request.at_ms.is_some() || resource_type == "*" {
        true => count.max(LOOKED_AT),
        false => count,
    };
    for _ in 0..ROUNDS {
        let mut found = from.load(snapshot, request, batch + 1)?;
        let more = found.len() > batch;
        found.truncate(batch);
        let last = found.last().map(|version| version.seq);
        let wanted =
            |v: &Stored| v.key.resource_type != "AuditEvent" || resource_type == "AuditEvent";
        for version in found.into_iter().filter(wanted) {
            if !stood(snapshot, &version, request.at_ms)? {
                continue;
            }
            if versions.len() == count {
                let next = versions.last().map(|version: &Stored| from.at(version.seq));
                return Ok((versions, next));
            }
            versions.push(version);
        }
        match last.filter(|_| more) {
            Some(seq) => from = from.at(seq),
            None => return Ok((versions, None)),
        }
    }
    Ok((versions, Some(from)))
}

impl From {
    /// The same order, going on behind `seq`.
    fn at(self, seq: Seq) -> Self {
        match self {
            Self::Newest(_) => Self::Newest(seq),
            Self::Oldest { until, .. } => Self::Oldest { after: seq, until },
        }
    }

    /// The same, with what the first page of an ascending history fixes for the others.
    fn begun(self, snapshot: &dyn Snapshot, since_ms: i64) -> Result<Self> {
        match self {
            Self::Oldest { after: 0, until: Seq::MAX } => {
                let until = snapshot.seq();
                let after = match since_ms {
                    ..=0 => 0,
                    // Times never decrease; what was committed at the time itself counts.
                    since_ms => last_at(snapshot, until, since_ms - 1)?,
                };
                Ok(Self::Oldest { after, until })
            }
            other => Ok(other),
        }
    }

    fn load(
        self,
        snapshot: &dyn Snapshot,
        request: &HistoryRequest,
        limit: usize,
    ) -> Result<Vec<Stored>> {
        match self {
            Self::Newest(before) => {
                Ok(snapshot.history(&request.of, before, request.since_ms, limit)?)
            }
            Self::Oldest { after, until } => {
                let mut found = snapshot.history_after(&request.of, after, limit)?;
                // At the edge a version that was removed since may have stood for its time.
                found.retain(|v| v.seq <= until && v.last_updated_ms >= request.since_ms);
                Ok(found)
            }
        }
    }
}

/// A sequence number up to which nothing is newer than `ms`, and behind which everything is.
/// Commit times never decrease, so it is found by halving.
pub(crate) fn last_at(snapshot: &dyn Snapshot, newest: Seq, ms: i64) -> Result<Seq> {
    let (mut low, mut high) = (0, newest);
    while low < high {
        let middle = low + (high - low) / 2;
        let next = snapshot.changes(middle, 1)?.first().map(|change| change.seq);
        let next = next.map(|next| snapshot.load(&[next])).transpose()?;
        let newer = next.and_then(|list| list.first().map(|s| s.last_updated_ms > ms));
        // What was there and has been removed for good is not newer than anything asked for.
        if newer.unwrap_or(true) { high = middle } else { low = middle + 1 }
    }
    Ok(low)
}
