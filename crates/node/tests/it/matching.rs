//! `Patient/$match` by the cases of IHE PDQm, ITI-119.

use identity::Role;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::{run, shared};

const GRADE: &str = "http://hl7.org/fhir/StructureDefinition/match-grade";

async fn registrar() -> Client {
    shared().await.all[1].signed_in(Role::Registrar).await
}

/// A person that is like nobody else: all that tells people apart is made from a word.
fn person(word: &str) -> Value {
    const GIVEN: [&str; 7] =
        ["Ottilie", "Cordelia", "Delphine", "Euphemia", "Florentina", "Hildegard", "Leopoldine"];
    let number = number(word);
    json!({
        "resourceType": "Patient", "gender": "female", "birthDate": born(number, 0),
        "name": [{
            "use": "official", "family": format!("Quill{word}"), "given": [GIVEN[number % 7]],
        }],
        "telecom": [{"system": "phone", "value": format!("206-{:07}", number + 2_000_000)}],
        "address": [{
            "line": [format!("{} {word} Lane", number % 900 + 1)], "city": "Seattle",
            "state": "WA", "postalCode": format!("98{:03}", number % 1000),
        }],
        "identifier": [{
            "type": {"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR",
            }]},
            "system": "urn:oid:1.2.840.99999.1", "value": format!("MR-{word}"),
        }],
    })
}

fn number(word: &str) -> usize {
    word.bytes().fold(7, |sum, byte| (sum * 131 + usize::from(byte)) % 6_999_983)
}

fn born(number: usize, later: usize) -> String {
    let (year, month, day) = (1935 + number % 60, 1 + number / 7 % 12, 1 + number / 5 % 27);
    format!("{year}-{month:02}-{:02}", day + later)
}

/// What may be the same person and is not certain to be: the same name, born a day later.
fn namesake(word: &str) -> Value {
    json!({
        "resourceType": "Patient", "name": person(word)["name"],
        "birthDate": born(number(word), 1),
    })
}

/// What is asked with parameters beside the description.
fn asked(resource: &Value, beside: &[Value]) -> Value {
    let mut list = vec![json!({"name": "resource", "resource": resource})];
    list.extend_from_slice(beside);
    json!({"resourceType": "Parameters", "parameter": list})
}

fn only_certain() -> Value {
    json!({"name": "onlyCertainMatches", "valueBoolean": true})
}

/// The ids with their grades, in order; every entry must have what the profile requires.
async fn matched(client: &Client, body: &Value) -> Vec<(String, String)> {
    let bundle = client.post("/fhir/Patient/$match", body).await.expect(200).json();
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("searchset")));
    let mut last = 1.0;
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    assert!(bundle["entry"].is_null() || !entries.is_empty(), "no empty list");
    entries
        .iter()
        .map(|entry| {
            let search = &entry["search"];
            assert_eq!(search["mode"], "match");
            let score = search["score"].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&score) && score <= last, "{score} after {last}");
            last = score;
            assert_eq!(search["extension"][0]["url"], GRADE);
            assert!(text(&entry["fullUrl"]).ends_with(&text(&entry["resource"]["id"])));
            (text(&entry["resource"]["id"]), text(&search["extension"][0]["valueCode"]))
        })
        .collect()
}

fn certain(id: &str) -> (String, String) {
    (id.to_owned(), "certain".to_owned())
}

#[test]
fn case_1_one_record_is_found_and_graded() {
    run(async {
        let client = registrar().await;
        let one = person("alder");
        let id = client.create(&one).await;
        assert_eq!(matched(&client, &one).await, [certain(&id)], "the Patient alone");
        assert_eq!(matched(&client, &asked(&one, &[])).await, [certain(&id)], "in Parameters");
    });
}

#[test]
fn case_2_several_records_come_best_first() {
    run(async {
        let client = registrar().await;
        let (one, other) = (person("birch"), namesake("birch"));
        let (id, near) = (client.create(&one).await, client.create(&other).await);
        let found = matched(&client, &one).await;
        let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, [id.as_str(), near.as_str()]);
        assert_eq!(found[0].1, "certain");
        assert_ne!(found[1].1, "certain", "of the same name is not the person");
    });
}

#[test]
fn case_3_a_certain_match_is_found_among_others() {
    run(async {
        let client = registrar().await;
        let (one, other) = (person("cedar"), namesake("cedar"));
        let id = client.create(&one).await;
        client.create(&other).await;
        assert_eq!(matched(&client, &asked(&one, &[only_certain()])).await, [certain(&id)]);
    });
}

#[test]
fn case_4_what_is_not_certain_is_not_told_where_only_certain_is_wanted() {
    run(async {
        let client = registrar().await;
        client.create(&namesake("dogwood")).await;
        let described = person("dogwood");
        assert_eq!(matched(&client, &asked(&described, &[])).await.len(), 1);
        assert!(matched(&client, &asked(&described, &[only_certain()])).await.is_empty());
    });
}

#[test]
fn case_5_several_records_that_nothing_ties_to_one_person_are_not_told() {
    run(async {
        let client = registrar().await;
        let one = person("elder");
        let mut again = one.clone();
        again["identifier"] = json!([]);
        again.as_object_mut().unwrap().remove("identifier");
        let first = client.create(&again).await;
        let second = client.create(&again).await;
        let found = matched(&client, &asked(&again, &[])).await;
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|(_, grade)| grade == "possible"), "{found:?}");
        assert!(matched(&client, &asked(&again, &[only_certain()])).await.is_empty());
        let single = json!({"name": "onlySingleMatch", "valueBoolean": true});
        assert!(matched(&client, &asked(&again, std::slice::from_ref(&single))).await.is_empty());

        // Tied by a link they are one person's, and both are certain.
        again["id"] = json!(first);
        again["link"] =
            json!([{"other": {"reference": format!("Patient/{second}")}, "type": "seealso"}]);
        client.put(&format!("/fhir/Patient/{first}"), &again).await.expect(200);
        let mut ids: Vec<String> = matched(&client, &asked(&again, &[only_certain()]))
            .await
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        ids.sort();
        let mut both = vec![first, second];
        both.sort();
        assert_eq!(ids, both);
        assert_eq!(matched(&client, &asked(&again, &[single])).await.len(), 1);
    });
}

#[test]
fn case_6_count_limits_what_is_told() {
    run(async {
        let client = registrar().await;
        let (one, other) = (person("fir"), namesake("fir"));
        let id = client.create(&one).await;
        client.create(&other).await;
        let count = |count: i64| json!({"name": "count", "valueInteger": count});
        assert_eq!(matched(&client, &asked(&one, &[count(1)])).await, [certain(&id)]);
        let body = asked(&one, &[count(1)]);
        let bundle = client.post("/fhir/Patient/$match", &body).await.expect(200).json();
        assert_eq!(bundle["total"], 2);
        for wrong in [count(0), count(-1), json!({"name": "count", "valueString": "1"})] {
            let answer = client.post("/fhir/Patient/$match", &asked(&one, &[wrong])).await;
            assert!(answer.expect(400).issue().1.contains("`count`"));
        }
    });
}

#[test]
fn case_7_nobody_is_found() {
    run(async {
        let client = registrar().await;
        let stranger = json!({
            "resourceType": "Patient", "birthDate": "1903-02-28",
            "name": [{"family": "Zyxwvutsr", "given": ["Qwertzu"]}],
        });
        let bundle = client.post("/fhir/Patient/$match", &stranger).await.expect(200).json();
        assert_eq!(bundle, json!({"resourceType": "Bundle", "type": "searchset", "total": 0}));
    });
}

#[test]
fn case_8_a_replaced_record_gives_way_to_the_one_that_replaces_it() {
    run(async {
        let client = registrar().await;
        let one = person("hazel");
        let survivor = client.create(&one).await;
        let mut old = one.clone();
        old["active"] = json!(false);
        old["link"] = json!([
            {"other": {"reference": format!("Patient/{survivor}")}, "type": "replaced-by"},
        ]);
        client.create(&old).await;
        assert_eq!(matched(&client, &one).await, [certain(&survivor)]);
        // A deprecated record that nothing replaces says that it is one.
        let mut alone = person("holly");
        alone["active"] = json!(false);
        let id = client.create(&alone).await;
        let bundle = client.post("/fhir/Patient/$match", &alone).await.expect(200).json();
        assert_eq!(bundle["entry"][0]["resource"]["id"], id.as_str());
        assert_eq!(bundle["entry"][0]["resource"]["active"], false);
    });
}

#[test]
fn case_9_what_cannot_be_answered_is_refused_by_name() {
    run(async {
        let client = registrar().await;
        let one = person("ivy");
        let flag = |name: &str, value: Value| json!({"name": name, "valueBoolean": value});
        let mut implicit = one.clone();
        implicit["implicitRules"] = json!("urn:rules");
        let mut modified = one.clone();
        modified["modifierExtension"] = json!([{"url": "urn:x", "valueBoolean": true}]);
        for (body, code, named) in [
            (json!({"resourceType": "Patient", "gender": "male"}), "required", "too little"),
            (json!({"resourceType": "Parameters", "parameter": []}), "required", "`resource`"),
            (asked(&json!({"resourceType": "Person"}), &[]), "value", "a Patient"),
            (
                asked(&one, &[flag("onlyBestMatches", json!(true))]),
                "not-supported",
                "onlyBestMatches",
            ),
            (
                asked(&one, &[flag("onlyCertainMatches", json!("yes"))]),
                "value",
                "onlyCertainMatches",
            ),
            (asked(&one, &[only_certain(), only_certain()]), "value", "more than once"),
            (implicit, "not-supported", "implicitRules"),
            (modified, "not-supported", "modifierExtension"),
            (json!({"resourceType": "Bundle"}), "structure", "Parameters"),
        ] {
            let answer = client.post("/fhir/Patient/$match", &body).await.expect(400);
            let (found, why) = answer.issue();
            assert!(found == code && why.contains(named), "{found} {why} for {named}");
        }
        client.get("/fhir/Patient/$match").await.expect(405);
    });
}

#[test]
fn a_patient_is_matched_to_the_own_record_only() {
    run(async {
        let client = registrar().await;
        let (own, other) = (client.create(&person("juniper")).await, person("kapok"));
        client.create(&other).await;
        let patient = shared().await.all[1].patient(&own).await;
        assert!(matched(&patient, &other).await.is_empty());
        assert_eq!(matched(&patient, &person("juniper")).await, [certain(&own)]);
    });
}

#[test]
fn a_match_leaves_an_entry_that_names_who_was_told() {
    run(async {
        let client = registrar().await;
        let one = person("larch");
        let id = client.create(&one).await;
        assert_eq!(matched(&client, &one).await, [certain(&id)]);
        let officer = shared().await.all[1].signed_in(Role::PrivacyOfficer).await;
        let search = format!("/fhir/AuditEvent?patient={id}&subtype=search");
        assert_eq!(officer.get(&search).await.expect(200).json()["total"], 1);
    });
}
