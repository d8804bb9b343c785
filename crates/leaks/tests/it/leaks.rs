//! The consent engine against the second reading of its rules, over more than 100,000 generated
//! cases; and, with the feature `mutants`, the proof that every single rule is needed.

use std::sync::OnceLock;
use std::time::Instant;

use fhir::Resource;
use leaks::{Oracle, Shape, World};
use policy::consent::{Compiled, Defaults, Item, Request, decide_all};
use serde_json::Value;

/// Each seed is a patient with 9 resources, asked for 4 times: 36 cases.
const SEEDS: u64 = 2_800;
/// The environment variable that gives others.
const SEED: &str = "CONSILIUM_LEAKS_SEED";
const REQUESTS: u64 = 4;

/// One patient, who asks for them, and what the second reading forbids.
struct Case {
    world: World,
    consents: Vec<Resource>,
    resources: Vec<Resource>,
    asked: Vec<(Request, Defaults, Vec<bool>)>,
}

fn parse(value: &Value) -> Resource {
    Resource::parse(value.to_string()).expect("a resource")
}

fn case(seed: u64) -> Case {
    let world = World::generate(&Shape { seed, patients: 1, ..Shape::default() });
    let patient = world.patients.first().expect("a patient");
    let asked = (0..REQUESTS).map(|n| {
        let (request, defaults) = world.request(n);
        let oracle = Oracle::new(&world, patient, &defaults);
        let held = patient.resources.iter();
        let forbidden = held.map(|held| oracle.forbidden(&request, &held.resource)).collect();
        (request, defaults, forbidden)
    });
    let asked = asked.collect();
    let consents = patient.consents.iter().map(parse).collect();
    let resources = patient.resources.iter().map(|held| parse(&held.resource)).collect();
    Case { world, consents, resources, asked }
}

/// Every case, made once on two threads.
fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let given = std::env::var(SEED).ok();
        let seed: u64 = given.map_or(0, |text| text.parse().expect("a seed is a whole number"));
        println!("seed {seed}; others are tried with {SEED}=number");
        let start = seed.checked_mul(SEEDS).expect("a smaller seed");
        let (half, end) = (start + SEEDS / 2, start + SEEDS);
        std::thread::scope(|scope| {
            let second = scope.spawn(move || (half..end).map(case).collect::<Vec<_>>());
            let mut first: Vec<_> = (start..half).map(case).collect();
            first.extend(second.join().expect("a thread"));
            first
        })
    })
}

/// What the engine permits although it is forbidden, and what it withholds although it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    decided: usize,
    permitted: usize,
    leaks: usize,
    withheld: usize,
}

fn run(case: &Case) -> Found {
    let compiled = Compiled::with(&case.consents, &|name| case.world.who(name));
    let items: Vec<_> = case.resources.iter().map(Item::of).collect();
    let mut found = Found::default();
    for (request, defaults, forbidden) in &case.asked {
        let decided = decide_all(request, &compiled, defaults, &items);
        for (decision, forbidden) in decided.iter().zip(forbidden) {
            found.decided += 1;
            found.permitted += usize::from(decision.is_permitted());
            found.leaks += usize::from(decision.is_permitted() && *forbidden);
            found.withheld += usize::from(!decision.is_permitted() && !forbidden);
        }
    }
    found
}

#[test]
fn nothing_forbidden_is_permitted_and_nothing_else_withheld() {
    let begun = Instant::now();
    let (mut decided, mut permitted) = (0, 0);
    for case in cases() {
        let found = run(case);
        decided += found.decided;
        permitted += found.permitted;
        let seed = case.world.shape.seed;
        assert_eq!((found.leaks, found.withheld), (0, 0), "seed {seed}: {:#?}", case.asked);
    }
    println!("{decided} cases, {permitted} permitted, in {:.1?}", begun.elapsed());
    assert!(decided >= 100_000 && permitted > decided / 5 && permitted < decided * 4 / 5);
}

/// Puts every rule out of force, one after the other, until a leak is found.
#[cfg(feature = "mutants")]
#[test]
fn without_any_single_rule_something_leaks() {
    use policy::consent::{Rule, Suspended};

    let leaks = |rule: &Rule| {
        let _suspended = Suspended::new(*rule);
        let mut cases = cases().iter().enumerate();
        cases.find(|(_, case)| run(case).leaks > 0).map(|(number, _)| (number + 1) * 36)
    };
    let half = Rule::ALL.len() / 2;
    let (first, second) = Rule::ALL.split_at(half);
    let each = |rules: &'static [Rule]| -> Vec<_> {
        rules.iter().map(|rule| (*rule, leaks(rule))).collect()
    };
    let begun = Instant::now();
    let found = std::thread::scope(|scope| {
        let other = scope.spawn(|| each(second));
        let mut found = each(first);
        found.extend(other.join().expect("a thread"));
        found
    });
    for (rule, after) in &found {
        match after {
            Some(after) => println!("{rule:?}: caught within {after} cases"),
            None => println!("{rule:?}: NOT CAUGHT"),
        }
    }
    println!("{} rules in {:.1?}", found.len(), begun.elapsed());
    assert!(found.iter().all(|(_, after)| after.is_some()));
}
