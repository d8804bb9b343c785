//! Accountability through the real doors: proofs of single lines, objections, logs compared, recalls.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use app::audit::reconcile::{self, Finding};
use app::notices::matter::{self, Kind};
use app::notices::overdue;
use bytes::Bytes;
use fhir::Id;
use identity::Role;
use reqwest::Method;
use serde_json::json;
use tokio::task::block_in_place;
use wire::{OrgId, Raw, RecordRequest};

use crate::client::{Client, parameters};
use crate::hospitals::{Hospital, Hospitals, Setup, clock, run, shared};
use crate::presence::asking;
use crate::record::{CONSENT_WITHIN, ask, ask_until, decide, newcomer};
use crate::witnesses::{audit, witnessed_by_all};

/// How long word may take to a hospital and back.
const WITHIN: Duration = Duration::from_secs(30);

/// Somebody's browser.
pub struct Browser<'a> {
    pub client: Client,
    hospital: &'a Hospital,
}

impl<'a> Browser<'a> {
    pub async fn of(hospital: &'a Hospital, role: Role) -> Self {
        Self { client: hospital.signed_in(role).await, hospital }
    }

    pub async fn patient(hospital: &'a Hospital, id: &str) -> Self {
        Self { client: hospital.patient(id).await, hospital }
    }

    async fn status(&self, path: &str) -> (u16, String) {
        let cookie = format!("consilium_session={}", self.client.token());
        let answer = self.client.send(Method::GET, path, None, &[("cookie", &cookie)]).await;
        (answer.status, answer.text)
    }

    pub async fn page(&self, path: &str) -> String {
        let (status, text) = self.status(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    /// Loads a page until it says something.
    pub async fn until(&self, path: &str, word: &str) -> String {
        let since = Instant::now();
        loop {
            let page = self.page(path).await;
            if page.contains(word) {
                return page;
            }
            assert!(since.elapsed() < WITHIN, "no `{word}` on {path}: {page}");
            tokio::task::yield_now().await;
        }
    }

    /// Fills in a form of a page; the status of the answer.
    pub async fn send(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> u16 {
        self.sent(page, path, fields).await.0
    }

    /// Fills in a form of a page; status and text of the answer.
    pub async fn sent(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let token = self.token(page).await;
        let mut fields = fields.to_vec();
        fields.push(("csrf", &token));
        let form = reqwest::Url::parse_with_params("http://form", &fields).unwrap();
        let body = form.query().unwrap().to_owned().into_bytes();
        self.body(path, "application/x-www-form-urlencoded", body).await
    }

    /// The same with a file called `scan`.
    pub async fn sent_with_scan(
        &self,
        page: &str,
        path: &str,
        fields: &[(&str, &str)],
        scan: &[u8],
    ) -> (u16, String) {
        let token = self.token(page).await;
        let mut body = Vec::new();
        for (name, value) in fields.iter().chain(&[("csrf", &*token)]) {
            let part = format!(
                "--part\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend(part.into_bytes());
        }
        let head =
            "--part\r\ncontent-disposition: form-data; name=\"scan\"; filename=\"a\"\r\n\r\n";
        body.extend(head.bytes().chain(scan.iter().copied()).chain(*b"\r\n--part--\r\n"));
        self.body(path, "multipart/form-data; boundary=part", body).await
    }

    async fn token(&self, page: &str) -> String {
        let form = self.page(page).await;
        let token = form.split_once("name=\"csrf\" value=\"").unwrap().1;
        token.split_once('"').unwrap().0.to_owned()
    }

    async fn body(&self, path: &str, kind: &str, body: Vec<u8>) -> (u16, String) {
        let cookie = format!("consilium_session={}", self.client.token());
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let request = http.build().unwrap().post(format!("{}{path}", self.hospital.base));
        let request = request.header("cookie", cookie).header("origin", &self.hospital.base);
        let answer = request.header("content-type", kind).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

/// The addresses on a page that begin so, unescaped.
fn addresses(page: &str, start: &str) -> Vec<String> {
    let links = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let plain = |link: &str| link.replace("&#38;", "&").replace("&amp;", "&");
    links.filter(|link| link.starts_with(start)).map(plain).collect()
}

fn council(home: &Path) -> String {
    let config = std::fs::read_to_string(home.join("node.toml")).unwrap();
    let line = config.lines().find(|line| line.starts_with("council_key")).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn every_line_of_the_access_log_is_proved_without_trusting_the_hospital() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 6, ..Setup::default() }).await;
        let [home, other, third] = hospitals.all.as_slice() else { panic!("three") };
        let story = hospitals.story();
        let own = &story.at[&home.org].patient_id;
        let clinician = other.signed_in(Role::Clinician).await;
        let there = &story.at[&other.org].patient_id;
        assert_eq!(ask(&clinician, there).await.sources().len(), 3);
        // An entry that names other people too.
        let curious = home.signed_in(Role::Clinician).await;
        curious.get("/fhir/Patient?_count=50").await.expect(200);
        // So that home knows where the others are.
        assert_eq!(ask(&curious, own).await.sources().len(), 3);
        let browser = Browser::patient(home, own).await;
        let page = browser.page("/me/accesses").await;
        assert!(page.contains("not yet cosigned"), "nobody has cosigned the newest lines: {page}");
        for hospital in &hospitals.all {
            witnessed_by_all(hospital, 2).await;
        }
        let page = browser.page("/me/accesses").await;
        assert!(page.contains("proved by 2 other hospitals"), "{page}");
        assert!(!page.contains("the proof does not hold"), "{page}");
        let proofs = addresses(&page, "/me/accesses/proof?");
        let logs =
            |org: &str| proofs.iter().filter(|link| link.contains(&format!("at={org}&"))).count();
        assert!(
            logs(&home.org) >= 2 && logs(&other.org) >= 1 && logs(&third.org) >= 1,
            "{proofs:?}"
        );

        let folder = hospitals.home(home);
        let (list, council) = (folder.join("membership.json"), council(&folder));
        let file = folder.join("line.tlog-proof");
        let check = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let (file, list) = (file.to_str().unwrap(), list.to_str().unwrap());
            audit(&["check", file, "--membership", list, "--council", &council], None)
        };
        let others: Vec<&str> = hospitals
            .world
            .persons
            .iter()
            .skip(1)
            .filter_map(|person| Some(person.at.get(&home.org)?.patient_id.as_str()))
            .collect();
        assert!(!others.is_empty());
        let mut disclosed = 0;
        for link in &proofs {
            let proof = browser.page(link).await;
            let (sound, said) = check(&proof);
            assert!(sound, "{link}: {said}");
            assert_eq!(said.matches("cosigned by").count(), 2, "{said}");
            assert!(
                said.contains("AuditEvent") && said.contains("lines of it are hidden"),
                "{said}"
            );
            let machine = "\"address\":\"127.0.0.1\"";
            assert!(!said.contains(machine) && !said.contains("assuranceLevel"), "{said}");
            for stranger in &others {
                assert!(!said.contains(&format!("Patient/{stranger}\"")), "{said}");
            }
            disclosed += usize::from(said.contains("disclose") && said.contains("seen:"));
            // One line of the entry says something else, or is another's.
            let (from, to) = ("extra ", "extra AAAA");
            assert!(!check(&proof.replacen(from, to, 1)).0);
        }
        assert!(disclosed >= 1, "a disclosure says what kind of data left");
        // What is about somebody else, or nobody, has no proof for this patient.
        let officer = home.signed_in(Role::PrivacyOfficer).await;
        let of_others = format!("/fhir/AuditEvent?patient=Patient/{}", others[0]);
        curious.get(&format!("/fhir/Patient/{}", others[0])).await.expect(200);
        let newest = format!("{of_others}&_sort=-_lastUpdated&_count=1");
        let entry = officer.found(&newest.replace("/fhir/", "")).await.remove(0);
        let path = format!("/me/accesses/proof?at={}&entry={entry}", home.org);
        assert_eq!(browser.status(&path).await.0, 404);
        hospitals.stop().await;
    });
}

#[test]
fn an_objection_goes_to_whoever_must_answer_and_the_answer_comes_back() {
    run(async {
        let (time, ahead) = clock();
        let setup = Setup { patients: 3, clock: time, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [home, holder, asker] = hospitals.all.as_slice() else { panic!("three") };
        let story = hospitals.story();
        let own = &story.at[&home.org].patient_id;
        let clinician = asker.signed_in(Role::Clinician).await;
        ask(&clinician, &story.at[&asker.org].patient_id).await;
        ask(&home.signed_in(Role::Clinician).await, own).await;
        let browser = Browser::patient(home, own).await;
        let page = browser.page("/me/accesses").await;
        // A line of that log about the clinician elsewhere.
        let of = |org: &str| {
            let start = format!("/me/objections/new?at={org}");
            let mut lines =
                page.split("<li class=\"card").filter(|line| line.contains(&asker.name));
            lines.find_map(|line| addresses(line, &start).pop()).expect("a line to object to")
        };
        let entry = |link: &str| link.split("entry=").nth(1).unwrap().to_owned();
        let elsewhere = &of(&holder.org);
        let operator = holder.signed_in(Role::Operator).await;
        operator.post("/operate/answering", &json!({"answering": false})).await.expect(200);

        let line = entry(elsewhere);
        let object = |reason: &'static str| {
            let fields = [("at", holder.org.clone()), ("entry", line.clone())];
            let browser = &browser;
            async move {
                let [(at, org), (name, line)] = &fields;
                let fields = [(*at, org.as_str()), (*name, line.as_str()), ("reason", reason)];
                browser.send(elsewhere, "/me/objections", &fields).await
            }
        };
        assert_eq!(object(" ").await, 200, "the form comes back");
        assert_eq!(object("I was never treated there").await, 303);
        assert_eq!(object("again").await, 400, "once for each access");
        let page = browser.page("/me/objections").await;
        assert!(page.contains("on its way") && page.contains("I was never treated"), "{page}");

        operator.post("/operate/answering", &json!({"answering": true})).await.expect(200);
        browser.until("/me/objections", ">received<").await;
        let officer = Browser::of(holder, Role::PrivacyOfficer).await;
        let page = officer.page("/privacy/objections").await;
        assert!(page.contains("I was never treated there"), "{page}");
        assert!(page.contains(&home.name) && page.contains(&asker.name), "{page}");
        let (_, rest) = page.split_once("action=\"/privacy/objections/").unwrap();
        let path = format!("/privacy/objections/{}", rest.split_once('"').unwrap().0);
        let wrong = [("outcome", "upheld"), ("answer", "")];
        assert_eq!(officer.send("/privacy/objections", &path, &wrong).await, 200);
        let answer = [("outcome", "upheld"), ("answer", "You are right, it was a mistake")];
        let stranger = Browser::of(holder, Role::Operator).await;
        assert_eq!(stranger.status("/privacy/objections").await.0, 404);
        assert_eq!(officer.send("/privacy/objections", &path, &answer).await, 303);
        let page = browser.until("/me/objections", "it was a mistake").await;
        assert!(page.contains("found right"), "{page}");

        // One at home that nobody answers in time.
        let at_home = &of(&home.org);
        let line = entry(at_home);
        let fields = [("at", home.org.as_str()), ("entry", &line), ("reason", "who was this?")];
        assert_eq!(browser.send(at_home, "/me/objections", &fields).await, 303);
        assert_eq!(block_in_place(|| overdue::mark(&home.app)).unwrap(), 0);
        let days = |n: u64| n * 24 * 60 * 60 * 1000;
        ahead.store(days(15), Ordering::SeqCst);
        let marked = block_in_place(|| overdue::mark(&home.app)).unwrap();
        let again = block_in_place(|| overdue::mark(&home.app)).unwrap();
        assert!(marked <= 1 && again == 0, "once: {marked} {again}");
        let snapshot = home.app.store().snapshot().unwrap();
        let patient = Id::new(own).unwrap();
        let open = matter::list(&*snapshot, Kind::Objection, Some(&patient), true).unwrap();
        assert_eq!(open.len(), 1);
        assert!(open[0].overdue);
        hospitals.stop().await;
    });
}

/// A question that the asker's own log does not know.
async fn hidden_question(asker: &Hospital, holder: &Hospital, hospitals: &Hospitals, id: &str) {
    let story = hospitals.story();
    let known = &story.at[&asker.org];
    let request = RecordRequest {
        patient_id: story.at[&holder.org].patient_id.clone(),
        asker_patient_id: known.patient_id.clone(),
        patient: Raw::new(known.resources[0].clone()).unwrap(),
        confirmed: false,
        since: None,
        break_glass: None,
        agreements: None,
    };
    let body = Bytes::from(serde_json::to_vec(&request).unwrap());
    let org = OrgId::new(&holder.org).unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let asking = asking(id, |_| {});
    let answer = asker.app.peers().ask(&org, wire::path::RECORD, body, &asking, deadline).await;
    assert!(answer.is_ok());
}

#[test]
fn logs_are_compared_daily_and_an_answer_without_a_question_is_an_alarm_at_both() {
    run(async {
        let (time, ahead) = clock();
        let setup = Setup { patients: 3, clock: time, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let [hider, holder, honest] = hospitals.all.as_slice() else { panic!("three") };
        let story = hospitals.story();
        for hospital in [hider, honest] {
            let clinician = hospital.signed_in(Role::Clinician).await;
            ask(&clinician, &story.at[&hospital.org].patient_id).await;
        }
        hidden_question(hider, holder, &hospitals, "hidden-question-1").await;
        let gaps = |hospital: &Hospital| {
            block_in_place(|| reconcile::gaps(&*hospital.app.store().snapshot().unwrap())).unwrap()
        };
        let standing = |hospital: &Hospital, org: &str| {
            let snapshot = hospital.app.store().snapshot().unwrap();
            reconcile::standing(&*snapshot, org).unwrap()
        };
        // What is young waits: the answer may be on its way.
        for hospital in &hospitals.all {
            reconcile::run_due(&hospital.app).await.unwrap();
            assert_eq!(gaps(hospital), []);
        }
        let first = standing(holder, &hider.org);
        assert!(first.failed.is_empty() && first.tried_ms > 0, "{first:?}");
        // Not before a day has passed.
        ahead.store(23 * 60 * 60 * 1000, Ordering::SeqCst);
        reconcile::run_due(&holder.app).await.unwrap();
        assert_eq!(standing(holder, &hider.org), first);
        ahead.store(25 * 60 * 60 * 1000, Ordering::SeqCst);
        for hospital in &hospitals.all {
            reconcile::run_due(&hospital.app).await.unwrap();
        }
        let [gap] = &gaps(holder)[..] else { panic!("{:?}", gaps(holder)) };
        assert_eq!((gap.org.as_str(), gap.finding), (hider.org.as_str(), Finding::NoQuestionThere));
        assert_eq!(gap.request_id, "hidden-question-1");
        let [gap] = &gaps(hider)[..] else { panic!("{:?}", gaps(hider)) };
        assert_eq!((gap.org.as_str(), gap.finding), (holder.org.as_str(), Finding::NoQuestionHere));
        assert_eq!(gaps(honest), []);
        assert!(standing(honest, &hider.org).entries > 0, "there was something to compare");

        let officer = Browser::of(holder, Role::PrivacyOfficer).await;
        let page = officer.page("/privacy/reconciliation").await;
        assert!(page.contains("shows no such question"), "{page}");
        let log = officer.client.get("/fhir/AuditEvent?outcome=8").await.expect(200).text;
        assert!(log.contains("hidden-question-1"), "{log}");
        let path = format!("/privacy/reconciliation/{}/close", hider.org);
        let fields = [("reason", "a test of theirs")];
        let operator = Browser::of(holder, Role::Operator).await;
        assert_eq!(operator.status("/privacy/reconciliation").await.0, 200);
        assert_eq!(officer.send("/privacy/reconciliation", &path, &fields).await, 303);
        assert!(gaps(holder).iter().all(|gap| gap.closed.is_some()));
        // A program of its own has the time of day.
        ahead.store(0, Ordering::SeqCst);
        let (calm, said) = audit(&["reconcile"], Some(&hospitals.home(honest)));
        assert!(calm && said.contains("entries here"), "{said}");
        hospitals.stop().await;
    });
}

#[test]
fn what_was_confused_is_taken_back_everywhere_also_where_a_node_was_down() {
    run(async {
        let hospitals = Hospitals::start(Setup { patients: 2, ..Setup::default() }).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let ids = newcomer(&all, "Verwechselt", "987-33-5105").await;
        let clinicians = [all[0].signed_in(Role::Clinician).await, {
            // The one whose notices are read.
            all[1].signed_in(Role::Clinician).await
        }];
        assert_eq!(ask(&clinicians[0], &ids[0]).await.sources().len(), 3);
        assert_eq!(ask(&clinicians[1], &ids[1]).await.sources().len(), 3);
        for at in [0, 1] {
            let patient = all[at].patient(&ids[at]).await;
            decide(&patient, &ids[at], &all[2].org, "withdraw").await;
        }
        for (clinician, id) in clinicians.iter().zip(&ids) {
            ask_until(clinician, id, CONSENT_WITHIN, |seen| seen.state(all[2]) != "absent").await;
        }
        let received = |hospital: &Hospital, from: &Hospital, id: &str| {
            let snapshot = hospital.app.store().snapshot().unwrap();
            let params = [("patient".to_owned(), format!("Patient/{id}"))];
            let search =
                store::query::parse(fhirpath::search::Registry::r4(), "Consent", &params).unwrap();
            let found = snapshot.find(&search.query, 100, false).unwrap();
            let texts = snapshot.load(&found).unwrap().into_iter().map(|stored| stored.text);
            texts.filter(|text| text.contains(&format!("\"{} ", from.org))).count()
        };
        let since = Instant::now();
        while received(all[0], all[1], &ids[0]) == 0 || received(all[1], all[0], &ids[1]) == 0 {
            assert!(since.elapsed() < WITHIN, "the decisions arrive");
            tokio::task::yield_now().await;
        }

        let operator = all[1].signed_in(Role::Operator).await;
        operator.post("/operate/answering", &json!({"answering": false})).await.expect(200);
        let registrar = Browser::of(all[0], Role::Registrar).await;
        let reject = parameters(&[("organisation", all[1].org.as_str()), ("patient", &ids[1])]);
        let path = format!("/fhir/Patient/{}/$reject-link", ids[0]);
        registrar.client.post(&path, &reject).await.expect(200);
        assert_eq!(received(all[0], all[1], &ids[0]), 0, "gone at home at once");
        let page = registrar.page("/recalls").await;
        assert!(page.contains("on its way") && page.contains(&all[1].name), "{page}");
        let here = Browser { client: clinicians[0].clone(), hospital: all[0] };
        assert!(here.page("/notices").await.contains("was another person"));
        assert_eq!(received(all[1], all[0], &ids[1]), 1, "not told yet");

        operator.post("/operate/answering", &json!({"answering": true})).await.expect(200);
        registrar.until("/recalls", "confirmed").await;
        assert_eq!(received(all[1], all[0], &ids[1]), 0, "removed there");
        let there = Browser { client: clinicians[1].clone(), hospital: all[1] };
        let page = there.page("/notices").await;
        assert!(page.contains("was another person") && page.contains(&all[0].name), "{page}");
        // The confusion went both ways, so the other recalls what it disclosed here.
        let officer = Browser::of(all[1], Role::PrivacyOfficer).await;
        officer.until("/recalls", "confirmed").await;
        let seen = ask(&clinicians[1], &ids[1]).await;
        assert!(!seen.sources().contains(all[0].org.as_str()), "{:?}", seen.states);

        // A registrar declares one where no link was rejected: the third has received from the second.
        let registrar = Browser::of(all[1], Role::Registrar).await;
        let declared =
            [("patient", ids[1].as_str()), ("reason", "a chart of her sister was merged")];
        assert_eq!(registrar.send("/recalls", "/recalls", &declared).await, 303);
        let nobody = [("patient", "unknown-1"), ("reason", "nothing")];
        assert_eq!(registrar.send("/recalls", "/recalls", &nobody).await, 400);
        registrar.until("/recalls", "a chart of her sister").await;
        hospitals.stop().await;
    });
}

/// The pages of this, and who may see them.
const PAGES: [(&str, &[Role]); 6] = [
    ("/me/objections", &[Role::Patient]),
    ("/me/objections/new?at={org}&entry=e-1", &[Role::Patient]),
    ("/privacy/objections", &[Role::PrivacyOfficer]),
    ("/privacy/reconciliation", &[Role::PrivacyOfficer, Role::Operator]),
    ("/recalls", &[Role::PrivacyOfficer, Role::Registrar]),
    ("/notices", &[Role::Clinician]),
];

#[test]
fn each_page_is_for_its_roles_and_nobody_else() {
    run(async {
        let hospitals = shared().await;
        let hospital = &hospitals.all[0];
        let people = hospitals.known_to(1);
        let own = people.iter().find_map(|person| person.at.get(&hospital.org)).unwrap();
        let stranger = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let stranger = stranger.build().unwrap();
        for role in
            [Role::Clinician, Role::Patient, Role::PrivacyOfficer, Role::Operator, Role::Registrar]
        {
            let browser = match role {
                Role::Patient => Browser::patient(hospital, &own.patient_id).await,
                _ => Browser::of(hospital, role).await,
            };
            for (page, roles) in PAGES {
                let page = page.replace("{org}", &hospital.org);
                let expected = if roles.contains(&role) { 200 } else { 404 };
                assert_eq!(browser.status(&page).await.0, expected, "{page} for {role:?}");
                let address = format!("{}{page}", hospital.base);
                let answer = stranger.get(address).send().await.unwrap();
                assert_eq!(answer.status().as_u16(), 303, "{page} for nobody");
            }
            let proof = format!("/me/accesses/proof?at={}&entry=unknown-1", hospital.org);
            assert_eq!(browser.status(&proof).await.0, 404, "{role:?}");
            for post in ["/me/objections", "/recalls"] {
                // A form without its token comes from elsewhere.
                let address = format!("{}{post}", hospital.base);
                let cookie = format!("consilium_session={}", browser.client.token());
                let form = stranger.post(address).header("cookie", cookie).body("csrf=x");
                let form = form.header("content-type", "application/x-www-form-urlencoded");
                let status = form.send().await.unwrap().status().as_u16();
                assert!([400, 403, 404].contains(&status), "{post} for {role:?}: {status}");
            }
        }
    });
}
