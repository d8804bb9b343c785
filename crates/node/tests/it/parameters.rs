//! SearchParameters that are posted: refused where nobody could search by them, and understood
//! wherever a search is written.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use app::operate::reindex;
use app::records::condition::Standing;
use app::records::import::Import;
use app::records::{delete, write};
use consilium_node::wiring::system_clock;
use fhir::Resource;
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use store::query::search;
use tokio::sync::OnceCell;
use tokio::task::block_in_place;

use crate::bulk::finished;
use crate::client::{Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, idle, run};
use crate::receiver::Receiver;
use crate::subscriptions_simulation::caller;

/// A hospital with SearchParameters of its own.
async fn hospital() -> &'static Hospital {
    static SHARED: OnceCell<Hospitals> = OnceCell::const_new();
    let start = || {
        Hospitals::start(Setup {
            hospitals: 1,
            patients: 3,
            config: &[("notify_allowed = []", "notify_allowed = [\"127.0.0.0/8\"]")],
            ..Setup::default()
        })
    };
    &SHARED.get_or_init(start).await.all[0]
}

async fn clinician() -> Client {
    hospital().await.signed_in(Role::Clinician).await
}

fn parameter(code: &str, base: &str, of: &str, expression: &str) -> Value {
    json!({
        "resourceType": "SearchParameter", "url": format!("http://test/params/{code}"),
        "name": code, "status": "active", "description": "x", "code": code, "base": [base],
        "type": of, "expression": expression,
    })
}

fn with(mut resource: Value, name: &str, value: Value) -> Value {
    resource[name] = value;
    resource
}

fn entry(method: &str, url: &str, resource: &Value) -> Value {
    json!({"request": {"method": method, "url": url}, "resource": resource})
}

fn bundle(kind: &str, entries: Vec<Value>) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

#[test]
fn a_faulty_parameter_is_refused_at_every_door() {
    run(async {
        let client = clinician().await;
        let good = parameter("door", "Patient", "string", "Patient.name.prefix");
        for (name, value, words) in [
            ("expression", Value::Null, "`expression` is missing"),
            ("expression", json!("Patient.name.("), "not FHIRPath"),
            ("expression", json!("Person.name"), "says nothing about `Patient`"),
            ("expression", json!("Patient.nothing"), "leads to no element of `Patient`"),
            ("base", json!(["Dragon"]), "`Dragon`"),
            ("target", json!(["Dragon"]), "`Dragon`"),
            ("type", json!("colour"), "`colour`"),
            ("type", json!("special"), "special"),
            ("type", json!("composite"), "components"),
            ("code", json!("birthdate"), "individual-birthdate"),
            ("code", json!("a b"), "`code`"),
        ] {
            let mut faulty = with(good.clone(), name, value);
            faulty.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            let refused = client.post("/fhir/SearchParameter", &faulty).await.expect(422);
            assert!(refused.text.contains(words), "{faulty}: {}", refused.text);
            assert_eq!(refused.json()["resourceType"], "OperationOutcome");
        }

        let faulty = parameter("door", "Patient", "string", "Patient.nothing");
        let named = with(faulty.clone(), "id", json!("door"));
        client.put("/fhir/SearchParameter/door", &named).await.expect(422);
        client.put("/fhir/SearchParameter?code=door", &faulty).await.expect(422);
        let entries = || {
            vec![
                entry(
                    "POST",
                    "Basic",
                    &json!({"resourceType": "Basic", "code": {"text": "door"},
                    "identifier": [{"system": "urn:test:door", "value": "1"}]}),
                ),
                entry("POST", "SearchParameter", &faulty),
            ]
        };
        let (_, why) =
            client.post("/fhir", &bundle("transaction", entries())).await.expect(422).issue();
        assert!(why.contains("leads to no element"), "{why}");
        assert!(client.found("Basic?identifier=urn:test:door|1").await.is_empty());
        let batch = client.post("/fhir", &bundle("batch", entries())).await.expect(200).json();
        assert!(text(&batch["entry"][0]["response"]["status"]).starts_with("201"), "{batch}");
        assert!(text(&batch["entry"][1]["response"]["status"]).starts_with("422"), "{batch}");

        // By a file, by a job and by a patch.
        let app = &hospital().await.app;
        let line = |resource: &Value| resource.to_string().into_bytes();
        let lines = vec![line(&named), line(&with(good.clone(), "id", json!("door-2")))];
        let report = block_in_place(|| Import::new(app).take_lines("test", lines)).unwrap();
        assert_eq!((report.stored, report.refused.len()), (1, 1));
        assert!(report.refused[0].1.contains("leads to no element"), "{:?}", report.refused);
        let headers = [("content-type", "application/fhir+ndjson"), ("prefer", "respond-async")];
        let accepted = client
            .send(Method::POST, "/fhir/$import", Some(named.to_string()), &headers)
            .await
            .expect(202);
        let done = finished(&client, accepted.header("content-location")).await;
        assert!(done.expect(200).text.contains("outcome"), "the line is refused in a file");
        let patch = json!([{"op": "replace", "path": "/expression", "value": "Patient.nothing"}]);
        let kind = [("content-type", "application/json-patch+json")];
        client
            .send(Method::PATCH, "/fhir/SearchParameter/door-2", Some(patch.to_string()), &kind)
            .await
            .expect(422);
        let found = client.found("SearchParameter?url=http://test/params/door").await;
        assert_eq!(found, ["door-2"], "nothing faulty is stored");
    });
}

#[test]
fn no_two_parameters_have_one_code() {
    run(async {
        let client = clinician().await;
        let first = parameter("clash", "Patient", "string", "Patient.name.suffix");
        let id = client.create(&first).await;
        let path = format!("/fhir/SearchParameter/{id}");
        let own = with(first.clone(), "id", json!(id));
        client.put(&path, &own).await.expect(200);
        let (_, why) = client.post("/fhir/SearchParameter", &first).await.expect(422).issue();
        assert!(why.contains(&format!("SearchParameter/{id}")), "{why}");
        // Of another type it may be; two that come together are seen as well.
        let other = parameter("clash", "Person", "string", "Person.name.suffix");
        let both = bundle(
            "transaction",
            vec![
                entry("POST", "SearchParameter", &other),
                entry("POST", "SearchParameter", &other),
            ],
        );
        client.post("/fhir", &both).await.expect(422);
        client.create(&other).await;
        // What is retired makes room, also in the same transaction.
        let next = with(first.clone(), "url", json!("http://test/params/clash-2"));
        let retired = with(own, "status", json!("retired"));
        let change = bundle(
            "transaction",
            vec![
                entry("POST", "SearchParameter", &next),
                entry("PUT", &format!("SearchParameter/{id}"), &retired),
            ],
        );
        client.post("/fhir", &change).await.expect(200);
        // The parts of a composite are parameters that are known.
        let part = |of: &str, expression: &str| json!({"definition": of, "expression": expression});
        let composite = |of: &str| {
            let pair = parameter("clash-pair", "Patient", "composite", "Patient.name");
            with(pair, "component", json!([part(of, "suffix"), part(of, "family")]))
        };
        let (_, why) = client
            .post("/fhir/SearchParameter", &composite("http://test/none"))
            .await
            .expect(422)
            .issue();
        assert!(why.contains("http://test/none"), "{why}");
        client.create(&composite("http://test/params/clash-2")).await;
    });
}

/// The SearchParameters of US Core, most of which repeat published ones.
#[test]
fn the_parameters_of_us_core_are_taken() {
    let Some(lines) = us_core() else { return };
    run(async {
        let hospitals =
            Hospitals::start(Setup { hospitals: 1, patients: 3, ..Setup::default() }).await;
        let hospital = &hospitals.all[0];
        let count = lines.len();
        let report = block_in_place(|| Import::new(&hospital.app).take_lines("us-core", lines));
        let report = report.unwrap();
        assert_eq!((report.stored, report.refused), (count, vec![]));
        assert!(count > 90, "{count} parameters");
        let client = hospital.signed_in(Role::Clinician).await;
        let race = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race";
        let patient = client
            .create(&json!({"resourceType": "Patient", "extension": [{"url": race, "extension": [
                {"url": "ombCategory", "valueCoding": {"system": "urn:x", "code": "2106-3"}},
                {"url": "text", "valueString": "White"},
            ]}]}))
            .await;
        assert_eq!(client.found("Patient?race=2106-3").await, std::slice::from_ref(&patient));
        let condition = client
            .create(&json!({"resourceType": "Condition", "code": {"text": "x"},
                "subject": {"reference": format!("Patient/{patient}")},
                "extension": [{
                    "url": "http://hl7.org/fhir/StructureDefinition/condition-assertedDate",
                    "valueDateTime": "2024-05-06"}]}))
            .await;
        assert_eq!(client.found("Condition?asserted-date=2024-05").await, [condition]);
        hospitals.stop().await;
    });
}

/// The lines of a package's SearchParameters; `None` and a word where it is absent.
fn us_core() -> Option<Vec<Vec<u8>>> {
    let root = match std::env::var_os("CONSILIUM_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let path = root.join("definitions/us_core_610.tgz");
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("skipped: `{}` is absent; set CONSILIUM_SHARED", path.display());
        return None;
    };
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut lines = Vec::new();
    for file in archive.entries().unwrap() {
        let mut file = file.unwrap();
        let name = file.path().unwrap().to_string_lossy().into_owned();
        if name.starts_with("package/SearchParameter-") {
            let mut text = Vec::new();
            file.read_to_end(&mut text).unwrap();
            lines.push(text);
        }
    }
    Some(lines)
}

fn tagged(value: &str, identifier: &str) -> Value {
    json!({
        "resourceType": "Basic", "code": {"text": value},
        "extension": [{"url": "urn:test:mark", "valueString": value}],
        "identifier": [{"system": "urn:test:conditions", "value": identifier}],
    })
}

#[test]
fn conditions_and_bundles_know_what_is_posted() {
    run(async {
        let client = clinician().await;
        let mark = parameter(
            "mark",
            "Basic",
            "string",
            "Basic.extension.where(url = 'urn:test:mark').value.as(string)",
        );
        // Unknown at first, by every door.
        client.put("/fhir/Basic?mark=one", &tagged("one", "1")).await.expect(400);
        client.create(&mark).await;
        let created = client.put("/fhir/Basic?mark=one", &tagged("one", "1")).await.expect(201);
        let id = text(&created.json()["id"]);
        let updated = client.put("/fhir/Basic?mark=one", &tagged("one", "2")).await.expect(200);
        assert_eq!(updated.json()["id"], id);
        let exists = [("if-none-exist", "mark=one")];
        let body = Some(tagged("one", "3").to_string());
        let found = client.send(Method::POST, "/fhir/Basic", body, &exists).await.expect(200);
        assert_eq!(found.json()["id"], id);
        let patch = json!([{"op": "add", "path": "/created", "value": "2024-01-01"}]).to_string();
        let kind = [("content-type", "application/json-patch+json")];
        client.send(Method::PATCH, "/fhir/Basic?mark=one", Some(patch), &kind).await.expect(200);

        // Both in what stands and in what comes along.
        let refer = |to: &str| json!({"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": to}});
        let mut once = entry("POST", "Basic", &tagged("one", "4"));
        once["request"]["ifNoneExist"] = json!("mark=one");
        let answer = client
            .post(
                "/fhir",
                &bundle(
                    "transaction",
                    vec![
                        once,
                        entry("POST", "Basic", &tagged("two", "5")),
                        entry("POST", "Basic", &refer("Basic?mark=one")),
                        entry("POST", "Basic", &refer("Basic?mark=two")),
                        entry("PUT", "Basic?mark=three", &tagged("three", "6")),
                    ],
                ),
            )
            .await
            .expect(200)
            .json();
        let at = |n: usize| text(&answer["entry"][n]["response"]["location"]);
        let stands = |n: usize| {
            let parts: Vec<String> = at(n).split('/').map(str::to_owned).collect();
            format!("Basic/{}", parts[parts.len() - 3])
        };
        assert!(text(&answer["entry"][0]["response"]["status"]).starts_with("200"), "{answer}");
        for (referring, target) in [(2, format!("Basic/{id}")), (3, stands(1))] {
            let read = client.get(&format!("/fhir/{}", stands(referring))).await.expect(200).json();
            assert_eq!(read["subject"]["reference"], target.as_str());
        }
        // In files too.
        let line = with(refer("Basic?mark=three"), "id", json!("refers-to-three"));
        let lines = vec![line.to_string().into_bytes()];
        let app = &hospital().await.app;
        let report = block_in_place(|| Import::new(app).take_lines("test", lines)).unwrap();
        assert_eq!((report.stored, report.unresolved), (1, 0));
        let read = client.get("/fhir/Basic/refers-to-three").await.expect(200).json();
        assert_eq!(read["subject"]["reference"], stands(4).as_str());

        // What is passed over is what nobody knows.
        let lenient = [("prefer", "handling=lenient")];
        let path = "/fhir/Basic?mark=two&colour=red";
        let found = client.send(Method::GET, path, None, &lenient).await.expect(200);
        assert_eq!(found.matches().len(), 1);
        client.delete("/fhir/Basic?mark=two").await.expect(204);
        assert!(client.found("Basic?mark=two").await.is_empty());
    });
}

#[test]
fn conditions_ask_value_sets_and_hierarchies() {
    run(async {
        let client = clinician().await;
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        client
            .create(&json!({
                "resourceType": "ValueSet", "url": "http://test/params/walk-in", "status": "active",
                "compose": {"include": [{"system": system, "concept": [{"code": "AMB"}]}]},
            }))
            .await;
        let encounter = |class: &str, value: &str| {
            json!({
                "resourceType": "Encounter", "status": "finished",
                "class": {"system": system, "code": class},
                "identifier": [{"system": "urn:test:classes", "value": value}],
            })
        };
        let walk_in = "identifier=urn:test:classes|a&class:in=http://test/params/walk-in";
        let path = format!("/fhir/Encounter?{walk_in}");
        client.create(&encounter("IMP", "a")).await;
        let created = client.put(&path, &encounter("AMB", "a")).await.expect(201);
        let again = client.put(&path, &encounter("AMB", "a")).await.expect(200);
        assert_eq!(created.json()["id"], again.json()["id"]);
        let mut once = entry("POST", "Encounter", &encounter("AMB", "a"));
        let below = format!("identifier=urn:test:classes|a&class:below={system}|_ActEncounterCode");
        once["request"]["ifNoneExist"] = json!(below);
        // Both are below it.
        client.post("/fhir", &bundle("transaction", vec![once])).await.expect(412);
        let unknown = "/fhir/Encounter?class:in=http://test/params/none";
        let (_, why) = client.put(unknown, &encounter("AMB", "b")).await.expect(400).issue();
        assert!(why.contains("the value set is not known here"), "{why}");
        client.delete(&path).await.expect(204);
        assert_eq!(client.found("Encounter?identifier=urn:test:classes|a").await.len(), 1);
    });
}

#[test]
fn subscriptions_and_exports_know_what_is_posted() {
    run(async {
        let hospital = hospital().await;
        let client = hospital.signed_in(Role::Clinician).await;
        let mut receiver = Receiver::start().await;
        let subscription = json!({
            "resourceType": "Subscription", "status": "requested", "reason": "test",
            "criteria": "Basic?heard=yes",
            "channel": {"type": "rest-hook", "endpoint": receiver.url},
        });
        let (_, why) = client.post("/fhir/Subscription", &subscription).await.expect(422).issue();
        assert!(why.contains("heard"), "{why}");
        let heard = parameter(
            "heard",
            "Basic",
            "string",
            "Basic.extension.where(url = 'urn:test:heard').value.as(string)",
        );
        let id = client.create(&heard).await;
        client.create(&subscription).await;
        let says = |word: &str| {
            json!({"resourceType": "Basic", "code": {"text": "x"},
                "extension": [{"url": "urn:test:heard", "valueString": word}]})
        };
        client.create(&says("no")).await;
        client.create(&says("yes")).await;
        receiver.next().await;
        // Its meaning changes, and the subscription with it.
        let shouted = json!("Basic.extension.where(url = 'urn:test:shouted').value.as(string)");
        let other = with(with(heard, "expression", shouted), "id", json!(id));
        client.put(&format!("/fhir/SearchParameter/{id}"), &other).await.expect(200);
        client.create(&says("yes")).await;
        let mut shouts = says("yes");
        shouts["extension"][0]["url"] = json!("urn:test:shouted");
        client.create(&shouts).await;
        receiver.next().await;
        assert!(receiver.is_empty());

        let ask = [("accept", "application/fhir+json"), ("prefer", "respond-async")];
        let path = "/fhir/$export?_type=Basic&_typeFilter=Basic%3Fheard%3Dyes";
        let accepted = client.send(Method::GET, path, None, &ask).await.expect(202);
        let done = finished(&client, accepted.header("content-location")).await;
        let manifest = done.expect(200).json();
        assert_eq!(manifest["output"][0]["count"], 1, "{manifest}");
        let unknown = "/fhir/$export?_type=Basic&_typeFilter=Basic%3Fcolour%3Dred";
        client.send(Method::GET, unknown, None, &ask).await.expect(400);
    });
}

fn resource_of(statement: &Value, kind: &str) -> Value {
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    resources.iter().find(|resource| resource["type"] == kind).unwrap().clone()
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|param| text(&param["name"])).collect()
}

#[test]
fn the_statement_says_what_is_searched_and_stays_until_that_changes() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 3, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let client = hospitals.all[0].signed_in(Role::Clinician).await;
        let first = client.get("/fhir/metadata").await.expect(200);
        let statement = first.json();
        let rest = &statement["rest"][0];
        let common = names(&rest["searchParam"]);
        for name in [
            "_id",
            "_lastUpdated",
            "_tag",
            "_profile",
            "_security",
            "_source",
            "_filter",
            "_content",
            "_type",
            "_sort",
            "_count",
            "_include",
            "_revinclude",
            "_summary",
            "_total",
            "_elements",
            "_contained",
        ] {
            assert!(common.contains(&name.to_owned()), "{name} of {common:?}");
        }
        assert!(!common.contains(&"_query".to_owned()));
        let patient = resource_of(&statement, "Patient");
        let own = names(&patient["searchParam"]);
        for name in ["birthdate", "_text", "_filter", "_content", "_list", "_has"] {
            assert_eq!(own.iter().filter(|known| *known == name).count(), 1, "{name}");
        }
        assert!(
            !names(&resource_of(&statement, "Binary")["searchParam"]).contains(&"_text".into())
        );
        let back = patient["searchRevInclude"].to_string();
        assert!(
            back.contains("\"Observation:subject\"") && !back.contains("\"Person:organization\"")
        );
        let topics = resource_of(&statement, "Subscription")["extension"].to_string();
        assert!(topics.contains("SubscriptionTopic/encounter-start"), "{topics}");
        assert!(statement["implementationGuide"].to_string().contains("hl7.fhir.uv.bulkdata"));
        assert!(statement["instantiates"].to_string().contains("backport-subscription-server-r4"));
        assert!(rest["compartment"].to_string().contains("CompartmentDefinition/relatedPerson"));

        // Nothing that it is made from changes.
        let known = async |path: &str, tag: &str| {
            client.send(Method::GET, path, None, &[("if-none-match", tag)]).await
        };
        let tag = first.header("etag").to_owned();
        let description = client.get("/fhir/openapi.json").await.expect(200);
        let described = description.header("etag").to_owned();
        let terms = client.get("/fhir/metadata?mode=terminology").await.expect(200);
        client.create(&json!({"resourceType": "Basic", "code": {"text": "x"}})).await;
        assert_eq!(known("/fhir/metadata", &tag).await.expect(304).text, "");
        known("/fhir/openapi.json", &format!("W/\"x\", {described}")).await.expect(304);
        let path = "/fhir/metadata?mode=terminology";
        known(path, terms.header("etag")).await.expect(304);
        assert_ne!(terms.header("etag"), tag);

        // Now it does.
        let about = parameter(
            "about",
            "Basic",
            "reference",
            "Basic.extension.where(url = 'urn:test:about').value.as(Reference)",
        );
        let id = client.create(&with(about, "target", json!(["Patient"]))).await;
        let second = known("/fhir/metadata", &tag).await.expect(200);
        assert_ne!(second.header("etag"), tag);
        let statement = second.json();
        let basic = resource_of(&statement, "Basic");
        let listed = basic["searchParam"].as_array().unwrap();
        let about = listed.iter().find(|param| param["name"] == "about").unwrap();
        assert_eq!(about["type"], "reference");
        assert_eq!(about["definition"], "http://test/params/about");
        assert!(basic["searchInclude"].to_string().contains("Basic:about"));
        let patient = resource_of(&statement, "Patient");
        assert!(patient["searchRevInclude"].to_string().contains("Basic:about"));
        let description = known("/fhir/openapi.json", &described).await.expect(200).json();
        assert_eq!(description["components"]["parameters"]["Basic.about"]["name"], "about");

        // And back again, by deletion.
        client.delete(&format!("/fhir/SearchParameter/{id}")).await.expect(204);
        let third = client.get("/fhir/metadata").await.expect(200);
        assert!(!third.text.contains("http://test/params/about"));
        // A topic of one's own.
        let root = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.";
        client
            .create(&json!({
                "resourceType": "Basic",
                "code": {"coding": [
                    {"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}]},
                "extension": [
                    {"url": format!("{root}url"), "valueUri": "http://test/topic/own"},
                    {"url": format!("{root}resourceTrigger"), "extension": [
                        {"url": "resource", "valueUri": "Patient"}]},
                ],
            }))
            .await;
        let fourth = known("/fhir/metadata", third.header("etag")).await.expect(200).json();
        let topics = resource_of(&fourth, "Subscription")["extension"].to_string();
        assert!(topics.contains("http://test/topic/own"), "{topics}");
        hospitals.stop().await;
    });
}

#[test]
fn an_indexing_is_shown_as_a_task() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 3, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        let line = |n: usize| {
            let value = if n.is_multiple_of(1000) { "found" } else { "other" };
            let basic = with(tagged(value, "x"), "id", json!(format!("many-{n}")));
            basic.to_string().into_bytes()
        };
        let lines = (0..4000).map(line).collect();
        let report = block_in_place(|| Import::new(&hospital.app).take_lines("many", lines));
        assert_eq!(report.unwrap().stored, 4000);
        let mark = parameter(
            "mark",
            "Basic",
            "string",
            "Basic.extension.where(url = 'urn:test:mark').value.as(string)",
        );
        let id = client.create(&mark).await;
        let search = format!(
            "Task?code=https://consilium.health/fhir/CodeSystem/job|reindex&focus=SearchParameter/{id}"
        );
        let task = client.found(&search).await;
        assert_eq!(task.len(), 1, "the task stands when the parameter does");
        let path = format!("/fhir/Task/{}", task[0]);
        let mut statuses: Vec<String> = Vec::new();
        let end = std::time::Instant::now() + std::time::Duration::from_secs(120);
        let done = loop {
            // A search is right all the while.
            let mut found = client.found("Basic?mark=found").await;
            found.sort();
            assert_eq!(found, ["many-0", "many-1000", "many-2000", "many-3000"]);
            let task = client.get(&path).await.expect(200).json();
            let status = text(&task["status"]);
            if statuses.last() != Some(&status) {
                statuses.push(status.clone());
            }
            if status == "completed" {
                break task;
            }
            assert!(std::time::Instant::now() < end, "{task}");
        };
        let order = ["requested", "in-progress", "completed"];
        let places: Vec<_> =
            statuses.iter().map(|s| order.iter().position(|known| known == s)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{statuses:?}");
        assert_eq!(done["output"][0]["valueDecimal"], done["output"][1]["valueDecimal"], "{done}");
        assert_eq!(done["intent"], "order");
        assert_ne!(done["executionPeriod"]["end"], Value::Null);
        let owner = text(&done["owner"]["reference"]);
        assert_eq!(client.found(&format!("{search}&owner={owner}")).await, task);
        let by = text(&done["requester"]["identifier"]["value"]);
        assert_eq!(client.found(&format!("{search}&requester:identifier={by}")).await, task);
        // The same again is nothing to index.
        let again = with(mark, "id", json!(id));
        client.put(&format!("/fhir/SearchParameter/{id}"), &again).await.expect(200);
        assert_eq!(client.found(&search).await, task);
        hospitals.stop().await;
    });
}

#[test]
fn an_indexing_that_is_not_needed_any_more_is_cancelled() {
    run(async {
        let (app, _folder) = idle(system_clock());
        block_in_place(|| {
            let caller = caller(&app);
            let code = "reindex";
            let new = |value: &Value| Resource::parse(value.to_string()).unwrap();
            let statuses = || {
                let query = search("Task", &[("code", code), ("_sort", "_id")]).unwrap();
                let snapshot = app.store().snapshot().unwrap();
                let found = snapshot.load(&snapshot.find(&query, 9, true).unwrap()).unwrap();
                let status = |stored: &store::Stored| {
                    let task: Value = serde_json::from_str(&stored.text).unwrap();
                    text(&task["status"])
                };
                found.iter().map(status).collect::<Vec<_>>()
            };
            let first = parameter("first", "Basic", "string", "Basic.code.text");
            let made = write::create(&app, &caller, "SearchParameter", new(&first), None).unwrap();
            assert_eq!(statuses(), ["requested"]);
            // It means something else before anybody has looked.
            let other = with(first, "expression", json!("Basic.code.coding.display"));
            let other = with(other, "id", json!(made.key.id.as_str()));
            let (key, standing) = (made.key, Standing::Anything);
            write::update(&app, &caller, key.clone(), new(&other), &standing).unwrap();
            let mut seen = reindex::Seen::default();
            while reindex::follow(&app, &mut seen).unwrap() {
                std::thread::yield_now();
            }
            assert_eq!(statuses(), ["cancelled", "completed"]);
            // It is gone before anybody has looked.
            let second = parameter("second", "Basic", "string", "Basic.code.text");
            let made = write::create(&app, &caller, "SearchParameter", new(&second), None).unwrap();
            delete::delete(&app, &caller, made.key, &standing).unwrap();
            assert!(!reindex::follow(&app, &mut seen).unwrap());
            assert_eq!(statuses(), ["cancelled", "completed", "cancelled"]);
        });
    });
}
