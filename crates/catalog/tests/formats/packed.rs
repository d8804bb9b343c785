//! RO-Crates of requests and results.

use consilium_catalog::packed::{
    Action, Actor, Answered, Fault, Organization, PackedFile, Person, Phase, Project, Request,
    Status, check, request, result,
};
use consilium_catalog::words::{Instant, Sha256};
use consilium_catalog::{Iri, Slug};
use serde_json::Value as Json;

use super::described::iri;

fn at(text: &str) -> Instant {
    Instant::new(text).unwrap()
}

fn hospital() -> Organization {
    Organization { iri: iri("https://zurich.example.org/"), name: "Hospital of Zürich".to_owned() }
}

fn person(number: &str, name: &str) -> Person {
    let iri = Iri::new(format!("https://orcid.org/0000-0000-0000-{number}")).unwrap();
    Person { iri, name: name.to_owned(), affiliation: hospital() }
}

fn file(path: &str) -> PackedFile {
    let digest = Sha256::new("ab".repeat(32)).unwrap();
    PackedFile::new(path, "A file of the crate", "application/json", 120, digest).unwrap()
}

fn action(id: &str, phase: Phase, actor: Actor) -> Action {
    Action {
        id: Slug::new(id).unwrap(),
        phase,
        name: format!("{id}: approved"),
        actor,
        status: Status::Completed,
        started: None,
        ended: Some(at("2026-11-22T12:00:00Z")),
        rule: Some(iri("https://zurich.example.org/agreement/81")),
        rule_name: "Agreement 81".to_owned(),
        reason: Some("Within the term of the project".to_owned()),
    }
}

pub fn asked() -> Request {
    let anna = person("0001", "Anna Researcher");
    let council = Organization {
        iri: iri("https://zurich.example.org/council"),
        name: "Council of patients".to_owned(),
    };
    Request {
        id: Slug::new("q-7c1f").unwrap(),
        name: "Survival by sex".to_owned(),
        description: "Stratified Cox regression of survival on age and sex.".to_owned(),
        asked: at("2026-11-20T08:00:00Z"),
        agent: anna.clone(),
        project: Project {
            iri: iri("https://zurich.example.org/projects/81"),
            name: "Lung cancer and sex".to_owned(),
            description: "Whether survival differs.".to_owned(),
            identifier: "81".to_owned(),
            members: vec![hospital()],
            people: vec![anna, person("0002", "Bea Statistician")],
        },
        workflow: iri("urn:consilium:analysis:cox:1"),
        workflow_name: "Stratified Cox regression".to_owned(),
        workflow_sha256: Sha256::new("cd".repeat(32)).unwrap(),
        datasets: vec![(
            iri("https://zurich.example.org/catalog/lung"),
            "Lung cancer registry".to_owned(),
        )],
        files: vec![file("question.json")],
        approvals: vec![
            action("approval-zurich", Phase::SignOff, Actor::Organization(hospital())),
            action("approval-council", Phase::SignOff, Actor::Organization(council)),
        ],
        licence: (iri("https://zurich.example.org/terms"), "Terms of use".to_owned()),
        publisher: hospital(),
    }
}

pub fn answered() -> Answered {
    let program = Actor::Program {
        iri: iri("https://zurich.example.org/#output-check"),
        name: "Output check".to_owned(),
        version: "0.1.0".to_owned(),
        provider: hospital(),
    };
    Answered {
        request: asked(),
        started: at("2026-11-22T09:00:00Z"),
        ended: at("2026-11-22T09:00:01Z"),
        outputs: vec![file("outputs/answer.json"), file("outputs/table.csv")],
        checks: vec![
            action("signature", Phase::Check, program.clone()),
            action("rules", Phase::Disclosure, program),
            action("checker", Phase::Disclosure, Actor::Person(person("0003", "Carl Checker"))),
        ],
        released: at("2026-11-23T04:00:00Z"),
    }
}

fn entity<'a>(metadata: &'a Json, id: &str) -> &'a Json {
    let graph = metadata["@graph"].as_array().unwrap();
    let found: Vec<_> = graph.iter().filter(|entity| entity["@id"] == id).collect();
    assert_eq!(found.len(), 1, "{id} is there once");
    found[0]
}

/// Every reference within the crate leads to an entity of it.
fn assert_closed(metadata: &Json) {
    let graph = metadata["@graph"].as_array().unwrap();
    let ids: Vec<&str> = graph.iter().map(|entity| entity["@id"].as_str().unwrap()).collect();
    let mut open = vec![&metadata["@graph"]];
    while let Some(value) = open.pop() {
        match value {
            Json::Array(list) => open.extend(list),
            Json::Object(fields) => {
                let id = fields.get("@id").and_then(Json::as_str);
                if let (Some(id), 1) = (id, fields.len()) {
                    let is_outside =
                        ["https://w3id.org/ro/crate/", "https://w3id.org/workflowhub/"]
                            .iter()
                            .any(|space| id.starts_with(space));
                    assert!(is_outside || ids.contains(&id), "{id} is nowhere");
                }
                open.extend(fields.values());
            }
            _ => {}
        }
    }
}

#[test]
fn a_request_is_what_the_profile_wants() {
    let metadata = request(&asked());
    assert_closed(&metadata);
    let root = entity(&metadata, "./");
    assert_eq!(root["conformsTo"]["@id"], "https://w3id.org/5s-crate/0.4");
    assert_eq!(root["sourceOrganization"]["@id"], "https://zurich.example.org/projects/81");
    let run = entity(&metadata, "#query-q-7c1f");
    assert_eq!(run["@type"], "CreateAction");
    assert_eq!(run["instrument"], root["mainEntity"]);
    assert_eq!(run["actionStatus"], "http://schema.org/PotentialActionStatus");
    assert!(root["mentions"].as_array().unwrap().iter().any(|m| m["@id"] == run["@id"]));
    let anna = entity(&metadata, run["agent"]["@id"].as_str().unwrap());
    assert_eq!(anna["memberOf"]["@id"], root["sourceOrganization"]["@id"]);
    assert_eq!(entity(&metadata, "question.json")["contentSize"], "120");
    assert_eq!(check(&asked(), None), []);
}

#[test]
fn a_result_names_its_files_and_checks() {
    let metadata = result(&answered());
    assert_closed(&metadata);
    let run = entity(&metadata, "#query-q-7c1f");
    assert_eq!(run["actionStatus"], "http://schema.org/CompletedActionStatus");
    assert_eq!(run["result"].as_array().unwrap().len(), 2);
    let root = entity(&metadata, "./");
    assert_eq!(root["mentions"].as_array().unwrap().len(), 6);
    assert_eq!(root["hasPart"].as_array().unwrap().len(), 4);
    assert_eq!(check(&asked(), Some(&answered())), []);
    assert_eq!(metadata.to_string(), result(&answered()).to_string());
}

#[test]
fn what_failed_disclosure_control_is_not_in_the_crate() {
    for status in [Status::Failed, Status::Potential, Status::Active] {
        let mut answered = answered();
        answered.checks[2].status = status;
        let text = result(&answered).to_string();
        assert!(!text.contains("outputs/"), "{status:?}");
    }
    let mut unchecked = answered();
    unchecked.checks.truncate(1);
    assert!(!result(&unchecked).to_string().contains("outputs/"));
    assert_eq!(check(&unchecked.request, Some(&unchecked)), [Fault::NotChecked]);
}

#[test]
fn nobody_checks_what_they_asked_and_strangers_do_not_ask() {
    let mut own = answered();
    own.checks[2].actor = Actor::Person(own.request.agent.clone());
    assert_eq!(check(&own.request, Some(&own)), [Fault::OwnCheck]);
    let mut stranger = asked();
    stranger.agent = person("0009", "Dora Stranger");
    assert_eq!(check(&stranger, None), [Fault::Stranger]);
    let mut unsigned = answered();
    unsigned.request.approvals.clear();
    assert_eq!(check(&unsigned.request, Some(&unsigned)), [Fault::NotSignedOff]);
    let mut twice = asked();
    twice.files.push(file("question.json"));
    assert_eq!(check(&twice, None), [Fault::Twice("files[1]".to_owned())]);
}

#[test]
fn no_path_leaves_the_crate() {
    let digest = Sha256::new("ab".repeat(32)).unwrap();
    for path in [
        "../a",
        "/a",
        "a/../b",
        "a//b",
        "a\\b",
        ".hidden",
        "",
        "a b",
        "ro-crate-metadata.json",
        "a/./b",
    ] {
        assert!(PackedFile::new(path, "x", "text/plain", 1, digest.clone()).is_err(), "{path}");
    }
}
