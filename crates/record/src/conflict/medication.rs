//! Medicines that one source holds to be taken and another has stopped, and doses that differ.

use std::collections::BTreeMap;

use super::{
    Conflict, ConflictKind, Severity, by_keys, conflict, is_between_sources, places, since,
    source_count, title,
};
use crate::entry::Entry;
use crate::fact::Kind;

pub(super) fn find(entries: &[Entry<'_>], found: &mut Vec<Conflict>) {
    let medicines: Vec<&Entry<'_>> = entries
        .iter()
        .filter(|entry| entry.fact.kind == Kind::Medication && !entry.fact.is_retracted())
        .collect();
    for group in by_keys(&medicines, keys) {
        if source_count(&group) < 2 {
            continue;
        }
        stopped(&group, found);
        doses(&group, found);
    }
}

/// Codes and ingredients: other strengths of the same medicine belong to the same question.
fn keys(entry: &Entry<'_>) -> Vec<String> {
    let mut keys: Vec<String> = entry.concept.codings.iter().map(|c| c.token()).collect();
    keys.extend(entry.drug.as_ref().map(|drug| format!("ingredients {}", drug.ingredients)));
    if keys.is_empty() {
        keys = entry.concept.keys();
    }
    keys
}

fn stopped(group: &[&Entry<'_>], found: &mut Vec<Conflict>) {
    // Only the latest word of each source counts: a hospital that stopped a medicine and ordered
    // it again has not stopped it.
    let mut latest: BTreeMap<usize, &Entry<'_>> = BTreeMap::new();
    for entry in group.iter().copied() {
        let newer = |old: &Entry<'_>| {
            (entry.fact.is_active(), start(entry)) >= (old.fact.is_active(), start(old))
        };
        if latest.get(&entry.source).is_none_or(|old| newer(old)) {
            latest.insert(entry.source, entry);
        }
    }
    let latest: Vec<&Entry<'_>> = latest.into_values().collect();
    let active: Vec<_> = latest.iter().copied().filter(|entry| is_taken(entry)).collect();
    let halted = |entry: &&Entry<'_>| {
        is_stopped(entry) && active.iter().any(|active| start(active) <= end(entry))
    };
    let over: Vec<_> = latest.iter().copied().filter(halted).collect();
    let Some(first) = active.first().filter(|_| is_between_sources(&active, &over)) else { return };
    let sentence = format!(
        "{} is active at {}, but not at {}. Ask whether the patient still takes it.",
        title(first),
        places(&active, since),
        places(&over, |entry| match entry.since() {
            "" => entry.fact.status.clone(),
            day => format!("{}, ordered {day}", entry.fact.status),
        }),
    );
    let sides: [&[&Entry<'_>]; 2] = [&active, &over];
    found.push(conflict(ConflictKind::MedicationStopped, Severity::Moderate, sentence, &sides));
}

fn doses(group: &[&Entry<'_>], found: &mut Vec<Conflict>) {
    let active: Vec<_> = group.iter().copied().filter(|entry| is_taken(entry)).collect();
    let mut differing: Vec<&Entry<'_>> = Vec::new();
    for (at, one) in active.iter().enumerate() {
        for other in active.iter().skip(at + 1) {
            if one.source != other.source && differs(one, other) {
                for entry in [*one, *other] {
                    if !differing.iter().any(|known| known.item == entry.item) {
                        differing.push(entry);
                    }
                }
            }
        }
    }
    let Some(first) = differing.first() else { return };
    let name = match &first.drug {
        Some(drug) => drug.ingredients.clone(),
        None => title(first),
    };
    let sentence = format!(
        "Doses of {name} differ: {}. Confirm which dose the patient takes.",
        places(&differing, described),
    );
    found.push(conflict(ConflictKind::DoseDiffers, Severity::Moderate, sentence, &[&differing]));
}

fn differs(a: &Entry<'_>, b: &Entry<'_>) -> bool {
    if let (Some(a), Some(b)) = (&a.drug, &b.drug)
        && a.ingredients == b.ingredients
        && a.strength != b.strength
    {
        return true;
    }
    match (&a.fact.dose, &b.fact.dose) {
        (Some(a), Some(b)) => a.differs(b),
        _ => false,
    }
}

/// "25 mg: 1 time(s) per day", as far as it is known.
fn described(entry: &Entry<'_>) -> String {
    let strength = entry.drug.as_ref().map(|drug| drug.strength.clone());
    let dose = entry.fact.dose.as_ref().and_then(|dose| dose.shown());
    match (strength, dose) {
        (Some(strength), Some(dose)) => format!("{strength}: {dose}"),
        (strength, dose) => strength.or(dose).unwrap_or_else(|| title(entry)),
    }
}

fn start(entry: &Entry<'_>) -> i64 {
    entry.fact.start.as_ref().map_or(i64::MIN, |when| when.start_ms)
}

/// The last moment that the entry speaks of.
fn end(entry: &Entry<'_>) -> i64 {
    let end = entry.fact.end.as_ref().or(entry.fact.start.as_ref());
    end.map_or(i64::MAX, |when| when.end_ms)
}

fn is_taken(entry: &Entry<'_>) -> bool {
    entry.fact.is_active() && entry.fact.status != "on-hold"
}

fn is_stopped(entry: &Entry<'_>) -> bool {
    matches!(entry.fact.status.as_str(), "stopped" | "cancelled" | "not-taken" | "on-hold")
}
