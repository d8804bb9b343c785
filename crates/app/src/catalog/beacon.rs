//! The institution as a GA4GH Beacon: which data sets there are, and about how many people in them meet
//! some conditions.
//!
//! A Beacon tells of people, so it is asked by researchers with a second factor, leaves an entry, and
//! costs privacy: noise of ε = 0.1 for each new question, at most [`PER_ACCOUNT`] for one account and
//! [`PER_SET`] for everybody in a data set in [`PERIOD_DAYS`]. Asking the same conditions again, in any
//! order, gives the same answer and costs nothing until the period ends. What a question costs depends on
//! the question alone, and is on disk before a row is read: what is free or refused would otherwise tell,
//! without noise, which questions are about the same people. Other conditions about the same people are
//! another question, with noise of their own.

mod paid;

use std::collections::BTreeSet;

use ::catalog::beacon::{
    Beacon, BeaconError, BeaconRequest, Comparison, Condition, Entry, Environment, Granularity,
    Security, boolean_or_count, conditions, configuration, datasets as told_datasets, entry_types,
    filtering_terms, info, is_asked_for, map, service_info,
};
use ::catalog::description::Coding;
use ::catalog::words::Instant;
use ::catalog::{CountRule, Dataset as Description, NoisyCount};
use serde_json::{Value as Json, json};
use statistics::{Column, Frame};
use terminology::{Subsumption, Terminology};

use super::described::{self, Described};
use super::publish::admit;
use super::{Dataset, document, institution};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Result};

pub use paid::{PER_ACCOUNT, PER_SET, PERIOD_DAYS};

/// What a request comes to: a body, or why it is refused in the words of Beacon.
pub type Answer = Result<std::result::Result<Json, BeaconError>>;

/// What a Beacon says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/` and `/info`.
    Info,
    /// `/service-info`.
    ServiceInfo,
    /// `/configuration`.
    Configuration,
    /// `/entry_types`.
    EntryTypes,
    /// `/map`.
    Map,
}

/// The Beacon of this institution.
pub fn beacon(app: &App) -> Result<Beacon> {
    let host = app.org().base_url.split_once("://").map_or("", |(_, rest)| rest);
    let host = host.split([':', '/']).next().unwrap_or_default();
    let id: Vec<&str> = host.rsplit('.').filter(|part| !part.is_empty()).collect();
    let own = described::own(app)?;
    let issued = own.iter().map(|(_, known)| known.issued_ms).min().unwrap_or_default();
    let changed = own.iter().map(|(set, _)| set.since_ms).max().unwrap_or_default();
    Ok(Beacon {
        id: format!("{}.{}", id.join("."), app.org().id),
        name: format!("Beacon of {}", app.org().name),
        description: "Which data sets there are, and about how many people in them meet conditions. Counts hold noise, are rounded, and are not said below ten.".to_owned(),
        organization: institution::publisher(app)?,
        language: "en".to_owned(),
        url: document::address(app, "/beacon")?,
        welcome: document::address(app, "/catalog")?,
        apply: document::address(app, "/projects/new")?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: Environment::Production,
        security: Security::Controlled,
        finest: Granularity::Count,
        created: instant(issued)?,
        updated: instant(changed)?,
    })
}

fn instant(ms: i64) -> Result<Instant> {
    let text: String = fhir::time::instant(ms).chars().take(19).collect();
    Instant::new(format!("{text}Z")).map_err(document::internal)
}

/// What the Beacon says of itself. For who may read the catalogue.
pub fn page(app: &App, reader: Option<&Caller>, page: Page) -> Result<Json> {
    admit(app, reader)?;
    let beacon = beacon(app)?;
    Ok(match page {
        Page::Info => info(&beacon),
        Page::ServiceInfo => service_info(&beacon),
        Page::Configuration => configuration(&beacon),
        Page::EntryTypes => entry_types(&beacon),
        Page::Map => map(&beacon),
    })
}

/// What a filter can name. For who may read the catalogue.
pub fn terms(app: &App, reader: Option<&Caller>, request: &BeaconRequest) -> Result<Json> {
    admit(app, reader)?;
    Ok(filtering_terms(&beacon(app)?, &descriptions(app)?, request.pagination))
}

/// Data sets: all that are asked for, or one. For who may read the catalogue.
///
/// Errors: [`crate::Kind::NotFound`] for an unknown one.
pub fn datasets(
    app: &App,
    reader: Option<&Caller>,
    request: &BeaconRequest,
    name: Option<&str>,
) -> Result<Json> {
    admit(app, reader)?;
    let terminology = crate::terminology::current(app)?;
    let all = descriptions(app)?;
    let is_below = |coding: &Coding, id: &str| is_below(&terminology, coding, id);
    let found: Vec<&Description> = all
        .iter()
        .filter(|set| name.is_none_or(|name| set.name.as_str() == name))
        .filter(|set| is_asked_for(request, set, is_below))
        .collect();
    if name.is_some() && found.is_empty() {
        return Err(Error::not_found());
    }
    Ok(told_datasets(&beacon(app)?, request, &found))
}

/// About how many people in the data sets, or in one, meet a request's filters. For researchers with a
/// second factor at most an hour old. Blocks.
///
/// Errors: [`crate::Kind::NotFound`] for an unknown data set.
pub fn individuals(
    app: &App,
    caller: &Caller,
    request: &BeaconRequest,
    name: Option<&str>,
) -> Answer {
    authorise(app, caller, Action::of(policy::Action::Explore))?;
    let mut sets = described::own(app)?;
    sets.retain(|(set, _)| name.is_none_or(|name| set.name == name));
    if name.is_some() && sets.is_empty() {
        return Err(Error::not_found());
    }
    if request.filters.iter().all(|filter| filter.scope() == Some(Entry::Dataset)) {
        let message = "a request for individuals has at least one filter; how many people a data set has in all is told with the data set";
        return Ok(Err(BeaconError::invalid(message)));
    }
    let terminology = crate::terminology::current(app)?;
    let (mut asked, mut wanted) = (Vec::new(), Vec::new());
    for (set, known) in &sets {
        let description = document::description(app, set, known);
        let Some(whole) = document::sound(set, description) else { continue };
        match conditions(request, &whole, |coding, id| is_below(&terminology, coding, id)) {
            Ok(Some(conditions)) if !request.is_test => {
                asked.push(paid::Asked::now(app, &set.name, question(set, &conditions)?));
                wanted.push((set, conditions));
            }
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    let before = match paid::pay(app, caller, &asked)? {
        Ok(before) => before,
        Err(overspent) => {
            let note = "a question to the Beacon is refused: its privacy budget is spent";
            let event = Event::by(caller, Pattern::Refuse).note(note).refused("privacy-budget");
            app.audit(event)?;
            return Ok(Err(BeaconError::exhausted(overspent.to_string())));
        }
    };
    let mut noised = 0_i64;
    for ((one, (set, conditions)), before) in asked.iter().zip(&wanted).zip(before) {
        let told = match before {
            Some(told) => told,
            None => paid::answer(app, one, count(app, set, conditions)?)?,
        };
        noised = noised.saturating_add(told);
    }
    let shown = NoisyCount::of(noised, rule(asked.len())?);
    Ok(Ok(boolean_or_count(&beacon(app)?, request, shown)))
}

/// The rule of a sum over so many data sets. The noise of a sum of `k` draws is at most as wide at
/// probability 0.95 as one of scale `√k` times theirs: `1.96·√(2k)` is below `√k·ln 20`.
fn rule(sets: usize) -> Result<CountRule> {
    let scale = paid::SCALE * (sets.max(1) as f64).sqrt();
    CountRule::new(scale, 10, 10).map_err(document::internal)
}

fn descriptions(app: &App) -> Result<Vec<Description>> {
    let own = described::own(app)?;
    let one = |(set, known): &(Dataset, Described)| {
        document::sound(set, document::description(app, set, known))
    };
    Ok(own.iter().filter_map(one).collect())
}

/// What tells a question from others: the data set with its dictionary, and the conditions without order, each once.
/// It holds nothing of the rows.
fn question(set: &Dataset, conditions: &[Condition]) -> Result<String> {
    let dictionary =
        serde_json::to_vec(&set.dictionary).map_err(|e| Error::internal(e.to_string()))?;
    let dictionary = crypto::hash::hex(&crypto::sha256(&dictionary));
    let conditions: BTreeSet<String> = conditions.iter().map(written).collect();
    let all = json!([set.name, dictionary, conditions]);
    Ok(crypto::hash::hex(&crypto::sha256(all.to_string().as_bytes())))
}

/// A condition, always in the same way.
fn written(condition: &Condition) -> String {
    let condition = match condition {
        Condition::AnyLevel(places) => {
            let one = |(variable, levels): &(usize, Vec<usize>)| -> Vec<(usize, usize)> {
                levels.iter().map(|level| (*variable, *level)).collect()
            };
            let places: BTreeSet<(usize, usize)> = places.iter().flat_map(one).collect();
            json!(["level", places])
        }
        Condition::Present { variable } => json!(["present", variable]),
        Condition::Number { variable, comparison, value } => {
            let comparison = match comparison {
                Comparison::Equal => "=",
                Comparison::Not => "!",
                Comparison::Less => "<",
                Comparison::AtMost => "<=",
                Comparison::Greater => ">",
                Comparison::AtLeast => ">=",
            };
            // Both zeros are one number.
            let value = if *value == 0.0 { 0.0_f64 } else { *value };
            json!(["number", variable, comparison, value.to_bits()])
        }
    };
    condition.to_string()
}

/// Whether a code is a term, or one below it by the terminology of this node.
fn is_below(terminology: &Terminology, coding: &Coding, id: &str) -> bool {
    let Some((prefix, code)) = id.split_once(':') else { return false };
    if prefix != coding.prefix {
        return false;
    }
    let relation = terminology.subsumes(coding.system.as_str(), None, code, &coding.code);
    matches!(relation, Ok(Subsumption::Subsumes | Subsumption::Equivalent))
}

/// How many rows meet all conditions. The number is exact and stays here.
fn count(app: &App, set: &Dataset, conditions: &[Condition]) -> Result<u64> {
    let name_of = |place: &usize| set.dictionary.variables.get(*place).map(|one| one.name.clone());
    let mut wanted = BTreeSet::new();
    for condition in conditions {
        match condition {
            Condition::AnyLevel(places) => wanted.extend(places.iter().map(|(place, _)| *place)),
            Condition::Present { variable } | Condition::Number { variable, .. } => {
                wanted.insert(*variable);
            }
        }
    }
    let names: Vec<String> = wanted.iter().filter_map(name_of).collect();
    let (_, frame) = super::rows(app, &set.name, &names)?;
    let column = |place: &usize| name_of(place).and_then(|name| frame.column(&name));
    let meets = |row: usize| {
        conditions.iter().all(|condition| match condition {
            Condition::AnyLevel(places) => places.iter().any(|(place, levels)| {
                level(column(place), row).is_some_and(|level| levels.contains(&level))
            }),
            Condition::Present { variable } => is_present(column(variable), row),
            Condition::Number { variable, comparison, value } => number(column(variable), row)
                .is_some_and(|found| compares(found, *comparison, *value)),
        })
    };
    Ok((0..Frame::rows(&frame)).filter(|row| meets(*row)).count() as u64)
}

fn level(column: Option<&Column>, row: usize) -> Option<usize> {
    match column {
        Some(Column::Category(values)) => values.get(row).copied().flatten().map(|l| l as usize),
        _ => None,
    }
}

fn number(column: Option<&Column>, row: usize) -> Option<f64> {
    match column {
        Some(Column::Number(values)) => values.get(row).copied().flatten(),
        _ => None,
    }
}

fn is_present(column: Option<&Column>, row: usize) -> bool {
    level(column, row).is_some() || number(column, row).is_some()
}

fn compares(found: f64, comparison: Comparison, value: f64) -> bool {
    match comparison {
        Comparison::Equal => found == value,
        Comparison::Not => found != value,
        Comparison::Less => found < value,
        Comparison::AtMost => found <= value,
        Comparison::Greater => found > value,
        Comparison::AtLeast => found >= value,
    }
}

#[cfg(test)]
mod tests {
    use statistics::{Dictionary, Kind, Variable};

    use super::*;

    fn set(name: &str) -> Dataset {
        let levels = vec!["placebo".to_owned(), "treated".to_owned()];
        let kind = Kind::Category { levels };
        let arm = Variable { name: "arm".into(), kind, description: String::new() };
        Dataset {
            name: name.to_owned(),
            title: "A trial".to_owned(),
            dictionary: Dictionary { variables: vec![arm] },
            rows: 80,
            since_ms: 0,
            declared: true,
            made: None,
        }
    }

    #[test]
    fn a_question_is_what_is_asked_and_nothing_of_the_rows() {
        let number = |value| Condition::Number { variable: 0, comparison: Comparison::Less, value };
        let levels = |levels: &[usize]| Condition::AnyLevel(vec![(0, levels.to_vec())]);
        let of = |conditions: &[Condition]| question(&set("trial"), conditions).unwrap();
        let asked = of(&[levels(&[1, 0]), number(0.0)]);
        assert_eq!(of(&[number(-0.0), levels(&[0, 1, 1]), number(0.0)]), asked);
        let split = Condition::AnyLevel(vec![(0, vec![0]), (0, vec![1])]);
        assert_eq!(of(&[split, number(0.0)]), asked);
        // What may well be the same people is another question where it is asked otherwise.
        let present = Condition::Present { variable: 0 };
        let others = [
            of(&[levels(&[0, 1])]),
            of(std::slice::from_ref(&present)),
            of(&[levels(&[1]), present]),
            of(&[number(1.0)]),
            question(&set("other"), &[number(1.0)]).unwrap(),
            asked,
        ];
        assert_eq!(others.iter().collect::<BTreeSet<_>>().len(), others.len());
        let renewed = Dataset { rows: 90, since_ms: 1, ..set("trial") };
        assert_eq!(question(&renewed, &[number(1.0)]).unwrap(), of(&[number(1.0)]));
    }
}
