//! Rows of the plain sections, and where each comes from.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use fhir::{Resource, Value};

use super::{Fused, MAX_ROWS, Moment, Origin, Person, Row, Section};
use crate::entry::Entry;
use crate::fact::Kind;
use crate::read::{Concept, When, text_of};
use crate::record::{ItemRef, Record};
use crate::view::Analysis;

/// Looks up organisations and conflicts of items.
pub(crate) struct Origins<'a> {
    pub record: &'a Record,
    conflicts: HashMap<ItemRef, Vec<usize>>,
}

impl<'a> Origins<'a> {
    pub fn of(record: &'a Record, analysis: &Analysis<'_>) -> Self {
        let mut conflicts: HashMap<ItemRef, Vec<usize>> = HashMap::new();
        for (number, conflict) in analysis.conflicts.iter().enumerate() {
            for item in &conflict.items {
                conflicts.entry(*item).or_default().push(number);
            }
        }
        Self { record, conflicts }
    }

    pub fn origin(&self, members: &[&Entry<'_>]) -> Origin {
        let mut sources: BTreeSet<usize> = BTreeSet::new();
        let mut conflicts: BTreeSet<usize> = BTreeSet::new();
        for entry in members {
            sources.insert(entry.source);
            conflicts.extend(self.conflicts.get(&entry.item).into_iter().flatten());
        }
        let name = |source: usize| self.record.sources().get(source).map(|s| s.name.clone());
        Origin {
            items: members.iter().map(|entry| entry.item).collect(),
            sources: sources.into_iter().filter_map(name).collect(),
            conflicts: conflicts.into_iter().collect(),
        }
    }

    pub fn resource(&self, entry: &Entry<'_>) -> Option<&'a Resource> {
        self.record.item(entry.item).map(|item| &item.resource)
    }
}

/// Rows: active first, then newest, then by title; what was entered in error comes last.
pub(crate) fn section<'f, 'e: 'f, 'a: 'e>(
    facts: impl Iterator<Item = &'f Fused<'e, 'a>>,
    origins: &Origins<'_>,
) -> Section<Row> {
    let mut facts: Vec<&Fused<'_, '_>> = facts.collect();
    facts.sort_by_cached_key(|fact| {
        let title = fact.lead.concept.label();
        let error = fact.lead.fact.is_retracted();
        (error, !fact.lead.fact.is_active(), Reverse(fact.start_ms()), title, fact.lead.id)
    });
    let total = facts.len();
    let rows = facts.iter().take(MAX_ROWS).map(|fact| row(fact, origins)).collect();
    Section { rows, total }
}

fn row(fact: &Fused<'_, '_>, origins: &Origins<'_>) -> Row {
    let lead = fact.lead;
    let details = origins.resource(lead).and_then(|resource| detail(lead, resource.root()));
    Row {
        type_name: lead.type_name.to_owned(),
        title: title(lead, origins),
        code: lead.concept.codings.first().map(|coding| coding.token()),
        status: status(lead),
        active: lead.fact.is_active(),
        detail: details,
        date: moment(lead.fact.start.as_ref()),
        end: moment(lead.fact.end.as_ref()),
        origin: origins.origin(&fact.members),
    }
}

pub(crate) fn moment(when: Option<&When>) -> Option<Moment> {
    when.map(|when| Moment { text: when.text.clone(), start_ms: when.start_ms })
}

fn title(lead: &Entry<'_>, origins: &Origins<'_>) -> String {
    if !lead.concept.is_empty() {
        return lead.concept.label();
    }
    let root = origins.resource(lead).map(Resource::root);
    let named = |name: &str| text_of(root?.str_at(name));
    let class = || {
        let class = root?.get("class")?;
        text_of(class.str_at("display").or_else(|| class.str_at("code")))
    };
    let title = named("title").or_else(|| named("description")).or_else(class);
    title.unwrap_or_else(|| lead.type_name.to_owned())
}

fn status(lead: &Entry<'_>) -> String {
    // A refuted or mistaken entry must not be read as its clinical status.
    match lead.fact.verification.as_str() {
        "refuted" | "entered-in-error" => lead.fact.verification.clone(),
        _ => lead.fact.status.clone(),
    }
}

fn detail(lead: &Entry<'_>, root: Value<'_>) -> Option<String> {
    let concept = |value: Value<'_>| {
        let concept = Concept::read(Some(value));
        (!concept.is_empty()).then(|| concept.label())
    };
    let each = |name: &str| root.get(name).into_iter().flat_map(Value::each).take(5);
    let parts: Vec<String> = match lead.fact.kind {
        Kind::Medication => {
            lead.fact.dose.as_ref().and_then(|dose| dose.shown()).into_iter().collect()
        }
        Kind::Allergy => {
            let mut parts: Vec<String> = each("reaction")
                .flat_map(|reaction| {
                    reaction.get("manifestation").into_iter().flat_map(Value::each)
                })
                .take(5)
                .filter_map(concept)
                .collect();
            let criticality = text_of(root.str_at("criticality"));
            parts.extend(criticality.map(|code| format!("criticality {code}")));
            parts
        }
        Kind::Encounter => {
            let reasons = each("reasonCode").filter_map(concept);
            let place = root.path(&["serviceProvider", "display"]).and_then(Value::as_str);
            reasons.chain(text_of(place)).collect()
        }
        Kind::Condition => root.get("severity").and_then(concept).into_iter().collect(),
        Kind::Immunization => text_of(root.str_at("lotNumber")).into_iter().collect(),
        Kind::Procedure => {
            let reasons = each("reasonCode").filter_map(concept);
            let references = each("reasonReference").filter_map(|r| text_of(r.str_at("display")));
            reasons.chain(references).collect()
        }
        Kind::Report => text_of(root.str_at("conclusion")).into_iter().collect(),
        _ => Vec::new(),
    };
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The person as the first source has them that knows a name.
pub(crate) fn person(facts: &[Fused<'_, '_>], origins: &Origins<'_>) -> Option<Person> {
    let patients = facts.iter().filter(|fact| fact.kind() == Kind::Patient);
    let mut all: Vec<&Entry<'_>> = patients.flat_map(|fact| fact.members.iter().copied()).collect();
    all.sort_by_key(|entry| (entry.source, entry.id));
    let known = |entry: &&Entry<'_>| entry.fact.person.as_deref().is_some_and(|p| p.name.is_some());
    let lead = all.iter().copied().find(known).or_else(|| all.first().copied())?;
    let found = lead.fact.person.as_deref()?;
    let (family, given) = found.name.clone().unwrap_or_default();
    Some(Person {
        family,
        given,
        birth_date: found.birth_date.clone(),
        gender: found.gender.clone(),
        deceased: found.deceased.unwrap_or(false),
        origin: origins.origin(&all),
    })
}
