//! A page of the versions of a type, or of everything, for those who see a part of it: the versions
//! that are inside, of resources whose newest content is inside, and the deletions of such.
//!
//! What is passed over must not show. A page looks at a stretch of the order of all writes, which
//! the audit entries of everybody belong to, and its end is told whether or not anything lies
//! there: it depends on how much the node has written, never on what of it is hidden.

use std::collections::HashMap;

use store::{Key, Method, Seq, Snapshot, Stored};

use super::{From, HistoryRequest, check_seen, last_at, stood};
use crate::authorise::Permit;
use crate::records::{in_scope, parse};
use crate::{Kind, Result};

/// Writes of the node that one page looks at.
const STRETCH: Seq = 50_000;
/// Versions that are loaded at a time.
const BATCH: usize = 500;

/// The versions of a page, and where the next one starts.
pub(super) fn page(
    snapshot: &dyn Snapshot,
    request: &HistoryRequest,
    permit: &Permit,
    resource_type: &str,
    count: usize,
) -> Result<(Vec<Stored>, Option<From>)> {
    let from = request.from.begun(snapshot, request.since_ms)?;
    if count == 0 {
        return Ok((Vec::new(), None));
    }
    let (first, next) = stretch(snapshot, request, from)?;
    let (mut versions, mut reach) = (Vec::new(), Reach::new(snapshot, permit));
    let mut place = from;
    loop {
        let found = match place {
            From::Newest(before) => snapshot.history(&request.of, before, 0, BATCH)?,
            From::Oldest { after, .. } => snapshot.history_after(&request.of, after, BATCH)?,
        };
        let Some(last) = found.last().map(|version| version.seq) else { break };
        for version in found.into_iter().filter(|version| first.contains(&version.seq)) {
            let is_wanted = version.last_updated_ms >= request.since_ms
                && (version.key.resource_type != "AuditEvent" || resource_type == "AuditEvent");
            if !is_wanted || !stood(snapshot, &version, request.at_ms)? || !reach.shows(&version)? {
                continue;
            }
            if versions.len() == count {
                let next = versions.last().map(|version: &Stored| from.at(version.seq));
                return Ok((versions, next));
            }
            versions.push(version);
        }
        if !first.contains(&last) {
            break;
        }
        place = place.at(last);
    }
    Ok((versions, next))
}

/// The numbers of the writes that a page looks at, and where the one after it starts.
fn stretch(
    snapshot: &dyn Snapshot,
    request: &HistoryRequest,
    from: From,
) -> Result<(std::ops::RangeInclusive<Seq>, Option<From>)> {
    Ok(match from {
        From::Newest(before) => {
            let newest = snapshot.seq();
            let bottom = match request.since_ms {
                ..=0 => 0,
                since_ms => last_at(snapshot, newest, since_ms - 1)?,
            };
            let top = before.saturating_sub(1).min(newest);
            let floor = top.saturating_sub(STRETCH).max(bottom);
            (floor + 1..=top, (floor > bottom).then_some(From::Newest(floor + 1)))
        }
        From::Oldest { after, until } => {
            let ceiling = after.saturating_add(STRETCH).min(until);
            let next = (ceiling < until).then_some(From::Oldest { after: ceiling, until });
            (after + 1..=ceiling, next)
        }
    })
}

/// What of the versions the permit reaches.
struct Reach<'a> {
    snapshot: &'a dyn Snapshot,
    permit: &'a Permit,
    /// Whether the newest content of a resource is inside, once asked.
    known: HashMap<Key, bool>,
}

impl<'a> Reach<'a> {
    fn new(snapshot: &'a dyn Snapshot, permit: &'a Permit) -> Self {
        Self { snapshot, permit, known: HashMap::new() }
    }

    fn shows(&mut self, version: &Stored) -> Result<bool> {
        let is_inside =
            version.method == Method::Delete || in_scope(&parse(version)?, self.permit.scope());
        if !is_inside {
            return Ok(false);
        }
        if let Some(known) = self.known.get(&version.key) {
            return Ok(*known);
        }
        let seen = match check_seen(self.snapshot, &version.key, self.permit) {
            Ok(()) => true,
            Err(error) if error.kind == Kind::NotFound => false,
            Err(error) => return Err(error),
        };
        self.known.insert(version.key.clone(), seen);
        Ok(seen)
    }
}
