//! Demographics that differ between sources: each one a hint of two people in one record.

use super::{Conflict, ConflictKind, Severity, conflict, places};
use crate::demographics::Demographics;
use crate::entry::Entry;
use crate::fact::Kind;

pub(super) fn find(entries: &[Entry<'_>], found: &mut Vec<Conflict>) {
    let patients: Vec<(&Entry<'_>, &Demographics)> = entries
        .iter()
        .filter(|entry| entry.fact.kind == Kind::Patient)
        .filter_map(|entry| Some((entry, entry.fact.person.as_deref()?)))
        .take(super::MAX_GROUP)
        .collect();
    let differences: [Difference; 5] = [
        Difference {
            what: "Death is recorded at only some of the sources",
            advice: "Make sure that this is the right patient.",
            severity: Severity::High,
            shown: |person| match person.deceased {
                Some(true) => match &person.deceased_on {
                    Some(day) => format!("died {}", day.get(..10).unwrap_or(day)),
                    None => "recorded as dead".into(),
                },
                _ => "recorded as alive".into(),
            },
            differs: |a, b| a.deceased.unwrap_or(false) != b.deceased.unwrap_or(false),
        },
        Difference {
            what: "Dates of death differ",
            advice: "Check the date.",
            severity: Severity::Low,
            shown: |person| person.deceased_on.clone().unwrap_or_default(),
            differs: |a, b| partial_dates_differ(&a.deceased_on, &b.deceased_on),
        },
        Difference {
            what: "Birth dates differ",
            advice: "Make sure that this is the right patient.",
            severity: Severity::Moderate,
            shown: |person| person.birth_date.clone().unwrap_or_default(),
            differs: |a, b| partial_dates_differ(&a.birth_date, &b.birth_date),
        },
        Difference {
            what: "Sex differs",
            advice: "Make sure that this is the right patient.",
            severity: Severity::Moderate,
            shown: |person| person.gender.clone().unwrap_or_default(),
            differs: |a, b| {
                let known = |person: &Demographics| {
                    person.gender.clone().filter(|gender| gender != "unknown")
                };
                matches!((known(a), known(b)), (Some(a), Some(b)) if a != b)
            },
        },
        Difference {
            what: "Names differ",
            advice: "Check for a change of name or a spelling error.",
            severity: Severity::Low,
            shown: |person| {
                let (family, given) = person.name.clone().unwrap_or_default();
                format!("{given} {family}").trim().to_owned()
            },
            differs: |a, b| {
                let either = !a.names.is_empty() && !b.names.is_empty();
                either && !a.names.iter().any(|name| b.names.contains(name))
            },
        },
    ];
    for difference in &differences {
        compare(&patients, difference, found);
    }
}

struct Difference {
    what: &'static str,
    advice: &'static str,
    severity: Severity,
    shown: fn(&Demographics) -> String,
    differs: fn(&Demographics, &Demographics) -> bool,
}

fn compare(
    patients: &[(&Entry<'_>, &Demographics)],
    difference: &Difference,
    found: &mut Vec<Conflict>,
) {
    let differing: Vec<&Entry<'_>> = patients
        .iter()
        .filter(|(entry, person)| {
            patients.iter().any(|(other, second)| {
                other.source != entry.source && (difference.differs)(person, second)
            })
        })
        .map(|(entry, _)| *entry)
        .collect();
    if differing.is_empty() {
        return;
    }
    let shown =
        |entry: &Entry<'_>| entry.fact.person.as_deref().map(difference.shown).unwrap_or_default();
    let sentence =
        format!("{}: {}. {}", difference.what, places(&differing, shown), difference.advice);
    let kind = ConflictKind::Demographics;
    found.push(conflict(kind, difference.severity, sentence, &[&differing]));
}

/// Whether two dates differ in the part that both state: `1980` and `1980-05-01` do not.
fn partial_dates_differ(a: &Option<String>, b: &Option<String>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let (a, b) = (a.get(..10).unwrap_or(a), b.get(..10).unwrap_or(b));
    !a.starts_with(b) && !b.starts_with(a)
}
