//! De-identified extracts: who has them made, who is in them, and what they tell.

use std::collections::BTreeSet;

use app::projects::{self, Choice};
use app::rounds::part::look;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::block_in_place;
use wire::OrgId;

use crate::client::{Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, run};
use crate::point_of_care::Reader;
use crate::rounds::{APPROVED, caller, draft, project_of, verdict};

/// Small files, so that there are several of a type.
const SMALL: &[(&str, &str)] = &[("jobs_file_rows = 100000", "jobs_file_rows = 200")];
const OPT_IN: &[(&str, &str)] =
    &[("research_consent = \"opt-out\"", "research_consent = \"opt-in\"")];

async fn alone(config: &'static [(&'static str, &'static str)]) -> Hospitals {
    Hospitals::start(Setup { hospitals: 1, patients: 16, config, ..Setup::default() }).await
}

fn order(project: &str) -> Value {
    json!({"project": project, "purpose": "To see whether it helps", "recipe": "safe-harbor"})
}

/// Orders an extract and waits until it has ended.
async fn made(client: &Client, order: &Value) -> (String, Value) {
    let id = text(&client.post("/research/extracts", order).await.expect(202).json()["id"]);
    loop {
        let standing = client.get(&format!("/research/extracts/{id}")).await.expect(200).json();
        if !["waiting", "in-progress"].contains(&text(&standing["state"]).as_str()) {
            return (id, standing);
        }
        tokio::task::yield_now().await;
    }
}

/// All files of an extract, the resources of one type, and the ids of its patients.
async fn content(client: &Client, id: &str, standing: &Value) -> (String, BTreeSet<String>) {
    let (mut all, mut patients) = (String::new(), BTreeSet::new());
    for file in standing["made"]["files"].as_array().unwrap() {
        let path = format!("/research/extracts/{id}/files/{}", text(&file["name"]));
        let body = client.get(&path).await.expect(200).text;
        assert_eq!(json!(body.len()), file["bytes"]);
        let hash = crypto::hash::hex(&crypto::sha256(body.as_bytes()));
        assert_eq!(text(&file["sha256"]), hash);
        if file["kind"] == "Patient" {
            let ids = body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            patients.extend(ids.map(|patient| text(&patient["id"])));
        }
        all.push_str(&body);
    }
    (all, patients)
}

/// What a patient says of research.
pub fn said(patient: &str, kind: &str, more: &Value) -> Value {
    let mut provision = json!({"type": kind, "purpose": [{
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH",
    }]});
    for (name, value) in more.as_object().unwrap() {
        provision[name] = value.clone();
    }
    json!({
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research",
        }]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": format!("Patient/{patient}")},
        "policy": [{"uri": "https://consilium.health/policy"}],
        "provision": provision,
    })
}

#[test]
fn an_extract_tells_nobodys_name_and_leaves_out_who_opted_out() {
    run(async {
        let hospitals = alone(SMALL).await;
        let hospital = &hospitals.all[0];
        let steward = hospital.signed_in(Role::Steward).await;
        let (first, standing) = made(&steward, &order("trial-1")).await;
        assert_eq!(standing["state"], "made", "{standing}");
        let held = hospitals.world.persons.len();
        assert_eq!(standing["made"]["patients"], held);
        let (all, everybody) = content(&steward, &first, &standing).await;
        assert_eq!(everybody.len(), held);
        for person in &hospitals.world.persons {
            let known = &person.at[&hospital.org];
            let patient: Value = serde_json::from_str(&known.resources[0]).unwrap();
            assert!(!all.contains(&known.patient_id));
            assert!(!all.contains(&text(&patient["name"][0]["family"])), "a name is told");
            assert!(!all.contains(&text(&patient["birthDate"])), "a date of birth is told");
        }
        assert!(all.contains("\"resourceType\":\"Observation\""));
        assert!(all.contains("right with a chance of at most"), "a report for people");
        // Other projects call them otherwise, the same one the same.
        let (other, standing) = made(&steward, &order("trial-2")).await;
        assert!(content(&steward, &other, &standing).await.1.is_disjoint(&everybody));
        let (again, standing) = made(&steward, &order("trial-1")).await;
        assert_eq!(content(&steward, &again, &standing).await.1, everybody);

        // From the moment of the decision on: neither is what was made handed out, nor are they in
        // what is made.
        let person = &hospitals.world.persons[3];
        let id = &person.at[&hospital.org].patient_id;
        let patient = hospital.patient(id).await;
        let mut consent = said(id, "deny", &json!({}));
        let consent_id = patient.create(&consent).await;
        let path = |extract: &str| format!("/research/extracts/{extract}/files/manifest.json");
        steward.get(&path(&first)).await.expect(409);
        steward.get(&format!("/fhir/_jobs/{first}/files/manifest.json")).await.expect(409);
        let (without, standing) = made(&steward, &order("trial-1")).await;
        assert_eq!(standing["made"]["patients"], held - 1);
        let (_, others) = content(&steward, &without, &standing).await;
        assert_eq!(others.len(), held - 1);
        assert!(others.is_subset(&everybody));
        // And in again.
        consent["status"] = json!("inactive");
        consent["id"] = json!(consent_id);
        patient.put(&format!("/fhir/Consent/{consent_id}"), &consent).await.expect(200);
        steward.get(&path(&without)).await.expect(200);
        let (_, standing) = made(&steward, &order("trial-1")).await;
        assert_eq!(standing["made"]["patients"], held);
        // Only part of the record.
        let observations = json!({"class": [{
            "system": "http://hl7.org/fhir/resource-types", "code": "Observation",
        }]});
        let count = |all: &str| all.matches("\"resourceType\":\"Observation\"").count();
        patient.create(&said(id, "deny", &observations)).await;
        let (part, standing) = made(&steward, &order("trial-1")).await;
        assert_eq!(standing["made"]["patients"], held);
        let (some, _) = content(&steward, &part, &standing).await;
        let own = person.at[&hospital.org].resources.iter();
        let own = own.filter(|text| text.contains("\"resourceType\":\"Observation\"")).count();
        assert!(own > 0);
        assert_eq!(count(&some), count(&all) - own);

        // Every order, and what came of it, is in the audit.
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let bundle = officer.get("/fhir/AuditEvent?_count=200&_sort=-date").await.expect(200).text;
        assert!(
            bundle.contains(
                "a de-identified extract by recipe safe-harbor 1.0.0 for project trial-1"
            )
        );
        hospitals.stop().await;
    });
}

#[test]
fn an_extract_is_its_owners_alone() {
    run(async {
        let hospitals = alone(&[]).await;
        let hospital = &hospitals.all[0];
        let steward = hospital.signed_in(Role::Steward).await;
        let anonymity = json!({"k": 2, "suppression": 0.5});
        let mut wanted = order("trial-1");
        wanted["anonymity"] = anonymity;
        let (id, standing) = made(&steward, &wanted).await;
        let (all, _) = content(&steward, &id, &standing).await;
        let patients = all.lines().filter(|line| line.contains("\"resourceType\":\"Patient\""));
        for patient in patients {
            assert!(!patient.contains("birthDate") && !patient.contains("gender"), "{patient}");
        }
        let path = format!("/research/extracts/{id}");
        let table = steward.get(&format!("{path}/files/demographics.csv")).await.expect(200).text;
        assert!(table.starts_with("patient,birth,sex,zip,state,"), "{table}");
        let mut looks = std::collections::BTreeMap::<&str, usize>::new();
        for line in table.lines().skip(1) {
            *looks.entry(line.split_once(',').unwrap().1).or_default() += 1;
        }
        assert!(looks.values().all(|count| *count >= 2), "{looks:?}");
        // Nobody else's: not of another steward, nor of those who may not have extracts at all.
        let other = hospital.signed_in(Role::Steward).await;
        for path in [path.clone(), format!("{path}/files/manifest.json")] {
            other.get(&path).await.expect(404);
            hospital.stranger().get(&path).await.expect(401);
            hospital.signed_in(Role::Clinician).await.get(&path).await.expect(403);
        }
        other.delete(&path).await.expect(404);
        steward.get(&format!("{path}/files/patients.txt")).await.expect(404);
        steward.get(&format!("{path}/files/..%2Fpatients.txt")).await.expect(404);
        for role in [Role::Clinician, Role::Researcher, Role::PrivacyOfficer] {
            let client = hospital.signed_in(role).await;
            client.post("/research/extracts", &order("trial-1")).await.expect(403);
        }
        // A second factor is asked for.
        let account = hospital.account(Role::Steward, None);
        let alone = Client::sign_in(&hospital.base, &account, None).await;
        let refused = alone.post("/research/extracts", &order("trial-1")).await;
        assert!([401, 403].contains(&refused.status), "{}", refused.status);
        // Gone with its files.
        steward.delete(&path).await.expect(204);
        steward.get(&path).await.expect(404);
        steward.get(&format!("{path}/files/manifest.json")).await.expect(404);
        hospitals.stop().await;
    });
}

#[test]
fn what_could_tell_of_somebody_is_refused() {
    run(async {
        let hospitals = alone(OPT_IN).await;
        let hospital = &hospitals.all[0];
        let operator = hospital.signed_in(Role::Operator).await;
        let with = |more: Value| {
            let mut order = order("trial-1");
            for (name, value) in more.as_object().unwrap() {
                order[name] = value.clone();
            }
            order
        };
        let ids: Vec<&str> = hospitals
            .world
            .persons
            .iter()
            .map(|person| person.at[&hospital.org].patient_id.as_str())
            .collect();
        let kept = json!([{"path": "Patient", "action": "keep"}]);
        let own = json!({
            "name": "own", "version": "1", "description": "", "basis": "safe-harbor", "rules": kept,
        });
        let refused = [
            (with(json!({"patients": ids[..3]})), 422),
            (with(json!({"types": ["AuditEvent"]})), 400),
            (with(json!({"recipe": "limited-data-set"})), 403),
            (with(json!({"recipe": "research-images"})), 403),
            (with(json!({"recipe": null, "own_recipe": own})), 403),
            (with(json!({"recipe": "nothing"})), 400),
            (with(json!({"anything": 1})), 400),
        ];
        for (order, status) in refused {
            let answer = operator.post("/research/extracts", &order).await;
            assert_eq!(answer.status, status, "{order} {}", answer.text);
        }
        let large = "x".repeat(9 * 1024 * 1024);
        operator.send(Method::POST, "/research/extracts", Some(large), &[]).await.expect(400);
        // Nobody has said yes, so nobody is in it, and an extract of few is not made.
        let (_, standing) = made(&operator, &order("trial-1")).await;
        assert_eq!(standing["state"], "failed", "{standing}");
        for id in &ids[..11] {
            hospital.patient(id).await.create(&said(id, "permit", &json!({}))).await;
        }
        let (_, standing) = made(&operator, &order("trial-1")).await;
        assert_eq!(
            (&standing["state"], &standing["made"]["patients"]),
            (&json!("made"), &json!(11))
        );
        hospitals.stop().await;
    });
}

const COUNCIL: &[(&str, &str)] = &[("patient_council = 0", "patient_council = 1")];

/// A project that asks the first two hospitals; the third only adds up.
fn applied(hospitals: &Hospitals, analyses: &[&str]) -> String {
    let [first, second, third] = [0, 1, 2].map(|at| OrgId::new(&hospitals.all[at].org).unwrap());
    let asks = projects::Draft {
        analyses: analyses.iter().map(|kind| (*kind).to_owned()).collect(),
        holders: vec![first, second.clone()],
        aggregators: [second, third],
        ..draft(hospitals)
    };
    let app = &hospitals.all[0].app;
    block_in_place(|| projects::apply(app, &caller(app, "researcher"), asks)).unwrap()
}

fn decided(hospital: &Hospital, id: &str, choice: Choice) {
    let steward = caller(&hospital.app, "steward");
    let decide = || projects::decide(&hospital.app, &steward, id, &verdict(choice));
    block_in_place(decide).unwrap();
}

#[test]
fn rows_are_for_a_project_that_asked_for_them_here_as_long_as_it_and_the_council_stand() {
    run(async {
        let setup = Setup { patients: 60, config: COUNCIL, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [first, _, third] = &hospitals.all[..] else { panic!("three") };
        let rows = |project: &str| {
            let mut wanted = order(project);
            wanted["recipe"] = json!("limited-data-set");
            wanted
        };
        let steward = first.signed_in(Role::Steward).await;
        let refused = async |client: &Client, project: &str, why: &str| {
            let answer = client.post("/research/extracts", &rows(project)).await.expect(403);
            assert!(answer.text.contains(why), "{why}: {}", answer.text);
        };
        let account = first.account(Role::Representative, None);
        let member = Client::sign_in(&first.base, &account, Some(first.app.now_ms())).await;
        let agrees = async |id: &str| {
            let path = format!("/research/council/{id}");
            member.post(&path, &json!({"say": "agree"})).await.expect(204);
        };

        // Whoever only adds up has approved without its council, and nobody asked it for rows.
        let id = applied(&hospitals, &["extract"]);
        look(&third.app).await;
        decided(third, &id, Choice::Approve);
        let elsewhere = third.signed_in(Role::Steward).await;
        refused(&elsewhere, &id, "does not ask this institution").await;
        // Where they are asked for, whoever decides reads so.
        let reader = Reader::new(first, first.signed_in(Role::Representative).await);
        let page = reader.get(&format!("/patient-council/{id}")).await.expect(200).text;
        assert!(page.contains("de-identified records of single people"), "{page}");
        let reader = Reader::new(first, first.signed_in(Role::Steward).await);
        let page = reader.get(&format!("/projects/{id}")).await.expect(200).text;
        assert!(page.contains("de-identified records of single people"), "{page}");
        refused(&steward, &id, "has not approved the project").await;
        agrees(&id).await;
        refused(&steward, &id, "has not approved the project").await;
        decided(first, &id, Choice::Approve);
        let (extract, standing) = made(&steward, &rows(&id)).await;
        assert_eq!(standing["state"], "made", "{standing}");
        let file = format!("/research/extracts/{extract}/files/manifest.json");
        let other = format!("/fhir/_jobs/{extract}/files/manifest.json");
        steward.get(&file).await.expect(200);

        // A project for sums is none for rows, and rows are asked by no question.
        let sums = applied(&hospitals, &["regression"]);
        agrees(&sums).await;
        decided(first, &sums, Choice::Approve);
        refused(&steward, &sums, "among its analyses").await;
        let researcher = first.signed_in(Role::Researcher).await;
        let asked = json!({
            "dictionary": {"variables": []}, "most_rows": 1_000, "analysis": {"kind": "extract"},
        });
        let path = format!("/research/projects/{id}/questions");
        let unknown = researcher.post(&path, &asked).await.expect(400).text;
        assert!(unknown.contains("unknown variant `extract`"), "{unknown}");

        // Too few of the council agree any more, for one has left it.
        let accounts = first.app.identity().accounts();
        let leaver = accounts.find(&account.username).unwrap().unwrap().id;
        let disable = |on| {
            block_in_place(|| accounts.set_disabled(&leaver, on, first.app.now_ms())).unwrap();
        };
        disable(true);
        steward.get(&file).await.expect(403);
        refused(&steward, &id, "the patient council has not agreed").await;
        disable(false);
        steward.get(&file).await.expect(200);

        // Withdrawn, what was made is not handed out any more, by either door.
        decided(first, &id, Choice::Withdraw);
        for path in [&file, &other] {
            let answer = steward.get(path).await.expect(403).text;
            assert!(answer.contains("has not approved the project"), "{answer}");
        }
        refused(&steward, &id, "has not approved the project").await;
        // What is Safe Harbor is for anybody's project.
        let (_, standing) = made(&steward, &order(&id)).await;
        assert_eq!(standing["state"], "made", "{standing}");
        let own = hospitals.world.persons.iter().find_map(|person| person.at.get(&first.org));
        let own = first.patient(&own.unwrap().patient_id).await;
        let page = Reader::new(first, own).get("/me/research").await.expect(200).text;
        assert!(page.contains("It asks for extracts, too"), "{page}");
        let officer = first.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=200&_sort=-date").await.expect(200).text;
        for rule in ["project-not-approved", "project-no-extract", "patient-council"] {
            assert!(log.contains(&format!("extract {rule}")), "{rule}");
        }
        hospitals.stop().await;
    });
}

/// A made-up computed tomogram of the 15th of January 2020, with marks where people are named.
fn tomogram() -> Vec<u8> {
    let element = |group: u16, number: u16, vr: &str, value: &str| {
        let mut value = value.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(b' ');
        }
        let length = (value.len() as u16).to_le_bytes();
        let tag = [group.to_le_bytes(), number.to_le_bytes()].concat();
        [tag, vr.as_bytes().to_vec(), length.to_vec(), value].concat()
    };
    let parts = [
        vec![b'M'; 128],
        b"DICM".to_vec(),
        element(0x0002, 0x0010, "UI", "1.2.840.10008.1.2.1"),
        element(0x0008, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.2"),
        element(0x0008, 0x0018, "UI", "1.2.3.777.1"),
        element(0x0008, 0x0020, "DA", "20200115"),
        element(0x0008, 0x0060, "CS", "CT"),
        element(0x0008, 0x0080, "LO", "MARK hospital"),
        element(0x0010, 0x0010, "PN", "MARK^Ann"),
        element(0x0010, 0x0020, "LO", "MARK17"),
        // Two rows and columns of 16 bits.
        element(0x0028, 0x0010, "US", "\x02\0"),
        element(0x0028, 0x0011, "US", "\x02\0"),
        element(0x0028, 0x0100, "US", "\x10\0"),
        // Pixels, with two bytes that are reserved and four of length.
        [b"\xE0\x7F\x10\x00OW\0\0".to_vec(), 8u32.to_le_bytes().to_vec(), vec![0xC5; 8]].concat(),
    ];
    parts.concat()
}

#[test]
fn images_are_of_the_same_patients_and_days_as_their_records() {
    run(async {
        let setup = Setup { patients: 60, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let analyses = vec!["extract".to_owned()];
        let asks = projects::Draft { analyses, ..draft(&hospitals) };
        let project = project_of(&hospitals, asks, &APPROVED).await;
        let hospital = &hospitals.all[0];
        let mut people = hospitals.world.persons.iter().filter_map(|one| one.at.get(&hospital.org));
        let patient = people.next().unwrap().patient_id.clone();
        let clinician = hospital.signed_in(Role::Clinician).await;
        for contents in [tomogram(), b"MARK is no image".to_vec()] {
            let media = json!({
                "resourceType": "Media", "status": "completed", "createdDateTime": "2020-01-15",
                "subject": {"reference": format!("Patient/{patient}")},
                "content": {"contentType": "application/dicom", "data": STANDARD.encode(contents)},
            });
            clinician.create(&media).await;
        }
        let order = json!({
            "project": project, "purpose": "To see what images show", "recipe": "research-images",
            "types": ["Patient", "Media"],
        });
        let steward = hospital.signed_in(Role::Steward).await;
        let (id, standing) = made(&steward, &order).await;
        assert_eq!(standing["state"], "made", "{standing}");
        let (all, people) = content(&steward, &id, &standing).await;
        let media = all.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let media: Vec<Value> = media.filter(|made| made["resourceType"] == "Media").collect();
        assert_eq!(media.len(), 2);
        let kept: Vec<&Value> = media.iter().filter(|made| made.get("content").is_some()).collect();
        // The other has lost its data, and keeps what kind it was.
        let images: Vec<&Value> =
            kept.into_iter().filter(|made| made["content"].get("data").is_some()).collect();
        assert_eq!(images.len(), 1);
        let image = images[0];
        let file = STANDARD.decode(text(&image["content"]["data"])).unwrap();
        let holds = |text: &str| file.windows(text.len()).any(|part| part == text.as_bytes());
        let subject = text(&image["subject"]["reference"]);
        let pseudonym = subject.strip_prefix("Patient/").unwrap();
        assert!(people.contains(pseudonym) && holds(pseudonym));
        assert!(holds(&text(&image["createdDateTime"]).replace('-', "")), "the days differ");
        for mark in ["MARK", "1.2.3.777", "20200115", "MMMM"] {
            assert!(!holds(mark) && !all.contains(mark), "{mark}");
        }
        assert!(file.ends_with(&[0xC5; 8]));
        assert!(all.contains("this is no DICOM file"), "why the other is not there is told");
        hospitals.stop().await;
    });
}
