//! Measurements with two values, and blood groups that differ.

use super::{
    Conflict, ConflictKind, Severity, by_concept, conflict, is_between_sources, places,
    source_count, title,
};
use crate::amount::Amount;
use crate::entry::Entry;
use crate::fact::Kind;
use crate::read::{LOINC, SNOMED, wording};

/// LOINC codes of ABO and Rh group, ABO group and Rh type.
const BLOOD_GROUP: [&str; 3] = ["882-1", "883-9", "10331-7"];

pub(super) fn find(entries: &[Entry<'_>], found: &mut Vec<Conflict>) {
    let stated: Vec<&Entry<'_>> = entries
        .iter()
        .filter(|entry| entry.fact.kind == Kind::Observation && entry.fact.amount.is_some())
        .filter(|entry| !entry.fact.is_retracted())
        .filter(|entry| {
            !matches!(entry.fact.status.as_str(), "registered" | "preliminary" | "cancelled")
        })
        .collect();
    let (groups, results): (Vec<_>, Vec<_>) =
        stated.into_iter().partition(|entry| is_blood_group(entry));
    blood_groups(&groups, found);
    for group in by_concept(&results) {
        if source_count(&group) < 2 {
            continue;
        }
        same_time_other_value(&group, found);
    }
}

/// Entries of one concept in the order of time: each is compared with the ones that follow within
/// the same minute or on the same day.
fn same_time_other_value(group: &[&Entry<'_>], found: &mut Vec<Conflict>) {
    let mut told: Vec<crate::ItemRef> = Vec::new();
    for (at, one) in group.iter().copied().enumerate() {
        let (Some(time), Some(value)) = (&one.fact.start, &one.fact.amount) else { continue };
        if told.contains(&one.item) {
            continue;
        }
        let later = group.iter().copied().skip(at + 1);
        let close = later.take_while(|next| {
            next.fact.start.as_ref().is_some_and(|next| next.start_ms - time.end_ms <= 86_400_000)
        });
        let other: Vec<&Entry<'_>> = close
            .filter(|next| next.source != one.source)
            .filter(|next| next.concept.matches(one.concept).is_some())
            .filter(|next| next.fact.start.as_ref().is_some_and(|next| next.is_same(time)))
            .filter(|next| next.fact.amount.as_ref().is_some_and(|next| !next.is_same(value)))
            .collect();
        let Some(second) = other.first() else { continue };
        let comparable = second.fact.amount.as_ref().is_some_and(|next| value.is_comparable(next));
        let exact = second.fact.start.as_ref().is_some_and(|next| next.both_exact(time));
        let (severity, advice) = match (comparable, exact) {
            (false, _) => (Severity::Low, "The units or kinds of value differ; compare by hand."),
            (true, true) => (Severity::Moderate, "Check with both sources or measure again."),
            (true, false) => {
                (Severity::Low, "Only the day is known, so these may be two measurements.")
            }
        };
        let mut all = vec![one];
        all.extend(&other);
        let sentence = format!(
            "{} on {} differs: {}. {advice}",
            title(one),
            time.day(),
            places(&all, |entry| entry.fact.amount.as_ref().map_or(String::new(), Amount::shown)),
        );
        told.extend(other.iter().map(|entry| entry.item));
        found.push(conflict(ConflictKind::ResultDiffers, severity, sentence, &[&all]));
    }
}

fn blood_groups(entries: &[&Entry<'_>], found: &mut Vec<Conflict>) {
    let read: Vec<(&Entry<'_>, BloodGroup)> = entries
        .iter()
        .filter_map(|entry| Some((*entry, BloodGroup::read(entry.fact.amount.as_ref()?)?)))
        .collect();
    let mut differing: Vec<&Entry<'_>> = Vec::new();
    for (entry, group) in &read {
        let clash = read
            .iter()
            .any(|(other, value)| other.source != entry.source && value.contradicts(group));
        if clash {
            differing.push(entry);
        }
    }
    if !is_between_sources(&differing, &differing) {
        return;
    }
    let sentence = format!(
        "Blood groups differ: {}. Do not rely on either; repeat the group before transfusion.",
        places(&differing, |entry| {
            entry.fact.amount.as_ref().map_or(String::new(), Amount::shown)
        }),
    );
    found.push(conflict(ConflictKind::BloodGroup, Severity::High, sentence, &[&differing]));
}

fn is_blood_group(entry: &Entry<'_>) -> bool {
    BLOOD_GROUP.iter().any(|code| entry.concept.has(LOINC, code))
        || entry.concept.has(SNOMED, "365637002")
        || (entry.concept.codings.is_empty()
            && wording(&entry.concept.label()).starts_with("blood group"))
}

/// ABO group and Rh type as far as they are stated.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BloodGroup {
    abo: Option<&'static str>,
    rh_positive: Option<bool>,
}

impl BloodGroup {
    fn read(amount: &Amount) -> Option<Self> {
        let text = amount.shown();
        let lower = text.to_lowercase();
        let rh_positive = if lower.contains("pos") || lower.contains('+') {
            Some(true)
        } else if lower.contains("neg") || lower.ends_with(['-', '\u{2212}']) {
            Some(false)
        } else {
            None
        };
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let abo = words.find_map(|word| match word {
            "A" => Some("A"),
            "B" => Some("B"),
            "AB" => Some("AB"),
            "O" | "0" => Some("O"),
            _ => None,
        });
        (abo.is_some() || rh_positive.is_some()).then_some(Self { abo, rh_positive })
    }

    fn contradicts(&self, other: &Self) -> bool {
        let abo = matches!((self.abo, other.abo), (Some(a), Some(b)) if a != b);
        let rh = matches!((self.rh_positive, other.rh_positive), (Some(a), Some(b)) if a != b);
        abo || rh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blood_groups_are_read_from_the_usual_spellings() {
        for (text, abo, rh) in [
            ("A+", Some("A"), Some(true)),
            ("Group O", Some("O"), None),
            ("Blood group AB Rh(D) negative", Some("AB"), Some(false)),
            ("B neg", Some("B"), Some(false)),
            ("O Rh positive", Some("O"), Some(true)),
            ("Rh positive", None, Some(true)),
            ("0-", Some("O"), Some(false)),
        ] {
            let read = BloodGroup::read(&Amount::Text(text.into())).unwrap();
            assert_eq!((read.abo, read.rh_positive), (abo, rh), "{text}");
        }
        assert_eq!(BloodGroup::read(&Amount::Text("unknown".into())), None);
    }
}
