//! Allergies that one source records and another denies, or holds to be over.

use super::{
    Conflict, ConflictKind, Severity, by_concept, conflict, is_between_sources, places, since,
    title,
};
use crate::entry::Entry;
use crate::fact::Kind;
use crate::read::SNOMED;

const ABSENT: &str = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips";
/// Statements of absence (IPS 2.0.1 and its predecessors) and the category they are about; an
/// empty category is any allergy.
const NONE_KNOWN: [(&str, &str, &str); 8] = [
    (SNOMED, "716186003", ""),
    (SNOMED, "409137002", "medication"),
    (SNOMED, "429625007", "food"),
    (SNOMED, "428607008", "environment"),
    (ABSENT, "no-known-allergies", ""),
    (ABSENT, "no-known-medication-allergies", "medication"),
    (ABSENT, "no-known-food-allergies", "food"),
    (ABSENT, "no-known-environmental-allergies", "environment"),
];

pub(super) fn find(entries: &[Entry<'_>], found: &mut Vec<Conflict>) {
    let stated: Vec<&Entry<'_>> = entries
        .iter()
        .filter(|entry| entry.fact.kind == Kind::Allergy && !entry.fact.is_retracted())
        .collect();
    let (denials, allergies): (Vec<_>, Vec<_>) =
        stated.into_iter().partition(|entry| none_known(entry).is_some());
    for group in by_concept(&allergies) {
        let active: Vec<_> = group.iter().copied().filter(|e| e.fact.is_active()).collect();
        let Some(first) = active.first() else { continue };
        let name = title(first);
        let refuted: Vec<_> = group.iter().copied().filter(|e| e.fact.is_refuted()).collect();
        if is_between_sources(&active, &refuted) {
            let sentence = format!(
                "{name} is recorded as active at {}, but was refuted at {}. \
                 Confirm with the patient before prescribing.",
                places(&active, since),
                places(&refuted, |entry| entry.since().to_owned()),
            );
            let sides: [&[&Entry<'_>]; 2] = [&active, &refuted];
            found.push(conflict(ConflictKind::AllergyDenied, Severity::High, sentence, &sides));
        }
        let over: Vec<_> = group.iter().copied().filter(|entry| is_over(entry)).collect();
        if is_between_sources(&active, &over) {
            let sentence = format!(
                "{name} is active at {}, but inactive or resolved at {}. \
                 Confirm which is current.",
                places(&active, since),
                places(&over, |entry| entry.fact.status.clone()),
            );
            let sides: [&[&Entry<'_>]; 2] = [&active, &over];
            found.push(conflict(ConflictKind::AllergyStatus, Severity::Moderate, sentence, &sides));
        }
        denied(&name, &active, &denials, found);
    }
}

fn denied(name: &str, active: &[&Entry<'_>], denials: &[&Entry<'_>], found: &mut Vec<Conflict>) {
    let against: Vec<&Entry<'_>> = denials
        .iter()
        .copied()
        .filter(|denial| {
            let Some(category) = none_known(denial).filter(|_| denial.fact.is_active()) else {
                return false;
            };
            active.iter().any(|entry| {
                let known = &entry.fact.categories;
                let covered = category.is_empty()
                    || known.is_empty()
                    || known.iter().any(|known| known == category);
                covered && entry.source != denial.source
            })
        })
        .collect();
    let Some(first) = against.first() else { return };
    let what = match none_known(first) {
        Some("") | None => "no known allergies".to_owned(),
        Some("medication") => "no known drug allergies".to_owned(),
        Some(category) => format!("no known {category} allergies"),
    };
    let sentence = format!(
        "{name} is recorded as active at {}, but {} states {what}. \
         Treat the allergy as real until the patient has been asked.",
        places(active, since),
        places(&against, |entry| entry.since().to_owned()),
    );
    found.push(conflict(
        ConflictKind::AllergyDenied,
        Severity::High,
        sentence,
        &[active, &against],
    ));
}

/// The category for which the entry says that nothing is known; `None` for an allergy.
fn none_known(entry: &Entry<'_>) -> Option<&'static str> {
    let stated = |(system, code, _): &&(&str, &str, &str)| entry.concept.has(system, code);
    NONE_KNOWN.iter().find(stated).map(|(_, _, category)| *category)
}

fn is_over(entry: &Entry<'_>) -> bool {
    !entry.fact.is_refuted() && matches!(entry.fact.status.as_str(), "inactive" | "resolved")
}
