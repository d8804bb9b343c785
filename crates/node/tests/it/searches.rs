//! Search: every kind of parameter, includes, chains, sorting, and what is claimed of it.

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::{run, shared};

/// A small ward of its own: ids by name.
struct Ward {
    client: Client,
    ada: String,
    bob: String,
    practitioner: String,
    glucose: String,
    weight: String,
    risk: String,
}

/// Tests share the hospital, so searches are narrowed by the tag, which this ward alone has.
async fn ward(tag: &str) -> Ward {
    let client = shared().await.all[0].signed_in(Role::Clinician).await;
    let tag = json!({"tag": [{"system": "urn:test:ward", "code": tag}]});
    let new = async |mut resource: Value| {
        resource["meta"] = tag.clone();
        client.create(&resource).await
    };
    let practitioner = new(json!({
        "resourceType": "Practitioner", "name": [{"family": "Quirin"}],
    }))
    .await;
    let person = async |family: &str, given: &str, born: &str, number: &str| {
        new(json!({
            "resourceType": "Patient", "gender": "female", "birthDate": born,
            "name": [{"family": family, "given": [given]}],
            "identifier": [{"system": "urn:test:number", "value": number}],
            "generalPractitioner": [{"reference": format!("Practitioner/{practitioner}")}],
        }))
        .await
    };
    let ada = person("Žilinská", "Ada", "1970-05-01", "A|1").await;
    let bob = person("Zwolak-Ott", "Bob", "1980-01-31", "B-2").await;
    let observation = async |patient: &str, code: &str, when: &str, value: f64, unit: &str| {
        new(json!({
            "resourceType": "Observation", "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": code},
            "subject": {"reference": format!("Patient/{patient}")},
            "effectiveDateTime": when,
            "valueQuantity":
                {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
        }))
        .await
    };
    let glucose = observation(&ada, "2345-7", "2021-03-04T10:00:00Z", 5.4, "mmol/L").await;
    let weight = observation(&bob, "29463-7", "2021-03", 70.0, "kg").await;
    let risk = new(json!({
        "resourceType": "RiskAssessment", "status": "final",
        "subject": {"reference": format!("Patient/{ada}")},
        "prediction": [{"probabilityDecimal": 0.25}],
    }))
    .await;
    new(json!({"resourceType": "ValueSet", "status": "draft", "url": "http://test/ward/vs"})).await;
    Ward { client, ada, bob, practitioner, glucose, weight, risk }
}

#[test]
fn each_kind_of_parameter_finds_what_it_should() {
    run(async {
        let ward = ward("kinds").await;
        let Ward { ada, bob, practitioner, glucose, weight, risk, .. } = &ward;
        let (both, none): (&[&String], &[&String]) = (&[ada, bob], &[]);
        let table: &[(&str, &[&String])] = &[
            // string: the beginning, without case and accents
            ("Patient?family=zili", &[ada]),
            ("Patient?family:exact=Žilinská", &[ada]),
            ("Patient?family:exact=zilinska", none),
            ("Patient?family:contains=LAK-O", &[bob]),
            ("Patient?family=zili,zwol", both),
            ("Patient?family=zili&given=bob", none),
            ("Patient?name=ada", &[ada]),
            // token
            ("Patient?identifier=urn:test:number|B-2", &[bob]),
            ("Patient?identifier=urn:test:number|A\\|1", &[ada]),
            ("Patient?identifier=B-2", &[bob]),
            ("Patient?identifier=|B-2", none),
            ("Patient?identifier=urn:test:number|", both),
            ("Observation?code=http://loinc.org|2345-7", &[glucose]),
            ("Observation?code:not=http://loinc.org|2345-7", &[weight]),
            // date
            ("Patient?birthdate=1970-05-01", &[ada]),
            ("Patient?birthdate=1970", &[ada]),
            ("Patient?birthdate=gt1975", &[bob]),
            ("Patient?birthdate=ge1970-05-01&birthdate=lt1980", &[ada]),
            ("Observation?date=2021-03-04", &[glucose]),
            ("Observation?date=2021-03", &[glucose, weight]),
            ("Observation?date=sa2021-03-05", none),
            ("Observation?date=eb2021-04", &[glucose, weight]),
            // reference
            (&format!("Observation?subject=Patient/{ada}"), &[glucose]),
            (&format!("Observation?subject={bob}"), &[weight]),
            (&format!("Observation?subject:Patient={bob}"), &[weight]),
            (&format!("Observation?patient={ada},{bob}"), &[glucose, weight]),
            (&format!("Patient?general-practitioner=Practitioner/{practitioner}"), both),
            // number and quantity
            ("RiskAssessment?probability=0.25", &[risk]),
            ("RiskAssessment?probability=gt0.3", none),
            ("RiskAssessment?probability=le0.25", &[risk]),
            ("Observation?value-quantity=5.4|http://unitsofmeasure.org|mmol/L", &[glucose]),
            ("Observation?value-quantity=gt60||kg", &[weight]),
            ("Observation?value-quantity=lt5", none),
            // chains
            ("Observation?subject:Patient.family=zili", &[glucose]),
            ("Observation?subject.family=zwol", &[weight]),
            ("Patient?general-practitioner:Practitioner.family=quirin", both),
            // what every type has
            (&format!("Patient?_id={ada}"), &[ada]),
            (&format!("Patient?_id={ada},{bob}"), both),
            ("Patient?_lastUpdated=lt2000-01-01", none),
            ("Patient?_lastUpdated=gt2000-01-01", both),
            ("Patient?gender:missing=true", none),
            ("Patient?email:missing=true", both),
        ];
        for (search, expected) in table {
            let mut found = ward.client.found(&format!("{search}&_tag=urn:test:ward|kinds")).await;
            let mut expected: Vec<String> = expected.iter().map(|id| (*id).clone()).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{search}");
        }
        let uris = ward.client.found("ValueSet?url=http://test/ward/vs").await;
        assert!(!uris.is_empty(), "uri");
        assert!(
            ward.client.found("ValueSet?url=http://test/ward").await.is_empty(),
            "uri is whole"
        );
        assert!(!ward.client.found("ValueSet?url:below=http://test/ward").await.is_empty());
    });
}

#[test]
fn results_are_sorted_counted_and_accompanied() {
    run(async {
        let ward = ward("order").await;
        let Ward { client, ada, bob, practitioner, glucose, weight, .. } = &ward;
        let ids = format!("Patient?_id={ada},{bob}");
        for (sort, expected) in [
            ("birthdate", [ada, bob]),
            ("-birthdate", [bob, ada]),
            ("gender,-birthdate", [bob, ada]),
            ("family", [ada, bob]),
            ("_lastUpdated", [ada, bob]),
        ] {
            let found = client.found(&format!("{ids}&_sort={sort}")).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{sort}");
        }
        let none = client.get(&format!("/fhir/{ids}&_count=0")).await.expect(200);
        assert_eq!((none.json()["total"].as_u64(), none.matches().len()), (Some(2), 0));

        let observations = format!("Observation?_id={glucose},{weight}");
        let included =
            client.get(&format!("/fhir/{observations}&_include=Observation:subject")).await;
        let mut both = vec![ada.clone(), bob.clone()];
        both.sort();
        assert_eq!(included.expect(200).included(), both);
        let one = format!("/fhir/Observation?_id={glucose}&_include=Observation:patient");
        assert_eq!(client.get(&one).await.expect(200).included(), std::slice::from_ref(ada));
        let back = format!("/fhir/Patient?_id={bob}&_revinclude=Observation:subject");
        assert_eq!(client.get(&back).await.expect(200).included(), std::slice::from_ref(weight));
        let carer = format!("/fhir/{ids}&_include=Patient:general-practitioner");
        assert_eq!(
            client.get(&carer).await.expect(200).included(),
            std::slice::from_ref(practitioner)
        );

        let form = format!("_id={ada},{bob}&_sort=-birthdate");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let path = "/fhir/Patient/_search";
        let found = client.send(Method::POST, path, Some(form.clone()), &kind).await.expect(200);
        assert_eq!(found.matches(), [bob.clone(), ada.clone()]);
        let json = [("content-type", "application/json")];
        client.send(Method::POST, path, Some(form), &json).await.expect(415);
        // The address of the result names what was understood.
        let own = found.link("self").expect("a link to itself");
        assert!(own.contains("_sort=-birthdate"), "{own}");
    });
}

#[test]
fn links_words_and_conditions_are_searched() {
    run(async {
        let ward = ward("links").await;
        let Ward { client, ada, bob, glucose, weight, risk, .. } = &ward;
        let tag = "_tag=urn:test:ward|links";
        let table: &[(String, Vec<&String>)] = &[
            ("Patient?_has:Observation:patient:code=2345-7".into(), vec![ada]),
            ("Patient?_has:RiskAssessment:subject:probability=gt0.1".into(), vec![ada]),
            ("Observation?code-value-quantity=2345-7$gt5".into(), vec![glucose]),
            ("Observation?code-value-quantity=2345-7$gt6".into(), vec![]),
            (
                "Observation?subject:Patient.general-practitioner.family=quirin".into(),
                vec![glucose, weight],
            ),
            (
                "Patient?_filter=family%20sw%20zwol%20or%20birthdate%20lt%201975".into(),
                vec![ada, bob],
            ),
            ("Patient?_filter=not%20(family%20sw%20zwol)".into(), vec![ada]),
            ("Patient?_content=zilinska".into(), vec![ada]),
            (format!("?_type=Patient,RiskAssessment&_id={ada},{risk}"), vec![ada, risk]),
            (format!("Patient/{ada}/Observation?"), vec![glucose]),
            (format!("Patient/{ada}/*?_type=Observation,RiskAssessment"), vec![glucose, risk]),
        ];
        for (search, expected) in table {
            let mut found = client.found(&format!("{search}&{tag}")).await;
            let mut expected: Vec<String> = expected.iter().map(|id| (*id).clone()).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{search}");
        }
        let back = client
            .get(&format!("/fhir/Observation?_id={glucose}&_include=Observation:patient&_include:iterate=Patient:general-practitioner"))
            .await
            .expect(200);
        assert_eq!(back.included().len(), 2);
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let form = format!("_type=Patient&_id={ada}");
        let found = client.send(Method::POST, "/fhir/_search", Some(form), &kind).await.expect(200);
        assert_eq!(found.matches(), std::slice::from_ref(ada));
        let path = format!("/fhir/Patient/{bob}/Observation/_search");
        let form = "code=29463-7".to_owned();
        let found = client.send(Method::POST, &path, Some(form), &kind).await.expect(200);
        assert_eq!(found.matches(), std::slice::from_ref(weight));
        client.get("/fhir/Organization/1/Observation").await.expect(404);
        client.get(&format!("/fhir/Patient/{ada}/$unknown")).await.expect(404);
    });
}

#[test]
fn a_parameter_that_is_posted_is_searched_by() {
    run(async {
        let ward = ward("posted").await;
        let tag = "_tag=urn:test:ward|posted";
        let definition = json!({
            "resourceType": "SearchParameter", "url": "http://test/sp/unit", "name": "unit",
            "status": "active", "description": "Unit of a value", "code": "unit-text",
            "base": ["Observation"], "type": "string", "expression": "Observation.value.unit",
        });
        ward.client.create(&definition).await;
        let found = ward.client.found(&format!("Observation?unit-text=mmol&{tag}")).await;
        assert_eq!(found, std::slice::from_ref(&ward.glucose));
    });
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    run(async {
        let client = shared().await.all[0].signed_in(Role::Clinician).await;
        for (search, name) in [
            ("Patient?colour=red", "colour"),
            ("Patient?family:sounds=x", "sounds"),
            ("Patient?birthdate=yesterday", "birthdate"),
            ("Observation?subject.colour=red", "colour"),
            ("Observation?value-quantity=many", "value-quantity"),
            ("Patient?_sort=colour", "colour"),
            ("Patient?_include=Patient:colour", "_include"),
            ("Patient?_count=few", "_count"),
            ("Patient?_has:Observation:encounter:code=x", "_has"),
            ("Patient?_filter=family%20sounds%20x", "sounds"),
            ("Observation?code:in=http://test/unknown", "code:in"),
            ("Observation?code-value-quantity=x", "code-value-quantity"),
            ("?_type=Patient,Observation&birthdate=2020", "birthdate"),
        ] {
            let answer = client.get(&format!("/fhir/{search}")).await.expect(400);
            let (_, diagnostics) = answer.issue();
            assert!(diagnostics.contains(name), "{search}: {diagnostics}");
        }
    });
}

/// A value that a parameter of a type takes.
fn sample(name: &str, kind: &str) -> &'static str {
    match kind {
        "composite" if name.ends_with("-quantity") => "x$1",
        "composite" if name.ends_with("-date") => "x$2020",
        "composite" if name.ends_with("-coordinate") => "x$1$2",
        "composite" if name == "relationship" => "x$DocumentReference/1",
        "composite" => "x$x",
        "special" if name == "near" => "1|2",
        "special" => "_id%20eq%20x",
        "date" => "2020-01-01",
        "number" => "1",
        "quantity" => "1",
        "reference" => "Patient/1",
        "uri" => "http://test",
        _ => "x",
    }
}

#[test]
fn the_capability_statement_claims_only_what_answers() {
    run(async {
        let hospital = &shared().await.all[1];
        let client = hospital.signed_in(Role::Clinician).await;
        let statement = hospital.stranger().get("/fhir/metadata").await.expect(200).json();
        assert_eq!(statement["resourceType"], "CapabilityStatement");
        assert_eq!(statement["fhirVersion"], "4.0.1");
        let resources = statement["rest"][0]["resource"].as_array().unwrap();
        assert_eq!(resources.len(), fhir::definitions::resource_types().len());
        let mut asked = 0;
        for resource in resources {
            let kind = text(&resource["type"]);
            if kind == "AuditEvent" {
                continue;
            }
            // Different parameters together find nothing or something; an unknown one is refused.
            let mut query = vec!["_count=1".to_owned()];
            for param in resource["searchParam"].as_array().unwrap() {
                let (name, of) = (text(&param["name"]), text(&param["type"]));
                // Claimed by its name, it is written with what it looks for.
                let written = if name == "_has" { "_has:Provenance:target:_id" } else { &name };
                query.push(format!("{written}={}", sample(&name, &of)));
            }
            for include in resource["searchRevInclude"].as_array().into_iter().flatten().take(7) {
                query.push(format!("_revinclude={}", text(include)));
            }
            for include in resource["searchInclude"].as_array().into_iter().flatten() {
                query.push(format!("_include={}", text(include)));
            }
            for part in query.chunks(8) {
                let path = format!("/fhir/{kind}?{}", part.join("&"));
                client.get(&path).await.expect(200);
                asked += part.len();
            }
        }
        assert!(asked > 1000, "{asked} parameters were asked for");
        let audit = resources.iter().find(|resource| resource["type"] == "AuditEvent").unwrap();
        let codes = audit["interaction"].to_string();
        for absent in ["create", "update", "delete"] {
            assert!(!codes.contains(absent), "AuditEvent: {absent}");
        }
        let patient = resources.iter().find(|resource| resource["type"] == "Patient").unwrap();
        for operation in patient["operation"].as_array().unwrap() {
            let name = text(&operation["name"]);
            let path = match name.as_str() {
                "match" | "export" => format!("/fhir/Patient/${name}"),
                _ => format!("/fhir/Patient/nobody/${name}"),
            };
            // Not signed in: a route that exists says so, one that does not is not found.
            let stranger = hospital.stranger();
            let get = stranger.get(&path).await.status;
            let post = stranger.post(&path, &json!({})).await.status;
            assert!([get, post].contains(&401), "{path}: {get} {post}");
        }
    });
}
