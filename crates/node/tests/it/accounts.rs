//! Accounts through the doors by which operators change them, and what the directory says of them.

use std::sync::atomic::Ordering;

use app::accounts::change::Change;
use app::accounts::{change, start};
use consilium_node::accounts::Asked;
use consilium_node::members::{Order, confidential};
use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::accountability::Browser;
use crate::client::{Account, Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, clock, run, shared};

const PAGE: &str = "/operator/accounts";

/// What stands in the element with this id.
fn shown(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("id=\"{id}\">")).unwrap_or_else(|| panic!("{page}"));
    rest.split_once('<').unwrap().0.replace(' ', "")
}

async fn patch(client: &Client, username: &str, change: &Value) -> crate::client::Answer {
    let path = format!("/auth/accounts/{username}");
    client.send(Method::PATCH, &path, Some(change.to_string()), &[]).await
}

/// The roles of a Practitioner, the oldest first.
async fn roles(client: &Client, practitioner: &str) -> Vec<Value> {
    let path = format!("/fhir/PractitionerRole?practitioner={practitioner}");
    let found = client.get(&path).await.expect(200).json();
    let entries = found["entry"].as_array().cloned().unwrap_or_default();
    let mut roles: Vec<Value> = entries.iter().map(|one| one["resource"].clone()).collect();
    roles.sort_by_key(|role| text(&role["period"]["start"]));
    roles
}

fn code(role: &Value) -> String {
    text(&role["code"][0]["coding"][0]["code"])
}

async fn signs_in(hospital: &Hospital, account: &Account) -> (u16, Value) {
    let totp = identity::code_at(&account.secret, hospital.app.now_ms());
    let body = json!({"username": account.username, "password": account.password, "totp": totp});
    let mut answer = hospital.stranger().post("/auth/session", &body).await;
    while answer.status == 503 {
        answer = hospital.stranger().post("/auth/session", &body).await;
    }
    let said = if answer.status == 200 { answer.json() } else { Value::Null };
    (answer.status, said)
}

#[test]
fn an_account_made_by_page_is_in_the_directory_and_each_of_its_roles_with_it() {
    run(async {
        let (clock, ahead) = clock();
        let setup = Setup { hospitals: 1, patients: 1, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let operator = Browser::of(hospital, Role::Operator).await;
        let fields = [
            ("username", "ada"),
            ("name", "Dr. Ada Ek"),
            ("role", "clinician"),
            ("specialty", "Paediatrics"),
        ];
        let (status, page) = operator.sent(PAGE, PAGE, &fields).await;
        assert_eq!(status, 200);
        let ada = Account {
            username: shown(&page, "made-username"),
            password: shown(&page, "made-password"),
            secret: shown(&page, "made-secret"),
        };
        // A second one of this name is refused beside the form, which keeps what was typed.
        let (status, again) = operator.sent(PAGE, PAGE, &fields).await;
        assert!(status == 200 && again.contains("role=\"alert\"") && again.contains("Dr. Ada Ek"));
        assert!(!again.contains("made-password") && !again.contains(&ada.password));

        let (status, session) = signs_in(hospital, &ada).await;
        assert_eq!(status, 200);
        let who = text(&session["fhirUser"]);
        let who = who.strip_prefix(&format!("{}/fhir/", hospital.base)).unwrap().to_owned();
        assert!(who.starts_with("Practitioner/account-"), "{who}");
        let client = hospital.stranger().holding(&text(&session["token"]));
        let practitioner = client.get(&format!("/fhir/{who}")).await.expect(200).json();
        assert_eq!(
            (&practitioner["name"][0]["text"], &practitioner["active"]),
            (&json!("Dr. Ada Ek"), &json!(true))
        );
        let held = roles(&client, &who).await;
        let [role] = held.as_slice() else { panic!("{held:?}") };
        assert_eq!((code(role), &role["active"]), ("clinician".to_owned(), &json!(true)));
        assert_eq!(role["code"][0]["coding"][1]["code"], "PROV");
        assert_eq!(role["specialty"][0]["text"], "Paediatrics");
        let organisation = text(&role["organization"]["reference"]);
        client.get(&format!("/fhir/{organisation}")).await.expect(200);
        let lookup = format!(
            "/fhir/CodeSystem/$lookup?system={}&code=clinician",
            text(&role["code"][0]["coding"][0]["system"])
        );
        assert!(client.get(&lookup).await.expect(200).text.contains("Clinician"));
        let person = format!("/fhir/Person?link={who}");
        let person = operator.client.get(&person).await.expect(200).json();
        assert_eq!(
            (&person["total"], &person["entry"][0]["resource"]["link"][0]["assurance"]),
            (&json!(1), &json!("level3"))
        );

        // Another role: the session is void, the role that was held ends, and both stand.
        ahead.fetch_add(60_000, Ordering::SeqCst);
        let changed =
            patch(&operator.client, "ada", &json!({"role": "registrar"})).await.expect(200);
        assert_eq!(changed.json()["specialty"], "Paediatrics");
        client.get(&format!("/fhir/{who}")).await.expect(401);
        let held = roles(&operator.client, &who).await;
        let ends = |role: &Value| role["period"]["end"].is_string();
        let told: Vec<_> = held.iter().map(|r| (code(r), ends(r), r["active"] == true)).collect();
        assert_eq!(told, [("clinician".into(), true, false), ("registrar".into(), false, true)]);
        let history = format!("/fhir/PractitionerRole/{}/_history", text(&held[0]["id"]));
        let history = operator.client.get(&history).await.expect(200).json();
        assert_eq!(history["total"], 2);
        let active = history["entry"].as_array().unwrap().iter();
        let active: Vec<_> = active.map(|one| one["resource"]["active"] == true).collect();
        assert_eq!(active, [false, true]);
        ahead.fetch_add(60_000, Ordering::SeqCst);
        let (_, session) = signs_in(hospital, &ada).await;
        let client = hospital.stranger().holding(&text(&session["token"]));
        client.get("/fhir/Patient?_count=1").await.expect(200);
        client.get("/fhir/Observation?_count=1").await.expect(403);

        // Closed by page, and open again.
        let one = format!("{PAGE}/ada");
        assert!(operator.page(&one).await.contains("Dr. Ada Ek"));
        ahead.fetch_add(60_000, Ordering::SeqCst);
        let state = format!("{one}/state");
        assert_eq!(operator.send(&one, &state, &[("to", "disabled")]).await, 303);
        client.get("/fhir/Patient?_count=1").await.expect(401);
        assert_eq!(signs_in(hospital, &ada).await.0, 401);
        let held = roles(&operator.client, &who).await;
        assert!(held.len() == 2 && held.iter().all(|role| ends(role) && role["active"] == false));
        let made = operator.client.get(&format!("/fhir/{who}")).await.expect(200).json();
        assert_eq!(made["active"], false);
        assert_eq!(operator.send(&one, &state, &[("to", "open")]).await, 303);
        let held = roles(&operator.client, &who).await;
        assert_eq!((held.len(), ends(&held[2]), code(&held[2])), (3, false, "registrar".into()));

        // It is in the audit, without names and secrets.
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let log = officer.get("/fhir/AuditEvent?_count=200").await.expect(200).text;
        for said in [
            "made as clinician",
            "is registrar and was clinician",
            "may not sign in any more",
            "may sign in again",
        ] {
            assert!(log.contains(said), "{said}");
        }
        for secret in [&ada.password, &ada.secret, &"Paediatrics".to_owned()] {
            assert!(!log.contains(secret.as_str()));
        }
        drop(hospitals.stop().await);
    });
}

#[test]
fn what_follows_an_account_is_written_by_nobody_else() {
    run(async {
        let hospital = &shared().await.all[0];
        let operator = hospital.signed_in(Role::Operator).await;
        let new = json!({"username": "kept", "name": "Kept One", "role": "clinician"});
        let made = operator.post("/auth/accounts", &new).await.expect(201).json();
        let device = json!({"username": "kept-program", "name": "Export", "role": "service"});
        let device = operator.post("/auth/accounts", &device).await.expect(201).json();
        let who = text(&made["practitioner"]);
        let clinician = hospital.signed_in(Role::Clinician).await;
        let held = roles(&clinician, &who).await;
        let role = format!("PractitionerRole/{}", text(&held[0]["id"]));
        for reference in [&role, &text(&made["resource"]), &text(&device["resource"]), &who] {
            let path = format!("/fhir/{reference}");
            let stands = clinician.get(&path).await.expect(200).json();
            let (kind, id) = reference.split_once('/').unwrap();
            let mut other = stands.clone();
            other["active"] = json!(false);
            if kind == "Device" {
                other.as_object_mut().unwrap().remove("active");
                other["status"] = json!("inactive");
            }
            clinician.put(&path, &other).await.expect(403);
            let patch = json!([{"op": "add", "path": "/identifier/-", "value": {"value": "x"}}]);
            let kind_of = [("content-type", "application/json-patch+json")];
            let patched =
                clinician.send(Method::PATCH, &path, Some(patch.to_string()), &kind_of).await;
            patched.expect(403);
            clinician.delete(&path).await.expect(403);
            let condition = format!("/fhir/{kind}?_id={id}");
            clinician.put(&condition, &other).await.expect(403);
            clinician.delete(&condition).await.expect(403);
            for (method, url) in [
                ("PUT", reference.clone()),
                ("DELETE", reference.clone()),
                ("PUT", format!("{kind}?_id={id}")),
            ] {
                let mut entry = json!({"request": {"method": method, "url": url}});
                if method == "PUT" {
                    entry["resource"] = other.clone();
                }
                let bundle =
                    json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
                clinician.post("/fhir", &bundle).await.expect(403);
            }
            let mut invented = other.clone();
            invented["id"] = json!("account-0000000000000000000000000000000000000000");
            let place = format!("/fhir/{kind}/account-0000000000000000000000000000000000000000");
            clinician.put(&place, &invented).await.expect(403);
            let line = other.to_string().into_bytes();
            let report = block_in_place(|| {
                app::records::import::Import::new(&hospital.app).take_lines("x", vec![line])
            });
            assert_eq!((report.as_ref().unwrap().stored, report.unwrap().refused.len()), (0, 1));
            assert_eq!(clinician.get(&path).await.expect(200).json(), stands, "{reference}");
        }
        // Whoever may write a Practitioner completes the one that the node made.
        let path = format!("/fhir/{who}");
        let mut complete = clinician.get(&path).await.expect(200).json();
        complete["telecom"] = json!([{"system": "phone", "value": "555 0100"}]);
        complete["qualification"] = json!([{"code": {"text": "MD"}}]);
        clinician.put(&path, &complete).await.expect(200);
        patch(&operator, "kept", &json!({"name": "Kept Two"})).await.expect(200);
        let renamed = clinician.get(&path).await.expect(200).json();
        assert_eq!(
            (&renamed["name"][0]["text"], &renamed["qualification"]),
            (&json!("Kept Two"), &complete["qualification"])
        );
    });
}

#[test]
fn everybody_sees_the_directory_and_of_persons_what_is_theirs() {
    run(async {
        let hospital = &shared().await.all[0];
        let operator = hospital.signed_in(Role::Operator).await;
        let mut made = Vec::new();
        for role in ["proxy", "steward", "clinician"] {
            let new = json!({"username": format!("sees-{role}"), "name": role, "role": role});
            made.push(operator.post("/auth/accounts", &new).await.expect(201).json());
        }
        let account = |made: &Value| Account {
            username: text(&made["username"]),
            password: text(&made["password"]),
            secret: text(&made["totp_secret"]),
        };
        let [proxy, steward, clinician] = [&made[0], &made[1], &made[2]];
        let (_, session) = signs_in(hospital, &account(proxy)).await;
        let own = text(&proxy["resource"]);
        assert_eq!(session["fhirUser"], json!(format!("{}/fhir/{own}", hospital.base)));
        for (one, other) in [(proxy, steward), (steward, proxy)] {
            let client = Client::sign_in(&hospital.base, &account(one), None).await;
            let (own, other) = (text(&one["resource"]), text(&other["resource"]));
            client.get(&format!("/fhir/{own}")).await.expect(200);
            client.get(&format!("/fhir/{other}")).await.expect(404);
            client.get(&format!("/fhir/{other}/_history")).await.expect(404);
            let id = own.strip_prefix("Person/").unwrap();
            assert_eq!(client.found("Person").await, [id]);
            let count = client.get("/fhir/Person?_summary=count").await.expect(200).json();
            assert_eq!(count["total"], 1);
            client
                .put(&format!("/fhir/{own}"), &json!({"resourceType": "Person", "id": id}))
                .await
                .expect(403);
        }
        // Other Persons say who patients are: operators and officers see those of accounts alone.
        let registrar = hospital.signed_in(Role::Registrar).await;
        let private = json!({"resourceType": "Person", "name": [{"family": "Secretname"}],
            "link": [{"target": {"reference": text(&clinician["practitioner"])}}]});
        let private = registrar.create(&private).await;
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        for client in [&operator, &officer] {
            client.get(&format!("/fhir/{}", text(&clinician["resource"]))).await.expect(200);
            client.get(&format!("/fhir/Person/{private}")).await.expect(404);
            let found = client.found("Person").await;
            assert!(!found.contains(&private) && found.len() >= 3, "{found:?}");
            assert_eq!(client.found("Person?name=secretname").await, Vec::<String>::new());
            let chain = "Practitioner?_has:Person:link:name=secretname";
            assert_eq!(client.found(chain).await, Vec::<String>::new());
            let back = format!(
                "/fhir/Practitioner?_id={}&_revinclude=Person:link",
                text(&clinician["practitioner"]).strip_prefix("Practitioner/").unwrap()
            );
            assert!(!client.get(&back).await.expect(200).text.contains("Secretname"));
            client.get("/fhir/Practitioner?_has:Observation:performer:code=x").await.expect(403);
            client.get("/fhir/Patient?_count=1").await.expect(403);
        }
        assert!(registrar.found("Person?name=secretname").await.contains(&private));
        for role in [Role::Steward, Role::CouncilMember] {
            let client = hospital.signed_in(role).await;
            client.get(&format!("/fhir/{}", text(&clinician["practitioner"]))).await.expect(200);
            client.get("/fhir/PractitionerRole?role=clinician&_count=1").await.expect(200);
            client.get("/auth/accounts").await.expect(403);
        }
    });
}

#[test]
fn an_operator_has_to_be_there_and_does_not_make_itself_somebody_else() {
    run(async {
        let (clock, ahead) = clock();
        let setup = Setup { hospitals: 1, patients: 1, clock, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let account = hospital.account(Role::Operator, None);
        let name = account.username.as_str();
        let operator = Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        patch(&operator, name, &json!({"role": "clinician"})).await.expect(403);
        patch(&operator, name, &json!({"disabled": true})).await.expect(403);
        operator.post(&format!("/auth/accounts/{name}/recover"), &json!({})).await.expect(403);
        // Nobody else is left: not even at the node's folder.
        let end = Change { disabled: Some(true), ..Change::default() };
        let refused = block_in_place(|| change::change(&hospital.app, None, name, &end));
        assert_eq!(refused.unwrap_err().rule.as_deref(), Some("last-operator"));
        let faults = [
            json!({"username": "x y", "name": "x", "role": "clinician"}),
            json!({"username": "x", "name": "", "role": "clinician"}),
            json!({"username": "x", "name": "x", "role": "king"}),
            json!({"username": "x", "name": "x", "role": "patient"}),
            json!({"username": "x", "name": "x", "role": "patient", "patient": "nowhere"}),
            json!({"username": "x", "name": "x", "role": "clinician", "practitioner": "Practitioner/nowhere"}),
            json!({"username": "x", "name": "x", "role": "proxy", "specialty": "Paediatrics"}),
            json!({"username": "x", "name": "x", "role": "clinician", "specialty": "a|b"}),
        ];
        for fault in &faults {
            operator.post("/auth/accounts", fault).await.expect(422);
        }
        let other = json!({"username": "other", "name": "Other", "role": "operator"});
        let other = operator.post("/auth/accounts", &other).await.expect(201).json();
        operator
            .post("/auth/accounts", &json!({"username": "other", "name": "x", "role": "proxy"}))
            .await
            .expect(409);
        patch(&operator, "nobody", &json!({"name": "x"})).await.expect(404);
        let again = operator.post("/auth/accounts/other/recover", &json!({})).await.expect(200);
        let again = again.json();
        let body = json!({"username": "other", "password": again["password"],
            "totp": again["recovery_code"]});
        hospital.stranger().post("/auth/session", &body).await.expect(200);
        assert_ne!(again["password"], other["password"]);
        // A second factor of more than five minutes ago changes nothing, and reads.
        ahead.fetch_add(301_000, Ordering::SeqCst);
        let refused = patch(&operator, "other", &json!({"disabled": true})).await.expect(401);
        assert!(refused.header("www-authenticate").contains("insufficient_user_authentication"));
        let listed = operator.get("/auth/accounts?q=OTH").await.expect(200).json();
        assert_eq!(
            (&listed["total"], &listed["accounts"][0]["disabled"]),
            (&json!(1), &json!(false))
        );
        drop(hospitals.stop().await);
    });
}

#[test]
fn accounts_of_before_come_into_the_directory_once_and_stay_signed_in() {
    run(async {
        let setup = Setup { hospitals: 1, patients: 1, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let own = hospitals.world.persons[0].at[&hospital.org].patient_id.clone();
        let clinician = hospital.signed_in(Role::Clinician).await;
        let patient = hospital.patient(&own).await;
        hospital.account(Role::Service, None);
        assert_eq!(block_in_place(|| start::bring_up(&hospital.app)).unwrap(), 3);
        let seq = hospital.app.store().newest().record();
        assert_eq!(block_in_place(|| start::bring_up(&hospital.app)).unwrap(), 0);
        assert_eq!(hospital.app.store().newest().record(), seq);
        let of_accounts = format!("identifier=urn:consilium:org:{}|", hospital.org);
        let role = format!("PractitionerRole?active=true&{of_accounts}");
        assert_eq!(clinician.found(&role).await.len(), 1);
        let link = format!("Person?link=Patient/{own}");
        assert_eq!(clinician.found(&link).await.len(), 1);
        assert_eq!(patient.found("Person").await.len(), 1);
        // For whom else somebody acts is no part of what is shared of their record.
        let record = format!("/fhir/Patient/{own}/$longitudinal-record");
        let record = patient.get(&record).await.expect(200).text;
        assert!(record.contains("Observation") && !record.contains("account-"), "{record}");
        let program = format!("Device?status=active&{of_accounts}");
        assert_eq!(clinician.found(&program).await.len(), 1);
        drop(hospitals.stop().await);
    });
}

#[test]
fn the_terminal_asks_a_node_that_runs_and_its_answer_is_sealed() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let home = hospitals.home(hospital);
        let asked = Asked::Add {
            username: "terminal".into(),
            name: "From the terminal".into(),
            role: "privacy-officer".into(),
            patient: None,
            practitioner: None,
            specialty: None,
        };
        let patience = std::time::Duration::from_secs(60);
        let order = Order::Account { asked };
        let answer = block_in_place(|| confidential(&home, &order, patience)).unwrap().unwrap();
        assert!(answer.done, "{}", answer.message);
        let line = |name: &str| {
            let found = answer.message.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap().trim().to_owned()
        };
        let account = Account {
            username: line("username"),
            password: line("password"),
            secret: line("one-time code secret"),
        };
        assert_eq!(signs_in(hospital, &account).await.0, 200);
        let again = block_in_place(|| confidential(&home, &order, patience)).unwrap().unwrap();
        assert!(!again.done && again.message.contains("taken"));
        assert!(std::fs::read_dir(home.join("orders")).unwrap().next().is_none());
        let list = Order::Account {
            asked: Asked::List { search: "terminal".into(), role: Some("privacy-officer".into()) },
        };
        let listed = block_in_place(|| confidential(&home, &list, patience)).unwrap().unwrap();
        assert!(listed.done && listed.message.starts_with("terminal "), "{}", listed.message);
    });
}
