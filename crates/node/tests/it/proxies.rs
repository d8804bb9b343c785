//! People who act for a patient, through the doors that they and the patient use: a mother and her
//! daughter at 11, 12 and 18, a son whom his father chose, a guardian appointed by a court; and what
//! none of them is ever shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crypto::jwk::{Algorithm, KeySet, verify};
use identity::Role;
use jiff::{Span, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::app_client::{App, Reply};
use crate::client::{Account, Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, clock, run};

/// Where the hospital's days begin: thirteen or fourteen hours before those of UTC.
const CONFIG: &[(&str, &str)] = &[("time_zone = \"\"", "time_zone = \"Pacific/Apia\"")];
pub(crate) const MINUTE_MS: u64 = 60_000;

/// A hospital at five minutes to its midnight, and somebody who turns its clock.
pub(crate) async fn hospital() -> (Hospitals, Arc<AtomicU64>) {
    hospital_with(CONFIG).await
}

pub(crate) async fn hospital_with(
    config: &'static [(&'static str, &'static str)],
) -> (Hospitals, Arc<AtomicU64>) {
    let (clock, ahead) = clock();
    let now = clock();
    let day = 24 * 60 * MINUTE_MS;
    let of_day = (u64::try_from(now).unwrap() + 13 * 60 * MINUTE_MS) % day;
    ahead.store((2 * day - 5 * MINUTE_MS - of_day) % day, Ordering::SeqCst);
    let setup = Setup { hospitals: 1, patients: 3, config, clock, ..Setup::default() };
    (Hospitals::start(setup).await, ahead)
}

/// The day that begins there in five minutes, `years` years ago.
pub(crate) fn born(hospital: &Hospital, years: i64) -> String {
    let now = Timestamp::from_millisecond(hospital.app.now_ms()).unwrap();
    // Samoa has had no summer time since 2021.
    let there = TimeZone::fixed(jiff::tz::offset(13));
    let tomorrow = now.to_zoned(there).date().tomorrow().unwrap();
    tomorrow.checked_sub(Span::new().years(years)).unwrap().to_string()
}

/// A patient with one ordinary and one delicate diagnosis, and a result of each kind.
pub(crate) struct Someone {
    pub id: String,
    pub cough: String,
    pub depression: String,
    pub glucose: String,
    pub pregnancy: String,
}

impl Someone {
    pub async fn known_at(hospital: &Hospital, name: &str, born: &str) -> Self {
        let clinician = hospital.signed_in(Role::Clinician).await;
        let registrar = hospital.signed_in(Role::Registrar).await;
        let patient = json!({"resourceType": "Patient", "birthDate": born,
            "name": [{"family": "Okoro", "given": [name]}]});
        let id = registrar.create(&patient).await;
        let subject = json!({"reference": format!("Patient/{id}")});
        let label = |code: &str| {
            json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": code}]})
        };
        let labelled = |mut resource: Value, code: Option<&str>| {
            if let Some(code) = code {
                resource["meta"] = label(code);
            }
            resource
        };
        let condition = |words: &str, code| {
            let one = json!({"resourceType": "Condition", "subject": subject,
                "code": {"text": words}});
            labelled(one, code)
        };
        let observation = |words: &str, code| {
            let one = json!({"resourceType": "Observation", "status": "final",
                "subject": subject, "code": {"text": words}, "valueString": "seen"});
            labelled(one, code)
        };
        Self {
            cough: clinician.create(&condition("Cough", None)).await,
            depression: clinician.create(&condition("Depression", Some("MH"))).await,
            glucose: clinician.create(&observation("Glucose", None)).await,
            pregnancy: clinician.create(&observation("Pregnancy test", Some("SEX"))).await,
            id,
        }
    }
}

/// What a signed-in client sees of diagnoses and results, by every door that lists.
pub(crate) async fn seen(client: &Client, patient: &str) -> Vec<String> {
    let mut by_search = client.found("Condition").await;
    by_search.extend(client.found("Observation").await);
    by_search.sort();
    let all = client.get(&format!("/fhir/Patient/{patient}/$everything")).await.expect(200).json();
    let entries = all["entry"].as_array().cloned().unwrap_or_default();
    let kinds = ["Condition", "Observation"];
    let of_kind = entries.iter().map(|entry| &entry["resource"]);
    let of_kind = of_kind.filter(|one| kinds.iter().any(|kind| one["resourceType"] == *kind));
    let mut by_everything: Vec<String> = of_kind.map(|one| text(&one["id"])).collect();
    by_everything.sort();
    assert_eq!(by_search, by_everything);
    let query = "{ConditionList{id} ObservationList{id}}";
    let graph = client.post("/fhir/$graphql", &json!({"query": query})).await.expect(200).json();
    let lists = ["ConditionList", "ObservationList"].map(|list| graph["data"][list].clone());
    let ids = lists.iter().flat_map(|list| list.as_array().cloned().unwrap_or_default());
    let mut by_graph: Vec<String> = ids.map(|one| text(&one["id"])).collect();
    by_graph.sort();
    assert_eq!(by_search, by_graph);
    let count = client.get("/fhir/Condition?_summary=count").await.expect(200).json();
    let some = client.found("Condition").await.len();
    assert_eq!(count["total"], json!(some));
    by_search
}

pub(crate) fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

pub(crate) async fn signed_in(hospital: &Hospital, account: &Account) -> Client {
    Client::sign_in(&hospital.base, account, Some(hospital.app.now_ms())).await
}

/// For whom the account may act, as RelatedPersons.
pub(crate) async fn may_act_as(client: &Client) -> Vec<String> {
    let told = client.get("/auth/acting").await.expect(200).json();
    let list = told["for"].as_array().cloned().unwrap_or_default();
    list.iter().map(|one| text(&one["relatedPerson"])).collect()
}

/// Acts from now on for the one patient that there is.
pub(crate) async fn acts(client: &Client) -> String {
    let all = may_act_as(client).await;
    let [related] = all.as_slice() else { panic!("acts for {} patients", all.len()) };
    client.put("/auth/acting", &json!({"relatedPerson": related})).await.expect(200);
    related.clone()
}

/// The privacy officer records somebody on evidence.
pub(crate) async fn recorded(
    hospital: &Hospital,
    browser: &App<'_>,
    patient: &str,
    (who, relationship, basis): (&Account, &str, &str),
) -> Reply {
    let officer = hospital.signed_in(Role::PrivacyOfficer).await;
    let fields = [
        ("patient", patient),
        ("username", &*who.username),
        ("relationship", relationship),
        ("basis", basis),
        ("evidence", "birth certificate 17/2014, seen at the desk"),
    ];
    browser.form(&officer, "/proxies", &fields).await
}

/// The patient invites somebody; the code.
pub(crate) async fn invited(
    browser: &App<'_>,
    patient: &Client,
    fields: &[(&str, &str)],
) -> String {
    let page = browser.form(patient, "/me/proxies", fields).await.expect(200);
    let rest = page.text.split("<strong class=\"code\">").nth(1).expect("a code");
    rest.split('<').next().unwrap().to_owned()
}

/// A mother acts for her daughter of eleven and sees all; on the day the daughter is twelve, what is
/// delicate is kept from her, in the same session, until the daughter permits it.
#[test]
fn a_mother_sees_less_from_the_day_her_daughter_is_twelve() {
    run(async {
        let (hospitals, ahead) = hospital().await;
        let hospital = &hospitals.all[0];
        let child = Someone::known_at(hospital, "Ada", &born(hospital, 12)).await;
        let browser = App::public(hospital, "patient/*.rs");
        let account = hospital.account(Role::Proxy, None);
        recorded(hospital, &browser, &child.id, (&account, "MTH", "parent")).await.expect(303);
        let mother = signed_in(hospital, &account).await;
        // Before she says for whom, she is nobody.
        mother.get("/fhir/Condition").await.expect(403);
        acts(&mother).await;
        let everything =
            sorted(&[&child.cough, &child.depression, &child.glucose, &child.pregnancy]);
        assert_eq!(seen(&mother, &child.id).await, everything);
        let page = browser.page(&mother, "/me/record").await.expect(200);
        assert!(page.text.contains("You are looking at the record of Ada Okoro"), "{}", page.text);

        ahead.fetch_add(10 * MINUTE_MS, Ordering::SeqCst);
        let ordinary = sorted(&[&child.cough, &child.glucose]);
        assert_eq!(seen(&mother, &child.id).await, ordinary);
        mother.get(&format!("/fhir/Condition/{}", child.depression)).await.expect(404);
        mother.get(&format!("/fhir/Observation/{}/_history", child.pregnancy)).await.expect(404);
        let page = browser.page(&mother, "/me/record").await.expect(200);
        assert!(page.text.contains("Cough") && !page.text.contains("Depression"));

        // The daughter reads who looked, in words, and lets her mother see one subject again.
        let daughter = hospital.patient(&child.id).await;
        let log = browser.page(&daughter, "/me/accesses").await.expect(200);
        assert!(log.text.contains("Your mother"), "{}", log.text);
        let related = may_act_as(&mother).await.remove(0);
        let path = format!("/me/proxies/{related}");
        let release = [("do", "limit"), ("release", "mental")];
        browser.form(&daughter, &path, &release).await.expect(303);
        let more = sorted(&[&child.cough, &child.depression, &child.glucose]);
        assert_eq!(seen(&mother, &child.id).await, more);
        hospitals.stop().await;
    });
}

/// On the day of majority a parent's right ends, at once and by itself; so does that of an app.
#[test]
fn a_mothers_right_ends_on_the_day_her_child_is_of_age() {
    run(async {
        let (hospitals, ahead) = hospital().await;
        let hospital = &hospitals.all[0];
        let child = Someone::known_at(hospital, "Ada", &born(hospital, 18)).await;
        let app = App::public(hospital, "openid fhirUser launch/patient patient/*.rs");
        let account = hospital.account(Role::Proxy, None);
        recorded(hospital, &app, &child.id, (&account, "MTH", "parent")).await.expect(303);
        let mother = signed_in(hospital, &account).await;
        let related = acts(&mother).await;
        let ordinary = sorted(&[&child.cough, &child.glucose]);
        assert_eq!(seen(&mother, &child.id).await, ordinary);

        // SMART App Launch 2.2: `patient` is the child, `fhirUser` the RelatedPerson.
        let scope = "openid fhirUser launch/patient patient/*.rs";
        let code = app.code(&mother, scope).await;
        let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
        assert_eq!(tokens["patient"], child.id);
        let keys = hospital.stranger().get("/oauth/keys").await.expect(200);
        let keys = KeySet::parse(&keys.text).unwrap();
        let claims: Value = verify(&text(&tokens["id_token"]), &keys, &[Algorithm::Rs256]).unwrap();
        let own = format!("{}/fhir/RelatedPerson/{related}", hospital.base);
        assert_eq!(claims["fhirUser"], own);
        let program = app.holding(&tokens);
        program.get(&format!("/fhir/RelatedPerson/{related}")).await.expect(200);
        assert_eq!(seen(&program, &child.id).await, ordinary);

        ahead.fetch_add(10 * MINUTE_MS, Ordering::SeqCst);
        mother.get("/fhir/Condition").await.expect(403);
        mother.get(&format!("/fhir/Patient/{}", child.id)).await.expect(403);
        program.get(&format!("/fhir/Patient/{}", child.id)).await.expect(401);
        assert!(may_act_as(&mother).await.is_empty());
        app.page(&mother, "/me/record").await.expect(303);
        // And nobody sets it up again.
        recorded(hospital, &app, &child.id, (&account, "MTH", "parent")).await.expect(200);
        hospitals.stop().await;
    });
}

/// A father chooses his son by a code, keeps two things from him, and ends it while the son and his
/// app are under way. The son, a patient himself, is never shown his own record in its place.
#[test]
fn a_son_whom_his_father_chose_sees_what_he_was_left_and_then_nothing() {
    run(async {
        let (hospitals, _) = hospital().await;
        let hospital = &hospitals.all[0];
        let father_s = Someone::known_at(hospital, "Emeka", "1950-03-02").await;
        let son_s = Someone::known_at(hospital, "Chidi", "1980-07-07").await;
        let father = hospital.patient(&father_s.id).await;
        let account = hospital.account(Role::Patient, Some(&son_s.id));
        let son = signed_in(hospital, &account).await;
        let app = App::public(hospital, "launch/patient patient/*.rs offline_access");
        let chosen = [("relationship", "SON"), ("label", "mental"), ("kind", "results")];
        let code = invited(&app, &father, &chosen).await;
        app.form(&son, "/acting/accept", &[("code", "AAAA-AAAA-AAAA")]).await.expect(200);
        app.form(&father, "/acting/accept", &[("code", &code)]).await.expect(200);
        app.form(&son, "/acting/accept", &[("code", &code)]).await.expect(303);
        // A code is used once.
        app.form(&son, "/acting/accept", &[("code", &code)]).await.expect(200);

        let own = seen(&son, &son_s.id).await;
        assert_eq!(own.len(), 4);
        let related = acts(&son).await;
        assert_eq!(seen(&son, &father_s.id).await, sorted(&[&father_s.cough]));
        son.get(&format!("/fhir/Patient/{}", son_s.id)).await.expect(404);
        let code = app.code(&son, "launch/patient patient/*.rs offline_access").await;
        let tokens = app.post("token", &app.exchange(&code)).await.expect(200).json();
        let program = app.holding(&tokens);
        assert_eq!(seen(&program, &father_s.id).await, sorted(&[&father_s.cough]));

        // The father reads what the node keeps, and nobody writes it by hand.
        let consent = father.get(&format!("/fhir/Consent/{related}")).await.expect(200).json();
        let actor = &consent["provision"]["actor"][0]["reference"]["reference"];
        assert_eq!(*actor, json!(format!("RelatedPerson/{related}")));
        father.put(&format!("/fhir/Consent/{related}"), &consent).await.expect(403);
        let clinician = hospital.signed_in(Role::Clinician).await;
        let path = format!("/fhir/RelatedPerson/{related}");
        let known = clinician.get(&path).await.expect(200).json();
        clinician.put(&path, &known).await.expect(403);
        clinician.delete(&path).await.expect(403);

        let end = [("do", "end")];
        app.form(&father, &format!("/me/proxies/{related}"), &end).await.expect(303);
        son.get("/fhir/Condition").await.expect(403);
        program.get("/fhir/Condition").await.expect(401);
        let again = app.post("token", &app.refresh(&text(&tokens["refresh_token"]))).await;
        assert_eq!(again.expect(400).error(), "invalid_grant");
        // Back to his own affairs he sees his own record.
        son.put("/auth/acting", &json!({})).await.expect(200);
        assert_eq!(seen(&son, &son_s.id).await, own);
        son.put("/auth/acting", &json!({"relatedPerson": related})).await.expect(404);
        hospitals.stop().await;
    });
}

/// A court has appointed a guardian: the officer records it, the patient cannot end it, and the
/// guardian decides about permissions because that was given.
#[test]
fn a_guardian_of_a_court_stays_until_the_officer_ends_it() {
    run(async {
        let (hospitals, _) = hospital().await;
        let hospital = &hospitals.all[0];
        let ward = Someone::known_at(hospital, "Emeka", "1950-03-02").await;
        let account = hospital.account(Role::Proxy, None);
        let browser = App::public(hospital, "patient/*.rs");
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        let fields = [
            ("patient", &*ward.id),
            ("username", &*account.username),
            ("relationship", "GUARD"),
            ("basis", "court"),
            ("consents", "yes"),
        ];
        // Without evidence nothing is recorded.
        browser.form(&officer, "/proxies", &fields).await.expect(200);
        let order = json!({"resourceType": "DocumentReference", "status": "current",
            "subject": {"reference": format!("Patient/{}", ward.id)},
            "content": [{"attachment": {"title": "Order of the court"}}]});
        let order = hospital.signed_in(Role::Clinician).await.create(&order).await;
        let evidence = format!("DocumentReference/{order}");
        let with: Vec<(&str, &str)> =
            fields.into_iter().chain([("evidence", &*evidence)]).collect();
        browser.form(&officer, "/proxies", &with).await.expect(303);
        let guardian = signed_in(hospital, &account).await;
        let related = acts(&guardian).await;
        assert_eq!(seen(&guardian, &ward.id).await.len(), 4);
        let path = format!("/me/proxies/{related}");
        let patient = hospital.patient(&ward.id).await;
        browser.form(&patient, &path, &[("do", "end")]).await.expect(403);
        let decision = [("organisation", "all"), ("decision", "withdraw")];
        browser.form(&guardian, "/me/permissions", &decision).await.expect(303);
        let consents = patient.get("/fhir/Consent").await.expect(200).json();
        let by = format!("RelatedPerson/{related}");
        let all = consents["entry"].as_array().unwrap();
        assert!(all.iter().any(|one| one["resource"]["performer"][0]["reference"] == by));
        // What was withdrawn from institutions does not end what the guardian sees.
        assert_eq!(seen(&guardian, &ward.id).await.len(), 4);
        let end = [("patient", &*ward.id)];
        browser.form(&officer, &format!("/proxies/{related}/end"), &end).await.expect(303);
        guardian.get("/fhir/Condition").await.expect(403);
        hospitals.stop().await;
    });
}

/// By no door does a proxy come to another patient, to who looked, to who else acts, or to what goes
/// on when nobody looks.
#[test]
fn a_proxy_is_refused_at_every_kind_of_door() {
    run(async {
        let (hospitals, _) = hospital().await;
        let hospital = &hospitals.all[0];
        let child = Someone::known_at(hospital, "Ada", &born(hospital, 8)).await;
        let other = Someone::known_at(hospital, "Zora", &born(hospital, 8)).await;
        let account = hospital.account(Role::Proxy, None);
        let browser = App::public(hospital, "patient/*.rs user/*.rs");
        recorded(hospital, &browser, &child.id, (&account, "FTH", "parent")).await.expect(303);
        let friend = hospital.account(Role::Proxy, None);
        recorded(hospital, &browser, &child.id, (&friend, "MTH", "parent")).await.expect(303);
        let father = signed_in(hospital, &account).await;
        let related = acts(&father).await;
        let code = browser.code(&father, "patient/*.rs user/*.rs").await;
        let tokens = browser.post("token", &browser.exchange(&code)).await.expect(200).json();
        let program = browser.holding(&tokens);
        for client in [&father, &program] {
            for path in [
                format!("/fhir/Patient/{}", other.id),
                format!("/fhir/Condition/{}", other.cough),
                format!("/fhir/Condition/{}/_history", other.cough),
                format!("/fhir/Patient/{}/$everything", other.id),
            ] {
                let status = client.get(&path).await.status;
                assert!(matches!(status, 403 | 404), "{path}: {status}");
            }
            for search in [
                format!("Patient/{}/Condition", other.id),
                format!("Condition?subject=Patient/{}", other.id),
                format!("Condition?_id={}", other.cough),
                format!("Patient?_id={}&_revinclude=Condition:subject", other.id),
                "Condition?subject:Patient.given=Zora".to_owned(),
                "Patient?_has:Condition:subject:_id=".to_owned() + &other.cough,
            ] {
                let answer = client.get(&format!("/fhir/{search}")).await;
                if answer.status == 200 {
                    assert!(answer.matches().is_empty(), "{search}");
                    assert!(answer.included().is_empty(), "{search}");
                }
                assert!(matches!(answer.status, 200 | 400 | 403 | 404), "{search}");
            }
            let found = client.found("Condition?_include=Condition:subject").await;
            assert_eq!(found, sorted(&[&child.cough, &child.depression]));
            // Who looked, what was decided, and who else acts is not theirs to see.
            client.get("/fhir/AuditEvent").await.expect(403);
            for closed in ["Consent", "Person", "Task", "Communication", "Provenance", "Flag"] {
                assert!(client.found(closed).await.is_empty(), "{closed}");
            }
            assert_eq!(client.found("RelatedPerson").await, std::slice::from_ref(&related));
            let later = [("prefer", "respond-async")];
            let export = client.send(reqwest::Method::GET, "/fhir/Patient/$export", None, &later);
            export.await.expect(403);
            let subscription = json!({"resourceType": "Subscription", "status": "requested",
                "reason": "x", "criteria": "Condition?", "channel": {"type": "rest-hook",
                "endpoint": "https://example.org"}});
            client.post("/fhir/Subscription", &subscription).await.expect(403);
            let consent = json!({"resourceType": "Consent", "status": "active"});
            client.post("/fhir/Consent", &consent).await.expect(403);
            let condition = json!({"resourceType": "Condition",
                "subject": {"reference": format!("Patient/{}", child.id)}});
            client.post("/fhir/Condition", &condition).await.expect(403);
        }
        for page in ["/me/accesses", "/me/objections", "/me/proxies", "/me/agreements", "/patients"]
        {
            browser.page(&father, page).await.expect(404);
        }
        browser
            .form(&father, &format!("/me/proxies/{related}"), &[("do", "end")])
            .await
            .expect(404);
        let invite = [("relationship", "FRND")];
        browser.form(&father, "/me/proxies", &invite).await.expect(403);
        let decision = [("organisation", "all"), ("decision", "withdraw")];
        browser.form(&father, "/me/permissions", &decision).await.expect(403);
        // The Person links what the account is, for its owner and for staff.
        let registrar = hospital.signed_in(Role::Registrar).await;
        let persons = registrar.get("/fhir/Person").await.expect(200).json();
        let links = format!("RelatedPerson/{related}");
        let all = persons["entry"].as_array().unwrap();
        assert!(all.iter().any(|one| one["resource"]["link"][0]["target"]["reference"] == links));
        hospitals.stop().await;
    });
}

/// A patient lets somebody invite others, who then see no more than they do.
#[test]
fn who_was_given_the_right_invites_others_to_no_more_than_their_own() {
    run(async {
        let (hospitals, _) = hospital().await;
        let hospital = &hospitals.all[0];
        let one = Someone::known_at(hospital, "Emeka", "1950-03-02").await;
        let patient = hospital.patient(&one.id).await;
        let browser = App::public(hospital, "patient/*.rs");
        let daughter = signed_in(hospital, &hospital.account(Role::Proxy, None)).await;
        let neighbour = signed_in(hospital, &hospital.account(Role::Proxy, None)).await;
        let chosen = [("relationship", "DAU"), ("label", "mental"), ("invites", "yes")];
        let code = invited(&browser, &patient, &chosen).await;
        browser.form(&daughter, "/acting/accept", &[("code", &code)]).await.expect(303);
        acts(&daughter).await;
        let more = [("relationship", "FRND"), ("consents", "yes")];
        browser.form(&daughter, "/me/proxies", &more).await.expect(403);
        let code = invited(&browser, &daughter, &[("relationship", "FRND")]).await;
        browser.form(&neighbour, "/acting/accept", &[("code", &code)]).await.expect(303);
        acts(&neighbour).await;
        let left = sorted(&[&one.cough, &one.glucose, &one.pregnancy]);
        assert_eq!(seen(&neighbour, &one.id).await, left);
        browser.form(&neighbour, "/me/proxies", &more).await.expect(403);
        // The patient sees both.
        let page = browser.page(&patient, "/me/proxies").await.expect(200);
        assert_eq!(page.text.matches("<article").count(), 2);
        hospitals.stop().await;
    });
}

/// The officer asks for a patient by number and date of birth, and is told what is wrong with what
/// was typed.
#[test]
fn the_officer_finds_a_patient_by_number_and_birth_date() {
    run(async {
        let (hospitals, _) = hospital().await;
        let hospital = &hospitals.all[0];
        let registrar = hospital.signed_in(Role::Registrar).await;
        let birth = born(hospital, 9);
        let patient = json!({"resourceType": "Patient", "birthDate": birth,
            "identifier": [{"system": "https://hospital.example/numbers", "value": "4711-X"}],
            "name": [{"family": "Okoro", "given": ["Ada"]}]});
        let id = registrar.create(&patient).await;
        let browser = App::public(hospital, "patient/*.rs");
        let officer = hospital.signed_in(Role::PrivacyOfficer).await;
        for (number, born) in [("4711-Y", &*birth), ("4711-X", "2001-01-01"), ("", &birth)] {
            let asked = [("number", number), ("born", born)];
            let page = browser.form(&officer, "/proxies/find", &asked).await.expect(200);
            assert!(page.text.contains("aria-invalid") && !page.text.contains(&id), "{number}");
        }
        let asked = [("number", "4711-X"), ("born", &*birth)];
        let (to, params) = browser.form(&officer, "/proxies/find", &asked).await.sent_to();
        assert_eq!((to.as_str(), &params["patient"]), ("/proxies", &id));
        let page = browser.page(&officer, &format!("/proxies?patient={id}")).await.expect(200);
        assert!(!page.text.contains("Okoro"), "{}", page.text);
        let account = hospital.account(Role::Proxy, None);
        let wrong = (&account, "MTH", "attorney-at-law");
        recorded(hospital, &browser, &id, wrong).await.expect(200);
        let nobody = Account { username: "nobody".into(), ..account.clone() };
        let page = recorded(hospital, &browser, &id, (&nobody, "MTH", "parent")).await.expect(200);
        assert!(page.text.contains("No account under this name"), "{}", page.text);
        assert!(page.text.contains("birth certificate 17/2014"), "{}", page.text);
        recorded(hospital, &browser, &id, (&account, "MTH", "parent")).await.expect(303);
        let page = recorded(hospital, &browser, &id, (&account, "MTH", "parent")).await.expect(200);
        assert!(page.text.contains("acts for the patient already"), "{}", page.text);
        // The daughter reads who set it up.
        let page = browser.page(&hospital.patient(&id).await, "/me/proxies").await.expect(200);
        assert!(page.text.contains("recorded by the privacy officer"), "{}", page.text);
        assert!(!page.text.contains("chosen by"), "{}", page.text);
        // Nobody else asks.
        let clinician = hospital.signed_in(Role::Clinician).await;
        browser.form(&clinician, "/proxies/find", &asked).await.expect(404);
        hospitals.stop().await;
    });
}
