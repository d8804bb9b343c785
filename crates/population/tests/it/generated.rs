//! Generated people and cohorts, dense enough that relations hold and fail.

use population::criteria::{
    AgeRange, Cohort, Compare, Criterion, Distance, Empty, EventCriterion, Fits, IndexEvent,
    NamedEvent, Occurs, Of, Pick, Relation, Step, ValueTest, Window,
};
use population::day::When;
use population::event::{Coding, Death, Event, Kind, Person, Quantity, Sex};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const NAMES: [&str; 2] = ["a", "b"];

/// The day on which generated questions are asked.
pub fn today() -> When {
    When::parse("2021-06-15").unwrap()
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        12 => (0i32..60).prop_map(|day| When::day(18_770 + day).unwrap()),
        3 => (1i32..13).prop_map(|month| When::parse(&format!("2021-{month:02}")).unwrap()),
        1 => (2019i32..2023).prop_map(|year| When::parse(&format!("{year}")).unwrap()),
        1 => Just(When::UNKNOWN),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    select(vec![Kind::Condition, Kind::Observation, Kind::Observation, Kind::Encounter])
}

fn code() -> impl Strategy<Value = String> {
    (0u8..2, 0u8..16).prop_map(|(system, code)| format!("s{system}|{}", code / 4))
}

fn event() -> impl Strategy<Value = Event<'static>> {
    let value = option::of((0i32..4, select(vec!["mg", ""])));
    let codes = prop::collection::vec(code(), 0..3);
    (kind(), codes, when(), value, option::of(0u8..3)).prop_map(
        |(kind, codes, when, value, encounter)| Event {
            kind,
            codes: codes
                .iter()
                .map(|code| {
                    let (system, code) = code.split_once('|').unwrap();
                    Coding { system: system.to_owned().into(), code: code.to_owned().into() }
                })
                .collect(),
            when,
            value: value.map(|(number, unit)| Quantity {
                number: f64::from(number) / 2.0,
                unit: unit.into(),
            }),
            encounter: encounter.map(|name| format!("e{name}").into()),
        },
    )
}

fn sex() -> impl Strategy<Value = Sex> {
    select(vec![Sex::Female, Sex::Male, Sex::Other, Sex::Unknown])
}

fn birth() -> impl Strategy<Value = When> {
    prop_oneof![
        5 => (0i32..30_000).prop_map(|day| When::day(18_700 - day).unwrap()),
        2 => (1940i32..2021).prop_map(|year| When::parse(&format!("{year}")).unwrap()),
        1 => Just(When::UNKNOWN),
    ]
}

/// Demographics and events of one person.
pub fn person() -> impl Strategy<Value = (Person, Vec<Event<'static>>)> {
    let death = prop_oneof![3 => Just(Death::None), 1 => when().prop_map(Death::Died)];
    let person =
        (birth(), death, sex()).prop_map(|(birth, death, sex)| Person { birth, death, sex });
    (person, prop::collection::vec(event(), 0..16))
}

fn fits() -> impl Strategy<Value = Fits> {
    let test = (
        select(vec![
            Compare::Below,
            Compare::AtMost,
            Compare::Equal,
            Compare::AtLeast,
            Compare::Above,
        ]),
        0i32..4,
        select(vec!["mg", "", "other"]),
    )
        .prop_map(|(is, number, unit)| ValueTest {
            is,
            number: f64::from(number) / 2.0,
            unit: unit.into(),
        });
    let tests = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(test, 1..3)];
    (kind(), prop::collection::vec(code(), 0..3), tests).prop_map(|(kind, codes, value)| Fits {
        kind,
        called: String::new(),
        codes,
        value: if kind == Kind::Observation { value } else { Vec::new() },
    })
}

fn relation(names: usize, with_encounter: bool) -> impl Strategy<Value = Relation> {
    let of = (0..=names).prop_map(|at| match at.checked_sub(1) {
        None => "index".to_owned(),
        Some(at) => NAMES[at].to_owned(),
    });
    (of, 0u8..4, 0u32..20, option::of(0u32..30)).prop_map(move |(of, form, least, more)| {
        let distance =
            Distance { of: of.clone(), at_least: least, at_most: more.map(|more| least + more) };
        match form {
            0 => Relation::Before(distance),
            1 => Relation::After(distance),
            2 if with_encounter || of != "index" => Relation::SameEncounter(Of { of }),
            _ => {
                Relation::Within(Window { of, days_before: least, days_after: more.unwrap_or(400) })
            }
        }
    })
}

fn criterion(names: usize, encounter: bool) -> impl Strategy<Value = Criterion> {
    let occurs = prop_oneof![
        3 => (1u32..4).prop_map(Occurs::AtLeast),
        1 => Just(Occurs::Never),
        1 => Just(Occurs::FirstEver),
    ];
    let when = prop::collection::vec(relation(names, encounter), 0..3);
    let leaf = prop_oneof![
        1 => (0u16..40, 30u16..100).prop_map(|(least, most)| {
            Criterion::Age(AgeRange { at_least: Some(least), at_most: Some(most.max(least)) })
        }),
        1 => prop::collection::vec(sex(), 1..3).prop_map(Criterion::Sex),
        1 => Just(Criterion::Alive(Empty {})),
        6 => (fits(), occurs, when)
            .prop_map(|(event, occurs, when)| Criterion::Event(EventCriterion { event, occurs, when })),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let list = prop::collection::vec(inner, 1..4);
        (0u8..3, list).prop_map(|(form, list)| match form {
            0 => Criterion::All(list),
            1 => Criterion::Any(list),
            _ => Criterion::None(list),
        })
    })
}

/// A cohort that passes its checks.
pub fn cohort() -> impl Strategy<Value = Cohort> {
    let pick = select(vec![Pick::First, Pick::Last, Pick::Any]);
    let index = option::weighted(0.8, (pick, fits()));
    (index, 0usize..3).prop_flat_map(|(index, names)| {
        let encounter = index.is_some();
        let named: Vec<_> = (0..names)
            .map(|at| {
                let when = prop::collection::vec(relation(at, encounter), 0..2);
                (any::<bool>(), fits(), when).prop_map(move |(last, event, when)| NamedEvent {
                    name: NAMES[at].into(),
                    pick: if last { Pick::Last } else { Pick::First },
                    event,
                    when,
                })
            })
            .collect();
        let steps = prop::collection::vec(criterion(names, encounter), 1..4);
        (named, steps).prop_map(move |(named, steps)| Cohort {
            index: index.clone().map(|(pick, event)| IndexEvent { pick, event }),
            named,
            steps: (1..)
                .zip(steps)
                .map(|(at, criterion)| Step { label: format!("step {at}"), criterion })
                .collect(),
        })
    })
}
