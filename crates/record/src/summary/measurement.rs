//! Observations: the latest of each kind with its trend.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use fhir::Value;

use super::row::{Origins, moment};
use super::{Flag, Fused, MAX_ROWS, Measurement, Point, ReferenceRange, Section, Series};
use crate::amount::Amount;
use crate::entry::Entry;
use crate::fact::Kind;
use crate::read::{Concept, LOINC, first_code, text_of};

/// Points of one series.
const MAX_POINTS: usize = 200;
/// Series of one measurement.
const MAX_SERIES: usize = 4;
/// Blood pressure panels and their parts, which are shown as `systolic/diastolic` (LOINC).
const BLOOD_PRESSURE: [&str; 2] = ["85354-9", "55284-4"];
const SYSTOLIC: &str = "8480-6";
const DIASTOLIC: &str = "8462-4";

/// Which section an observation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Vital,
    Laboratory,
    Rest,
}

impl Category {
    fn of(entry: &Entry<'_>) -> Self {
        let has = |code: &str| entry.fact.categories.iter().any(|known| known == code);
        match () {
            () if has("vital-signs") => Self::Vital,
            () if has("laboratory") => Self::Laboratory,
            () => Self::Rest,
        }
    }
}

/// The latest of each kind, newest first.
pub(crate) fn section(
    facts: &[Fused<'_, '_>],
    category: Category,
    origins: &Origins<'_>,
) -> Section<Measurement> {
    let mut kinds: HashMap<String, Vec<&Fused<'_, '_>>> = HashMap::new();
    for fact in facts {
        let shown = fact.kind() == Kind::Observation && fact.lead.fact.amount.is_some();
        let wrong = fact.lead.fact.is_retracted() || fact.lead.fact.status == "cancelled";
        if shown && !wrong && Category::of(fact.lead) == category {
            kinds.entry(kind_key(fact.lead.concept)).or_default().push(fact);
        }
    }
    let mut kinds: Vec<(i64, String, Vec<&Fused<'_, '_>>)> = kinds
        .into_iter()
        .map(|(key, mut facts)| {
            facts.sort_by_key(|fact| (fact.start_ms(), fact.lead.source, fact.lead.id));
            (facts.last().map_or(i64::MIN, |fact| fact.start_ms()), key, facts)
        })
        .collect();
    kinds.sort_by(|a, b| (Reverse(a.0), &a.1).cmp(&(Reverse(b.0), &b.1)));
    let total = kinds.len();
    let rows = kinds.iter().take(MAX_ROWS);
    Section { rows: rows.filter_map(|(_, _, facts)| measure(facts, origins)).collect(), total }
}

/// LOINC code where there is one, otherwise the first code, otherwise the wording.
fn kind_key(concept: &Concept) -> String {
    let loinc = concept.codings.iter().find(|coding| coding.system == LOINC);
    match loinc.or_else(|| concept.codings.first()) {
        Some(coding) => coding.token(),
        None => concept.label().to_lowercase(),
    }
}

/// `facts` are of one kind, oldest first.
fn measure(facts: &[&Fused<'_, '_>], origins: &Origins<'_>) -> Option<Measurement> {
    let latest = facts.last()?;
    let entry = latest.lead;
    let amount = entry.fact.amount.as_ref()?;
    let (value, unit) = shown(entry.concept, amount);
    let root = origins.resource(entry)?.root();
    let range = reference_range(root);
    let mut origin = origins.origin(&latest.members);
    let conflicts: BTreeSet<usize> =
        facts.iter().flat_map(|fact| origins.origin(&fact.members).conflicts).collect();
    origin.conflicts = conflicts.into_iter().collect();
    Some(Measurement {
        title: entry.concept.label(),
        code: entry.concept.codings.first().map(|coding| coding.token()),
        value,
        unit,
        status: entry.fact.status.clone(),
        date: moment(entry.fact.start.as_ref()),
        flag: flag(root, amount, range.as_ref()),
        range,
        series: series(facts, amount),
        count: facts.len(),
        origin,
    })
}

/// Value and unit of an amount.
fn shown(concept: &Concept, amount: &Amount) -> (String, String) {
    match amount {
        Amount::Quantity { shown, unit, .. } => (shown.clone(), unit.clone()),
        Amount::Parts(parts) => {
            let pressure = BLOOD_PRESSURE.iter().any(|code| concept.has(LOINC, code));
            let part = |code: &str| {
                parts.iter().find(|(concept, _)| concept.has(LOINC, code)).map(|(_, value)| value)
            };
            match (pressure, part(SYSTOLIC), part(DIASTOLIC)) {
                (
                    true,
                    Some(Amount::Quantity { shown: systolic, unit, .. }),
                    Some(Amount::Quantity { shown: diastolic, .. }),
                ) => (format!("{systolic}/{diastolic}"), unit.clone()),
                _ => (amount.shown(), String::new()),
            }
        }
        _ => (amount.shown(), String::new()),
    }
}

/// One series for each numeric part of the latest amount, in its unit.
fn series(facts: &[&Fused<'_, '_>], latest: &Amount) -> Vec<Series> {
    let line = |title: String, unit: &str, pick: &dyn Fn(&Amount) -> Option<(f64, String)>| {
        let mut points: Vec<Point> = Vec::new();
        for fact in facts.iter().rev() {
            let (Some(amount), Some(when)) = (&fact.lead.fact.amount, &fact.lead.fact.start) else {
                continue;
            };
            let Some((value, found)) = pick(amount) else { continue };
            if found == unit && points.len() < MAX_POINTS {
                points.push(Point { at_ms: when.start_ms, value, item: fact.lead.item });
            }
        }
        points.reverse();
        Series { title, unit: unit.to_owned(), points }
    };
    match latest {
        Amount::Quantity { unit, .. } => vec![line(String::new(), unit, &number)],
        Amount::Parts(parts) => parts
            .iter()
            .filter_map(|(code, value)| Some((code, number(value)?.1)))
            .take(MAX_SERIES)
            .map(|(code, unit)| {
                line(code.label(), &unit, &|amount| match amount {
                    Amount::Parts(parts) => {
                        let same = |(other, _): &&(Concept, Amount)| code.matches(other).is_some();
                        parts.iter().find(same).and_then(|(_, value)| number(value))
                    }
                    _ => None,
                })
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn number(amount: &Amount) -> Option<(f64, String)> {
    let Amount::Quantity { shown, unit, .. } = amount else { return None };
    let digits = shown.trim_start_matches(['<', '>', '=']);
    let value: f64 = digits.parse().ok()?;
    value.is_finite().then(|| (value, unit.clone()))
}

fn reference_range(root: Value<'_>) -> Option<ReferenceRange> {
    let range = root.get("referenceRange")?.each().next()?;
    let bound = |name: &str| {
        range.path(&[name, "value"]).and_then(Value::as_number).map(|digits| digits.to_owned())
    };
    let found = ReferenceRange {
        low: bound("low"),
        high: bound("high"),
        text: text_of(range.str_at("text")),
    };
    (found != ReferenceRange::default()).then_some(found)
}

/// The interpretation the source gave (v3-ObservationInterpretation), otherwise the place of the
/// value in its range.
fn flag(root: Value<'_>, amount: &Amount, range: Option<&ReferenceRange>) -> Option<Flag> {
    let interpretation = root.get("interpretation").and_then(|value| value.each().next());
    match first_code(interpretation).as_str() {
        "L" => return Some(Flag::Low),
        "LL" => return Some(Flag::CriticalLow),
        "H" | "HU" => return Some(Flag::High),
        "HH" => return Some(Flag::CriticalHigh),
        "A" | "AA" => return Some(Flag::Abnormal),
        "N" => return Some(Flag::Normal),
        _ => {}
    }
    let (value, _) = number(amount)?;
    let bound = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<f64>().ok());
    let (low, high) = (bound(&range?.low), bound(&range?.high));
    match (low, high) {
        (Some(low), _) if value < low => Some(Flag::Low),
        (_, Some(high)) if value > high => Some(Flag::High),
        (None, None) => None,
        _ => Some(Flag::Normal),
    }
}
