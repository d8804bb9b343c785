//! From resources of two hospitals to the page a clinician reads.

use record::{Record, Source, SourceState as State, SourceStatus};
use web::clinician::from_record::{Assembly, view};
use web::clinician::record::{
    self as page, Audience, Body, ConflictKind, Flag, RecordView, SourceState, VisitClass,
};
use web::terms::{Kind, Mark, Sex};
use web::{Lang, Role, Theme, When};

use crate::audit::faults;
use crate::sample::{Fill, chrome};

const NORTH: [&str; 7] = [
    r#"{"resourceType":"Patient","id":"n1","name":[{"family":"Lindqvist","given":["Maren"]}],
        "birthDate":"1961-02-28","gender":"female",
        "identifier":[{"type":{"coding":[{"code":"SS"}]},"value":"999-41-2038"},
                      {"type":{"coding":[{"code":"MR"}]},"value":"NV-204118"}],
        "telecom":[{"system":"email","value":"m@example.org"},{"system":"phone","value":"555 0142"}],
        "address":[{"line":["12 Mill Lane"],"postalCode":"01238","city":"Valley Ford"}]}"#,
    r#"{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/n1"},
        "clinicalStatus":{"coding":[{"code":"active"}]},"onsetDateTime":"2014-03-02",
        "code":{"coding":[{"system":"http://snomed.info/sct","code":"44054006"}],"text":"Type 2 diabetes"}}"#,
    r#"{"resourceType":"Condition","id":"c2","subject":{"reference":"Patient/n1"},
        "clinicalStatus":{"coding":[{"code":"resolved"}]},"onsetDateTime":"2023-01-09",
        "abatementDateTime":"2023-01-20",
        "code":{"coding":[{"system":"http://snomed.info/sct","code":"10509002"}],"text":"Acute bronchitis"}}"#,
    r#"{"resourceType":"MedicationRequest","id":"m1","status":"active","intent":"order",
        "subject":{"reference":"Patient/n1"},"authoredOn":"2024-02-11",
        "medicationCodeableConcept":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm",
        "code":"866924","display":"metoprolol succinate 25 MG"}],"text":"Metoprolol succinate 25 mg"},
        "dosageInstruction":[{"text":"one in the morning"}]}"#,
    r#"{"resourceType":"Observation","id":"o1","status":"final","subject":{"reference":"Patient/n1"},
        "category":[{"coding":[{"code":"laboratory"}]}],"effectiveDateTime":"2024-05-14T11:40:00Z",
        "code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}],"text":"Potassium"},
        "valueQuantity":{"value":6.10,"unit":"mmol/L","code":"mmol/L","system":"http://unitsofmeasure.org"},
        "interpretation":[{"coding":[{"code":"HH"}]}],
        "referenceRange":[{"low":{"value":3.5},"high":{"value":5.1}}]}"#,
    r#"{"resourceType":"Encounter","id":"e1","status":"finished","class":{"code":"IMP"},
        "subject":{"reference":"Patient/n1"},"type":[{"text":"Admission (procedure)"}],
        "period":{"start":"2021-09-18T20:00:00Z","end":"2021-09-24T10:00:00Z"}}"#,
    r#"{"resourceType":"DocumentReference","id":"d1","status":"current",
        "subject":{"reference":"Patient/n1"},"date":"2021-09-24T10:00:00Z",
        "type":{"text":"Discharge summary"},"author":[{"display":"Dr. Okonkwo"}],
        "content":[{"attachment":{"contentType":"text/plain","data":"SW4gZ29vZCBjb25kaXRpb24u"}}]}"#,
];

const BAY: [&str; 4] = [
    r#"{"resourceType":"Condition","id":"x1","subject":{"reference":"Patient/b1"},
        "clinicalStatus":{"coding":[{"code":"active"}]},"onsetDateTime":"2014-03-10",
        "code":{"coding":[{"system":"http://snomed.info/sct","code":"44054006"}],"text":"Diabetes mellitus II"}}"#,
    r#"{"resourceType":"AllergyIntolerance","id":"x2","patient":{"reference":"Patient/b1"},
        "clinicalStatus":{"coding":[{"code":"active"}]},"criticality":"high",
        "code":{"coding":[{"system":"http://snomed.info/sct","code":"764146007"}],"text":"Penicillin"},
        "reaction":[{"manifestation":[{"text":"anaphylaxis"}]}]}"#,
    r#"{"resourceType":"Observation","id":"x3","status":"final","subject":{"reference":"Patient/b1"},
        "category":[{"coding":[{"code":"laboratory"}]}],"effectiveDateTime":"2023-05-14T11:40:00Z",
        "code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}],"text":"Potassium"},
        "valueQuantity":{"value":4.4,"unit":"mmol/L","code":"mmol/L","system":"http://unitsofmeasure.org"}}"#,
    r#"{"resourceType":"MedicationRequest","id":"x4","status":"stopped","intent":"order",
        "subject":{"reference":"Patient/b1"},"authoredOn":"2024-03-01",
        "medicationCodeableConcept":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm",
        "code":"866924","display":"metoprolol succinate 25 MG"}],"text":"Metoprolol succinate 25 mg"}}"#,
];

fn source(org: &str, name: &str, patient: &str) -> Source {
    Source {
        org: org.into(),
        name: name.into(),
        base_url: format!("https://{org}.example"),
        patients: vec![patient.parse().unwrap()],
    }
}

fn record() -> Record {
    let mut record = Record::new(source("north", "North Valley Hospital", "n1"));
    let bay = record.source(source("bay", "Harrow Bay Medical Center", "b1")).unwrap();
    record.source(source("agnes", "St. Agnes Clinic", "a1")).unwrap();
    for (number, texts) in [(0, NORTH.as_slice()), (bay, BAY.as_slice())] {
        for text in texts {
            record.add(number, fhir::Resource::parse(*text).unwrap()).unwrap();
        }
    }
    record
}

fn made(statuses: &[SourceStatus]) -> RecordView {
    view(&Assembly {
        record: &record(),
        statuses,
        took_ms: &[Some(4), Some(80), None],
        audience: Audience::Clinician,
        patient_id: "n1",
        access: None,
        review: Some("/links".into()),
        as_of_ms: crate::sample::NOW_MS,
        all: false,
    })
}

fn status(source: usize, state: State) -> SourceStatus {
    SourceStatus { source, state, expected: None, notes: Vec::new() }
}

#[test]
fn sources_say_how_they_answered() {
    let view = made(&[status(0, State::Answered), status(1, State::Answered)]);
    let states: Vec<&SourceState> = view.sources.iter().map(|source| &source.state).collect();
    assert_eq!(
        states,
        [
            &SourceState::Answered { items: 7 },
            &SourceState::Answered { items: 4 },
            &SourceState::Asking
        ]
    );
    assert!(view.live && view.sources[0].here && view.sources[1].took_ms == Some(80));
    let all = [
        (State::NoMatch, SourceState::NoMatch),
        (State::PossibleMatch, SourceState::PossibleMatch { review: Some("/links".into()) }),
        (State::Withheld, SourceState::Withheld),
        (State::TimedOut, SourceState::TimedOut),
        (State::Partial, SourceState::Partial { items: 0, of: None }),
        (State::Unreachable, SourceState::Unreachable),
        (State::Refused, SourceState::Refused),
        (State::NotAsked, SourceState::NotAsked),
    ];
    for (answered, shown) in all {
        let view =
            made(&[status(0, State::Answered), status(1, State::Answered), status(2, answered)]);
        assert_eq!(view.sources[2].state, shown);
        assert!(!view.live);
    }
}

#[test]
fn facts_of_two_hospitals_become_rows_with_their_sources() {
    let view = made(&[]);
    let person = &view.patient;
    assert_eq!((person.name.as_str(), person.sex), ("Maren Lindqvist", Sex::Female));
    assert_eq!(person.birth, When::parse("1961-02-28"));
    assert_eq!(person.identifiers, [("MRN".to_string(), "NV-204118".to_string())]);
    assert_eq!(person.address, "12 Mill Lane, 01238 Valley Ford");
    assert_eq!(person.phone, "555 0142");

    assert_eq!(view.problems.len(), 1, "one diabetes, known twice");
    let diabetes = &view.problems[0];
    let chips: Vec<&str> = diabetes.sources.iter().map(|chip| chip.short.as_str()).collect();
    assert_eq!(chips, ["north", "bay"]);
    assert_eq!(diabetes.originals.len(), 2);
    assert!(diabetes.originals.iter().any(|claim| claim.text.contains("Diabetes mellitus II")));
    assert!(diabetes.marks.is_empty());

    let bronchitis = &view.past_problems[0];
    assert_eq!(bronchitis.marks, [Mark::Resolved]);
    assert_eq!(bronchitis.until, When::parse("2023-01-20"));

    let penicillin = &view.allergies[0];
    assert_eq!(penicillin.marks, [Mark::HighCriticality]);
    assert_eq!(penicillin.detail, "anaphylaxis");
}

#[test]
fn measurements_documents_and_visits_keep_what_matters() {
    let view = made(&[]);
    let potassium = &view.labs[0];
    assert_eq!((potassium.value.as_str(), potassium.flag), ("6.10", Flag::CriticalHigh));
    assert_eq!(potassium.trend.series, [vec![(1_684_064_400_000, 4.4), (1_715_686_800_000, 6.1)]]);
    assert_eq!((potassium.trend.low, potassium.trend.high), (Some(3.5), Some(5.1)));

    let document = &view.documents[0];
    assert!(matches!(&document.body, Body::Text { text, .. } if text == "In good condition."));
    assert_eq!(document.author, "Dr. Okonkwo");

    let stay = &view.encounters[0];
    assert_eq!(stay.text, "Admission");
    assert_eq!((stay.class, stay.until.is_some()), (VisitClass::Inpatient, true));

    let kinds: Vec<Kind> = view.timeline.iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&Kind::Visit) && kinds.contains(&Kind::Document), "{kinds:?}");
    let starts: Vec<i64> = view.timeline.iter().map(|event| -event.when.start_ms()).collect();
    assert!(starts.is_sorted(), "newest first");
}

#[test]
fn a_disagreement_is_told_by_both_sides_and_linked_from_its_row() {
    let view = made(&[]);
    let conflict = &view.conflicts[0];
    assert_eq!(conflict.kind, ConflictKind::MedicationStopped);
    assert_eq!(conflict.about, "Metoprolol succinate 25 mg");
    let told: Vec<&str> = conflict.claims.iter().map(|claim| claim.text.as_str()).collect();
    assert!(told.iter().any(|text| text.ends_with("one in the morning, active")), "{told:?}");
    assert!(told.iter().any(|text| text.ends_with("stopped")), "{told:?}");
    let rows = view.medications.iter().chain(&view.past_medications);
    let linked = rows.filter(|row| row.conflict.as_deref() == Some(conflict.id.as_str()));
    assert!(linked.count() >= 1);
}

#[test]
fn what_was_assembled_makes_a_sound_page() {
    let frame = chrome(Lang::Es, Theme::Auto, Some(Role::Clinician), "/", Fill::Full);
    for statuses in [vec![], vec![status(1, State::Answered)]] {
        let html = page::render(&made(&statuses), &frame).unwrap();
        assert_eq!(faults(&html), Vec::<String>::new());
    }
}
