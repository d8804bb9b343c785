//! From criteria, topics and filters to triggers, and whether a change pulls one.

use std::cell::OnceCell;
use std::sync::Arc;

use fhir::Resource;
use fhirpath::search::{IndexEntry, ParamNumber, Registry};
use store::query::{self, Candidate, Filter, Query, ReferenceTest, Test, local_target, parse};
use store::{Method, Snapshot, StoreError, Stored};

use super::definition::{Definition, What};
use super::expression::Expression;
use super::topic::{FilterBy, On, Topic, TopicTrigger, Topics, is_offered};
use crate::records::bundle::query_pairs;
use crate::{Error, Kind, Result};

/// What pulls one subscription, for one resource type.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// Type of the resource.
    pub resource_type: &'static str,
    on: On,
    previous: Option<Vec<Filter>>,
    current: Option<Vec<Filter>>,
    create_passes: bool,
    delete_passes: bool,
    both: bool,
    fhirpath: Option<Expression>,
    filters: Vec<Filter>,
    /// Only changes in the compartments of these patients can pull it; empty for any.
    pub patients: Vec<String>,
}

impl Trigger {
    /// The filters that the version which a change is looked at by must pass whatever else holds:
    /// the new version, or of a deletion the one before.
    pub fn required(&self) -> impl Iterator<Item = &Filter> {
        let alone = self.both || self.previous.is_none();
        // A deletion may pass although nothing is left that `current` could hold for.
        let holds = alone && !(self.on.delete && self.delete_passes);
        let current = self.current.iter().flatten().filter(move |_| holds);
        self.filters.iter().chain(current)
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Kind::Unprocessable, message)
}

/// The triggers of a subscription, by the search parameters of the store.
pub fn compile(
    definition: &Definition,
    topics: &Topics,
    registry: &Registry,
) -> Result<Vec<Trigger>> {
    let mut triggers = match &definition.what {
        What::Criteria(criteria) => vec![of_criteria(registry, criteria)?],
        What::Topic { url, filters } => {
            let bare = url.split('|').next().unwrap_or_default();
            let topic = topics.get(bare).ok_or_else(|| {
                refused(
                    "`criteria` names a topic that this node does not know; see `/fhir/metadata`",
                )
            })?;
            of_topic(registry, topic, filters)?
        }
    };
    if let Some(own) = &definition.patient {
        for trigger in &mut triggers {
            trigger.patients = vec![own.to_string()];
        }
    }
    Ok(triggers)
}

/// FHIR R4: a creation or update whose new version answers a search.
pub(super) fn of_criteria(registry: &Registry, criteria: &str) -> Result<Trigger> {
    let criteria = criteria.trim_start_matches('/');
    let (kind, query) = criteria.split_once('?').unwrap_or((criteria, ""));
    let resource_type = fhir::definitions::resource_type(kind).ok_or_else(|| {
        refused("`criteria` must be a search such as `Observation?code=1234-5`, or a topic's URL")
    })?;
    if !is_offered(resource_type) {
        return Err(refused(format!("changes of `{resource_type}` cannot be subscribed to")));
    }
    let filters = search(registry, resource_type, query)?;
    Ok(Trigger {
        patients: patients(registry, resource_type, &filters),
        filters,
        ..plain(resource_type, On::WRITE)
    })
}

fn plain(resource_type: &'static str, on: On) -> Trigger {
    Trigger {
        resource_type,
        on,
        previous: None,
        current: None,
        create_passes: true,
        delete_passes: true,
        both: true,
        fhirpath: None,
        filters: Vec::new(),
        patients: Vec::new(),
    }
}

/// The triggers of a topic with these filters. A type of the topic for which none of the filters
/// is meant is left out: who narrows a subscription never gets more than they named.
pub fn of_topic(registry: &Registry, topic: &Topic, filters: &[String]) -> Result<Vec<Trigger>> {
    let mut triggers = Vec::new();
    let mut reason = None;
    for from in &topic.triggers {
        for &resource_type in &from.types {
            match of_type(registry, topic, (from, resource_type), filters) {
                Ok(Some(trigger)) => triggers.push(trigger),
                Ok(None) => {}
                Err(error) => reason = Some(error),
            }
        }
    }
    match (triggers.is_empty(), reason) {
        (false, None) => Ok(triggers),
        // With several types a parameter may be unknown to some; then those are left out.
        (false, Some(_)) if !filters.is_empty() => Ok(triggers),
        (_, Some(error)) => Err(error),
        (true, None) => Err(refused("no filter goes with a resource type of the topic")),
    }
}

fn of_type(
    registry: &Registry,
    topic: &Topic,
    (from, resource_type): (&TopicTrigger, &'static str),
    filters: &[String],
) -> Result<Option<Trigger>> {
    let own = |text: &Option<String>| {
        let text = text.as_deref().map(|text| match text.split_once('?') {
            Some((_, query)) => query,
            None => text,
        });
        text.map(|query| search(registry, resource_type, query)).transpose()
    };
    let mut chosen = Vec::new();
    for filter in filters {
        let Some(query) = meant_for(filter, resource_type)? else { return Ok(None) };
        check(topic, resource_type, &query)?;
        chosen.extend(search(registry, resource_type, &query)?);
    }
    Ok(Some(Trigger {
        previous: own(&from.previous)?,
        current: own(&from.current)?,
        create_passes: from.create_passes,
        delete_passes: from.delete_passes,
        both: from.both,
        fhirpath: from.fhirpath.as_deref().map(Expression::parse).transpose()?,
        patients: patients(registry, resource_type, &chosen),
        filters: chosen,
        ..plain(resource_type, from.on)
    }))
}

/// The part of `[Type?]param=value` or `Type.param=value` after the type, if it is meant for
/// resources of this type.
fn meant_for(filter: &str, resource_type: &str) -> Result<Option<String>> {
    let name = filter.split('=').next().unwrap_or_default();
    let (kind, query) = match (name.split_once('?'), name.split_once('.')) {
        (Some((kind, _)), _) => (Some(kind), &filter[kind.len() + 1..]),
        (None, Some((kind, _))) if fhir::definitions::resource_type(kind).is_some() => {
            (Some(kind), &filter[kind.len() + 1..])
        }
        _ => (None, filter),
    };
    match kind {
        Some(kind) if fhir::definitions::resource_type(kind).is_none() => {
            Err(refused("a filter names a resource type that is not known"))
        }
        Some(kind) if kind != resource_type => Ok(None),
        _ => Ok(Some(query.to_owned())),
    }
}

/// Whether a topic allows the filters of a query.
fn check(topic: &Topic, resource_type: &str, query: &str) -> Result<()> {
    let Some(allowed) = &topic.filters else { return Ok(()) };
    for (name, value) in query_pairs(query) {
        let (param, modifier) = match name.split_once(':') {
            Some((param, modifier)) => (param, Some(modifier)),
            None => (name.as_str(), None),
        };
        let fits = |filter: &&FilterBy| {
            filter.param == param && filter.resource_type.is_none_or(|t| t == resource_type)
        };
        let Some(filter) = allowed.iter().find(fits) else {
            let param: String = param.chars().take(80).collect();
            return Err(refused(format!("the topic does not offer the filter `{param}`")));
        };
        let known = |list: &[String], word: &str| list.is_empty() || list.iter().any(|w| w == word);
        if modifier.is_some_and(|modifier| !known(&filter.modifiers, modifier)) {
            return Err(refused(format!("the topic does not offer this modifier of `{param}`")));
        }
        let comparator = value.get(..2).filter(|prefix| {
            matches!(*prefix, "eq" | "ne" | "gt" | "lt" | "ge" | "le" | "sa" | "eb" | "ap")
                && value[2..].starts_with(|c: char| c.is_ascii_digit() || c == '-')
        });
        if comparator.is_some_and(|comparator| !known(&filter.comparators, comparator)) {
            return Err(refused(format!("the topic does not offer this comparator of `{param}`")));
        }
    }
    Ok(())
}

/// The filters of a search; parameters that steer an answer are refused.
fn search(registry: &Registry, resource_type: &'static str, query: &str) -> Result<Vec<Filter>> {
    let pairs = query_pairs(query);
    for (name, value) in &pairs {
        let shown: String = name.chars().take(80).collect();
        if STEERING.contains(&name.split(':').next().unwrap_or_default()) {
            return Err(refused(format!("`{shown}` cannot be part of criteria")));
        }
        if value.is_empty() {
            return Err(refused(format!("`{shown}` has no value")));
        }
    }
    let parsed =
        parse(registry, resource_type, &pairs).map_err(|error| refused(error.to_string()))?;
    Ok(parsed.query.filters)
}

/// Parameters that say how to answer, not what to find.
const STEERING: [&str; 11] = [
    "_sort",
    "_count",
    "_include",
    "_revinclude",
    "_summary",
    "_total",
    "_elements",
    "_contained",
    "_containedType",
    "_format",
    "_pretty",
];

/// The patients in whose compartments a resource must be to pass the filters; empty for any.
fn patients(registry: &Registry, resource_type: &str, filters: &[Filter]) -> Vec<String> {
    for filter in filters {
        match filter {
            Filter::Id(ids) if resource_type == "Patient" => return ids.clone(),
            Filter::Param { param, tests, negated: false }
                if names_patient(registry, resource_type, *param) =>
            {
                let named = tests.iter().map(|test| match test {
                    Test::Reference(ReferenceTest::Local { resource_type: Some(t), id })
                        if t == "Patient" =>
                    {
                        Some(id.clone())
                    }
                    _ => None,
                });
                if let Some(named) = named.collect::<Option<Vec<_>>>() {
                    return named;
                }
            }
            _ => {}
        }
    }
    Vec::new()
}

/// Whether a parameter says whom a resource is about.
fn names_patient(registry: &Registry, resource_type: &str, param: ParamNumber) -> bool {
    registry.compartment(resource_type).contains(&param)
        || registry.by_number(param).is_some_and(|param| param.code == "patient")
}

/// One version with its index entries.
pub struct Indexed {
    /// The version.
    pub stored: Stored,
    /// Its text, read.
    pub resource: Resource,
    /// What was extracted from it.
    pub entries: Vec<IndexEntry>,
    registry: Arc<Registry>,
}

impl Indexed {
    /// Extracts the entries of a version that is not a deletion.
    pub fn new(stored: Stored, registry: &Arc<Registry>) -> Result<Self> {
        let resource = crate::records::parse(&stored)?;
        let entries = registry.extract(&resource);
        Ok(Self { entries, resource, stored, registry: registry.clone() })
    }

    /// The patients that the version names as those it is about, a Patient naming itself.
    pub fn about(&self) -> Vec<&str> {
        let resource_type = self.stored.key.resource_type;
        let own = (resource_type == "Patient").then(|| self.stored.key.id.as_str());
        let mut about: Vec<&str> = own.into_iter().collect();
        for entry in &self.entries {
            if let Some(("Patient", id)) = local_target(&entry.value)
                && !about.contains(&id)
                && names_patient(&self.registry, resource_type, entry.param)
            {
                about.push(id);
            }
        }
        about
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            resource_type: self.stored.key.resource_type,
            id: self.stored.key.id.as_str(),
            text: &self.stored.text,
            last_updated_ms: self.stored.last_updated_ms,
            entries: &self.entries,
        }
    }
}

/// A change under consideration. The version before is read only when a trigger asks for it.
pub struct Changed<'a> {
    /// The store as it is now.
    pub snapshot: &'a dyn Snapshot,
    /// The change.
    pub stored: &'a Stored,
    /// The new version; `None` for a deletion.
    pub new: Option<&'a Indexed>,
    registry: &'a Arc<Registry>,
    old: OnceCell<Option<Indexed>>,
}

impl<'a> Changed<'a> {
    /// Looks at a change.
    pub fn new(
        snapshot: &'a dyn Snapshot,
        stored: &'a Stored,
        new: Option<&'a Indexed>,
        registry: &'a Arc<Registry>,
    ) -> Self {
        Self { snapshot, stored, new, registry, old: OnceCell::new() }
    }

    /// The version before; `None` where there was none or it was a deletion.
    pub fn old(&self) -> Result<Option<&Indexed>> {
        if let Some(known) = self.old.get() {
            return Ok(known.as_ref());
        }
        let before = match self.stored.version.checked_sub(1) {
            Some(version @ 1..) => self.snapshot.vread(&self.stored.key, version)?,
            _ => None,
        };
        let before = before.filter(|stored| stored.method != Method::Delete);
        let before = before.map(|before| Indexed::new(before, self.registry)).transpose()?;
        Ok(self.old.get_or_init(|| before).as_ref())
    }

    /// Whether the change pulls the trigger.
    pub fn pulls(&self, trigger: &Trigger) -> Result<bool> {
        let deleted = self.stored.method == Method::Delete;
        // Most changes are refused by their new version, so the one before is read late.
        if let Some(new) = self.new
            && !self.holds(&trigger.filters, new)?
        {
            return Ok(false);
        }
        let needs_old = deleted
            || trigger.previous.is_some()
            || trigger.fhirpath.is_some()
            || !trigger.on.create
            || !trigger.on.update;
        let old = if needs_old { self.old()? } else { None };
        let created = needs_old && !deleted && old.is_none();
        let counts = match (deleted, needs_old) {
            (true, _) => trigger.on.delete,
            (false, true) if created => trigger.on.create,
            (false, true) => trigger.on.update,
            (false, false) => true,
        };
        if !counts {
            return Ok(false);
        }
        if deleted {
            let Some(old) = old else { return Ok(false) };
            if !self.holds(&trigger.filters, old)? {
                return Ok(false);
            }
        }
        let previous = match (&trigger.previous, old) {
            (None, _) => None,
            (Some(_), None) => Some(trigger.create_passes),
            (Some(filters), Some(old)) => Some(self.holds(filters, old)?),
        };
        let current = match (&trigger.current, self.new) {
            (None, _) => None,
            (Some(_), None) => Some(trigger.delete_passes),
            (Some(filters), Some(new)) => Some(self.holds(filters, new)?),
        };
        let passes = match (previous, current) {
            (Some(previous), Some(current)) if trigger.both => previous && current,
            (Some(previous), Some(current)) => previous || current,
            (one, other) => one.or(other).unwrap_or(true),
        };
        // A trigger that states both kinds of criteria asks for both.
        let holds = |expression: &Expression| {
            let (old, new) = (old.map(|old| &old.resource), self.new.map(|new| &new.resource));
            expression.holds(self.stored.last_updated_ms, old, new)
        };
        Ok(passes && trigger.fhirpath.as_ref().is_none_or(holds))
    }

    fn holds(&self, filters: &[Filter], version: &Indexed) -> Result<bool> {
        let mut links = Links(self.snapshot);
        for filter in filters {
            if !filter.holds(version.candidate(), &mut links)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What other resources answer, asked of the store as it is now.
struct Links<'a>(&'a dyn Snapshot);

impl Links<'_> {
    fn finds(&self, query: &Query, filter: Filter) -> std::result::Result<bool, StoreError> {
        let mut filters = query.filters.clone();
        filters.push(filter);
        let query = Query { filters, ..Query::every(query.resource_type) };
        Ok(!self.0.find(&query, 1, false)?.is_empty())
    }
}

impl query::Links for Links<'_> {
    fn leads_to(
        &mut self,
        _: &str,
        id: &str,
        query: &Query,
    ) -> std::result::Result<bool, StoreError> {
        self.finds(query, Filter::Id(vec![id.to_owned()]))
    }

    fn is_referred_to(
        &mut self,
        resource_type: &'static str,
        id: &str,
        param: ParamNumber,
        source: &Query,
    ) -> std::result::Result<bool, StoreError> {
        let target = ReferenceTest::Local {
            resource_type: Some(resource_type.to_owned()),
            id: id.to_owned(),
        };
        let tests = vec![Test::Reference(target)];
        self.finds(source, Filter::Param { param, tests, negated: false })
    }
}
