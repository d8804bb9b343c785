//! Problems that one source lists as active and another as over, or as ruled out.

use super::{
    Conflict, ConflictKind, Severity, by_concept, conflict, is_between_sources, places, since,
    source_count, title,
};
use crate::entry::Entry;
use crate::fact::Kind;

const MONTH_MS: i64 = 30 * 86_400_000;

pub(super) fn find(entries: &[Entry<'_>], found: &mut Vec<Conflict>) {
    let problems: Vec<&Entry<'_>> = entries
        .iter()
        .filter(|entry| entry.fact.kind == Kind::Condition && !entry.fact.is_retracted())
        .collect();
    for group in by_concept(&problems) {
        if source_count(&group) < 2 {
            continue;
        }
        let active: Vec<_> = group.iter().copied().filter(|e| e.fact.is_active()).collect();
        let Some(first) = active.first() else { continue };
        let name = title(first);
        let refuted: Vec<_> = group.iter().copied().filter(|e| e.fact.is_refuted()).collect();
        if is_between_sources(&active, &refuted) {
            let sentence = format!(
                "{name} is active at {}, but was ruled out at {}. Check which finding is current.",
                places(&active, since),
                places(&refuted, |entry| entry.since().to_owned()),
            );
            let sides: [&[&Entry<'_>]; 2] = [&active, &refuted];
            let kind = ConflictKind::ConditionStatus;
            found.push(conflict(kind, Severity::Moderate, sentence, &sides));
        }
        let ended = |entry: &&Entry<'_>| {
            active.iter().any(|active| active.source != entry.source && has_ended(active, entry))
        };
        let over: Vec<_> = group.iter().copied().filter(ended).collect();
        let held = |entry: &&Entry<'_>| {
            over.iter().any(|over| over.source != entry.source && has_ended(entry, over))
        };
        let active: Vec<_> = active.iter().copied().filter(held).collect();
        if is_between_sources(&active, &over) {
            let sentence = format!(
                "{name} is active at {}, but resolved at {}. Check whether it is still present.",
                places(&active, since),
                places(&over, |entry| {
                    entry.fact.end.as_ref().map_or("", |end| end.day()).to_owned()
                }),
            );
            let sides: [&[&Entry<'_>]; 2] = [&active, &over];
            found.push(conflict(ConflictKind::ConditionStatus, Severity::Low, sentence, &sides));
        }
    }
}

/// Whether `over` says that the problem `active` speaks of has ended. An episode that was over
/// before the active one began is no contradiction.
fn has_ended(active: &Entry<'_>, over: &Entry<'_>) -> bool {
    if over.fact.is_refuted()
        || !matches!(over.fact.status.as_str(), "inactive" | "remission" | "resolved")
    {
        return false;
    }
    let Some(onset) = &active.fact.start else { return true };
    match over.fact.end.as_ref().or(over.fact.start.as_ref()) {
        Some(end) => onset.start_ms <= end.end_ms.saturating_add(MONTH_MS),
        None => true,
    }
}
