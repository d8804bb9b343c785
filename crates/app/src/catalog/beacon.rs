//! The institution as a GA4GH Beacon: which data sets there are, and about how many people in them meet
//! some conditions.
//!
//! A Beacon tells of people, so it is asked by researchers with a second factor, leaves an entry, and
//! costs privacy: noise of ε = 0.1 for each new answer, at most [`PER_ACCOUNT`] for one account and
//! [`PER_SET`] for everybody in one version of a data set. The noise depends on which rows were counted and
//! not on how it was asked, so that asking again, or asking the same in other words, gives the same
//! answer and costs nothing. What was given is on disk before it leaves.

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
use serde_json::Value as Json;
use statistics::{Column, Frame};
use terminology::{Subsumption, Terminology};

use super::described::{self, Described};
use super::publish::admit;
use super::{Dataset, document, institution};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Result};

pub use paid::{PER_ACCOUNT, PER_SET};

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
    let mut counted: Vec<paid::Counted> = Vec::new();
    for (set, known) in &sets {
        let whole = document::description(app, set, known)?;
        let asked = conditions(request, &whole, |coding, id| is_below(&terminology, coding, id));
        match asked {
            Ok(Some(asked)) if !request.is_test => counted.push(count(app, set, known, &asked)?),
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    let noised = match paid::pay(app, caller, &counted)? {
        Ok(noised) => noised,
        Err(overspent) => {
            let note = "a question to the Beacon is refused: its privacy budget is spent";
            let event = Event::by(caller, Pattern::Refuse).note(note).refused("privacy-budget");
            app.audit(event)?;
            return Ok(Err(BeaconError::exhausted(overspent.to_string())));
        }
    };
    let shown = NoisyCount::of(noised, rule(counted.len())?);
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
    own.iter().map(|(set, known)| document::description(app, set, known)).collect()
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

/// Counts the rows that meet all conditions, and says by a digest which they were.
fn count(
    app: &App,
    set: &Dataset,
    known: &Described,
    conditions: &[Condition],
) -> Result<paid::Counted> {
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
    let mut hasher = crypto::hash::Sha256::new();
    let mut people = 0;
    for row in 0..Frame::rows(&frame) {
        if meets(row) {
            people += 1;
            hasher.update(&(row as u64).to_le_bytes());
        }
    }
    Ok(paid::Counted {
        set: set.name.clone(),
        digest: known.digest.clone(),
        rows: crypto::hash::hex(&hasher.finish()),
        people,
    })
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
