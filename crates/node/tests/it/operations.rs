//! Operations on records: everything of a patient, profiles and tags, the last observations and
//! statistics over them.

use identity::Role;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::{run, shared};

const LOINC: &str = "http://loinc.org";

async fn clinician() -> Client {
    shared().await.all[0].signed_in(Role::Clinician).await
}

/// A patient with an encounter of 2024 and weights of four years, each measured by a practitioner
/// of one organisation.
struct Story {
    patient: String,
    encounter: String,
    practitioner: String,
    organisation: String,
    weights: Vec<String>,
}

async fn story(client: &Client) -> Story {
    let organisation =
        client.create(&json!({"resourceType": "Organization", "name": "Clinic"})).await;
    let practitioner = json!({"resourceType": "Practitioner", "name": [{"family": "Stein"}]});
    let practitioner = client.create(&practitioner).await;
    let patient = client
        .create(&json!({
            "resourceType": "Patient",
            "managingOrganization": {"reference": format!("Organization/{organisation}")},
        }))
        .await;
    let subject = json!({"reference": format!("Patient/{patient}")});
    let encounter = client
        .create(&json!({
            "resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
            "subject": subject, "period": {"start": "2024-03-01", "end": "2024-03-01"},
        }))
        .await;
    let mut weights = Vec::new();
    for (year, kilograms) in [(2021, "70.0"), (2022, "72.0"), (2023, "74.5"), (2024, "75.5")] {
        let mut weight = json!({
            "resourceType": "Observation", "status": "final", "subject": subject,
            "code": {"coding": [{"system": LOINC, "code": "29463-7"}]},
            "effectiveDateTime": format!("{year}-03-01"),
            "performer": [{"reference": format!("Practitioner/{practitioner}")}],
            "valueQuantity": {"unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg",
                "value": serde_json::from_str::<Value>(kilograms).unwrap()},
        });
        if year == 2024 {
            weight["encounter"] = json!({"reference": format!("Encounter/{encounter}")});
        }
        weights.push(client.create(&weight).await);
    }
    Story { patient, encounter, practitioner, organisation, weights }
}

fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<_> = entries.iter().map(|entry| text(&entry["resource"]["id"])).collect();
    ids.sort();
    ids
}

fn sorted<'a>(ids: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut ids: Vec<_> = ids.into_iter().cloned().collect();
    ids.sort();
    ids
}

#[test]
fn everything_of_a_patient_comes_with_what_it_refers_to() {
    run(async {
        let client = clinician().await;
        let story = story(&client).await;
        let path = format!("/fhir/Patient/{}/$everything", story.patient);
        let all = client.get(&path).await.expect(200).json();
        let rest = [&story.patient, &story.encounter, &story.practitioner, &story.organisation];
        assert_eq!(ids(&all), sorted(story.weights.iter().chain(rest)));
        assert_eq!(all["total"], 8);
        assert_eq!(text(&all["entry"][0]["resource"]["id"]), story.patient, "the focus is first");

        let late = client.get(&format!("{path}?start=2023-06-01&_type=Observation")).await;
        assert_eq!(ids(&late.expect(200).json()), [story.weights[3].clone()]);
        let early = client.get(&format!("{path}?end=2021&_type=Observation,Encounter")).await;
        assert_eq!(ids(&early.expect(200).json()), [story.weights[0].clone()]);
        let none = client.get(&format!("{path}?_since=2999-01-01T00:00:00Z")).await.expect(200);
        assert_eq!(none.json()["total"], 0);
        let (code, why) = client.get(&format!("{path}?_sort=date")).await.expect(400).issue();
        assert_eq!((code.as_str(), why.contains("_sort")), ("not-supported", true));
        client.get("/fhir/Patient/nobody/$everything").await.expect(404);
    });
}

#[test]
fn everything_can_be_read_page_by_page() {
    run(async {
        let client = clinician().await;
        let story = story(&client).await;
        let path = format!("/fhir/Patient/{}/$everything?_count=3", story.patient);
        let mut page = client.get(&path).await.expect(200);
        let mut found = page.matches();
        while let Some(next) = page.link("next") {
            page = client.get(&next).await.expect(200);
            found.extend(page.matches());
        }
        assert_eq!(found.len(), 8);
        assert_eq!(sorted(&found).windows(2).filter(|two| two[0] == two[1]).count(), 0);
    });
}

#[test]
fn everything_of_an_encounter_is_what_happened_in_it() {
    run(async {
        let client = clinician().await;
        let story = story(&client).await;
        let path = format!("/fhir/Encounter/{}/$everything", story.encounter);
        let all = client.get(&path).await.expect(200).json();
        let expected = [&story.encounter, &story.weights[3], &story.practitioner];
        assert_eq!(ids(&all), sorted(expected));
    });
}

#[test]
fn a_patient_reads_everything_of_their_own_and_nobody_elses() {
    run(async {
        let client = clinician().await;
        let (own, other) = (story(&client).await, story(&client).await);
        let patient = shared().await.all[0].patient(&own.patient).await;
        let all = patient.get("/fhir/Patient/$everything").await.expect(200).json();
        let expected = sorted(own.weights.iter().chain([&own.patient, &own.encounter]));
        assert_eq!(ids(&all), expected);
        patient.get(&format!("/fhir/Patient/{}/$everything", other.patient)).await.expect(404);
        patient.get(&format!("/fhir/Encounter/{}/$everything", other.encounter)).await.expect(404);
        let operator = shared().await.all[0].signed_in(Role::Operator).await;
        operator.get(&format!("/fhir/Patient/{}/$everything", own.patient)).await.expect(403);
    });
}

#[test]
fn tags_are_added_and_taken_away_and_listed() {
    run(async {
        let client = clinician().await;
        let tag = |code: &str| json!({"system": "https://tags.example", "code": code});
        let basic = json!({
            "resourceType": "Basic", "meta": {"tag": [tag("one")]}, "code": {"text": "tagged"},
        });
        let id = client.create(&basic).await;
        let path = format!("/fhir/Basic/{id}");
        let change = |meta: Value| json!({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]});
        let both = change(json!({"tag": [tag("one"), tag("two")]}));
        let answer = client.post(&format!("{path}/$meta-add"), &both).await.expect(200).json();
        let meta = &answer["parameter"][0]["valueMeta"];
        assert_eq!(meta["tag"], json!([tag("one"), tag("two")]));
        assert_eq!(meta["versionId"], "2");
        client.post(&format!("{path}/$meta-add"), &both).await.expect(200);
        let meta = client.get(&format!("{path}/$meta")).await.expect(200).json();
        assert_eq!(meta["parameter"][0]["valueMeta"]["versionId"], "2", "nothing was to change");

        let one = change(json!({"tag": [tag("one")]}));
        client.post(&format!("{path}/$meta-delete"), &one).await.expect(200);
        let now = client.get(&path).await.expect(200).json();
        assert_eq!(now["meta"]["tag"], json!([tag("two")]));
        assert_eq!(now["code"]["text"], "tagged");
        let first = client.get(&format!("{path}/_history/1/$meta")).await.expect(200).json();
        assert_eq!(first["parameter"][0]["valueMeta"]["tag"], json!([tag("one")]));
        let all = client.get("/fhir/Basic/$meta").await.expect(200).json();
        let tags = all["parameter"][0]["valueMeta"]["tag"].as_array().cloned().unwrap();
        assert!(tags.contains(&tag("two")) && !tags.contains(&tag("one")));
        let empty = json!({"resourceType": "Parameters"});
        let (code, _) = client.post(&format!("{path}/$meta-add"), &empty).await.expect(400).issue();
        assert_eq!(code, "required");
    });
}

#[test]
fn the_last_observations_of_each_kind() {
    run(async {
        let client = clinician().await;
        let story = story(&client).await;
        let subject = json!({"reference": format!("Patient/{}", story.patient)});
        let height = |code: Value, day: &str| {
            json!({"resourceType": "Observation", "status": "final", "subject": subject,
                   "code": code, "effectiveDateTime": day})
        };
        let loinc = json!({"coding": [{"system": LOINC, "code": "8302-2"}]});
        client.create(&height(loinc.clone(), "2020-01-01")).await;
        // A second system of codes for the same kind does not make it another kind.
        let twice = json!({"coding": [
            {"system": LOINC, "code": "8302-2"}, {"system": "https://local.example", "code": "h"},
        ]});
        let late = client.create(&height(twice, "2022-01-01")).await;
        let also_late = client.create(&height(loinc, "2022-01-01")).await;
        let path = format!(
            "/fhir/Observation/$lastn?patient={}&code={LOINC}%7C29463-7,{LOINC}%7C8302-2",
            story.patient
        );
        let found = client.get(&path).await.expect(200).matches();
        let expected = sorted([&story.weights[3], &late, &also_late]);
        assert_eq!(sorted(&found), expected, "two share the time of the last");
        let three = client.get(&format!("{path}&max=3")).await.expect(200).matches();
        assert_eq!(three.len(), 6);
        let (code, why) = client.get("/fhir/Observation/$lastn?code=1").await.expect(400).issue();
        assert_eq!((code.as_str(), why.contains("`patient`")), ("required", true));
    });
}

#[test]
fn statistics_over_the_weights_of_four_years() {
    run(async {
        let client = clinician().await;
        let story = story(&client).await;
        let path = format!(
            "/fhir/Observation/$stats?subject=Patient/{}&code=29463-7&system={LOINC}\
             &statistic=average,count,minimum,maximum,median,std-dev,regression&include=true&limit=2",
            story.patient
        );
        let answer = client.get(&path).await.expect(200).json();
        let observation = &answer["parameter"][0]["resource"];
        let value = |code: &str| {
            let components = observation["component"].as_array().unwrap();
            let of_code = |c: &&Value| c["code"]["coding"][0]["code"] == code;
            let found = components.iter().find(of_code).unwrap();
            (
                found["valueQuantity"]["value"].as_f64().unwrap(),
                text(&found["valueQuantity"]["unit"]),
            )
        };
        assert_eq!(value("average"), (73.0, "kg".into()));
        assert_eq!(value("count"), (4.0, "1".into()));
        assert_eq!(value("minimum").0, 70.0);
        assert_eq!(value("maximum").0, 75.5);
        assert_eq!(value("median").0, 73.25);
        assert!((value("std-dev").0 - 2.483_277).abs() < 1e-5);
        assert!((value("regression").0 * 365.25 - 1.9).abs() < 0.05);
        let sources = answer["parameter"].as_array().unwrap().len() - 1;
        assert_eq!(sources, 2);
        let bad = path.replace("average", "guess");
        let (code, why) = client.get(&bad).await.expect(400).issue();
        assert_eq!((code.as_str(), why.contains("`guess`")), ("code-invalid", true));
    });
}
