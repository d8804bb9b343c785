//! Conflicts: what sources disagree on, each as one sentence.
//!
//! A conflict is always between organisations: what one hospital's own record says twice is that
//! hospital's matter. Statements that a source has taken back (`entered-in-error`) take no part,
//! except where another source still holds the same statement.

mod allergy;
mod condition;
mod medication;
mod person;
mod result;

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::Groups;
use crate::entry::Entry;
use crate::record::ItemRef;

/// Conflicts of one record that are reported, the gravest first.
const MAX_CONFLICTS: usize = 500;
/// Items named by one conflict.
const MAX_ITEMS: usize = 50;
/// Entries of one concept that are compared with each other.
const MAX_GROUP: usize = 200;
/// Places that one sentence names.
const MAX_PLACES: usize = 4;

/// What a conflict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConflictKind {
    /// An allergy at one source; no known allergies, or the same allergy refuted, at another.
    AllergyDenied,
    /// An allergy active at one source and inactive or resolved at another.
    AllergyStatus,
    /// Blood groups that differ.
    BloodGroup,
    /// Birth date, sex, name or death differ.
    Demographics,
    /// A medicine active at one source and stopped at another.
    MedicationStopped,
    /// The same medicine in different strength or dose.
    DoseDiffers,
    /// A problem active at one source and resolved, or refuted, at another.
    ConditionStatus,
    /// One measurement with two values.
    ResultDiffers,
    /// One source holds what another has marked as entered in error.
    Retracted,
}

impl ConflictKind {
    /// Code in `https://consilium.health/fhir/CodeSystem/record-conflict`.
    pub fn code(self) -> &'static str {
        match self {
            Self::AllergyDenied => "allergy-denied",
            Self::AllergyStatus => "allergy-status",
            Self::BloodGroup => "blood-group",
            Self::Demographics => "demographics",
            Self::MedicationStopped => "medication-stopped",
            Self::DoseDiffers => "dose-differs",
            Self::ConditionStatus => "condition-status",
            Self::ResultDiffers => "result-differs",
            Self::Retracted => "retracted",
        }
    }

    /// The kind in a few words.
    pub fn display(self) -> &'static str {
        match self {
            Self::AllergyDenied => "Allergy recorded and denied",
            Self::AllergyStatus => "Allergy active and inactive",
            Self::BloodGroup => "Blood groups differ",
            Self::Demographics => "Demographics differ",
            Self::MedicationStopped => "Medicine active and stopped",
            Self::DoseDiffers => "Doses differ",
            Self::ConditionStatus => "Problem active and not active",
            Self::ResultDiffers => "Results differ",
            Self::Retracted => "Marked as entered in error elsewhere",
        }
    }
}

/// How much harm may follow; codes of FHIR R4 value set detectedissue-severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// May lead to a wrong decision.
    Moderate,
    /// May lead to serious harm.
    High,
}

impl Severity {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Moderate => "moderate",
            Self::High => "high",
        }
    }
}

/// One disagreement between sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// What it is about.
    pub kind: ConflictKind,
    /// How grave it may be.
    pub severity: Severity,
    /// What disagrees and what to do, in plain English. It contains personal data.
    pub sentence: String,
    /// The items that disagree.
    pub items: Vec<ItemRef>,
}

/// Everything the sources disagree on, the gravest first, at most [`MAX_CONFLICTS`]; and how many
/// were found in all.
pub(crate) fn conflicts(entries: &[Entry<'_>], groups: &Groups) -> (Vec<Conflict>, usize) {
    let mut found = Vec::new();
    allergy::find(entries, &mut found);
    person::find(entries, &mut found);
    medication::find(entries, &mut found);
    condition::find(entries, &mut found);
    result::find(entries, &mut found);
    retracted(entries, groups, &mut found);
    found.sort_by(|a, b| {
        let key = |c: &Conflict| (std::cmp::Reverse(c.severity), c.kind);
        key(a).cmp(&key(b)).then_with(|| a.sentence.cmp(&b.sentence))
    });
    let total = found.len();
    found.truncate(MAX_CONFLICTS);
    (found, total)
}

fn retracted(entries: &[Entry<'_>], groups: &Groups, found: &mut Vec<Conflict>) {
    for members in &groups.members {
        let members: Vec<&Entry<'_>> = members.iter().filter_map(|&at| entries.get(at)).collect();
        let (wrong, held): (Vec<_>, Vec<_>) =
            members.iter().copied().partition(|entry| entry.fact.is_retracted());
        if !is_between_sources(&wrong, &held) {
            continue;
        }
        let Some(first) = held.first() else { continue };
        let sentence = format!(
            "{} is on record at {}, but {} marked the same entry as entered in error. \
             Check before relying on it.",
            title(first),
            places(&held, |_| String::new()),
            places(&wrong, |_| String::new()),
        );
        found.push(conflict(
            ConflictKind::Retracted,
            Severity::Moderate,
            sentence,
            &[&wrong, &held],
        ));
    }
}

/// Builds a conflict over the items of `sides`.
fn conflict(
    kind: ConflictKind,
    severity: Severity,
    sentence: String,
    sides: &[&[&Entry<'_>]],
) -> Conflict {
    let mut items: Vec<ItemRef> = Vec::new();
    for entry in sides.iter().flat_map(|side| side.iter()) {
        if items.len() < MAX_ITEMS && !items.contains(&entry.item) {
            items.push(entry.item);
        }
    }
    Conflict { kind, severity, sentence, items }
}

/// Whether some entry of `a` and some entry of `b` are from different sources.
fn is_between_sources(a: &[&Entry<'_>], b: &[&Entry<'_>]) -> bool {
    a.iter().any(|one| b.iter().any(|other| one.source != other.source))
}

/// What an entry is called in a sentence.
fn title(entry: &Entry<'_>) -> String {
    if entry.concept.is_empty() { entry.type_name.to_owned() } else { entry.concept.label() }
}

/// "North Hospital (2020-01-02) and Lake Clinic": each source once, with what `detail` says of
/// its first entry.
fn places(entries: &[&Entry<'_>], detail: impl Fn(&Entry<'_>) -> String) -> String {
    let mut named: BTreeMap<usize, String> = BTreeMap::new();
    for entry in entries {
        named.entry(entry.source).or_insert_with(|| match detail(entry) {
            detail if detail.is_empty() => entry.source_name.to_owned(),
            detail => format!("{} ({detail})", entry.source_name),
        });
    }
    let mut names: Vec<String> = named.into_values().collect();
    if names.len() > MAX_PLACES {
        let more = names.len() - MAX_PLACES;
        names.truncate(MAX_PLACES);
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

/// "since 2020-01-02", or nothing where no date is known.
fn since(entry: &Entry<'_>) -> String {
    match entry.since() {
        "" => String::new(),
        day => format!("since {day}"),
    }
}

/// Entries that share a code, or a wording where they have no code system in common, directly or
/// through others. The newest [`MAX_GROUP`] of each.
fn by_concept<'e, 'a>(entries: &[&'e Entry<'a>]) -> Vec<Vec<&'e Entry<'a>>> {
    by_keys(entries, |entry| {
        let mut keys: Vec<String> = entry.concept.codings.iter().map(|c| c.token()).collect();
        if keys.is_empty() {
            keys = entry.concept.keys();
        }
        keys
    })
}

/// Entries joined by any key they share.
fn by_keys<'e, 'a>(
    entries: &[&'e Entry<'a>],
    keys: impl Fn(&Entry<'a>) -> Vec<String>,
) -> Vec<Vec<&'e Entry<'a>>> {
    let mut parent: Vec<usize> = (0..entries.len()).collect();
    let mut owner: BTreeMap<String, usize> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        for key in keys(entry) {
            let first = *owner.entry(key).or_insert(at);
            let (a, b) = (root(&mut parent, first), root(&mut parent, at));
            if let Some(slot) = parent.get_mut(a.max(b)) {
                *slot = a.min(b);
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<&'e Entry<'a>>> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        groups.entry(root(&mut parent, at)).or_default().push(entry);
    }
    let newest = |mut group: Vec<&'e Entry<'a>>| {
        let surplus = group.len().saturating_sub(MAX_GROUP);
        group.drain(..surplus);
        group
    };
    groups.into_values().map(newest).collect()
}

/// The smallest number that `at` is joined to; shortens the path on the way.
fn root(parent: &mut [usize], mut at: usize) -> usize {
    while let Some(&up) = parent.get(at) {
        if up == at {
            break;
        }
        let above = parent.get(up).copied().unwrap_or(up);
        if let Some(slot) = parent.get_mut(at) {
            *slot = above;
        }
        at = above;
    }
    at
}

/// How many sources a group has.
fn source_count(entries: &[&Entry<'_>]) -> usize {
    entries.iter().map(|entry| entry.source).collect::<BTreeSet<_>>().len()
}
