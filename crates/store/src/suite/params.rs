//! SearchParameters that are stored become parameters of searches.

use std::time::{Duration, Instant};

use super::search::filled;
use super::{Make, commit, delete, put};
use crate::SharedStore;
use crate::query::Parser;

const NICKNAME: &str = r#"{"resourceType":"SearchParameter","id":"nick","url":"http://example.org/sp/nick","name":"nick","status":"active","description":"x","code":"nick","base":["Patient","Person"],"type":"string","expression":"Patient.name.given.where($this.startsWith('S')) | Person.name.given"}"#;
const PAIR: &str = r#"{"resourceType":"SearchParameter","id":"pair","url":"http://example.org/sp/pair","name":"pair","status":"active","description":"x","code":"pair","base":["Patient"],"type":"composite","expression":"Patient.identifier","component":[{"definition":"http://example.org/sp/none","expression":"system"},{"definition":"http://example.org/sp/none","expression":"value"}]}"#;

const WHOSE: &str = r#"{"resourceType":"SearchParameter","id":"whose","url":"http://example.org/sp/whose","name":"whose","status":"active","description":"x","code":"whose","base":["Observation"],"type":"reference","expression":"Observation.subject","target":["Patient"]}"#;

fn found(store: &SharedStore, kind: &'static str, name: &str, value: &str) -> String {
    let registry = store.registry();
    let params = [(name.to_owned(), value.to_owned())];
    let query = match Parser::new(&registry).parse(kind, &params) {
        Ok(parsed) => parsed.query,
        Err(error) => return error.to_string(),
    };
    let snapshot = store.snapshot().unwrap();
    let found = snapshot.find(&query, 1000, true).unwrap();
    assert_eq!(snapshot.count(&query).unwrap(), found.len() as u64);
    let ids: Vec<_> = snapshot.load(&found).unwrap().iter().map(|s| s.key.id.to_string()).collect();
    ids.join(" ")
}

/// Waits until nothing is left to index. It is the store's own thread that is waited for.
pub(super) fn settled(store: &SharedStore) {
    let end = Instant::now() + Duration::from_secs(60);
    while !store.reindex_progress().unwrap().is_empty() {
        assert!(Instant::now() < end, "the index is never complete");
        std::thread::yield_now();
    }
}

pub(super) fn parameters_that_are_posted_are_searched_by(make: Make<'_>) {
    let store = filled(make);
    let unknown = "`nick` is not a search parameter of `Patient`";
    assert_eq!(found(&store, "Patient", "nick", "so"), unknown);
    commit(&store, vec![put(NICKNAME), put(PAIR)]).unwrap();
    // Right at once, and the same when the index is complete.
    for complete in [false, true] {
        if complete {
            settled(&store);
        }
        assert_eq!(found(&store, "Patient", "nick", "so"), "a");
        assert_eq!(found(&store, "Patient", "nick:missing", "true"), "b c d");
        assert_eq!(found(&store, "Patient", "_sort", "-nick"), "a b c d");
        assert_eq!(found(&store, "Observation", "subject:Patient.nick", "so"), "w1 w2");
        assert_eq!(found(&store, "Patient", "pair", "urn:mrn$m-2"), "b");
        assert_eq!(found(&store, "Patient", "pair", "urn:mrn$77"), "");
    }
    commit(&store, vec![put(r#"{"resourceType":"Patient","id":"z","name":[{"given":["Sol"]}]}"#)])
        .unwrap();
    assert_eq!(found(&store, "Patient", "nick", "so"), "a z");
    // Another meaning under the same name.
    let other = NICKNAME.replace("startsWith('S')", "startsWith('J')");
    commit(&store, vec![put(&other)]).unwrap();
    assert_eq!(found(&store, "Patient", "nick", "jo"), "b");
    assert_eq!(found(&store, "Patient", "nick", "so"), "");
    settled(&store);
    assert_eq!(found(&store, "Patient", "nick", "jo"), "b");
    assert_eq!(found(&store, "Patient", "nick", "so"), "");
    commit(&store, vec![put(&NICKNAME.replace("\"active\"", "\"retired\""))]).unwrap();
    assert_eq!(found(&store, "Patient", "nick", "so"), unknown);
    commit(&store, vec![put(NICKNAME)]).unwrap();
    assert_eq!(found(&store, "Patient", "nick", "so"), "a z");
    commit(&store, vec![delete("SearchParameter/nick")]).unwrap();
    assert_eq!(found(&store, "Patient", "nick", "so"), unknown);
    // A published parameter keeps its meaning.
    let taken = NICKNAME.replace("\"code\":\"nick\"", "\"code\":\"family\"");
    commit(&store, vec![put(&taken)]).unwrap();
    assert_eq!(found(&store, "Patient", "family", "muller"), "a b");
}

/// Ids of what one search includes.
fn included(store: &SharedStore, kind: &'static str, params: &[(&str, &str)]) -> String {
    let registry = store.registry();
    let params: Vec<(String, String)> =
        params.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let parsed = Parser::new(&registry).parse(kind, &params).unwrap();
    let snapshot = store.snapshot().unwrap();
    let matches = snapshot.find(&parsed.query, 1000, true).unwrap();
    let found = snapshot.include(&matches, &parsed.includes[0]).unwrap();
    let mut ids: Vec<_> =
        snapshot.load(&found).unwrap().iter().map(|s| s.key.id.to_string()).collect();
    ids.sort();
    ids.join(" ")
}

pub(super) fn what_points_to_matches_is_not_missed_while_it_is_indexed(make: Make<'_>) {
    let store = filled(make);
    commit(&store, vec![put(WHOSE)]).unwrap();
    for complete in [false, true] {
        if complete {
            settled(&store);
        }
        assert_eq!(found(&store, "Observation", "whose", "Patient/a"), "w1 w2");
        let by = |value| included(&store, "Patient", &[("_id", "a"), ("_revinclude", value)]);
        assert_eq!(by("Observation:whose"), "w1 w2");
        assert_eq!(by("Observation:whose:Patient"), "w1 w2");
        assert!(by("Observation:*").contains("w1 w2"));
        let forward = [("_id", "w1"), ("_include", "Observation:whose")];
        assert_eq!(included(&store, "Observation", &forward), "a");
    }
}
