//! Finding a patient without telling everybody: three hospitals, and what each of them gets to see.

use std::time::Duration;

use app::locator::Mode;
use app::locator::committee::{EPOCH_MS, epoch, keeper, locators};
use app::locator::held::FRESH_MS;
use app::locator::publish::publish;
use app::locator::status::{Held, status};
use base64::Engine as _;
use bytes::Bytes;
use federation::AskError;
use identity::Role;
use serde_json::{Value, json};
use tokio::time::Instant;
use wire::{
    LocateRequest, LocateResponse, LocatorKeyRequest, OrgId, Publication, PublicationReceipt,
    RefusalCode, path,
};

use crate::client::Client;
use crate::hospitals::{Hospital, Hospitals, LOCATOR, Setup, clock, run};
use crate::presence::asking;
use crate::record::{Seen, ask, decide, newcomer};

/// Hospitals of which everything is published.
async fn hospitals(config: &'static [(&'static str, &'static str)]) -> Hospitals {
    let hospitals = Hospitals::start(Setup { patients: 6, config, ..Setup::default() }).await;
    settle(&hospitals).await;
    hospitals
}

/// Has every hospital publish what it has.
async fn settle(hospitals: &Hospitals) {
    for hospital in &hospitals.all {
        publish(&hospital.app, true).await;
    }
}

fn org(hospital: &Hospital) -> OrgId {
    hospital.org.parse().unwrap()
}

/// The texts of all audit entries of a hospital, newest first.
async fn log(hospital: &Hospital) -> Vec<Value> {
    let officer = hospital.signed_in(Role::PrivacyOfficer).await;
    let page = officer.get("/fhir/AuditEvent?_count=1000&_sort=-_lastUpdated").await.expect(200);
    let entries = page.json()["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().map(|entry| entry["resource"].clone()).collect()
}

fn query_of(entry: &Value) -> String {
    let texts = entry["entity"].as_array().into_iter().flatten();
    let texts = texts.filter_map(|entity| entity["query"].as_str());
    texts
        .filter_map(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

/// Entries of a hospital about one question.
async fn about(hospital: &Hospital, request: &str) -> Vec<Value> {
    let all = log(hospital).await;
    all.into_iter().filter(|entry| entry.to_string().contains(request)).collect()
}

async fn asked_as(client: &Client, patient: &str, request: &str) -> Seen {
    let path = format!("/fhir/Patient/{patient}/$longitudinal-record?_wait=all");
    let own = [("x-request-id", request)];
    let seen = client.send(reqwest::Method::GET, &path, None, &own).await.expect(200);
    Seen::of(seen.json())
}

#[test]
fn who_does_not_know_a_patient_never_hears_a_name() {
    run(async {
        let hospitals = hospitals(&[LOCATOR]).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let ids = newcomer(&all[..2], "Weissenbacher", "987-61-4417").await;
        settle(&hospitals).await;
        let clinician = all[0].signed_in(Role::Clinician).await;

        let seen = asked_as(&clinician, &ids[0], "locate-question-1").await;
        assert_eq!(seen.state(all[1]), "answered", "{:?}", seen.states);
        assert_eq!(seen.state(all[2]), "not-asked", "{:?}", seen.states);

        // The third was asked by encodings at most, and wrote nothing that names anybody.
        let third = about(all[2], "locate-question-1").await;
        for entry in &third {
            assert_eq!(query_of(entry), "locate by encodings", "{entry}");
        }
        let everything = json!(log(all[2]).await).to_string();
        for word in ["Weissenbacher", "Hildegard", "987-61-4417", &ids[0], &ids[1]] {
            assert!(!everything.contains(word), "the third hospital knows `{word}`");
        }
        // The asker's audit says who was asked and who was not, before anybody was.
        let own = about(all[0], "locate-question-1").await;
        let located = own.iter().find(|entry| query_of(entry) == "locate by encodings");
        let note = located.expect("an entry")["outcomeDesc"].as_str().unwrap().to_owned();
        assert!(note.contains(&format!("to be asked: `{}`;", all[1].org)), "{note}");
        assert!(note.ends_with("not asked: 1 of 2"), "{note}");

        // Asked anyway, it is asked by name, as its own audit shows.
        let path =
            format!("/fhir/Patient/{}/$longitudinal-record?_wait=all&_reach=everybody", ids[0]);
        let own = [("x-request-id", "locate-question-2")];
        let seen = clinician.send(reqwest::Method::GET, &path, None, &own).await.expect(200);
        assert_eq!(Seen::of(seen.json()).state(all[2]), "no-match");
        let third = about(all[2], "locate-question-2").await;
        assert!(third.iter().any(|entry| query_of(entry) == "Patient/$match"), "{third:?}");
        clinician.get(&path.replace("everybody", "someone")).await.expect(400);
    });
}

#[test]
fn a_decision_of_the_patient_goes_to_those_who_know_them_and_to_nobody_else() {
    run(async {
        let hospitals = hospitals(&[LOCATOR]).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let ids = newcomer(&all[..2], "Krautgartner", "987-62-4518").await;
        settle(&hospitals).await;
        let patient = all[0].patient(&ids[0]).await;
        let there = all[1].signed_in(Role::Clinician).await;
        decide(&patient, &ids[0], &all[1].org, "withdraw").await;
        crate::record::ask_until(&there, &ids[1], Duration::from_secs(10), |seen| {
            seen.state(all[0]) == "withheld"
        })
        .await;
        // Deliveries that wait for the third end without a word to it.
        let ended = async {
            while hospitals.all[0].app.outbox().figures().unwrap().iter().any(|q| q.waiting > 0) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ended).await.expect("queues are empty");
        let everything = json!(log(all[2]).await).to_string();
        assert!(!everything.contains("Patient/$match"), "the third was asked by name");
        assert!(!everything.contains(&ids[0]));
    });
}

#[test]
fn a_hospital_that_refuses_to_publish_is_asked_directly() {
    run(async {
        // All refuse here: then nobody is left out, and locators hold nothing.
        let refusing = &[("locator = \"on\"", "locator = \"refuse\"")];
        let hospitals =
            Hospitals::start(Setup { patients: 6, config: refusing, ..Setup::default() }).await;
        settle(&hospitals).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let ids = newcomer(&all[..2], "Haselsteiner", "987-63-4619").await;
        let clinician = all[0].signed_in(Role::Clinician).await;
        let seen = ask(&clinician, &ids[0]).await;
        assert_eq!((seen.state(all[1]), seen.state(all[2])), ("answered", "no-match"));
        for hospital in &all {
            let status = status(&hospital.app);
            assert_eq!((status.mode, status.held.len()), (Mode::Refuse, 0));
            assert!(status.published.is_empty());
        }
    });
}

#[test]
fn who_opts_out_disappears_and_comes_back() {
    run(async {
        let hospitals =
            hospitals(&[LOCATOR, ("withheld = \"stated\"", "withheld = \"hidden\"")]).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let ids = newcomer(&[all[0], all[1]], "Obertauern", "987-64-4720").await;
        settle(&hospitals).await;
        let records = |at: &Hospital| {
            let status = status(&at.app);
            status.held.into_iter().find(|held| held.org == all[1].org).map(|held| held.records)
        };
        let of_second =
            locators(&all[0].app.network().list(), epoch(all[0].app.now_ms()), &org(all[1]));
        let holder = all.iter().find(|h| of_second.contains(&org(h))).unwrap();
        let before = records(holder).expect("it publishes");

        // At the second hospital the patient forbids everybody else.
        let patient = all[1].patient(&ids[1]).await;
        for other in [all[0], all[2]] {
            decide(&patient, &ids[1], &other.org, "withdraw").await;
        }
        settle(&hospitals).await;
        assert_eq!(records(holder), Some(before - 1), "it is no longer published");
        let clinician = all[0].signed_in(Role::Clinician).await;
        let seen = asked_as(&clinician, &ids[0], "locate-hidden").await;
        assert_eq!(seen.state(all[1]), "not-asked", "{:?}", seen.states);

        decide(&patient, &ids[1], &all[0].org, "permit").await;
        settle(&hospitals).await;
        assert_eq!(records(holder), Some(before), "it is published again, but not for the third");
        let seen = ask(&clinician, &ids[0]).await;
        assert_eq!(seen.state(all[1]), "answered", "{:?}", seen.states);

        // A deletion is withdrawn too.
        let theirs = all[1].signed_in(Role::Clinician).await;
        let passing = json!({
            "resourceType": "Patient", "birthDate": "1931-02-11",
            "name": [{"family": "Voruebergehend", "given": ["Alois"]}],
        });
        let gone = theirs.create(&passing).await;
        settle(&hospitals).await;
        assert_eq!(records(holder), Some(before + 1));
        theirs.delete(&format!("/fhir/Patient/{gone}")).await.expect(204);
        settle(&hospitals).await;
        assert_eq!(records(holder), Some(before));
    });
}

#[test]
fn what_is_stale_or_of_another_epoch_is_asked_directly() {
    run(async {
        let (clock, ahead) = clock();
        let config = &[LOCATOR];
        let hospitals =
            Hospitals::start(Setup { patients: 6, config, clock, ..Setup::default() }).await;
        settle(&hospitals).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let ids = newcomer(&all[..1], "Steinwandtner", "987-65-4821").await;
        let clinician = all[0].signed_in(Role::Clinician).await;
        let seen = ask(&clinician, &ids[0]).await;
        assert_eq!(seen.state(all[1]), "not-asked", "{:?}", seen.states);
        // The keys change: what is held counts no longer, until it is published anew.
        let before = epoch(all[0].app.now_ms());
        ahead.fetch_add(EPOCH_MS as u64, std::sync::atomic::Ordering::SeqCst);
        let clinician = all[0].signed_in(Role::Clinician).await;
        settle(&hospitals).await;
        let seen = ask(&clinician, &ids[0]).await;
        assert_eq!(seen.state(all[1]), "not-asked", "{:?}", seen.states);
        for hospital in &all {
            let status = status(&hospital.app);
            assert_eq!(status.epoch, before + 1);
            assert!(status.held.iter().all(|held| held.complete), "{:?}", status.held);
        }
        // Then nobody says a word for ten minutes: all are asked by name again.
        ahead.fetch_add(10 * 60 * 1000, std::sync::atomic::Ordering::SeqCst);
        let is_stale = || {
            let all =
                all.iter().map(|hospital| (status(&hospital.app).held, hospital.app.now_ms()));
            let old = |(held, now): (Vec<Held>, i64)| {
                held.iter().all(|held| held.heard_ms + FRESH_MS < now)
            };
            all.into_iter().all(old)
        };
        assert!(is_stale());
        let clinician = all[0].signed_in(Role::Clinician).await;
        let seen = ask(&clinician, &ids[0]).await;
        // Of itself a node speaks up once a minute, which may have been now.
        if is_stale() {
            assert_eq!(seen.state(all[1]), "no-match", "{:?}", seen.states);
        }
    });
}

/// Asks as a hospital's node would.
async fn post<T: serde::de::DeserializeOwned>(
    from: &Hospital,
    to: &Hospital,
    path: &str,
    message: &impl serde::Serialize,
) -> Result<T, AskError> {
    let body = Bytes::from(serde_json::to_vec(message).unwrap());
    let asking = asking("locator-door", |asking| {
        asking.subject.role = wire::Role::Service;
        asking.purpose_of_use = "PATADMIN".into();
    });
    let deadline = Instant::now() + Duration::from_secs(10);
    from.app.peers().ask(&org(to), path, body, &asking, deadline).await?.json().await
}

#[test]
fn keys_go_to_members_but_never_to_the_locator_they_are_for() {
    run(async {
        let hospitals = hospitals(&[LOCATOR]).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let list = all[0].app.network().list();
        let now = epoch(all[0].app.now_ms());
        for locator in &all {
            let keeping = keeper(&list, now, &org(locator)).unwrap();
            let keeping = all.iter().find(|h| org(h) == keeping).unwrap();
            assert_ne!(keeping.org, locator.org);
            let request = LocatorKeyRequest { locator: org(locator), epoch: now };
            let refused = post::<Value>(locator, keeping, path::LOCATOR_KEY, &request).await;
            assert_eq!(code(refused), RefusalCode::PurposeNotPermitted);
            let third = all.iter().find(|h| h.org != locator.org && h.org != keeping.org).unwrap();
            post::<Value>(third, keeping, path::LOCATOR_KEY, &request).await.expect("a key");
            let past = LocatorKeyRequest { epoch: now - 1, ..request.clone() };
            let refused = post::<Value>(third, keeping, path::LOCATOR_KEY, &past).await;
            assert_eq!(code(refused), RefusalCode::PurposeNotPermitted);
            // Who is not its keeper does not make one up.
            let refused = post::<Value>(keeping, third, path::LOCATOR_KEY, &request).await;
            assert_eq!(code(refused), RefusalCode::PurposeNotPermitted);
        }
    });
}

fn code<T: std::fmt::Debug>(answer: Result<T, AskError>) -> RefusalCode {
    match answer {
        Err(AskError::Refused(refusal)) => refusal.code,
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn pieces_may_be_lost_or_come_twice_and_nonsense_is_refused() {
    run(async {
        let hospitals = hospitals(&[LOCATOR]).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let (holder, locator) = (all[0], all[1]);
        let now = epoch(locator.app.now_ms());
        let publication: Publication =
            serde_json::from_str(include_str!("../../../wire/vectors/publication.json")).unwrap();
        let piece = |after: Option<u64>, through: u64| Publication {
            epoch: now,
            list: locator.app.network().list().serial,
            after,
            through,
            ..publication.clone()
        };
        let send = |piece: Publication| async move {
            post::<PublicationReceipt>(holder, locator, path::LOCATOR_PUBLISH, &piece).await
        };
        let held = || {
            let status = status(&locator.app);
            status.held.into_iter().find(|held| held.org == holder.org).map(|held| held.records)
        };
        let before = held();
        // Under another key than before it has nothing; a new beginning replaces what there was.
        assert_eq!(send(piece(None, 0)).await.unwrap().through, 0);
        assert_eq!(send(piece(Some(0), 50)).await.unwrap().through, 50);
        assert_eq!(held(), Some(2));
        // The answer was lost, and the piece comes again; then one comes that does not fit.
        assert_eq!(send(piece(Some(50), 60)).await.unwrap().through, 60);
        assert_eq!(send(piece(Some(50), 60)).await.unwrap().through, 60);
        assert_eq!(send(piece(Some(99), 120)).await.unwrap().through, 60);
        assert_eq!(held(), Some(2));
        // The holder finds that out and begins anew.
        publish(&holder.app, true).await;
        assert_eq!(held(), before);

        let bad = |change: fn(&mut Publication)| {
            let mut bad = piece(Some(0), 1);
            change(&mut bad);
            bad
        };
        for bad in [
            bad(|p| p.epoch += 5),
            bad(|p| p.epsilon = 0.0),
            bad(|p| p.records[0].handle = "x".into()),
            bad(|p| p.records[0].encodings.clear()),
            bad(|p| p.records[0].encodings[0].bits = "AAAA".into()),
            bad(|p| p.removed = vec!["1".into()]),
            bad(|p| p.records = vec![p.records[0].clone(); 1_001]),
        ] {
            assert_eq!(code(send(bad).await), RefusalCode::MessageInvalid);
        }
        let question: LocateRequest =
            serde_json::from_str(include_str!("../../../wire/vectors/locate-request.json"))
                .unwrap();
        let question = LocateRequest { epoch: now, ..question };
        let answer: LocateResponse =
            post(holder, locator, path::LOCATOR_LOCATE, &question).await.unwrap();
        assert_eq!((answer.likely, answer.absent), (vec![], vec![]), "it is of another key");
        for bad in [
            LocateRequest { dice: 0.1, ..question.clone() },
            LocateRequest { epsilon: 99.0, ..question.clone() },
            LocateRequest { encodings: Vec::new(), ..question.clone() },
        ] {
            let refused = post::<Value>(holder, locator, path::LOCATOR_LOCATE, &bad).await;
            assert_eq!(code(refused), RefusalCode::MessageInvalid);
        }
    });
}

#[test]
fn a_locator_that_is_away_costs_names_but_no_answers() {
    run(async {
        let hospitals = hospitals(&[LOCATOR]).await;
        let all: Vec<&Hospital> = hospitals.all.iter().collect();
        let ids = newcomer(&all[..2], "Niederwimmer", "987-66-4922").await;
        settle(&hospitals).await;
        let clinician = all[0].signed_in(Role::Clinician).await;
        // The second is away: the third says nothing for it, and is itself asked through nobody.
        let operator = all[1].signed_in(Role::Operator).await;
        operator.post("/operate/answering", &json!({"answering": false})).await.expect(200);
        let seen = ask(&clinician, &ids[0]).await;
        assert_eq!(seen.state(all[1]), "unreachable", "{:?}", seen.states);
        assert_eq!(seen.state(all[2]), "no-match", "{:?}", seen.states);
        operator.post("/operate/answering", &json!({"answering": true})).await.expect(200);
        crate::record::ask_until(&clinician, &ids[0], Duration::from_secs(20), |seen| {
            seen.state(all[1]) == "answered"
        })
        .await;
    });
}
