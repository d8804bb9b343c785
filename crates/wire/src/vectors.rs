//! Proves that the stored examples in `vectors/` still read and write the same.
//!
//! Each file is what a peer of version 1 sends. A change that breaks one of them breaks the
//! network between an upgraded node and one that is not.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::*;

/// Reads `text` as `T`, writes it again, and compares; members added by a newer peer are ignored.
fn check<T: DeserializeOwned + Serialize>(text: &str) -> T {
    let expected: Value = serde_json::from_str(text).unwrap();
    let read: T = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), expected);
    let mut newer = expected;
    newer.as_object_mut().unwrap().insert("added_later".into(), Value::Bool(true));
    serde_json::from_str::<T>(&newer.to_string()).unwrap();
    read
}

#[test]
fn messages() {
    let request: MatchRequest = check(include_str!("../vectors/match-request.json"));
    assert!(request.patient.get().contains("\"resourceType\""));
    let response: MatchResponse = check(include_str!("../vectors/match-response.json"));
    assert_eq!(response.outcome, MatchOutcome::Possible);
    let request: RecordRequest = check(include_str!("../vectors/record-request.json"));
    assert_eq!(request.since, Some(1_700_000_000_000));
    check::<AccessesRequest>(include_str!("../vectors/accesses-request.json"));
    check::<AccessesResponse>(include_str!("../vectors/accesses-response.json"));
    let proved: AccessesResponse = check(include_str!("../vectors/accesses-response-proved.json"));
    assert_eq!(proved.accesses[0].seen.get("Observation"), Some(&12));
    for (text, about) in [
        (include_str!("../vectors/notice-objection.json"), "objection"),
        (include_str!("../vectors/notice-objection-state.json"), "objection-state"),
        (include_str!("../vectors/notice-recall.json"), "recall"),
        (include_str!("../vectors/notice-recall-confirmed.json"), "recall-confirmed"),
    ] {
        let notice: Notice = check(text);
        assert_eq!(serde_json::to_value(&notice).unwrap()["about"], about);
    }
    check::<ReconcileRequest>(include_str!("../vectors/reconcile-request.json"));
    let answer: ReconcileResponse = check(include_str!("../vectors/reconcile-response.json"));
    assert_eq!(answer.entries[1].part, Part::Answered);
    let request: SimulateRequest = check(include_str!("../vectors/simulate-request.json"));
    assert_eq!((request.recipients.len(), request.drafts.len()), (1, 1));
    let response: SimulateResponse = check(include_str!("../vectors/simulate-response.json"));
    assert_eq!(response.outcomes[0].withheld[0].remedy, Remedy::PermitRecipient);
    let delivery: Delivery = check(include_str!("../vectors/delivery.json"));
    assert_eq!(delivery.kind, DeliveryKind::Consent);
    check::<DeliveryReceipt>(include_str!("../vectors/delivery-receipt.json"));
    let request: AddCheckpoint = check(include_str!("../vectors/add-checkpoint.json"));
    assert_eq!((request.old, request.proof.len()), (1, 2));
    let answer: CheckpointAnswer = check(include_str!("../vectors/checkpoint-answer.json"));
    assert_eq!(answer.outcome, witness::Outcome::Cosigned);
    let answer: CheckpointAnswer = check(include_str!("../vectors/checkpoint-refused.json"));
    assert_eq!(answer.outcome, witness::Outcome::Inconsistent);
    check::<CheckpointsRequest>(include_str!("../vectors/checkpoints-request.json"));
    check::<CheckpointsResponse>(include_str!("../vectors/checkpoints-response.json"));
    let request: LocatorKeyRequest = check(include_str!("../vectors/locator-key-request.json"));
    assert_eq!(request.epoch, 20_780);
    let response: LocatorKeyResponse = check(include_str!("../vectors/locator-key-response.json"));
    assert!(!format!("{response:?}").contains(&response.key), "a key is not for logs");
    let publication: Publication = check(include_str!("../vectors/publication.json"));
    assert_eq!(publication.records[0].encodings[1].view, EncodedView::Contact);
    assert_eq!(publication.closed_to.len(), 1);
    let publication: Publication = check(include_str!("../vectors/publication-question.json"));
    assert_eq!(publication.after, None);
    check::<PublicationReceipt>(include_str!("../vectors/publication-receipt.json"));
    check::<LocateRequest>(include_str!("../vectors/locate-request.json"));
    let response: LocateResponse = check(include_str!("../vectors/locate-response.json"));
    assert_eq!((response.likely.len(), response.absent.len()), (1, 2));
    let request: CohortRequest = check(include_str!("../vectors/cohort-request.json"));
    assert!(!format!("{request:?}").contains(&request.key), "a key is not for logs");
    let response: CohortResponse = check(include_str!("../vectors/cohort-response.json"));
    assert_eq!((response.parts.len(), response.sketch.len()), (4, 64));
    let refusal: Refusal = check(include_str!("../vectors/refusal-budget.json"));
    assert_eq!(refusal.code, RefusalCode::Budget);
    let project: research::Project = check(include_str!("../vectors/research-project.json"));
    assert!(project.is_sound());
    let project: research::Project =
        check(include_str!("../vectors/research-project-program.json"));
    assert_eq!(project.programs[0].outputs[1].bound, 1.0e7);
    let decision: research::Decision = check(include_str!("../vectors/research-decision.json"));
    assert_eq!((decision.choice, decision.council), (research::ProjectChoice::Approve, None));
    let decision: research::Decision =
        check(include_str!("../vectors/research-decision-council.json"));
    assert!(decision.is_sound());
    assert_eq!(decision.council.unwrap().agree, 3);
    let amendment: research::Project =
        check(include_str!("../vectors/research-project-amendment.json"));
    assert!(amendment.is_sound() && amendment.amends.is_some());
    let release: research::Release = check(include_str!("../vectors/research-release.json"));
    assert!(release.is_sound());
    let inquiry: research::Inquiry = check(include_str!("../vectors/research-inquiry.json"));
    assert!(inquiry.is_sound());
    check::<research::AggregatorKey>(include_str!("../vectors/research-aggregator-key.json"));
    let withdrawal: research::Withdrawal =
        check(include_str!("../vectors/research-withdrawal.json"));
    assert!(withdrawal.is_sound());
    let outcome: research::Outcome = check(include_str!("../vectors/research-outcome.json"));
    assert!(outcome.is_sound() && outcome.publications.len() == 1);
    let request: RoundsRequest = check(include_str!("../vectors/rounds-request.json"));
    assert_eq!((request.given.len(), request.wait_ms), (5, 20_000));
    let response: RoundsResponse = check(include_str!("../vectors/rounds-response.json"));
    assert_eq!((response.projects.len(), response.work.len()), (1, 4));
    assert_eq!(response.decisions.len(), 1);
    let request: CatalogueRequest = check(include_str!("../vectors/catalogue-request.json"));
    assert_eq!(request.after.as_deref(), Some("trial"));
    let told: CatalogueResponse = check(include_str!("../vectors/catalogue-response.json"));
    assert_eq!((told.sets.len(), told.more), (2, true));
    let signed: SignedStatement = check(include_str!("../vectors/agreement-statement.json"));
    let key = crypto::SigningKey::from_seed(&[7; 32]).unwrap();
    let opened = signed.open().unwrap();
    assert!(
        matches!(&opened.said, agreement::Said::Signed { text, .. } if *text == agreement::text_hash("{}"))
    );
    assert_eq!(opened.sign(&key).unwrap(), signed);
    let known: AgreementsRequest = check(include_str!("../vectors/agreements-request.json"));
    assert_eq!(known.known.len(), 1);
    let told: AgreementsResponse = check(include_str!("../vectors/agreements-response.json"));
    assert!(matches!(told.statements[0].open().unwrap().said, agreement::Said::Ended { .. }));
    let end: End = check(include_str!("../vectors/record-end.json"));
    assert_eq!(end.handling.unwrap().obligations[0].agreement, "Shared care");
    let refusal: Refusal = check(include_str!("../vectors/refusal.json"));
    assert_eq!(refusal.code, RefusalCode::SecondFactorTooOld);
    let refusal: Refusal = check(include_str!("../vectors/refusal-later.json"));
    assert_eq!(refusal.retry_after_s, Some(10));
}

#[test]
fn the_councils_business() {
    let list: SignedMembership = check(include_str!("../vectors/membership-voted.json"));
    let list = list.read().unwrap();
    assert_eq!(list.council().unwrap().seats.len(), 1);
    check::<Membership>(&serde_json::to_string(&list).unwrap());
    let proposal: Proposal = check(include_str!("../vectors/proposal.json"));
    assert_eq!(proposal.motion.organisation().unwrap().as_str(), "south");
    let receipt: ApplicationReceipt = check(include_str!("../vectors/application-receipt.json"));
    assert_eq!(receipt.asks, Asked::Admit);
    let ballot: Ballot = check(include_str!("../vectors/ballot.json"));
    assert_eq!(ballot.choice, Choice::Yes);
    let request: CouncilRequest = check(include_str!("../vectors/council-request.json"));
    assert_eq!(request.items.len(), 2);
    let answer: CouncilAnswer = check(include_str!("../vectors/council-answer.json"));
    assert_ne!(answer.items[0].tag(), answer.items[1].tag());
    let flag: Flag = check(include_str!("../vectors/flag.json"));
    assert_eq!(flag.kind, FlagKind::ManyPatients);
    check::<FlagReceipt>(include_str!("../vectors/flag-receipt.json"));
}

#[test]
fn record_stream() {
    // Of before there were obligations, with them, and with the consents of 42 CFR 2.32(b).
    let plain = include_str!("../vectors/record-stream.ndjson");
    assert!(plain.contains("\"value\":7.10,"), "decimals keep their digits");
    check_stream(plain);
    check_stream(include_str!("../vectors/record-stream-obligations.ndjson"));
    check_stream(include_str!("../vectors/record-stream-consents.ndjson"));
}

fn check_stream(text: &str) {
    let mut written = String::new();
    for line in text.lines() {
        written += &match Frame::parse(line.as_bytes()).unwrap() {
            Frame::Head(head) => head.to_line(),
            Frame::Resource(resource) => frame::resource_line(resource.get()),
            Frame::End(end) => end.to_line(),
        };
    }
    assert_eq!(written, text);
}

#[test]
fn membership() {
    let signed = SignedMembership::parse(include_bytes!("../vectors/membership.json")).unwrap();
    let council = crypto::SigningKey::from_seed(&[9; 32]).unwrap();
    let list = signed.verify(&council.public_key(), 1_700_000_000_000, None).unwrap();
    assert_eq!(list.members.len(), 2);
    assert_eq!(list.members[1].state, MemberState::Suspended);
    assert_eq!(list.sign(&council).unwrap(), signed);
}

/// Reads a stored assertion; gives it back with its key and its token.
fn stored_assertion(text: &str) -> (Assertion, crypto::SigningKey, String) {
    #[derive(serde::Deserialize)]
    struct Vector {
        seed: [u8; 32],
        body: String,
        now_ms: i64,
        token: String,
    }
    let vector: Vector = serde_json::from_str(text).unwrap();
    let key = crypto::SigningKey::from_seed(&vector.seed).unwrap();
    let (peer, own) = (&"north".parse().unwrap(), &"south".parse().unwrap());
    let body_sha256 = &crypto::sha256(vector.body.as_bytes());
    let (method, path, now_ms) = ("POST", path::MATCH, vector.now_ms);
    let expected = Expected { peer, own, method, path, body_sha256, now_ms };
    let read = Assertion::verify(&vector.token, &expected, &key.public_key()).unwrap();
    assert_eq!(read.subject.role, Role::Clinician);
    assert_eq!(read.evidence, Some(Evidence::Reference("Encounter/17".into())));
    (read, key, vector.token)
}

#[test]
fn assertion() {
    let (read, key, token) = stored_assertion(include_str!("../vectors/assertion.json"));
    assert_eq!(read.amr, ["pop", "user", "mfa"]);
    assert_eq!(read.acr, crate::acr::PHISHING_RESISTANT);
    // Ed25519 is deterministic, so signing again gives the same token.
    assert_eq!(read.sign(&key).unwrap(), token);
}

#[test]
fn an_assertion_of_before_there_was_an_acr_is_taken_by_its_methods() {
    let (read, _, _) = stored_assertion(include_str!("../vectors/assertion-without-acr.json"));
    assert_eq!(read.amr, ["pwd", "otp", "mfa"]);
    assert_eq!(read.acr, crate::acr::TWO_FACTORS);
}
