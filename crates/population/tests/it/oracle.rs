//! The index agrees with the second reading, for generated people and cohorts and any number of threads.

use population::criteria::Cohort;
use population::{Builder, Counting};
use proptest::prelude::*;

use crate::generated::{cohort, person, today};
use crate::naive::{Known, count};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn counts_agree(
        people in prop::collection::vec(person(), 1..60),
        cohorts in prop::collection::vec(cohort(), 1..6),
        without in prop::collection::btree_set(0u64..60, 0..5),
        threads in 1usize..4,
    ) {
        let mut builder = Builder::new();
        for (key, (person, events)) in (0..).zip(&people) {
            builder.add(key, *person, events.iter().cloned()).unwrap();
        }
        let index = builder.finish().unwrap();
        let known: Known = (0..).zip(people).filter(|(key, _)| !without.contains(key)).collect();
        for cohort in &cohorts {
            cohort.check().unwrap();
            let how = Counting { day: today(), threads, without: &without };
            let answer = index.count(cohort, &how).unwrap();
            let (people, entered, steps, members) = count(&known, cohort, today());
            prop_assert_eq!(answer.people, people);
            prop_assert_eq!(answer.entered, entered);
            let left: Vec<u64> = answer.steps.iter().map(|step| step.people).collect();
            prop_assert_eq!(left, steps);
            prop_assert_eq!(answer.total(), members.len() as u64);
            prop_assert_eq!(answer.members(), members.as_slice());
        }
    }

    #[test]
    fn a_cohort_is_read_as_it_was_written(cohort in cohort()) {
        let json = serde_json::to_string(&cohort).unwrap();
        prop_assert_eq!(&Cohort::parse(&json).unwrap(), &cohort);
        let sentences = cohort.sentences();
        prop_assert_eq!(sentences.len(), 1 + cohort.named.len() + cohort.steps.len());
        prop_assert!(sentences.iter().all(|sentence| sentence.ends_with('.')));
    }
}

/// The property above would hold of an engine that finds nobody, if nobody ever met anything.
#[test]
fn generated_cohorts_find_some_and_not_all() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut some, mut cases) = (0, 0);
    for _ in 0..400 {
        let people = (prop::collection::vec(person(), 40), cohort());
        let (people, cohort) =
            proptest::strategy::ValueTree::current(&people.new_tree(&mut runner).unwrap());
        let known: Known = (0..).zip(people).collect();
        let (_, _, _, members) = count(&known, &cohort, today());
        cases += 1;
        some += u32::from(!members.is_empty() && members.len() < 40);
    }
    assert!(some * 3 > cases, "{some} of {cases} cohorts separate people");
}
