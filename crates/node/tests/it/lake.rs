//! The lake from the records to an answer: it follows what is written, goes on after a restart, shows
//! nobody who is not in research, makes data sets, and answers researchers by door and page.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use app::catalog;
use app::lake::current;
use app::projects::{self, Choice};
use app::rounds::ask::{End, ask};
use app::rounds::part::look;
use consilium_node::demo::datasets;
use consilium_node::serve::start;
use consilium_node::wiring::system_clock;
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use statistics::{Analysis, Column, Formula, Frame, Question, Regression};
use store::{HistoryOf, Seq};
use tokio::task::block_in_place;

use crate::client::{Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, open_again, run};
use crate::point_of_care::Reader;
use crate::rounds::{APPROVED, caller, draft, ended, model, pooled, project_of, verdict};
use crate::stores::{fails, opened, path, works};

const OPT_IN: &[(&str, &str)] =
    &[("research_consent = \"opt-out\"", "research_consent = \"opt-in\"")];
const OFF: &[(&str, &str)] = &[("lake = \"lake\"", "lake = \"off\"")];

/// How long rows of the purged may stay in the files: a commit that is due anyway comes every 30 s.
const SCRUBBED: Duration = Duration::from_secs(20);

/// A project of somebody at the first hospital with these analyses, which everybody has approved.
async fn approved(hospitals: &Hospitals, researcher: &Client, analyses: &[&str]) -> String {
    let orgs: Vec<&str> = hospitals.all.iter().map(|hospital| hospital.org.as_str()).collect();
    let application = json!({
        "title": "Who has high pressure", "purpose": "To learn what helps", "holders": orgs,
        "aggregators": [orgs[1], orgs[2]], "dataset": "blood-pressure", "analyses": analyses,
        "min_sites": 2, "min_rows": 10, "days": 30,
    });
    let made = researcher.post("/research/projects", &application).await.expect(201);
    let id = text(&made.json()["id"]);
    for hospital in &hospitals.all {
        look(&hospital.app).await;
        let steward = caller(&hospital.app, "steward");
        let decided = block_in_place(|| {
            projects::decide(&hospital.app, &steward, &id, &verdict(Choice::Approve))
        });
        decided.unwrap();
        look(&hospital.app).await;
    }
    id
}

/// The values of the first column of an answer.
async fn first(client: &Client, project: &str, sql: &str) -> Value {
    let path = format!("/research/projects/{project}/sql");
    let answer = client.post(&path, &json!({"sql": sql})).await.expect(200).json();
    answer["columns"][0]["values"].clone()
}

/// What a patient says of research.
fn said(patient: &str, kind: &str) -> Value {
    json!({
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research",
        }]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": format!("Patient/{patient}")},
        "policy": [{"uri": "https://consilium.health/policy"}],
        "provision": {"type": kind, "purpose": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH",
        }]},
    })
}

fn pressure(patient: &str, value: u32) -> Value {
    json!({
        "resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "consilium-test"}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "effectiveDateTime": "2026-03-01T10:00:00Z",
        "valueQuantity": {"value": value, "unit": "mmHg"},
    })
}

/// The ids of patients at a hospital.
fn patients(hospitals: &Hospitals, hospital: &Hospital) -> Vec<String> {
    let here = hospitals.world.persons.iter().filter_map(|person| person.at.get(&hospital.org));
    here.map(|known| known.patient_id.clone()).collect()
}

/// The parts that a lake has on disk.
fn parts(folder: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".rows")).collect()
}

#[test]
fn what_is_written_is_asked_and_a_restart_goes_on() {
    run(async {
        let setup = Setup { patients: 60, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Researcher, None);
        let researcher =
            Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        let project = approved(&hospitals, &researcher, &["sql"]).await;
        let clinician = hospital.signed_in(Role::Clinician).await;
        let sql = "SELECT count(*) AS n, avg(value) AS mean FROM observation \
                   WHERE code = 'consilium-test'";
        let people = patients(&hospitals, hospital);
        let mut last = String::new();
        for (patient, value) in people.iter().take(11).zip(100..) {
            last = clinician.create(&pressure(patient, value)).await;
        }
        current(&hospital.app).await.unwrap();
        assert_eq!(first(&researcher, &project, sql).await, json!([11]));
        // Changed and deleted, it is not what it was.
        let mut changed = pressure(&people[10], 210);
        changed["id"] = json!(last);
        clinician.put(&format!("/fhir/Observation/{last}"), &changed).await.expect(200);
        current(&hospital.app).await.unwrap();
        let path = format!("/research/projects/{project}/sql");
        let answer = researcher.post(&path, &json!({"sql": sql})).await.expect(200).json();
        assert_eq!(answer["columns"][1]["values"], json!([(1045.0 + 210.0) / 11.0]), "{answer}");

        let operator = hospital.signed_in(Role::Operator).await;
        let figures = operator.get("/operate/figures").await.expect(200).json();
        assert!(figures["lake"]["rows"].as_u64().unwrap() > 100, "{figures}");
        let (org, base) = (hospital.org.clone(), hospital.base.clone());
        let (token, writer) = (researcher.token().to_owned(), clinician.token().to_owned());
        let folder = hospitals.stop().await;
        let home = folder.path().join(&org);
        let before = parts(&home.join("lake"));
        assert!(!before.is_empty(), "what was in memory is on disk");
        let node = open_again(&home, system_clock()).await;
        let running = start(node).await.unwrap();
        current(&running.app).await.unwrap();
        let researcher = Client::stranger(&base).holding(&token);
        assert_eq!(first(&researcher, &project, sql).await, json!([11]));
        assert!(parts(&home.join("lake")).is_superset(&before), "nothing was built anew");
        // One more would be told apart from what was shown before the restart; ten more are not.
        let clinician = Client::stranger(&base).holding(&writer);
        clinician.create(&pressure(&people[11], 100)).await;
        current(&running.app).await.unwrap();
        let answer = researcher.post(&path, &json!({"sql": sql})).await.expect(200).json();
        assert_eq!(answer["columns"][0]["values"], json!([11]), "as it was: {answer}");
        assert!(answer["as_of"].is_string(), "{answer}");
        for patient in &people[12..21] {
            clinician.create(&pressure(patient, 100)).await;
        }
        current(&running.app).await.unwrap();
        assert_eq!(first(&researcher, &project, sql).await, json!([21]));
        running.stop().await;

        // A lake that does not open is made anew from the records.
        std::fs::write(home.join("lake/key"), b"something else").unwrap();
        let node = open_again(&home, system_clock()).await;
        let running = start(node).await.unwrap();
        current(&running.app).await.unwrap();
        assert_eq!(first(&researcher, &project, sql).await, json!([21]));
        running.stop().await;
    });
}

#[test]
fn answers_together_show_no_fewer_people_than_one_may() {
    run(async {
        let setup = Setup { patients: 100, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Researcher, None);
        let researcher =
            Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        let project = approved(&hospitals, &researcher, &["sql"]).await;
        let clinician = hospital.signed_in(Role::Clinician).await;
        let people = patients(&hospitals, hospital);
        for (patient, value) in people.iter().take(30).zip(100..) {
            clinician.create(&pressure(patient, value)).await;
        }
        current(&hospital.app).await.unwrap();
        let count = |met: &str| {
            format!("SELECT count(*) AS n FROM observation WHERE code = 'consilium-test'{met}")
        };
        let path = |project: &str| format!("/research/projects/{project}/sql");
        // Of somebody's own one asks by what is known of them: the value 117.
        assert_eq!(first(&researcher, &project, &count("")).await, json!([30]));
        assert_eq!(first(&researcher, &project, &count(" AND value < 115")).await, json!([15]));
        let ask = |sql: &str| json!({"sql": sql});
        let keys = "SELECT count(DISTINCT patient_key) AS n FROM observation \
                    WHERE code = 'consilium-test'";
        assert_eq!(first(&researcher, &project, keys).await, json!([30]));
        let attacks = [
            // The difference to everybody; with other words, another value and another table.
            count(" AND value <> 117"),
            count(" AND NOT (value > 116 AND value < 118)"),
            format!("{} AND NOT value = 117", count("").replace("count(*)", "avg(value)")),
            format!("{keys} AND value <> 117"),
            "SELECT count(*) AS n FROM observation o JOIN patient p ON p.patient_key = \
             o.patient_key WHERE o.code = 'consilium-test' AND o.value <> 117"
                .to_owned(),
            // A tracker: whoever is at least 115, or is the one; everybody is known.
            count(" AND (value >= 115 OR value = 103)"),
            // A part beside the one that is known.
            count(" AND value > 114 AND value <> 117"),
        ];
        let other = hospital.signed_in(Role::Researcher).await;
        let elsewhere = approved(&hospitals, &other, &["sql"]).await;
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        for (who, project) in [(&researcher, &project), (&other, &elsewhere)] {
            for sql in &attacks {
                let refused = who.post(&path(project), &ask(sql)).await.expect(403);
                let (_, said) = refused.issue();
                assert!(said.starts_with("rule differencing, query:"), "{sql}: {said}");
                let log = officer.get("/fhir/AuditEvent?_count=5&_sort=-date").await.expect(200);
                let hash = crypto::hash::hex(&crypto::sha256(sql.as_bytes()));
                let entry = format!("rule differencing: SQL of SHA-256 {hash} is not answered");
                assert!(log.text.contains(&entry), "{sql}: the refusal is audited");
            }
        }
        // Asked again it is the same, and so is what follows from earlier answers.
        for _ in 0..3 {
            assert_eq!(first(&other, &elsewhere, &count("")).await, json!([30]));
        }
        assert_eq!(first(&other, &elsewhere, &count(" AND value >= 115")).await, json!([15]));
        // Of several groups, one that would show somebody keeps all back: which one would tell of them.
        let bands = "SELECT CASE WHEN value < 115 THEN 'low' WHEN value = 117 THEN 'one' \
                     ELSE 'high' END AS band, count(*) AS n FROM observation \
                     WHERE code = 'consilium-test' GROUP BY 1";
        let refused = researcher.post(&path(&project), &ask(bands)).await.expect(403);
        assert!(refused.issue().1.starts_with("rule differencing,"), "{}", refused.text);

        // Somebody came: other questions are answered of the records as they were.
        clinician.create(&pressure(&people[30], 100)).await;
        current(&hospital.app).await.unwrap();
        let mean = count("").replace("count(*)", "avg(value)");
        let answer = researcher.post(&path(&project), &ask(&mean)).await.expect(200).json();
        assert_eq!(answer["columns"][0]["values"], json!([114.5]), "{answer}");
        assert!(answer["as_of"].is_string(), "{answer}");

        // It is remembered over a restart.
        let (org, base) = (hospital.org.clone(), hospital.base.clone());
        let token = researcher.token().to_owned();
        let folder = hospitals.stop().await;
        let home = folder.path().join(&org);
        let running = start(open_again(&home, system_clock()).await).await.unwrap();
        current(&running.app).await.unwrap();
        let researcher = Client::stranger(&base).holding(&token);
        for sql in &attacks {
            let refused = researcher.post(&path(&project), &ask(sql)).await.expect(403);
            assert!(refused.issue().1.starts_with("rule differencing,"), "{sql}: {}", refused.text);
        }
        // Refusals tell something, too: after twenty in 90 days there are no answers.
        let mut refusals = 2 * attacks.len() + 1;
        let said = loop {
            let refused = researcher.post(&path(&project), &ask(&attacks[0])).await.expect(403);
            let (_, said) = refused.issue();
            if !said.starts_with("rule differencing,") {
                break said;
            }
            refusals += 1;
            assert!(refusals <= 20, "{said}");
        };
        assert!(said.contains("as often as may be within 90 days"), "{refusals}: {said}");
        researcher.post(&path(&project), &ask(&count(""))).await.expect(403);
        running.stop().await;
    });
}

#[test]
fn a_purged_patient_leaves_the_files_too() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 12, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        current(&hospital.app).await.unwrap();
        let patient = patients(&hospitals, hospital)[0].clone();
        let officer = hospital.signed_in(Role::PrivacyOfficer).await.token().to_owned();
        let operator = hospital.signed_in(Role::Operator).await.token().to_owned();
        let (org, base) = (hospital.org.clone(), hospital.base.clone());
        let folder = hospitals.stop().await;
        let home = folder.path().join(&org);
        let lake = home.join("lake");
        let before = parts(&lake);
        let running = start(open_again(&home, system_clock()).await).await.unwrap();
        current(&running.app).await.unwrap();
        let operator = Client::stranger(&base).holding(&operator);
        let figures = async || operator.get("/operate/figures").await.expect(200).json();
        let rows = figures().await["lake"]["rows"].as_u64().unwrap();
        assert_eq!(parts(&lake), before, "nothing is written anew without a reason");
        let officer = Client::stranger(&base).holding(&officer);
        let purge = format!("/fhir/Patient/{patient}/$purge");
        officer.send(Method::POST, &purge, None, &[]).await.expect(200);
        current(&running.app).await.unwrap();
        let since = Instant::now();
        let left = loop {
            let told = figures().await;
            if told["lake"]["goneRows"] == 0 && !parts(&lake).is_superset(&before) {
                break told["lake"]["rows"].as_u64().unwrap();
            }
            assert!(since.elapsed() < SCRUBBED, "{told}");
            tokio::task::yield_now().await;
        };
        assert!(left < rows, "{left} of {rows}");
        running.stop().await;
        let running = start(open_again(&home, system_clock()).await).await.unwrap();
        current(&running.app).await.unwrap();
        let again = figures().await;
        assert_eq!(again["lake"]["rows"], left, "{again}");
        assert_eq!(again["lake"]["goneRows"], 0, "{again}");
        running.stop().await;
    });
}

#[test]
fn who_opts_out_is_in_no_answer_from_then_on() {
    run(async {
        let setup = Setup { patients: 40, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let researcher = hospital.signed_in(Role::Researcher).await;
        let project = approved(&hospitals, &researcher, &["sql"]).await;
        current(&hospital.app).await.unwrap();
        let people = patients(&hospitals, hospital);
        let sql = "SELECT count(*) AS n FROM patient";
        let all = people.len();
        assert_eq!(first(&researcher, &project, sql).await, json!([all]));
        // Who left alone would be told by the difference: they are in no answer, and there is none.
        let path = format!("/research/projects/{project}/sql");
        let refused = async |sql: &str| {
            let refused = researcher.post(&path, &json!({"sql": sql})).await.expect(403);
            assert!(refused.issue().1.starts_with("rule differencing,"), "{}", refused.text);
        };
        let mut left = Vec::new();
        for id in &people[2..12] {
            let patient = hospital.patient(id).await;
            let consent = said(id, "deny");
            left.push((patient.create(&consent).await, patient, consent));
            if left.len() < 10 {
                refused(sql).await;
            }
        }
        assert_eq!(first(&researcher, &project, sql).await, json!([all - 10]));
        let joined = "SELECT count(DISTINCT patient_key) AS n FROM observation";
        let without = first(&researcher, &project, joined).await;
        // And in again.
        for (at, (id, patient, mut consent)) in left.into_iter().enumerate() {
            consent["status"] = json!("inactive");
            consent["id"] = json!(id);
            patient.put(&format!("/fhir/Consent/{id}"), &consent).await.expect(200);
            if at == 0 {
                refused(sql).await;
            }
        }
        assert_eq!(first(&researcher, &project, sql).await, json!([all]));
        assert_ne!(first(&researcher, &project, joined).await, without);
        hospitals.stop().await;
    });
}

#[test]
fn where_nobody_is_in_who_has_not_said_so_the_lake_shows_those_who_did() {
    run(async {
        let setup = Setup { patients: 40, config: OPT_IN, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let researcher = hospital.signed_in(Role::Researcher).await;
        let project = approved(&hospitals, &researcher, &["sql"]).await;
        current(&hospital.app).await.unwrap();
        let sql = "SELECT count(*) AS n FROM patient";
        assert_eq!(first(&researcher, &project, sql).await, json!([]), "nobody is in");
        for id in patients(&hospitals, hospital).iter().take(11) {
            hospital.patient(id).await.create(&said(id, "permit")).await;
        }
        assert_eq!(first(&researcher, &project, sql).await, json!([11]));
        hospitals.stop().await;
    });
}

#[test]
fn what_would_show_a_row_is_refused_and_audited() {
    run(async {
        let setup = Setup { patients: 40, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let researcher = hospital.signed_in(Role::Researcher).await;
        let project = approved(&hospitals, &researcher, &["sql"]).await;
        current(&hospital.app).await.unwrap();
        let path = format!("/research/projects/{project}/sql");
        for (sql, status, rule) in [
            ("SELECT * FROM patient", 403, "not_aggregated"),
            ("SELECT max(birth_date) FROM patient", 403, "single_value"),
            (
                "SELECT patient_key, count(*) FROM patient GROUP BY patient_key",
                403,
                "group_identifier",
            ),
            ("SELECT count(*) FROM patient WHERE patient_key = 'Patient/x'", 403, "identifier"),
            ("SELECT count(*) FROM accounts", 400, "unknown"),
            ("DROP TABLE patient", 400, "one_query"),
            ("SELECT count(* FROM patient", 400, "syntax"),
        ] {
            let refused = researcher.post(&path, &json!({"sql": sql})).await.expect(status);
            let (_, said) = refused.issue();
            assert!(said.starts_with(&format!("rule {rule},")), "{sql}: {said}");
            let officer = hospital.signed_in(Role::PrivacyOfficer).await;
            let log = officer.get("/fhir/AuditEvent?_count=20&_sort=-date").await.expect(200).text;
            let hash = crypto::hash::hex(&crypto::sha256(sql.as_bytes()));
            let entry = format!("rule {rule}: SQL of SHA-256 {hash} is not answered");
            assert!(log.contains(&entry), "{sql}: the refusal is audited");
            let asked = format!("asks the records by SQL of SHA-256 {hash}");
            assert!(log.contains(&asked), "{sql}: that it was asked is audited before");
        }
        // A group of few is not shown, and the answer says by which rule in any case.
        let few = "SELECT city, count(*) AS n FROM patient GROUP BY city";
        let answer = researcher.post(&path, &json!({"sql": few})).await.expect(200).json();
        assert_eq!(answer["min_cell"], 10);
        let counts = answer["columns"][1]["values"].as_array().unwrap();
        assert!(counts.iter().all(|count| count.as_u64().unwrap() >= 10), "{answer}");
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=20&_sort=-date").await.expect(200).text;
        let hash = crypto::hash::hex(&crypto::sha256(few.as_bytes()));
        assert!(log.contains(&format!("asks the records by SQL of SHA-256 {hash}")));
        assert!(log.contains(&project), "with the project");

        // Who is not named, in a project that does not say so, or where none is known.
        let count = json!({"sql": "SELECT count(*) AS n FROM patient"});
        let other = hospital.signed_in(Role::Researcher).await;
        let refused = other.post(&path, &count).await.expect(403);
        assert!(refused.text.contains("not named in the project"), "{}", refused.text);
        let silent = approved(&hospitals, &researcher, &["regression"]).await;
        let refused = researcher.post(&format!("/research/projects/{silent}/sql"), &count).await;
        assert!(refused.expect(403).text.contains("does not allow the analysis `sql`"));
        researcher.post("/research/projects/none/sql", &count).await.expect(404);
        // Nor at another holder, where the account would be somebody else's.
        let elsewhere = hospitals.all[1].signed_in(Role::Researcher).await;
        elsewhere.post(&path, &count).await.expect(403);
        // A second factor is needed.
        let account = hospital.account(Role::Researcher, None);
        let alone = Client::sign_in(&hospital.base, &account, None).await;
        assert_eq!(alone.post(&path, &count).await.status, 401);
        // The tables can be read.
        let views = researcher.get("/research/views").await.expect(200).json();
        let names: Vec<String> =
            views["views"].as_array().unwrap().iter().map(|view| text(&view["name"])).collect();
        assert!(names.contains(&"observation_component".to_owned()), "{names:?}");
        hospitals.stop().await;
    });
}

#[test]
fn tables_are_handed_out_on_purpose_without_whoever_is_out_and_over_nothing() {
    run(async {
        let setup = Setup { patients: 20, hospitals: 1, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let people = patients(&hospitals, hospital);
        hospital.patient(&people[0]).await.create(&said(&people[0], "deny")).await;
        let (org, all) = (hospital.org.clone(), people.len());
        let folder = hospitals.stop().await;
        block_in_place(|| {
            let home = folder.path().join(&org);
            let to = folder.path().join("tables");
            let order = |more: &[&str]| {
                let own = ["lake", "export", "--dir", path(&home), "--to", path(&to)];
                [&own[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<String>>()
            };
            let given = |order: &[String]| {
                let order: Vec<&str> = order.iter().map(String::as_str).collect();
                works(&order)
            };
            let refused = |order: &[String]| {
                let order: Vec<&str> = order.iter().map(String::as_str).collect();
                fails(&order)
            };
            // Not without a reason, and nothing of a table that there is not.
            assert!(refused(&order(&[])).contains("--reason"));
            assert!(refused(&order(&["--reason", " "])).contains("a reason is one line"));
            let unknown = refused(&order(&["--reason", "audit", "--table", "accounts"]));
            assert!(unknown.contains("there is no table `accounts`"), "{unknown}");
            assert!(!to.exists());
            // A link is in the way too, wherever it leads.
            std::os::unix::fs::symlink(folder.path().join("nowhere"), &to).unwrap();
            assert!(refused(&order(&["--reason", "audit"])).contains("exists already"));
            assert!(!folder.path().join("tables.part").exists());
            std::fs::remove_file(&to).unwrap();

            let said = given(&order(&["--reason", "Yearly report 7"]));
            assert!(said.contains(&format!("patient: {} rows", all - 1)), "{said}");
            assert!(said.contains("NOT encrypted"), "{said}");
            for table in ["patient", "observation", "claim"] {
                let file = std::fs::read(to.join(format!("{table}/{table}.parquet"))).unwrap();
                assert!(file.starts_with(b"PAR1"), "{table}");
                for id in &people {
                    let id = id.as_bytes();
                    assert!(!file.windows(id.len()).any(|bytes| bytes == id), "{table}");
                }
            }
            let about = std::fs::read_to_string(to.join("README.txt")).unwrap();
            assert!(
                about.contains("NOT ENCRYPTED") && about.contains("Yearly report 7"),
                "{about}"
            );
            let log = opened(path(&home));
            let entries = log
                .history(&HistoryOf::Type("AuditEvent"), Seq::MAX, i64::MIN, 99)
                .unwrap()
                .into_iter()
                .filter(|entry| entry.text.contains("reason: Yearly report 7"))
                .count();
            assert_eq!(entries, 1, "it is in the audit");
            drop(log);

            // Nothing is overwritten, and one table may be had by itself.
            let before = std::fs::read(to.join("README.txt")).unwrap();
            assert!(refused(&order(&["--reason", "again"])).contains("exists already"));
            assert_eq!(std::fs::read(to.join("README.txt")).unwrap(), before);
            std::fs::remove_dir_all(&to).unwrap();
            let one = given(&order(&["--reason", "again", "--table", "encounter"]));
            assert!(one.contains("encounter: ") && !one.contains("patient: "), "{one}");
            assert!(!to.join("patient").exists());
        });
    });
}

#[test]
fn a_node_that_keeps_no_lake_has_nothing_to_hand_out() {
    run(async {
        let setup = Setup { patients: 5, hospitals: 1, config: OFF, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let org = hospitals.all[0].org.clone();
        let folder = hospitals.stop().await;
        block_in_place(|| {
            let (home, to) = (folder.path().join(&org), folder.path().join("tables"));
            let order =
                ["lake", "export", "--dir", path(&home), "--to", path(&to), "--reason", "report"];
            assert!(fails(&order).contains("keeps no lake"));
            assert!(!to.exists());
        });
    });
}

/// The rows of the demo's data set at a hospital, made of its records without the lake.
fn by_hand(hospitals: &Hospitals, hospital: &Hospital, without: &[&str]) -> Frame {
    let (mut ages, mut systolic) = (Vec::new(), Vec::new());
    for known in hospitals.world.persons.iter().filter_map(|person| person.at.get(&hospital.org)) {
        if without.contains(&known.patient_id.as_str()) {
            continue;
        }
        let (mut born, mut last, mut values) = (0, 0, Vec::new());
        for resource in &known.resources {
            let resource: Value = serde_json::from_str(resource).unwrap();
            if resource["resourceType"] == "Patient" {
                born = year(&resource["birthDate"]);
            }
            for part in resource["component"].as_array().into_iter().flatten() {
                if part["code"]["coding"][0]["code"] == "8480-6" {
                    values.push(part["valueQuantity"]["value"].as_f64().unwrap());
                    last = last.max(year(&resource["effectiveDateTime"]));
                }
            }
        }
        if !values.is_empty() {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            ages.push(Some((f64::from(last - born) / 10.0).floor().clamp(0.0, 9.0) * 10.0));
            systolic.push(Some(mean.round().clamp(50.0, 280.0)));
        }
    }
    let columns = [("age", ages), ("systolic", systolic)];
    Frame::new(columns.map(|(name, values)| (name.to_owned(), Column::Number(values))).into())
        .unwrap()
}

/// The year in UTC.
fn year(value: &Value) -> i32 {
    let start = fhir::time::parse(value.as_str().unwrap()).unwrap().start_ms;
    fhir::time::instant(start)[..4].parse().unwrap()
}

fn together(frames: &[Frame]) -> Frame {
    let all = |name: &str| {
        let values = frames.iter().flat_map(|frame| match frame.column(name).unwrap() {
            Column::Number(values) => values.clone(),
            Column::Category(_) => panic!("numbers"),
        });
        (name.to_owned(), Column::Number(values.collect()))
    };
    Frame::new(vec![all("age"), all("systolic")]).unwrap()
}

#[test]
fn a_data_set_by_sql_answers_what_the_records_say_and_nobody_who_opted_out() {
    run(async {
        let setup = Setup { patients: 60, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        for hospital in &hospitals.all {
            let made = catalog::query::register(&hospital.app, None, datasets::draft()).await;
            let by_hand = by_hand(&hospitals, hospital, &[]);
            assert_eq!(made.unwrap().rows, by_hand.rows(), "{}", hospital.org);
        }
        let first = &hospitals.all[0];
        let plan =
            projects::Draft { dataset: datasets::NAME.into(), min_rows: 10, ..draft(&hospitals) };
        let project = project_of(&hospitals, plan, &APPROVED).await;
        let researcher = caller(&first.app, "researcher");
        let mut dictionary = datasets::draft().dictionary;
        dictionary.variables.retain(|one| ["age", "systolic"].contains(&one.name.as_str()));
        let formula = Formula::parse("linear(systolic) ~ age").unwrap();
        let analysis = Analysis::Regression(Regression::new(formula));
        let asked = Question { dictionary, most_rows: 1_000, analysis };
        let answered = async |without: &[&str]| {
            let id = block_in_place(|| ask(&first.app, &researcher, &project, &asked)).unwrap();
            let standing = ended(&first.app, &id).await;
            let Some(End::Answered(answer)) = &standing.end else { panic!("{standing:?}") };
            let rows: Vec<Frame> =
                hospitals.all.iter().map(|one| by_hand(&hospitals, one, without)).collect();
            let rows = together(&rows);
            assert_eq!((answer.n, answer.sites), (rows.rows() as u64, 3));
            let (found, open) = (model(answer.finding.clone()), pooled(&asked, &rows));
            for (one, other) in found.coefficients.iter().zip(open.coefficients) {
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
                assert!(near(one.estimate, other.estimate), "{one:?} {other:?}");
                assert!(near(one.se.unwrap(), other.se.unwrap()), "{one:?} {other:?}");
            }
        };
        answered(&[]).await;

        // Somebody decides otherwise: the next question is without them, whatever was made before.
        let third = &hospitals.all[2];
        let by_one = by_hand(&hospitals, third, &[]).rows();
        let people = patients(&hospitals, third);
        // Nobody's decision is on its way to another hospital meanwhile.
        let is_here_alone = |id: &str| {
            let of = hospitals.world.persons.iter().find(|person| {
                person.at.get(&third.org).is_some_and(|known| known.patient_id == id)
            });
            of.is_some_and(|person| person.at.len() == 1)
        };
        let leaves = people
            .iter()
            .filter(|id| is_here_alone(id.as_str()))
            .find(|id| by_hand(&hospitals, third, &[id.as_str()]).rows() < by_one)
            .unwrap();
        third.patient(leaves).await.create(&said(leaves, "deny")).await;
        answered(&[leaves.as_str()]).await;
        hospitals.stop().await;
    });
}

#[test]
fn a_data_set_holds_what_its_dictionary_lists_and_is_made_anew_when_asked() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 20, hospitals: 1, ..Setup::default() });
        let hospitals = hospitals.await;
        let hospital = &hospitals.all[0];
        let operator = hospital.signed_in(Role::Operator).await;
        let path = "/research/datasets/people";
        let dictionary = |max: u32, levels: &[&str]| {
            json!({"variables": [
                {"name": "year", "kind": "number", "min": 1850, "max": max},
                {"name": "sex", "kind": "category", "levels": levels},
            ]})
        };
        let sql = "SELECT date_part('year', birth_date) AS year, gender AS sex FROM patient";
        let set =
            |dictionary: Value| json!({"title": "People", "sql": sql, "dictionary": dictionary});
        // Names of variables are told, and no value.
        for (dictionary, told) in [
            (dictionary(1900, &["female", "male"]), "`year`"),
            (dictionary(2100, &["female"]), "`sex`"),
        ] {
            let refused = operator.put(path, &set(dictionary)).await.expect(400).issue().1;
            assert!(refused.contains(told), "{refused}");
            assert!(!refused.contains("male") && !refused.contains("19"), "{refused}");
        }
        let mut open = dictionary(2100, &["female", "male"]);
        open["variables"][0].as_object_mut().unwrap().remove("max");
        let refused = operator.put(path, &set(open)).await.expect(400).issue().1;
        assert!(refused.contains("least and its greatest"), "{refused}");
        let both = json!({"title": "x", "sql": sql, "csv": "a\n1\n"});
        operator.put(path, &both).await.expect(400);
        let unknown = json!({
            "title": "x", "sql": "SELECT a FROM nothing", "dictionary": dictionary(2100, &["male"]),
        });
        let refused = operator.put(path, &unknown).await.expect(400).issue().1;
        assert!(refused.starts_with("rule unknown"), "{refused}");

        let sound = dictionary(2100, &["female", "male"]);
        let made = operator.put(path, &set(sound)).await.expect(200).json();
        let people = patients(&hospitals, hospital).len();
        assert_eq!(
            (made["rows"].as_u64(), text(&made["sql"]).as_str()),
            (Some(people as u64), sql)
        );
        // Somebody is born, and is in it when it is made anew.
        let clinician = hospital.signed_in(Role::Clinician).await;
        let born = json!({"resourceType": "Patient", "gender": "male", "birthDate": "2026-01-02"});
        clinician.create(&born).await;
        let refreshed = operator.post(&format!("{path}/refresh"), &json!({})).await.expect(200);
        assert_eq!(refreshed.json()["rows"], people + 1);
        // One that cannot be made anew stays as it was.
        let other =
            json!({"resourceType": "Patient", "gender": "other", "birthDate": "2026-01-02"});
        clinician.create(&other).await;
        let refused = operator.post(&format!("{path}/refresh"), &json!({})).await.expect(400);
        assert!(refused.text.contains("`sex`"), "{}", refused.text);
        let sets = operator.get("/research/datasets").await.expect(200).json();
        assert_eq!(sets["datasets"][0]["rows"], people + 1);
        // A table that was handed in is not made of anything.
        let table = json!({"title": "A trial", "csv": "age\n70\n"});
        operator.put("/research/datasets/trial", &table).await.expect(200);
        operator.post("/research/datasets/trial/refresh", &json!({})).await.expect(409);
        hospitals.stop().await;
    });
}

#[test]
fn a_node_without_a_lake_says_so() {
    run(async {
        let setup = Setup { patients: 5, hospitals: 1, config: OFF, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let operator = hospital.signed_in(Role::Operator).await;
        let refused = operator.get("/research/views").await.expect(409).issue().1;
        assert!(refused.contains("keeps no lake"), "{refused}");
        let figures = operator.get("/operate/figures").await.expect(200).json();
        assert!(figures["lake"].is_null(), "{figures}");
        let researcher = Reader::new(hospital, hospital.signed_in(Role::Researcher).await);
        let page = researcher.get("/workspace").await.expect(200).text;
        assert!(page.contains("keeps no lake"), "{page}");
        assert!(!hospitals.home(hospital).join("lake").exists());
        hospitals.stop().await;
    });
}

#[test]
fn the_workspace_answers_by_forms() {
    run(async {
        let setup = Setup { patients: 60, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let researcher = Reader::new(hospital, hospital.signed_in(Role::Researcher).await);
        let project = approved(&hospitals, &researcher.client, &["sql"]).await;
        current(&hospital.app).await.unwrap();
        let home = researcher.get("/workspace").await.expect(200).text;
        let path = format!("/workspace/{project}");
        assert!(home.contains(&path) && home.contains("Who has high pressure"), "{home}");
        let begun = researcher.get(&format!("{path}?example=0")).await.expect(200).text;
        assert!(begun.contains("GROUP BY gender"), "an example is there to be changed: {begun}");
        assert!(begun.contains("observation_component") && begun.contains("birth_date"), "{begun}");

        let sql = "SELECT gender, count(*) AS people FROM patient GROUP BY gender";
        let found = researcher.post(&path, &[("sql", sql)]).await.expect(200).text;
        assert!(found.contains("<svg") && found.contains("data-label=\"people\""), "{found}");
        assert!(found.contains("fewer than"), "{found}");
        let file = researcher.post(&path, &[("sql", sql), ("as", "csv")]).await.expect(200).text;
        assert!(file.starts_with("gender,people\r\n") && file.contains("male,"), "{file}");
        // What is refused names its rule, and what was typed is there.
        let refused = researcher.post(&path, &[("sql", "SELECT city FROM patient")]).await;
        let refused = refused.expect(200).text;
        assert!(
            refused.contains("role=\"alert\"") && refused.contains("not_aggregated"),
            "{refused}"
        );
        assert!(refused.contains("SELECT city FROM patient"), "{refused}");
        let empty = researcher.post(&path, &[("sql", " ")]).await.expect(200).text;
        assert!(empty.contains("aria-invalid"), "{empty}");
        // Nobody else has the page.
        let other = Reader::new(hospital, hospital.signed_in(Role::Researcher).await);
        other.get(&path).await.expect(404);
        other.post(&path, &[("sql", sql)]).await.expect(404);
        let clinician = Reader::new(hospital, hospital.signed_in(Role::Clinician).await);
        clinician.get("/workspace").await.expect(404);
        hospitals.stop().await;
    });
}
