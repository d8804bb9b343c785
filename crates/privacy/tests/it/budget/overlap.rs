//! Attacks by several questions, each of which alone is harmless.

use consilium_privacy::budget::*;
use proptest::prelude::*;

const SIZE: u32 = 200;

fn query(words: &str) -> Query {
    let literal =
        Literal { variable: "v".to_owned(), operator: Operator::Equal, value: words.to_owned() };
    Query { statistic: "count".to_owned(), filter: [[literal].into()].into() }
}

fn people(people: impl IntoIterator<Item = u32>) -> Population {
    Population::new(SIZE, people).unwrap()
}

/// Asks one question after the other, each answered one released.
fn ask(questions: &[Population]) -> Result<Ruling, OverlapRefusal> {
    let mut released: Vec<Released> = Vec::new();
    let mut last = Err(OverlapRefusal::Few);
    for (at, population) in questions.iter().enumerate() {
        let query = query(&at.to_string());
        last = Auditor { released: &released, threshold: 10 }.audit(&query, population);
        if at + 1 < questions.len() {
            assert_eq!(last, Ok(Ruling::Answer), "question {at}");
        }
        let population = population.clone();
        released.push(Released { id: at.to_string(), query, population });
    }
    last
}

#[test]
fn few_people_and_all_but_few_are_refused() {
    assert_eq!(ask(&[people(0..9)]), Err(OverlapRefusal::Few));
    assert_eq!(ask(&[people([])]), Err(OverlapRefusal::Few));
    assert_eq!(ask(&[people(9..200)]), Err(OverlapRefusal::Few), "the complement");
    assert_eq!(ask(&[people(0..10)]), Ok(Ruling::Answer));
    assert_eq!(ask(&[people(0..200)]), Ok(Ruling::Answer));
}

#[test]
fn differencing_is_refused_in_both_directions() {
    let with = Err(OverlapRefusal::Difference { with: "0".to_owned() });
    assert_eq!(ask(&[people(0..100), people(0..101)]), with);
    assert_eq!(ask(&[people(0..101), people(0..100)]), with);
    assert_eq!(ask(&[people(0..100), people(1..150)]), with, "one person less, many more");
    assert_eq!(ask(&[people(0..100), people(0..110)]), Ok(Ruling::Answer));
}

#[test]
fn asking_again_gives_the_same_answer_and_no_new_noise() {
    let again = Ok(Ruling::Again("0".to_owned()));
    // Other words, the same people.
    assert_eq!(ask(&[people(0..100), people(0..100)]), again);
    let about = people(0..100);
    let released = [Released { id: "0".to_owned(), query: query("0"), population: about.clone() }];
    let auditor = Auditor { released: &released, threshold: 10 };
    assert_eq!(auditor.audit(&query("0"), &about), again);
    let mean = Query { statistic: "mean(age)".to_owned(), ..query("0") };
    assert_eq!(auditor.audit(&mean, &about), Ok(Ruling::Answer));
}

#[test]
fn a_general_tracker_is_refused() {
    // Denning's tracker: C is one person, T is about half. C or T, and C or not T, are both large;
    // their counts less the size of the data set are the count of C.
    let c = 100;
    let c_or_t = people(0..=c);
    let c_or_not_t = people(c..200);
    let last = ask(&[c_or_t, c_or_not_t]);
    assert_eq!(last, Err(OverlapRefusal::Combination));
}

#[test]
fn a_chain_of_differences_is_refused() {
    // A, B and A or B overlap in two people: |A| + |B| - |A or B| is theirs.
    let (a, b, both) = (people(0..52), people(50..100), people(0..100));
    assert_eq!(ask(&[a, b, both]), Err(OverlapRefusal::Combination));
    // Overlapping in twenty people, the same three are harmless.
    let (a, b, both) = (people(0..60), people(40..100), people(0..100));
    assert_eq!(ask(&[a, b, both]), Ok(Ruling::Answer));
    // Four of them: the first three make the fourth known but for three people.
    let fourth = people((0..20).chain(40..60).chain(100..117));
    let parts = [people(0..40), people(20..60), people(40..80), fourth];
    assert_eq!(ask(&parts), Ok(Ruling::Answer));
}

#[test]
fn what_cannot_be_audited_is_refused() {
    // Thirteen halves of 8192 people tell every one of them apart.
    let halves = (0..13).map(|bit| {
        let population = Population::new(8192, (0..8192).filter(|p| p >> bit & 1 == 1)).unwrap();
        Released { id: bit.to_string(), query: query(&bit.to_string()), population }
    });
    let released: Vec<_> = halves.collect();
    let about = Population::new(8192, 0..4000).unwrap();
    let auditor = Auditor { released: &released, threshold: 10 };
    let refusal = auditor.audit(&query("new"), &about);
    assert!(matches!(refusal, Err(OverlapRefusal::Unauditable(_))));
    let fewer = Auditor { released: &released[..3], threshold: 10 };
    assert_eq!(fewer.audit(&query("new"), &about), Ok(Ruling::Answer));
}

#[test]
fn other_data_sets_are_not_audited_together() {
    let released = [Released { id: "0".into(), query: query("0"), population: people(0..50) }];
    let other = Population::new(SIZE + 1, 0..60).unwrap();
    let auditor = Auditor { released: &released, threshold: 10 };
    assert!(matches!(auditor.audit(&query("1"), &other), Err(OverlapRefusal::Unauditable(_))));
    assert!(Population::new(10, [10]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_answered_determines_nobody(
        sets in prop::collection::vec(prop::collection::btree_set(0u32..12, 1..12), 1..7)
    ) {
        // Twelve people, threshold two: one person must not be determined. The answered questions'
        // counts are checked against every data set that fits them.
        let mut released: Vec<Released> = Vec::new();
        for (at, set) in sets.iter().enumerate() {
            let population = Population::new(12, set.iter().copied()).unwrap();
            let query = query(&at.to_string());
            let auditor = Auditor { released: &released, threshold: 2 };
            if auditor.audit(&query, &population) == Ok(Ruling::Answer) {
                released.push(Released { id: at.to_string(), query, population });
            }
        }
        // A person whose value can be had is one whose unit vector is in the span: then a change of
        // that person alone is visible in every change that the answers leave open. Sums over the
        // rationals by Gaussian elimination with whole numbers.
        let masks: Vec<Vec<i128>> = released
            .iter()
            .map(|r| (0..12).map(|p| i128::from(holds(&r.population, p))).collect())
            .chain([vec![1; 12]])
            .collect();
        let rank_without = rank(masks.clone());
        for person in 0..12 {
            let mut with = masks.clone();
            with.push((0..12).map(|p| i128::from(p == person)).collect());
            prop_assert!(rank(with) > rank_without, "person {} is determined", person);
        }
    }
}

fn holds(population: &Population, person: u32) -> bool {
    let text = serde_json::to_value(population).unwrap();
    text["words"][0].as_u64().unwrap() >> person & 1 == 1
}

/// The rank by fraction-free elimination (Bareiss).
fn rank(mut rows: Vec<Vec<i128>>) -> usize {
    let (mut done, mut before) = (0, 1);
    for column in 0..12 {
        let Some(found) = (done..rows.len()).find(|at| rows[*at][column] != 0) else { continue };
        rows.swap(done, found);
        let pivot = rows[done].clone();
        for row in rows.iter_mut().skip(done + 1) {
            let factor = row[column];
            for (cell, from) in row.iter_mut().zip(&pivot) {
                *cell = (*cell * pivot[column] - factor * from) / before;
            }
        }
        before = pivot[column];
        done += 1;
    }
    done
}
