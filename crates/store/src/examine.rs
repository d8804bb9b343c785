//! Whether a store's index says of resources what their texts say.

use fhir::{Document, Resource};
use fhirpath::search::{IndexValue, Registry};

use crate::query::{
    DateTest, Filter, NumberTest, Prefix, Query, ReferenceTest, StringMatch, SystemTest, Test,
    TokenTest, UnitTest, UriMatch, fold,
};
use crate::{Change, Method, Seq, Snapshot, StoreError, Stored};

/// Changes that are read at a time.
const LOT: usize = 200;
/// Faults after which an examination ends.
const MOST_FAULTS: usize = 50;

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Current resources whose entries were looked for.
    pub resources: u64,
    /// Entries that were looked for.
    pub entries: u64,
    /// What is wrong, naming type, version number and parameter but never a value.
    pub faults: Vec<String>,
}

/// Takes every `every`-th version, and where it is the current one looks for it in the index by each
/// of its entries. `progress` is told the number it has reached.
pub fn index(
    snapshot: &dyn Snapshot,
    every: Seq,
    progress: &mut dyn FnMut(Seq),
) -> Result<Findings, StoreError> {
    let mut findings = Findings::default();
    let mut after = 0;
    loop {
        let changes = snapshot.changes(after, LOT)?;
        let Some(last) = changes.last() else { return Ok(findings) };
        after = last.seq;
        let chosen = |change: &&Change| {
            change.method != Method::Delete && change.seq.is_multiple_of(every.max(1))
        };
        for change in changes.iter().filter(chosen) {
            let Some(stored) = snapshot.read(&change.key)? else {
                findings.faults.push(format!("version {}: its resource is missing", change.seq));
                continue;
            };
            if stored.seq == change.seq {
                one(snapshot, &stored, &mut findings)?;
            }
            if findings.faults.len() >= MOST_FAULTS {
                return Ok(findings);
            }
        }
        progress(after);
    }
}

fn one(
    snapshot: &dyn Snapshot,
    stored: &Stored,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let (name, seq) = (stored.key.resource_type, stored.seq);
    let parsed = Document::parse(stored.text.clone()).map_err(Into::into);
    let Ok(resource) = parsed.and_then(Resource::from_document) else {
        findings.faults.push(format!("`{name}` version {seq}: its text is not a resource"));
        return Ok(());
    };
    findings.resources += 1;
    let mut seen = Vec::new();
    for entry in Registry::r4().extract(&resource) {
        // Ids and times are no rows of the index.
        let code = Registry::r4().by_number(entry.param).map_or("", |param| &param.code);
        let Some(test) = test(&entry.value).filter(|_| code != "_id" && code != "_lastUpdated")
        else {
            continue;
        };
        let tests = vec![test];
        let filter = Filter::Param { param: entry.param, tests, negated: false };
        if seen.contains(&filter) {
            continue;
        }
        findings.entries += 1;
        let id = Filter::Id(vec![stored.key.id.to_string()]);
        let query = Query { filters: vec![id, filter.clone()], ..Query::every(name) };
        seen.push(filter);
        if snapshot.find(&query, 2, false)? != [seq] {
            findings.faults.push(format!("`{name}` version {seq}: not found by `{code}`"));
        }
    }
    Ok(())
}

/// A test that this value passes; `None` where there is none that a search could ask.
fn test(value: &IndexValue) -> Option<Test> {
    let system_test =
        |system: &Option<String>| system.clone().map_or(SystemTest::Absent, SystemTest::Is);
    Some(match value {
        IndexValue::Token { system, code, .. } => {
            let code = Some(fold(code.as_ref()?));
            Test::Token(TokenTest { system: system_test(system), code })
        }
        IndexValue::Typed { system, code, value } => {
            Test::OfType { system: system.clone()?, code: fold(code), value: fold(value) }
        }
        IndexValue::String(text) => Test::String { text: text.clone(), how: StringMatch::Exact },
        IndexValue::Reference { url: Some(url), .. } => {
            Test::Reference(ReferenceTest::Url(url.clone()))
        }
        IndexValue::Reference { resource_type: Some(name), id: Some(id), .. } => {
            let resource_type = Some(name.clone());
            Test::Reference(ReferenceTest::Local { resource_type, id: id.clone() })
        }
        IndexValue::Reference { identifier: Some((system, code)), .. } => {
            let code = Some(fold(code));
            Test::Identifier(TokenTest { system: system_test(system), code })
        }
        IndexValue::Date { start_ms, end_ms } => {
            Test::Date(DateTest { prefix: Prefix::Eq, start_ms: *start_ms, end_ms: *end_ms })
        }
        IndexValue::Number { value, .. } => Test::Number(at_least(*value)),
        IndexValue::Quantity { value, .. } => {
            Test::Quantity { number: at_least(*value), unit: UnitTest::Any }
        }
        IndexValue::Uri(uri) => Test::Uri { uri: uri.clone(), how: UriMatch::Exact },
        IndexValue::Composite(values) => {
            Test::Composite(values.iter().map(test).collect::<Option<_>>()?)
        }
        IndexValue::Reference { .. } | IndexValue::Position { .. } => return None,
    })
}

fn at_least(value: f64) -> NumberTest {
    NumberTest { prefix: Prefix::Ge, low: value, high: value, value }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::SharedStore;
    use crate::memory::MemoryStore;
    use crate::suite::{commit, delete, put};

    #[test]
    fn every_entry_of_a_sound_store_is_found() {
        let store: SharedStore = MemoryStore::new(Arc::new(|| 0));
        let observation = r#"{"resourceType":"Observation","id":"o","status":"final",
            "code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}],"text":"Pulse"},
            "subject":{"reference":"Patient/p"},"effectiveDateTime":"2024-02-01",
            "performer":[{"identifier":{"value":"7"}},{"display":"x"}],
            "valueQuantity":{"value":-0.5,"comparator":"<","unit":"/min"}}"#;
        let patient = r#"{"resourceType":"Patient","id":"p","name":[{"family":"O'Ash","given":["A"]}],
            "identifier":[{"system":"urn:s","value":"B","type":{"coding":[{"system":"urn:t","code":"MR"}]}}]}"#;
        let set =
            r#"{"resourceType":"ValueSet","id":"v","status":"draft","url":"http://x.example/v"}"#;
        commit(&store, vec![put(observation), put(patient), put(set)]).unwrap();
        commit(&store, vec![put(patient), delete("ValueSet/v")]).unwrap();
        let found = index(&*store.snapshot().unwrap(), 1, &mut |_| {}).unwrap();
        assert_eq!(found.faults, Vec::<String>::new());
        assert_eq!(found.resources, 2);
        assert!(found.entries >= 20, "{}", found.entries);
    }
}
