//! Questions as a page writes them: read, refused with the place, said in English, and answered by hand-made
//! people.

use std::collections::BTreeSet;

use population::criteria::{Cohort, Problem};
use population::day::When;
use population::event::{Coding, Event, Kind, Person, Quantity, Sex};
use population::{Builder, CountError, Counting};

const DIABETES: &str = r#"{
  "index": {"pick": "first", "event": {"kind": "condition", "called": "type 2 diabetes", "codes": ["sct|44054006"]}},
  "named": [{"name": "stroke", "pick": "first", "event": {"kind": "condition", "codes": ["sct|230690007"]},
             "when": [{"after": {"of": "index"}}]}],
  "steps": [
    {"label": "Adults", "criterion": {"age": {"at-least": 18, "at-most": 89}}},
    {"label": "Women", "criterion": {"sex": ["female"]}},
    {"label": "Poorly controlled", "criterion": {"event": {
      "event": {"kind": "observation", "called": "HbA1c", "codes": ["loinc|4548-4"],
                "value": [{"is": "at-least", "number": 7.5, "unit": "%"}]},
      "occurs": {"at-least": 2}, "when": [{"within": {"days-before": 0, "days-after": 365}}]}}},
    {"label": "No metformin before", "criterion": {"none": [{"event": {
      "event": {"kind": "medication", "codes": ["rx|6809"]}, "when": [{"before": {"at-most": 730}}]}}]}},
    {"label": "Statin before the stroke", "criterion": {"any": [
      {"event": {"event": {"kind": "medication", "codes": ["rx|83367"]}, "when": [{"before": {"of": "stroke"}}]}},
      {"event": {"event": {"kind": "condition", "codes": ["sct|230690007"]}, "occurs": "never"}}]}}
  ]}"#;

#[test]
fn a_cohort_is_said_in_english() {
    let said = Cohort::parse(DIABETES).unwrap().sentences().join("\n");
    let expected = "\
The index event is the first condition “type 2 diabetes” [sct|44054006].
“stroke” is the first condition [sct|230690007], after the index date.
Adults: aged 18 to 89 years at the index date.
Women: sex is female.
Poorly controlled: at least 2 times observation “HbA1c” [loinc|4548-4] with a value of at least 7.5 %, \
from 0 days before to 365 days after the index date.
No metformin before: not (at least one medication [rx|6809], 1 to 730 days before the index date).
Statin before the stroke: (at least one medication [rx|83367], before “stroke” or no condition [sct|230690007]).";
    assert_eq!(said, expected);
}

#[test]
fn a_cohort_that_is_wrong_is_refused_with_the_place() {
    let step =
        |criterion: &str| format!(r#"{{"steps":[{{"label":"x","criterion":{criterion}}}]}}"#);
    let event =
        |rest: &str| step(&format!(r#"{{"event":{{"event":{{"kind":"condition"}}{rest}}}}}"#));
    let deep = |levels: usize| {
        step(&format!(
            "{}{}{}",
            r#"{"all":["#.repeat(levels),
            r#"{"alive":{}}"#,
            "]}".repeat(levels)
        ))
    };
    for (json, path, problem) in [
        ("{}".into(), "$", Problem::Nothing),
        (step(r#"{"any":[]}"#), "steps[0].criterion.any", Problem::Empty),
        (step(r#"{"age":{}}"#), "steps[0].criterion.age", Problem::Empty),
        (step(r#"{"age":{"at-least":9,"at-most":8}}"#), "steps[0].criterion.age", Problem::Order),
        (
            step(r#"{"none":[{"alive":{}},{"sex":[]}]}"#),
            "steps[0].criterion.none[1].sex",
            Problem::Empty,
        ),
        (
            step(r#"{"event":{"event":{"kind":"condition","codes":["E11"]}}}"#),
            "steps[0].criterion.event.event.codes[0]",
            Problem::Code,
        ),
        (
            step(r#"{"event":{"event":{"kind":"condition","value":[{"is":"above","number":1}]}}}"#),
            "steps[0].criterion.event.event.value",
            Problem::Value,
        ),
        (
            event(r#","when":[{"before":{"of":"stroke"}}]"#),
            "steps[0].criterion.event.when[0]",
            Problem::UnknownName,
        ),
        (
            event(r#","when":[{"same-encounter":{}}]"#),
            "steps[0].criterion.event.when[0]",
            Problem::NoEncounter,
        ),
        (
            event(r#","when":[{"after":{"at-least":3,"at-most":2}}]"#),
            "steps[0].criterion.event.when[0]",
            Problem::Order,
        ),
        (event(r#","occurs":{"at-least":0}"#), "steps[0].criterion.event.occurs", Problem::Empty),
        (
            r#"{"named":[{"name":"index","pick":"first","event":{"kind":"condition"}}],
                "steps":[{"label":"x","criterion":{"alive":{}}}]}"#
                .into(),
            "named[0].name",
            Problem::NameTaken,
        ),
        (
            r#"{"named":[{"name":"a","pick":"any","event":{"kind":"condition"}}],
                "steps":[{"label":"x","criterion":{"alive":{}}}]}"#
                .into(),
            "named[0].pick",
            Problem::Pick,
        ),
        (
            deep(8),
            &format!("steps[0].criterion{}", ".all[0]".repeat(8)),
            Problem::TooMany("8 levels of criteria"),
        ),
    ] {
        let error = Cohort::parse(&json).unwrap_err();
        assert_eq!((error.path.as_str(), error.problem), (path, problem), "{json}");
    }
    assert!(Cohort::parse(&deep(7)).is_ok());
    // What was sent is not repeated, and what is not known is not skipped.
    for json in [
        r#"{"steps":[],"secret":1}"#,
        r#"{"steps":[{"label":"x","criterion":{"secret":[]}}]}"#,
        r#"{"index":{"pick":"first","event":{"kind":"secret"}}}"#,
        r#"{"steps":"#,
        r#"{"index":{"pick":"first","event":{"kind":"condition"}}} secret"#,
    ] {
        let error = Cohort::parse(json).unwrap_err().to_string();
        assert!(error.starts_with("$: not a cohort") && !error.contains("secret"), "{error}");
    }
    assert!(Cohort::parse(&" ".repeat((4 << 20) + 1)).is_err());
}

fn event(kind: Kind, code: &'static str, when: &str, value: Option<f64>) -> Event<'static> {
    let (system, code) = code.split_once('|').unwrap();
    Event {
        kind,
        codes: vec![Coding { system: system.into(), code: code.into() }],
        when: When::parse(when).unwrap_or(When::UNKNOWN),
        value: value.map(|number| Quantity { number, unit: "%".into() }),
        encounter: None,
    }
}

#[test]
fn attrition_is_told_step_by_step() {
    let cohort = Cohort::parse(DIABETES).unwrap();
    let diagnosis = || event(Kind::Condition, "sct|44054006", "2010-05-01", None);
    let high = |when| event(Kind::Observation, "loinc|4548-4", when, Some(8.0));
    let woman = |birth| Person {
        birth: When::parse(birth).unwrap(),
        sex: Sex::Female,
        ..Person::default()
    };
    let both = || [diagnosis(), high("2010-05-01"), high("2011-05-01")];
    let metformin = |when| event(Kind::Medication, "rx|6809", when, None);
    let stroke = |when| event(Kind::Condition, "sct|230690007", when, None);
    let statin = |when| event(Kind::Medication, "rx|83367", when, None);
    let people = [
        // No diagnosis; a child; at 17 or 18; a man.
        (woman("1950"), vec![high("2010-05-01")]),
        (woman("2000-01-01"), both().to_vec()),
        (woman("1992"), both().to_vec()),
        (Person { sex: Sex::Male, ..woman("1950") }, both().to_vec()),
        // One high value too late by a day, or perhaps in the year; metformin two years before, and three.
        (woman("1950"), vec![diagnosis(), high("2010-05-01"), high("2011-05-02")]),
        (woman("1950"), vec![diagnosis(), high("2010-05-01"), high("2010")]),
        (woman("1950"), [both().to_vec(), vec![metformin("2008-05-01")]].concat()),
        (woman("1950"), [both().to_vec(), vec![metformin("2007-05-01")]].concat()),
        // A stroke with a statin on its day, and with one the day before.
        (
            woman("1950"),
            [both().to_vec(), vec![stroke("2015-01-02"), statin("2015-01-02")]].concat(),
        ),
        (
            woman("1950"),
            [both().to_vec(), vec![stroke("2015-01-02"), statin("2015-01-01")]].concat(),
        ),
    ];
    let mut builder = Builder::new();
    for (key, (person, events)) in (1..).zip(&people) {
        builder.add(key, *person, events.iter().cloned()).unwrap();
    }
    let index = builder.finish().unwrap();
    let nobody = BTreeSet::new();
    let mut how =
        Counting { day: When::parse("2021-01-01").unwrap(), threads: 1, without: &nobody };
    let answer = index.count(&cohort, &how).unwrap();
    let left: Vec<String> =
        answer.steps.iter().map(|step| format!("{}: {}", step.label, step.people)).collect();
    assert_eq!((answer.people, answer.entered), (10, Some(9)));
    assert_eq!(
        left,
        [
            "Adults: 7",
            "Women: 6",
            "Poorly controlled: 4",
            "No metformin before: 3",
            "Statin before the stroke: 2"
        ]
    );
    assert_eq!(answer.members(), [8, 10]);
    let without = BTreeSet::from([8, 77]);
    how.without = &without;
    let answer = index.count(&cohort, &how).unwrap();
    assert_eq!((answer.people, answer.members()), (9, [10].as_slice()));
    how.day = When::UNKNOWN;
    assert!(index.count(&cohort, &how).is_err());
}

/// Twenty names, each the last condition before the one before it: looked for anew by each that leans on it, a name
/// would be looked for up to 40²⁰ times.
#[test]
fn a_chain_of_names_is_followed_once() {
    let named: Vec<String> = (1..=20)
        .map(|at| {
            let of = if at == 1 { "index".to_owned() } else { format!("n{}", at - 1) };
            format!(
                r#"{{"name":"n{at}","pick":"last","event":{{"kind":"condition"}},"when":[{{"before":{{"of":"{of}"}}}}]}}"#
            )
        })
        .collect();
    let cohort = Cohort::parse(&format!(
        r#"{{"named":[{}],"steps":[{{"label":"before","criterion":{{"event":{{"event":{{"kind":"condition"}},
        "when":[{{"before":{{"of":"n20"}}}}]}}}}}}]}}"#,
        named.join(",")
    ))
    .unwrap();
    let mut builder = Builder::new();
    for people in [19, 20, 21, 40] {
        let conditions = (0..people).map(|at| Event {
            when: When::day(18_000 + at).unwrap(),
            ..event(Kind::Condition, "sct|1", "2010", None)
        });
        builder.add(u64::from(people.unsigned_abs()), Person::default(), conditions).unwrap();
    }
    let index = builder.finish().unwrap();
    let nobody = BTreeSet::new();
    let how = Counting { day: When::parse("2021-01-01").unwrap(), threads: 1, without: &nobody };
    let mut members = index.count(&cohort, &how).unwrap().members().to_vec();
    members.sort_unstable();
    assert_eq!(members, [21, 40]);
    assert_eq!(index.count_until(&cohort, &how, &|| true), Err(CountError::Stopped));
    assert_eq!(index.count_until(&cohort, &how, &|| false), index.count(&cohort, &how));
}
