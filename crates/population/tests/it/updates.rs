//! An index that is changed person by person equals one built anew, and a removed person is in no count.

use std::collections::BTreeSet;

use population::criteria::Cohort;
use population::event::{Event, Kind, Person};
use population::{Builder, Counting, Index, IndexError};
use proptest::prelude::*;

use crate::generated::{cohort, person, today};
use crate::naive::Known;

#[derive(Clone, Debug)]
enum Change {
    Replace(u64, Person, Vec<Event<'static>>),
    Remove(u64),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (0u64..20, person()).prop_map(|(key, (person, events))| Change::Replace(key, person, events)),
        1 => (0u64..20).prop_map(Change::Remove),
    ]
}

fn members(index: &Index, cohort: &Cohort) -> BTreeSet<u64> {
    let how = Counting { day: today(), threads: 2, without: &BTreeSet::new() };
    let answer = index.count(cohort, &how).unwrap();
    assert_eq!(answer.people, index.size().people);
    answer.members().iter().copied().collect()
}

proptest! {
    #[test]
    fn changes_give_what_building_anew_gives(
        changes in prop::collection::vec(change(), 1..60),
        cohorts in prop::collection::vec(cohort(), 4),
    ) {
        let mut index = Index::new();
        let mut known = Known::new();
        for change in changes {
            match change {
                Change::Replace(key, person, events) => {
                    index.replace(key, person, events.iter().cloned()).unwrap();
                    known.insert(key, (person, events));
                }
                Change::Remove(key) => {
                    prop_assert_eq!(index.remove(key), known.remove(&key).is_some());
                    prop_assert!(!index.contains(key));
                }
            }
        }
        let mut builder = Builder::new();
        for (key, (person, events)) in &known {
            builder.add(*key, *person, events.iter().cloned()).unwrap();
        }
        let anew = builder.finish().unwrap();
        for cohort in &cohorts {
            prop_assert_eq!(members(&index, cohort), members(&anew, cohort));
        }
    }
}

#[test]
fn many_blocks_are_filled_and_refilled() {
    let encounter = |day: i32| Event {
        kind: Kind::Encounter,
        codes: Vec::new(),
        when: population::day::When::day(day).unwrap(),
        value: None,
        encounter: None,
    };
    let cohort =
        Cohort::parse(r#"{"index":{"pick":"last","event":{"kind":"encounter"}},"steps":[]}"#)
            .unwrap();
    let mut builder = Builder::new();
    for key in 0..5000 {
        builder.add(key, Person::default(), [encounter(1)]).unwrap();
    }
    assert_eq!(builder.add(7, Person::default(), []), Err(IndexError::Twice));
    let mut index = builder.finish().unwrap();
    assert_eq!(members(&index, &cohort).len(), 5000);
    for key in 0..5000 {
        if key % 5 == 0 {
            assert!(index.remove(key));
        }
    }
    assert_eq!(members(&index, &cohort).len(), 4000);
    index.replace(10_000, Person::default(), [encounter(3)]).unwrap();
    index.replace(1, Person::default(), []).unwrap();
    let left = members(&index, &cohort);
    assert_eq!(left.len(), 4000);
    assert!(left.contains(&10_000) && !left.contains(&1) && !left.contains(&0));
}

#[test]
fn what_is_too_much_is_refused_and_changes_nothing() {
    let mut index = Index::new();
    index.replace(1, Person::default(), []).unwrap();
    let code = population::event::Coding { system: "s".into(), code: "c".into() };
    let event = Event {
        kind: Kind::Condition,
        codes: vec![code; 65],
        when: population::day::When::UNKNOWN,
        value: None,
        encounter: None,
    };
    assert_eq!(index.replace(1, Person::default(), [event]), Err(IndexError::Codes));
    let visit = |at: u32| Event {
        kind: Kind::Encounter,
        codes: Vec::new(),
        when: population::day::When::UNKNOWN,
        value: None,
        encounter: Some(at.to_string().into()),
    };
    let many = index.replace(2, Person::default(), (0..65_536).map(visit));
    assert_eq!(many, Err(IndexError::Encounters));
    index.replace(2, Person::default(), (0..65_535).map(visit)).unwrap();
    assert_eq!((index.size().people, index.size().events), (2, 65_535));
}
