//! Random resources and random searches give the same answers in memory and in PostgreSQL.

use proptest::prelude::*;
use store::SharedStore;
use store::memory::MemoryStore;
use store::suite::{commit, query};

use super::{clock, open, server};
use crate::sqlite::tests::agreement::{same_includes, step, url};

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_postgres_agree(
        steps in prop::collection::vec(step(), 1..14),
        urls in prop::collection::vec(url(), 30),
    ) {
        let Some(place) = server::place() else { return Ok(()) };
        let memory: SharedStore = MemoryStore::new(clock());
        let postgres: SharedStore = open(&place);
        for writes in steps {
            let (expected, done) = (commit(&memory, writes.clone()), commit(&postgres, writes));
            prop_assert_eq!(expected.unwrap(), done.unwrap());
        }
        let (expected, done) = (memory.snapshot().unwrap(), postgres.snapshot().unwrap());
        for url in &urls {
            let query = query(url);
            let found = done.find(&query, 100, true).unwrap();
            prop_assert_eq!(expected.find(&query, 100, true).unwrap(), found.clone(), "{}", url);
            prop_assert_eq!(done.count(&query).unwrap(), found.len() as u64, "{}", url);
            prop_assert_eq!(done.find(&query, 2, false).unwrap(), &found[..found.len().min(2)]);
        }
        same_includes(&*expected, &*done);
        for id in 0..6 {
            let id = fhir::Id::new(format!("p{id}")).unwrap();
            for wanted in [|_: &str| true, |kind: &str| kind == "Observation"] {
                prop_assert_eq!(
                    expected.compartment(&id, &wanted).unwrap(),
                    done.compartment(&id, &wanted).unwrap()
                );
            }
        }
        let all: Vec<u64> = (1..=expected.seq()).collect();
        prop_assert_eq!(expected.load(&all).unwrap(), done.load(&all).unwrap());
        prop_assert_eq!(postgres.integrity().unwrap(), Vec::<String>::new());
    }
}
