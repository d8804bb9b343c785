//! The ledger: what adds up to what, and when it is enough.

use consilium_privacy::budget::*;
use proptest::prelude::*;

const LIMIT: Limit = Limit { micro_epsilon: 1_000_000, femto_delta: 1_000_000_000 };

fn entry(data_set: &str, project: &str, cost: Cost) -> Entry {
    Entry {
        subject: Subject::Group("everybody".to_owned()),
        data_set: data_set.to_owned(),
        project: project.to_owned(),
        question: "q".to_owned(),
        cost,
    }
}

fn pure(micro_epsilon: u64) -> Cost {
    Cost::Pure { micro_epsilon }
}

fn everybody() -> Subject {
    Subject::Group("everybody".to_owned())
}

#[test]
fn costs_add_up_over_projects_and_the_limit_is_the_limit() {
    let entries = vec![entry("a", "p1", pure(600_000)), entry("a", "p2", pure(300_000))];
    assert_eq!(remaining(&entries, &everybody(), "a", &LIMIT), 100_000);
    assert_eq!(remaining(&entries, &everybody(), "b", &LIMIT), 1_000_000);
    assert_eq!(refuse(&entries, &entry("a", "p3", pure(100_000)), &LIMIT), Ok(()));
    let over = refuse(&entries, &entry("a", "p3", pure(100_001)), &LIMIT).unwrap_err();
    assert_eq!(over.to_string(), "the privacy budget of data set `a` does not cover the question");
    assert_eq!(refuse(&entries, &entry("b", "p3", pure(100_001)), &LIMIT), Ok(()));
    let person = Entry { subject: Subject::Person("x".into()), ..entry("a", "p", pure(500_000)) };
    assert_eq!(refuse(&entries, &person, &LIMIT), Ok(()));
}

#[test]
fn concentrated_costs_are_converted_at_the_limits_delta() {
    // ρ + 2√(ρ ln(1/δ)) for ρ = 0.01, δ = 1e-6: 0.01 + 2√(0.01 · 13.8155105580) = 0.7533880...
    let entries = vec![entry("a", "p", Cost::Concentrated { micro_rho: 10_000 })];
    let found = spent(&entries, &everybody(), "a", &LIMIT);
    assert_eq!(found.micro_epsilon, Some(753_385));
    let without = Limit { femto_delta: 0, ..LIMIT };
    assert_eq!(spent(&entries, &everybody(), "a", &without).micro_epsilon, None);
    assert_eq!(remaining(&entries, &everybody(), "a", &without), 0);
    assert!(refuse(&[], &entries[0], &without).is_err());
    let stated = Cost::Approximate { micro_epsilon: 1, femto_delta: 1_000_000_001 };
    assert!(refuse(&[], &entry("a", "p", stated), &LIMIT).is_err());
}

#[test]
fn many_small_releases_cost_less_together_than_one_by_one() {
    let entries: Vec<_> = (0..1000).map(|_| entry("a", "p", pure(2_000))).collect();
    let found = spent(&entries, &everybody(), "a", &LIMIT).micro_epsilon.unwrap();
    // One by one 2.0; together ρ = 1000 · 0.002²/2 = 0.002, which is 0.334 at δ = 1e-6.
    assert!((333_000..336_000).contains(&found), "{found}");
}

proptest! {
    #[test]
    fn more_entries_never_cost_less_and_never_more_than_their_sum(
        costs in prop::collection::vec(1u64..400_000, 1..20)
    ) {
        let entries: Vec<_> = costs.iter().map(|cost| entry("a", "p", pure(*cost))).collect();
        let mut before = 0;
        for end in 1..=entries.len() {
            let now = spent(&entries[..end], &everybody(), "a", &LIMIT).micro_epsilon.unwrap();
            prop_assert!(now >= before);
            prop_assert!(now <= costs[..end].iter().sum());
            before = now;
            let after = refuse(&entries[..end - 1], &entries[end - 1], &LIMIT);
            prop_assert_eq!(after.is_ok(), now <= LIMIT.micro_epsilon);
        }
    }
}

#[test]
fn entries_travel_and_unknown_fields_are_refused() {
    let entry = entry("a", "p", Cost::Concentrated { micro_rho: 5 });
    let text = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    let more = text.replacen('{', "{\"surprise\":1,", 1);
    assert!(serde_json::from_str::<Entry>(&more).is_err());
}
