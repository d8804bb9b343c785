//! When two items state the same fact: one rule per type, each with its evidence.

use crate::cluster::{ClusterReason, Rule};
use crate::entry::Entry;
use crate::fact::Kind;
use crate::read::When;

/// How far apart two records of the onset of one problem may be.
const ONSET_DAYS: i64 = 30;
/// How far apart two records of one vaccination may be.
const VACCINATION_DAYS: i64 = 3;
/// How far apart two items with one business identifier may be.
const IDENTIFIER_DAYS: i64 = 1;

/// Why `a` and `b` are the same fact; `None` where they are not, or not certainly.
pub(crate) fn same_fact(a: &Entry<'_>, b: &Entry<'_>) -> Option<ClusterReason> {
    if a.type_name != b.type_name {
        return None;
    }
    if a.source == b.source && a.id == b.id {
        let evidence = format!("{}/{}", a.type_name, a.id);
        return Some(ClusterReason { rule: Rule::SameResource, evidence });
    }
    by_content(a, b).or_else(|| by_identifier(a, b))
}

fn by_content(a: &Entry<'_>, b: &Entry<'_>) -> Option<ClusterReason> {
    let code = || a.concept.matches(b.concept);
    let because = |rule: Rule, evidence: String| Some(ClusterReason { rule, evidence });
    match a.fact.kind {
        Kind::Patient => because(Rule::SamePerson, "matched by the asking organisation".into()),
        Kind::Condition => because(condition(a, b)?, code()?),
        Kind::Allergy => because(Rule::SameSubstance, code()?),
        Kind::Medication => because(medication(a, b)?, code()?),
        Kind::Immunization => {
            let given = |entry: &Entry<'_>| entry.fact.status == "not-done";
            let close = both(a, b)?.0.is_within_days(both(a, b)?.1, VACCINATION_DAYS);
            (close && given(a) == given(b)).then_some(())?;
            because(Rule::CloseDate, code()?)
        }
        Kind::Observation => {
            let same = a.fact.amount.as_ref()?.is_same(b.fact.amount.as_ref()?);
            (same && same_time(a, b)).then_some(())?;
            because(Rule::SameTimeAndValue, code()?)
        }
        Kind::Procedure => {
            let done = |entry: &Entry<'_>| entry.fact.status == "not-done";
            (same_time(a, b) && done(a) == done(b)).then_some(())?;
            because(Rule::SameTime, code()?)
        }
        Kind::Report => {
            // Two reports of one source at the same time are two reports unless they read alike.
            let known = !a.fact.contents.is_empty() && !b.fact.contents.is_empty();
            let alike = content(a, b).is_some();
            let same = if known { alike } else { a.source != b.source };
            (same_time(a, b) && same).then_some(())?;
            because(Rule::SameTime, code()?)
        }
        Kind::Document => because(Rule::SameContent, content(a, b)?),
        Kind::Encounter | Kind::Financial | Kind::Other => None,
    }
}

fn both<'a>(a: &'a Entry<'_>, b: &'a Entry<'_>) -> Option<(&'a When, &'a When)> {
    Some((a.fact.start.as_ref()?, b.fact.start.as_ref()?))
}

fn same_time(a: &Entry<'_>, b: &Entry<'_>) -> bool {
    both(a, b).is_some_and(|(a, b)| a.is_same(b))
}

fn condition(a: &Entry<'_>, b: &Entry<'_>) -> Option<Rule> {
    if both(a, b).is_some_and(|(a, b)| a.is_within_days(b, ONSET_DAYS)) {
        return Some(Rule::CloseOnset);
    }
    // Each hospital dates a lasting problem from when it first heard of it. Within one hospital
    // two entries are two episodes.
    (a.source != b.source && a.fact.is_active() && b.fact.is_active()).then_some(Rule::BothActive)
}

fn medication(a: &Entry<'_>, b: &Entry<'_>) -> Option<Rule> {
    if a.source == b.source {
        // A renewal is an order of its own.
        return same_time(a, b).then_some(Rule::SameTime);
    }
    let ((a_start, a_end), (b_start, b_end)) = (span(a)?, span(b)?);
    (a_start < b_end && b_start < a_end).then_some(Rule::OverlappingPeriod)
}

/// When a medicine was taken as far as that is known, in milliseconds: an active one has no end,
/// a past one without an end is counted on the day it was ordered.
pub(crate) fn span(entry: &Entry<'_>) -> Option<(i64, i64)> {
    let active = entry.fact.is_active();
    let start = match &entry.fact.start {
        Some(start) => start,
        None if active => return Some((i64::MIN, i64::MAX)),
        None => return None,
    };
    let end = match (&entry.fact.end, active) {
        (Some(end), _) => end.end_ms,
        (None, true) => i64::MAX,
        (None, false) => start.end_ms.max(start.start_ms + 86_400_000),
    };
    Some((start.start_ms, end))
}

/// The attachment both have: by hash, by equal data or by the same absolute address.
fn content(a: &Entry<'_>, b: &Entry<'_>) -> Option<String> {
    for (at, one) in a.fact.contents.iter().enumerate() {
        for (other_at, other) in b.fact.contents.iter().enumerate() {
            if one.hash.is_some() && one.hash == other.hash {
                return Some("same hash".into());
            }
            if one.data.is_some() && one.data == other.data && same_data(a, at, b, other_at) {
                return Some("same content".into());
            }
            if one.url.is_some() && one.url == other.url {
                return Some("same address".into());
            }
        }
    }
    None
}

/// Compares the data itself: the hash that was taken on arrival is quick and not proof.
fn same_data(a: &Entry<'_>, a_at: usize, b: &Entry<'_>, b_at: usize) -> bool {
    let data = |entry: &Entry<'_>, at: usize| {
        let root = entry.record.item(entry.item)?.resource.root();
        let attachment = crate::fact::attachments(root).nth(at)?;
        attachment.str_at("data").map(|data| data.into_owned())
    };
    data(a, a_at) == data(b, b_at)
}

/// Equal business identifiers, unless code, value or time speak against it: an order number is
/// shared by every result of the order.
fn by_identifier(a: &Entry<'_>, b: &Entry<'_>) -> Option<ClusterReason> {
    if a.fact.kind == Kind::Financial {
        return None;
    }
    let shared = a.fact.identifiers.iter().filter(|token| b.fact.identifiers.contains(token)).min();
    let evidence = shared?.clone();
    let coded = !a.concept.is_empty() && !b.concept.is_empty();
    if coded && a.concept.matches(b.concept).is_none() {
        return None;
    }
    if both(a, b).is_some_and(|(a, b)| !a.is_within_days(b, IDENTIFIER_DAYS)) {
        return None;
    }
    if a.fact.kind == Kind::Observation {
        let (one, other) = (a.fact.amount.as_ref()?, b.fact.amount.as_ref()?);
        let dated = a.fact.start.is_some() == b.fact.start.is_some();
        (dated && one.is_same(other)).then_some(())?;
    }
    Some(ClusterReason { rule: Rule::SameIdentifier, evidence })
}

/// Keys under which every item that may be the same fact is found.
pub(crate) fn keys(entry: &Entry<'_>) -> Vec<String> {
    let mut keys = match entry.fact.kind {
        Kind::Patient => vec!["patient".into()],
        Kind::Document => content_keys(entry),
        Kind::Observation => {
            let value = entry.fact.amount.as_ref().map_or("", |amount| amount.key());
            entry.concept.keys().into_iter().map(|key| format!("{key} {value}")).collect()
        }
        Kind::Encounter | Kind::Financial | Kind::Other => Vec::new(),
        _ => entry.concept.keys(),
    };
    if entry.fact.kind != Kind::Financial {
        keys.extend(entry.fact.identifiers.iter().map(|token| format!("identifier {token}")));
    }
    keys.push(format!("id {} {}", entry.source, entry.id));
    keys
}

fn content_keys(entry: &Entry<'_>) -> Vec<String> {
    let mut keys = Vec::new();
    for content in &entry.fact.contents {
        keys.extend(content.hash.as_ref().map(|hash| format!("hash {hash}")));
        keys.extend(content.data.map(|(length, hash)| format!("data {length} {hash}")));
        keys.extend(content.url.as_ref().map(|url| format!("url {url}")));
    }
    keys
}
