//! Synthea records through the whole path: bundles read, indexed, counted, beside a count by the second reading.
//! Skipped aloud where the data are not there.

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;

use population::criteria::Cohort;
use population::day::When;
use population::event::{Coding, Event, Person};
use population::reading::{Read, events_of, id_of};
use population::{Builder, Counting};

use crate::naive::{Known, count};

fn bundles() -> Option<Vec<fhir::Document>> {
    let folder = crate::shared("data/synthea")?;
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let read = |file: std::path::PathBuf| {
        let mut text = String::new();
        let file = std::fs::File::open(file).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        fhir::Document::parse(text).unwrap()
    };
    Some(files.into_iter().map(read).collect())
}

fn owned(event: Event<'_>) -> Event<'static> {
    let text = |text: std::borrow::Cow<'_, str>| text.into_owned().into();
    Event {
        kind: event.kind,
        codes: event
            .codes
            .into_iter()
            .map(|code| Coding { system: text(code.system), code: text(code.code) })
            .collect(),
        when: event.when,
        value: event.value.map(|value| population::event::Quantity {
            number: value.number,
            unit: text(value.unit),
        }),
        encounter: event.encounter.map(text),
    }
}

fn people(bundles: &[fhir::Document]) -> Known {
    let resources = || {
        bundles.iter().flat_map(|bundle| bundle.root().get("entry").unwrap().items()).map(|entry| {
            (entry.str_at("fullUrl").unwrap_or_default(), entry.get("resource").unwrap())
        })
    };
    let mut medications: HashMap<String, Vec<Coding<'static>>> = HashMap::new();
    for (url, resource) in resources() {
        if resource.get("resourceType").unwrap().is_str("Medication") {
            let codings = resource.path(&["code", "coding"]).unwrap().items();
            let codings = codings.map(|coding| Coding {
                system: coding.str_at("system").unwrap().into_owned().into(),
                code: coding.str_at("code").unwrap().into_owned().into(),
            });
            medications.insert(url.into_owned(), codings.collect());
        }
    }
    let medication = |reference: &str| medications.get(reference).cloned().unwrap_or_default();
    let mut keys: HashMap<String, u64> = HashMap::new();
    let mut known = Known::new();
    let mut key_of = |id: &str| {
        let next = keys.len() as u64;
        *keys.entry(id.to_owned()).or_insert(next)
    };
    for (_, resource) in resources() {
        match events_of(resource, &medication) {
            Read::Person(person) => {
                let id = resource.str_at("id").unwrap();
                known.entry(key_of(&id)).or_default().0 = person;
            }
            Read::Events { subject, events } => {
                let key = key_of(id_of(&subject.unwrap()));
                let own = &mut known.entry(key).or_default().1;
                own.extend(events.into_iter().map(owned));
            }
            Read::Nothing => {}
        }
    }
    known
}

const QUESTIONS: [(&str, &str); 4] = [
    (
        "hypertension, then a high systolic pressure within a year",
        r#"{"index":{"pick":"first","event":{"kind":"condition","codes":["http://snomed.info/sct|59621000"]}},
        "steps":[{"label":"adult","criterion":{"age":{"at-least":18}}},
        {"label":"pressure","criterion":{"event":{"event":{"kind":"observation","codes":["http://loinc.org|8480-6"],
        "value":[{"is":"at-least","number":130,"unit":"mm[Hg]"}]},"when":[{"within":{"days-before":0,"days-after":365}}]}}},
        {"label":"same visit","criterion":{"event":{"event":{"kind":"observation"},"when":[{"same-encounter":{}}]}}}]}"#,
    ),
    (
        "any encounter with a medication on its day and none in the month before",
        r#"{"index":{"pick":"any","event":{"kind":"encounter"}},"steps":[
        {"label":"medication","criterion":{"event":{"event":{"kind":"medication"},"when":[{"within":{"days-before":0,"days-after":0}}]}}},
        {"label":"new","criterion":{"event":{"event":{"kind":"medication"},"occurs":"never","when":[{"before":{"at-most":30}}]}}},
        {"label":"flu vaccine after","criterion":{"event":{"event":{"kind":"immunization","codes":["http://hl7.org/fhir/sid/cvx|140"]},
        "occurs":{"at-least":2},"when":[{"after":{}}]}}}]}"#,
    ),
    (
        "living women without allergy, ten procedures",
        r#"{"steps":[{"label":"women","criterion":{"sex":["female"]}},{"label":"alive","criterion":{"alive":{}}},
        {"label":"allergy","criterion":{"event":{"event":{"kind":"allergy"},"occurs":"never"}}},
        {"label":"procedures","criterion":{"event":{"event":{"kind":"procedure"},"occurs":{"at-least":10}}}}]}"#,
    ),
    (
        "body mass index first measured above 27 before the last encounter",
        r#"{"index":{"pick":"last","event":{"kind":"encounter"}},"steps":[{"label":"index","criterion":{"event":{
        "event":{"kind":"observation","codes":["http://loinc.org|39156-5"],"value":[{"is":"above","number":27,"unit":"kg/m2"}]},
        "occurs":"first-ever","when":[{"before":{"at-least":180}}]}}}]}"#,
    ),
];

#[test]
fn synthea_counts_agree_with_the_second_reading() {
    let Some(bundles) = bundles() else { return };
    let known = people(&bundles);
    let events: usize = known.values().map(|(_, events)| events.len()).sum();
    assert!(known.len() == 60 && events > 25_000, "{} people, {events} events", known.len());
    assert!(known.values().all(|(person, _)| *person != Person::default()));
    let mut builder = Builder::new();
    for (key, (person, events)) in &known {
        builder.add(*key, *person, events.iter().cloned()).unwrap();
    }
    let index = builder.finish().unwrap();
    let day = When::parse("2021-07-01").unwrap();
    for (name, question) in QUESTIONS {
        let cohort = Cohort::parse(question).unwrap();
        let how = Counting { day, threads: 2, without: &BTreeSet::new() };
        let answer = index.count(&cohort, &how).unwrap();
        let (_, entered, steps, mut members) = count(&known, &cohort, day);
        let left: Vec<u64> = answer.steps.iter().map(|step| step.people).collect();
        println!("{name}: {entered:?} {left:?}");
        assert_eq!((answer.entered, left), (entered, steps), "{name}");
        members.sort_unstable();
        assert_eq!(answer.members(), members, "{name}");
        assert!(!members.is_empty() && members.len() < 60, "{name} separates people");
    }
}
