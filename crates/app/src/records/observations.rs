//! The last observations of each kind, and statistics over them (FHIR R4, Observation/$lastn and
//! Observation/$stats).

pub mod statistics;

use std::collections::HashMap;

use fhir::{Resource, Value};
use fhirpath::search::IndexValue;
use store::Stored;
use store::query::Parser;

use super::search::{Place, permitted, refused};
use super::{parse, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::terminology::Lists;
use crate::{App, Caller, Error, Kind, Result};

/// Most observations that one call looks at.
pub const MOST: usize = 20_000;

/// One observation on its way through an operation.
#[derive(Debug)]
pub struct Found {
    /// As it is stored.
    pub stored: Stored,
    /// The same, read.
    pub resource: Resource,
    /// When it was made, in milliseconds since the Unix epoch; `None` where it does not say.
    pub start_ms: Option<i64>,
}

/// The observations that a search finds, newest first, those without a time last. `operation` is
/// how the audit calls the question.
///
/// Errors: what is wrong with the search by name; [`Kind::TooCostly`] for more than [`MOST`].
pub fn newest_first(
    app: &App,
    caller: &Caller,
    params: &[(String, String)],
    operation: &str,
) -> Result<Vec<Found>> {
    let registry = app.store().registry();
    let lists = Lists::new(app, caller);
    let parser = Parser::new(&registry).with_terms(&lists);
    let search = parser.parse("Observation", params).map_err(|e| refused(&e))?;
    let place = Place::Type("Observation");
    let found = permitted(app, caller, &place, vec![search])?.pop();
    let (search, _) = found.ok_or_else(Error::not_found)?;
    let snapshot = app.store().snapshot()?;
    let versions = snapshot.find(&search.query, MOST, true)?;
    let date = registry.find("Observation", "date").map(|param| param.number);
    let mut found = Vec::with_capacity(versions.len());
    let mut patients = Vec::new();
    for stored in snapshot.load(&versions)? {
        let resource = parse(&stored)?;
        patients.extend(patients_of(&resource));
        let starts =
            registry.extract(&resource).into_iter().filter_map(|entry| match entry.value {
                IndexValue::Date { start_ms, .. } if Some(entry.param) == date => Some(start_ms),
                _ => None,
            });
        let start_ms = starts.max();
        found.push(Found { stored, resource, start_ms });
    }
    drop(snapshot);
    found.sort_by_key(|one| std::cmp::Reverse((one.start_ms, one.stored.seq)));
    let query: Vec<String> = params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = format!("Observation/${operation}?{}", query.join("&"));
    app.audit(Event::by(caller, Pattern::Query).patients(patients).query(query))?;
    Ok(found)
}

/// Of each kind of observation the last `max`, newest first within a kind; more where several
/// share the time of the last of them. Observations are of one kind when they share a coding, or
/// have no coding and the same text.
pub fn last(
    app: &App,
    caller: &Caller,
    params: &[(String, String)],
    max: usize,
) -> Result<Vec<Stored>> {
    let has = |names: &[&str]| {
        let base = |name: &str| name.split([':', '.']).next().unwrap_or_default().to_owned();
        params.iter().any(|(name, _)| names.contains(&base(name).as_str()))
    };
    if !has(&["patient", "subject"]) || !has(&["category", "code"]) {
        let message = "`$lastn` needs `patient` or `subject`, and `category` or `code`";
        return Err(Error::invalid("required", message));
    }
    if max == 0 {
        return Err(Error::new(Kind::Invalid("value"), "`max` must be at least 1"));
    }
    let mut groups: Vec<Vec<Found>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for one in newest_first(app, caller, params, "lastn")? {
        let names = names(&one.resource);
        let at = names.iter().find_map(|name| known.get(name).copied()).unwrap_or(groups.len());
        for name in names {
            known.entry(name).or_insert(at);
        }
        match groups.get_mut(at) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let mut chosen = Vec::new();
    for group in groups {
        let mut last: Option<Option<i64>> = None;
        for (at, one) in group.into_iter().enumerate() {
            if at >= max && last != Some(one.start_ms) {
                break;
            }
            last = Some(one.start_ms);
            chosen.push(one.stored);
        }
    }
    Ok(chosen)
}

/// Under which names an observation's kind is known.
fn names(observation: &Resource) -> Vec<String> {
    let Some(code) = observation.get("code") else { return vec![String::new()] };
    let codings = code.get("coding").into_iter().flat_map(Value::items);
    let part = |coding: &Value<'_>, name: &str| {
        coding.str_at(name).map(|text| text.into_owned()).unwrap_or_default()
    };
    let names: Vec<String> = codings
        .map(|coding| format!("{}|{}", part(&coding, "system"), part(&coding, "code")))
        .collect();
    if names.is_empty() { vec![part(&code, "text")] } else { names }
}
