//! Terminology operations at a node's door: over published and stored definitions, by GET and
//! POST, and what is refused.

use identity::Role;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::{Hospitals, Setup, run, shared};

async fn clinician() -> Client {
    shared().await.all[0].signed_in(Role::Clinician).await
}

/// The value of a parameter in an answer, as text.
fn parameter(answer: &Value, name: &str) -> String {
    let list = answer["parameter"].as_array().unwrap();
    let Some(found) = list.iter().find(|p| p["name"] == name) else { return "-".into() };
    let value = found.as_object().unwrap().iter().find(|(name, _)| name.starts_with("value"));
    match value.unwrap().1 {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn published_definitions_answer() {
    run(async {
        let client = clinician().await;
        for (path, name, expected) in [
            (
                "ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/administrative-gender&code=female&system=http://hl7.org/fhir/administrative-gender",
                "result",
                "true",
            ),
            ("ValueSet/$validate-code?context=Patient.gender&code=female", "display", "Female"),
            (
                "ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/administrative-gender&code=f",
                "result",
                "false",
            ),
            (
                "CodeSystem/$validate-code?url=http://unitsofmeasure.org&code=mg/dL",
                "result",
                "true",
            ),
            (
                "CodeSystem/$lookup?system=http://hl7.org/fhir/administrative-gender&code=male",
                "display",
                "Male",
            ),
            (
                "CodeSystem/$subsumes?system=http://terminology.hl7.org/CodeSystem/v3-ActCode&codeA=_ActEncounterCode&codeB=AMB",
                "outcome",
                "subsumes",
            ),
            (
                "ConceptMap/$translate?url=http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v3&system=http://hl7.org/fhir/administrative-gender&code=male",
                "result",
                "true",
            ),
        ] {
            let answer = client.get(&format!("/fhir/{path}")).await.expect(200).json();
            assert_eq!(parameter(&answer, name), expected, "{path}: {answer}");
        }
        let expanded = client
            .get("/fhir/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender&count=2&offset=1")
            .await
            .expect(200)
            .json();
        let codes: Vec<_> = expanded["expansion"]["contains"].as_array().unwrap().iter().collect();
        assert_eq!(expanded["expansion"]["total"], 4);
        assert_eq!((codes[0]["code"].as_str(), codes.len()), (Some("female"), 2));
    });
}

#[test]
fn stored_definitions_answer_as_soon_as_they_are_stored() {
    run(async {
        let client = clinician().await;
        let ask = "/fhir/ValueSet/$validate-code?url=http://test/colours&system=http://test/colour&code=red";
        client.get(ask).await.expect(404);
        client
            .create(&json!({
                "resourceType": "CodeSystem", "url": "http://test/colour", "status": "active",
                "content": "complete", "concept": [
                    {"code": "red", "display": "Red", "concept": [{"code": "pink"}]}
                ],
            }))
            .await;
        let set = client
            .create(&json!({
                "resourceType": "ValueSet", "url": "http://test/colours", "status": "active",
                "compose": {"include": [{"system": "http://test/colour"}]},
            }))
            .await;
        assert_eq!(parameter(&client.get(ask).await.expect(200).json(), "result"), "true");
        let expanded = client.get(&format!("/fhir/ValueSet/{set}/$expand")).await.expect(200);
        let top = expanded.json()["expansion"]["contains"][0].clone();
        assert_eq!(
            (text(&top["code"]), text(&top["contains"][0]["code"])),
            ("red".into(), "pink".into())
        );
        client
            .put(
                &format!("/fhir/ValueSet/{set}"),
                &json!({
                    "resourceType": "ValueSet", "id": set, "url": "http://test/colours",
                    "status": "active", "compose": {"include": [
                        {"system": "http://test/colour", "concept": [{"code": "pink"}]}
                    ]},
                }),
            )
            .await
            .expect(200);
        assert_eq!(parameter(&client.get(ask).await.expect(200).json(), "result"), "false");
        client.delete(&format!("/fhir/ValueSet/{set}")).await;
        client.get(ask).await.expect(404);
    });
}

#[test]
fn parameters_are_posted() {
    run(async {
        let client = clinician().await;
        let concept = json!({"coding": [
            {"system": "http://nowhere", "code": "x"},
            {"system": "http://hl7.org/fhir/administrative-gender", "code": "other", "display": "Wrong"},
        ]});
        let asked = json!({"resourceType": "Parameters", "parameter": [
            {"name": "url", "valueUri": "http://hl7.org/fhir/ValueSet/administrative-gender"},
            {"name": "codeableConcept", "valueCodeableConcept": concept},
        ]});
        let answer = client.post("/fhir/ValueSet/$validate-code", &asked).await.expect(200).json();
        assert_eq!(parameter(&answer, "result"), "false");
        let own = json!({"resourceType": "ValueSet", "status": "draft", "compose": {"include": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "filter": [{"property": "concept", "op": "descendent-of", "value": "_ActEncounterCode"}],
        }]}});
        let asked = json!({"resourceType": "Parameters", "parameter": [
            {"name": "valueSet", "resource": own},
            {"name": "filter", "valueString": "amb"},
            {"name": "includeDefinition", "valueBoolean": true},
        ]});
        let answer = client.post("/fhir/ValueSet/$expand", &asked).await.expect(200).json();
        assert_eq!(answer["expansion"]["contains"][0]["code"], "AMB");
        assert!(answer["compose"].is_object());
    });
}

#[test]
fn many_codes_are_validated_in_one_batch() {
    run(async {
        let client = clinician().await;
        let gender = "http://hl7.org/fhir/ValueSet/administrative-gender";
        let ask = |code: &str| {
            let url = format!("ValueSet/$validate-code?url={gender}&code={code}");
            json!({"request": {"method": "GET", "url": url}})
        };
        let posted = json!({
            "request": {"method": "POST", "url": "ValueSet/$validate-code"},
            "resource": {"resourceType": "Parameters", "parameter": [
                {"name": "url", "valueUri": gender}, {"name": "code", "valueCode": "none"},
            ]},
        });
        // The first question prepares the value set, later ones find it prepared.
        let batch = json!({"resourceType": "Bundle", "type": "batch",
            "entry": [ask("male"), ask("none"), posted, ask("other")]});
        let answer = client.post("/fhir", &batch).await.expect(200).json();
        let entries = answer["entry"].as_array().unwrap().iter();
        let results: Vec<_> = entries.map(|e| parameter(&e["resource"], "result")).collect();
        assert_eq!(results, ["true", "false", "false", "true"], "{answer}");
    });
}

#[test]
fn the_definition_comes_with_an_expansion_by_address() {
    run(async {
        let client = clinician().await;
        let url = "http://hl7.org/fhir/ValueSet/administrative-gender";
        let path = format!("/fhir/ValueSet/$expand?url={url}&includeDefinition=true");
        let answer = client.get(&path).await.expect(200).json();
        let include = json!([{"system": "http://hl7.org/fhir/administrative-gender"}]);
        assert_eq!(answer["compose"]["include"], include);
        let without = client.get(&format!("/fhir/ValueSet/$expand?url={url}")).await.expect(200);
        assert!(without.json()["compose"].is_null());
    });
}

#[test]
fn searches_ask_value_sets_and_hierarchies() {
    run(async {
        let client = clinician().await;
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        let patient = client.create(&json!({"resourceType": "Patient"})).await;
        let mut ids = Vec::new();
        for code in ["AMB", "_ActEncounterCode", "_ActCode-not-in-it"] {
            let encounter = json!({
                "resourceType": "Encounter", "status": "finished",
                "class": {"system": system, "code": code},
                "subject": {"reference": format!("Patient/{patient}")},
            });
            ids.push(client.create(&encounter).await);
        }
        let (amb, top, other) = (ids[0].clone(), ids[1].clone(), ids[2].clone());
        let set = client
            .create(&json!({
                "resourceType": "ValueSet", "url": "http://test/walk-in", "status": "active",
                "compose": {"include": [{"system": system, "concept": [{"code": "AMB"}]}]},
            }))
            .await;
        let published = "http://terminology.hl7.org/ValueSet/v3-ActEncounterCode";
        for (criterion, expected) in [
            (format!("class:below={system}|_ActEncounterCode"), vec![&amb, &top]),
            (format!("class:above={system}|AMB"), vec![&amb, &top]),
            (format!("class:below={system}|AMB"), vec![&amb]),
            (format!("class:above={system}|_ActEncounterCode"), vec![&top]),
            (format!("class:in={published}"), vec![&amb]),
            ("class:in=http://test/walk-in".to_owned(), vec![&amb]),
            (format!("class:in=ValueSet/{set}"), vec![&amb]),
            ("class:not-in=http://test/walk-in".to_owned(), vec![&top, &other]),
        ] {
            let path = format!("Encounter?subject=Patient/{patient}&{criterion}&_sort=_id");
            let mut found = client.found(&path).await;
            found.sort();
            let mut expected: Vec<String> = expected.into_iter().cloned().collect();
            expected.sort();
            assert_eq!(found, expected, "{criterion}");
        }
        for (criterion, expected) in [
            ("class:in=http://nowhere", "the value set is not known here"),
            ("class:below=AMB", "name the code system too"),
            ("class:below=http://nowhere|x", "the code or its system is not known here"),
            ("class:in=http://hl7.org/fhir/ValueSet/mimetypes", "it stands for too many codes"),
        ] {
            let answer = client.get(&format!("/fhir/Encounter?{criterion}")).await.expect(400);
            let said = answer.issue().1;
            assert!(said.contains(expected), "{criterion}: {said}");
        }
        // In a Bundle and by GraphQL too.
        let url = format!("Encounter?subject=Patient/{patient}&class:in=http://test/walk-in");
        let batch = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"request": {"method": "GET", "url": url}},
        ]});
        let answer = client.post("/fhir", &batch).await.expect(200).json();
        assert_eq!(answer["entry"][0]["resource"]["total"], 1, "{answer}");
        let filter = "class in http://test/walk-in";
        let query = format!(
            "/fhir/$graphql?query={{EncounterList(subject:\"{patient}\",_filter:\"{filter}\"){{id}}}}"
        );
        let answer = client.get(&query).await.expect(200).json();
        assert_eq!(answer["data"]["EncounterList"], json!([{"id": amb}]), "{answer}");
    });
}

#[test]
fn the_code_systems_are_listed() {
    run(async {
        let client = clinician().await;
        let answer = client.get("/fhir/metadata?mode=terminology").await.expect(200).json();
        assert_eq!(answer["resourceType"], "TerminologyCapabilities");
        let systems = answer["codeSystem"].as_array().unwrap();
        let find = |uri: &str| systems.iter().find(|system| system["uri"] == uri);
        assert!(find("http://unitsofmeasure.org").is_some());
        let gender = find("http://hl7.org/fhir/administrative-gender").unwrap();
        assert_eq!(gender["version"][0]["code"], "4.0.1");
        assert!(systems.len() > 500, "{}", systems.len());
    });
}

#[test]
fn what_is_not_understood_is_refused() {
    run(async {
        let client = clinician().await;
        for (path, status, expected) in [
            ("ValueSet/$expand?url=http://nowhere", 404, "`http://nowhere` is not known"),
            ("ValueSet/$expand?ulr=x", 400, "`ulr` is not a parameter of this operation"),
            ("ValueSet/$expand?url=x&count=-1", 400, "`count` takes a whole number from 0"),
            ("ValueSet/$expand?url=x&url=y", 400, "`url` may be given only once"),
            (
                "ValueSet/$expand?url=x&contextDirection=incoming",
                400,
                "`contextDirection` is about `context`",
            ),
            (
                "ValueSet/$expand?context=Patient.gender&contextDirection=both",
                400,
                "`contextDirection` is `incoming` or `outgoing`",
            ),
            (
                "ValueSet/$expand?url=x|1&valueSetVersion=2",
                400,
                "`valueSetVersion` is another version",
            ),
            ("ValueSet/$expand?url=x&date=2001-01-01", 400, "only the present definitions"),
            ("ValueSet/$expand", 400, "name a value set by `url`"),
            ("ValueSet/none/$expand", 404, "there is no such resource"),
            (
                "ConceptMap/$translate?code=male&system=http://hl7.org/fhir/administrative-gender&version=4.0.1",
                400,
                "`version` is not supported",
            ),
            (
                "ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/mimetypes",
                403,
                "its codes cannot be listed",
            ),
            ("CodeSystem/$lookup?system=http://loinc.org&code=8867-4", 404, "is not available"),
            (
                "CodeSystem/$lookup?system=http://hl7.org/fhir/administrative-gender&code=f",
                404,
                "is not in the code system",
            ),
        ] {
            let answer = client.get(&format!("/fhir/{path}")).await.expect(status).json();
            let said = text(&answer["issue"][0]["diagnostics"]);
            assert!(said.contains(expected), "{path}: {said}");
        }
        let hospital = &shared().await.all[0];
        let url = "/fhir/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender";
        Client::stranger(&hospital.base).get(url).await.expect(401);
    });
}

#[test]
fn distributed_files_are_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let (node, files) = (folder.path().join("node"), folder.path().join("files"));
    std::fs::create_dir_all(files.join("Loinc/LoincTable")).unwrap();
    let table = "LOINC_NUM,LONG_COMMON_NAME,STATUS\n1-1,One,ACTIVE\n2-2,Two,ACTIVE\n";
    std::fs::write(files.join("Loinc/LoincTable/Loinc.csv"), table).unwrap();
    std::fs::write(files.join("Loinc/readme.txt"), "nothing to take in").unwrap();
    let set = json!({"resourceType": "ValueSet", "url": "http://test/twos", "status": "active",
        "compose": {"include": [{"system": "http://loinc.org", "concept": [{"code": "2-2"}]}]}});
    let system = json!({"resourceType": "CodeSystem", "url": "http://test/cs", "version": "1",
        "status": "active", "content": "complete", "concept": [{"code": "a"}]});
    std::fs::write(files.join("own.ndjson"), format!("{set}\n{system}\n")).unwrap();
    let mut package = tar::Builder::new(Vec::new());
    let text = json!({"resourceType": "ConceptMap", "url": "http://test/map"}).to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    package.append_data(&mut header, "package/ConceptMap-x.json", text.as_bytes()).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &package.into_inner().unwrap()).unwrap();
    std::fs::write(files.join("package.tgz"), packed.finish().unwrap()).unwrap();

    let mut said = Vec::new();
    // Loading again replaces what is there.
    for _ in 0..2 {
        let progress = &mut |text: &str| said.push(text.to_owned());
        let report = consilium_node::terminology::load(
            &node,
            std::slice::from_ref(&files),
            Some("2.99"),
            progress,
        );
        let report = report.unwrap();
        assert!(report[0].starts_with("http://loinc.org|2.99: 2 codes"), "{report:?}");
    }
    assert!(said.iter().any(|line| line.starts_with("reading LOINC")));
    let listed = consilium_node::terminology::list(&node).unwrap().join("\n");
    assert!(listed.contains("http://test/cs|1: 1 codes"), "{listed}");
    assert!(listed.ends_with("1 value sets and 1 concept maps"), "{listed}");
    let mut shelf = consilium_node::terminology::Shelf::new(&node, &[]);
    let terms = terminology::Terminology::new(shelf.read().unwrap().unwrap());
    assert!(shelf.read().unwrap().is_none(), "nothing has changed");
    let found = terms.member("http://test/twos", Some("http://loinc.org"), "2-2").unwrap();
    assert_eq!(found, terminology::Membership::In);
    let nothing = [files.join("Loinc/readme.txt")];
    assert!(consilium_node::terminology::load(&node, &nothing, None, &mut |_| {}).is_err());
}

/// A LOINC table with two codes, and a folder to load it from.
fn loinc_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let table = "LOINC_NUM,LONG_COMMON_NAME,CLASS,STATUS\n\
                 1-1,One,CHEM,ACTIVE\n2-2,Two,MICRO,ACTIVE\n";
    std::fs::write(folder.path().join("Loinc.csv"), table).unwrap();
    folder
}

#[test]
fn what_is_loaded_and_posted_counts_in_validation_without_a_restart() {
    run(async {
        let setup = Setup {
            hospitals: 1,
            patients: 1,
            config: &[("default = \"structure\"", "default = \"base\"")],
            ..Setup::default()
        };
        let hospitals = Hospitals::start(setup).await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let allergy = |code: &str| {
            json!({
                "resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"},
                "clinicalStatus": {"coding": [{"system": "http://loinc.org", "code": code}]},
            })
        };
        // As published the binding knows other codes.
        client.post("/fhir/AllergyIntolerance", &allergy("1-1")).await.expect(422);
        let set = json!({
            "resourceType": "ValueSet", "status": "active",
            "url": "http://hl7.org/fhir/ValueSet/allergyintolerance-clinical", "version": "4.0.1",
            "compose": {"include": [{"system": "http://loinc.org",
                "filter": [{"property": "CLASS", "op": "=", "value": "CHEM"}]}]},
        });
        let set = client.create(&set).await;
        // What cannot be told is not refused, and is said.
        let ask = "/fhir/AllergyIntolerance/$validate";
        let outcome = client.post(ask, &allergy("2-2")).await.expect(200).json();
        let said = outcome["issue"].to_string();
        assert!(said.contains("was not checked") && !said.contains(r#""error""#), "{said}");

        let files = loinc_files();
        let home = hospitals.home(&hospitals.all[0]);
        let paths = [files.path().to_owned()];
        let report =
            consilium_node::terminology::load(&home, &paths, Some("2.77"), &mut |_| {}).unwrap();
        assert_eq!(report.len(), 1);
        let lookup = "/fhir/CodeSystem/$lookup?system=http://loinc.org&code=1-1";
        let waiting = async { while client.get(lookup).await.status != 200 {} };
        tokio::time::timeout(std::time::Duration::from_secs(30), waiting).await.unwrap();
        client.post("/fhir/AllergyIntolerance", &allergy("2-2")).await.expect(422);
        client.create(&allergy("1-1")).await;
        let outcome = client.post(ask, &allergy("2-2")).await.expect(200).json();
        let said = outcome["issue"].to_string();
        assert!(said.contains("`http://loinc.org|2-2` is not in the value set"), "{said}");
        let outcome = client.post(ask, &allergy("1-1")).await.expect(200).json();
        assert!(!outcome["issue"].to_string().contains(r#""error""#), "{outcome}");
        // The published definition is back as soon as the other is gone.
        client.delete(&format!("/fhir/ValueSet/{set}")).await;
        client.post("/fhir/AllergyIntolerance", &allergy("1-1")).await.expect(422);
        hospitals.stop().await;
    });
}
