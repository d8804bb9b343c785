//! Items in one fixed order with what has to be looked up in other items: the ground on which
//! clusters, conflicts and the summary stand.

use std::collections::HashMap;

use crate::drug::Drug;
use crate::fact::Fact;
use crate::read::{Concept, RXNORM};
use crate::record::{ItemRef, Record};

/// One item, ready to be compared.
pub(crate) struct Entry<'a> {
    pub item: ItemRef,
    pub source: usize,
    pub source_name: &'a str,
    pub type_name: &'a str,
    pub id: &'a str,
    pub fact: &'a Fact,
    pub concept: &'a Concept,
    pub drug: Option<Drug>,
    pub record: &'a Record,
}

impl<'a> Entry<'a> {
    /// When the fact began, as a sentence shows it; empty where that is not known.
    pub fn since(&self) -> &'a str {
        self.fact.start.as_ref().map_or("", |when| when.day())
    }
}

/// All items in an order that does not depend on when they arrived: by type, then undated ones
/// last, then time, source, id and text.
pub(crate) fn entries(record: &Record) -> Vec<Entry<'_>> {
    let medications = medications(record);
    let mut entries: Vec<Entry<'_>> = record
        .items()
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let fact = &item.fact;
            let concept = match &fact.medication {
                Some(reference) if fact.concept.is_empty() => {
                    let source = record.sources().get(item.source);
                    let base = source.map(|s| s.full_url("", "")).unwrap_or_default();
                    let relative = relative(reference, &base);
                    medications.get(&(item.source, relative)).copied().unwrap_or(&fact.concept)
                }
                _ => &fact.concept,
            };
            let name = record.sources().get(item.source).map_or("", |source| &source.name);
            Entry {
                item: ItemRef(at),
                source: item.source,
                source_name: name,
                type_name: item.resource.type_name(),
                id: item.id(),
                fact,
                concept,
                drug: drug(fact, concept),
                record,
            }
        })
        .collect();
    entries.sort_by_cached_key(|entry| {
        let start = entry.fact.start.as_ref().map_or(i64::MAX, |when| when.start_ms);
        let text = record.item(entry.item).map_or("", |item| item.resource.text());
        (entry.type_name, start, entry.source, entry.id, text)
    });
    entries
}

/// `Medication/id` of a reference to the same source.
fn relative(reference: &str, base: &str) -> String {
    let base = base.trim_end_matches('/');
    let relative = reference.strip_prefix(base).unwrap_or(reference);
    relative.trim_start_matches('/').split("/_history/").next().unwrap_or_default().to_owned()
}

/// Medication resources by source and relative reference. Of several versions under one id the
/// one with the smallest text is taken, so that arrival order plays no part.
fn medications(record: &Record) -> HashMap<(usize, String), &Concept> {
    let mut found: HashMap<(usize, String), &crate::Item> = HashMap::new();
    for item in record.items().iter().filter(|item| item.resource.type_name() == "Medication") {
        let place = found.entry((item.source, format!("Medication/{}", item.id()))).or_insert(item);
        if item.resource.text() < place.resource.text() {
            *place = item;
        }
    }
    found.into_iter().map(|(key, item)| (key, &item.fact.concept)).collect()
}

/// Ingredients of a medicine, from the RxNorm name where there is one, otherwise from any name.
fn drug(fact: &Fact, concept: &Concept) -> Option<Drug> {
    if fact.kind != crate::fact::Kind::Medication {
        return None;
    }
    let rxnorm = concept.codings.iter().filter(|coding| coding.system == RXNORM);
    let mut names = rxnorm.filter_map(|coding| coding.display.as_deref());
    names.find_map(Drug::parse).or_else(|| Drug::parse(&concept.label()))
}
