//! Asking a well-behaved peer, and one that comes and goes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use federation::{AskError, Limits, PeerFigures, ServeOptions, batched};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use wire::{Grade, MatchOutcome, MatchRequest, MatchResponse, Raw, Role, path};

use crate::world::*;

#[tokio::test]
async fn a_question_arrives_with_its_assertion_and_its_answer_comes_back() {
    let mut world = World::new(&["north", "south"]).await;
    let (seen, mut asserted) = mpsc::unbounded_channel();
    let _south = world.start_with("south", move |who, path, body| {
        seen.send((who, path)).unwrap();
        async move {
            let request: MatchRequest = serde_json::from_slice(&body).unwrap();
            assert_eq!(request.patient.get(), r#"{"resourceType":"Patient","x":1.50}"#);
            let candidate = wire::Candidate {
                patient_id: "p-1".into(),
                score: 0.875,
                grade: Grade::Certain,
                fields: vec![],
                patient: Raw::new(r#"{"id":"p-1","x":2.0}"#).unwrap(),
            };
            let candidates = vec![candidate];
            let response = MatchResponse { outcome: MatchOutcome::Certain, candidates };
            text(serde_json::to_string(&response).unwrap())
        }
    });
    let peers = world.peers("north", Limits::default());
    let patient = Raw::new(r#"{"resourceType":"Patient","x":1.50}"#).unwrap();
    let request = MatchRequest { patient, count: 3, only_certain: false, agreements: None };
    let body = Bytes::from(serde_json::to_string(&request).unwrap());
    let deadline = Instant::now() + PATIENCE;
    let reply = peers.ask(&org("south"), path::MATCH, body, &asking(), deadline).await.unwrap();
    let response: MatchResponse = reply.json().await.unwrap();
    assert_eq!(response.candidates[0].patient.get(), r#"{"id":"p-1","x":2.0}"#);

    let (who, path) = asserted.recv().await.unwrap();
    assert_eq!(path, path::MATCH);
    assert_eq!(who.member.display_name, "NORTH");
    assert_eq!(who.assertion.issuer, org("north"));
    assert_eq!(who.assertion.subject.role, Role::Clinician);
    assert_eq!(who.assertion.mfa_time_ms, Some(START_MS - 10_000));
    assert_eq!(who.assertion.request_id, "request-1");
}

#[tokio::test]
async fn a_record_is_streamed_whole() {
    let mut world = World::new(&["north", "south"]).await;
    let _south = world.start_with("south", |_, _, _| async {
        // As an application answers: line by line, as they come out of the store.
        let resources = (0..50_000).map(|number| resource("south", number));
        let lines = std::iter::once(head("south", 50_000)).chain(resources).chain([end(50_000)]);
        streamed(batched(futures_util::stream::iter(lines)))
    });
    assert_eq!(count(&world.peers("north", Limits::default()), "south").await, Ok(50_000));
}

#[tokio::test]
async fn only_so_many_questions_run_at_once() {
    let mut world = World::new(&["north", "south"]).await;
    let _south = world.start_plain("south", 1);
    let peers = world.peers("north", Limits { concurrent: 1, ..Limits::default() });
    let held = ask(&peers, "south").await.unwrap();
    assert_eq!(peers.figures()[0].in_progress, 1);
    let waited = ask_within(&peers, "south", Duration::from_millis(50)).await;
    assert_eq!(waited.unwrap_err(), AskError::TimedOut);
    drop(held);
    assert_eq!(count(&peers, "south").await, Ok(1));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let mut world = World::new(&["north", "south"]).await;
    let peers = world.peers("north", Limits::default());
    let address = world.address("south");
    let mut node = world.start_plain("south", 1);
    for _ in 0..5 {
        assert_eq!(count(&peers, "south").await, Ok(1));
        // Dropped, not stopped: the connection breaks without a word.
        drop(node);
        let listener = rebind(address).await;
        let (identity, network) = (world.identity("south"), world.network("south"));
        let inbound = world.inbound(&network);
        let router = checked(inbound, |_, _, _| async { text(record("south", 1)) });
        node = start(listener, identity, network, router, ServeOptions::default());
    }
    assert_eq!(count(&peers, "south").await, Ok(1));
}

#[tokio::test]
async fn a_dead_peer_fails_fast_and_its_recovery_is_noticed() {
    let mut world = World::new(&["north", "south"]).await;
    let address = world.address("south");
    drop(world.listener("south"));
    let peers = world.peers("north", Limits::default());
    let mut recoveries = peers.recoveries(&org("south"));
    for failures in 1..=3 {
        assert_eq!(ask(&peers, "south").await.unwrap_err(), AskError::Unreachable);
        assert_eq!(peers.figures()[0].failures, failures);
    }
    assert!(peers.figures()[0].failing_fast);
    let listener = rebind(address).await;
    let (identity, network) = (world.identity("south"), world.network("south"));
    let inbound = world.inbound(&network);
    let router = checked(inbound, |_, _, _| async { text(record("south", 1)) });
    let _south = start(listener, identity, network, router, ServeOptions::default());
    timeout(PATIENCE, recoveries.changed()).await.unwrap().unwrap();
    assert_eq!(count(&peers, "south").await, Ok(1));
    let expected = PeerFigures {
        org: org("south"),
        display_name: "SOUTH".into(),
        failures: 0,
        failing_fast: false,
        answered_ms: Some(START_MS),
        in_progress: 0,
    };
    assert_eq!(peers.figures(), [expected]);
}

#[tokio::test]
async fn a_node_that_stops_finishes_what_it_has_begun() {
    let mut world = World::new(&["north", "south"]).await;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begun_there, go_on_there) = (Arc::clone(&begun), Arc::clone(&go_on));
    let south = world.start_with("south", move |_, _, _| {
        let (begun, go_on) = (Arc::clone(&begun_there), Arc::clone(&go_on_there));
        async move {
            begun.notify_one();
            go_on.notified().await;
            text(record("south", 3))
        }
    });
    let peers = world.peers("north", Limits::default());
    let asking = tokio::spawn(async move { count(&peers, "south").await });
    begun.notified().await;
    let stopping = tokio::spawn(south.stop());
    go_on.notify_one();
    assert_eq!(asking.await.unwrap(), Ok(3));
    timeout(PATIENCE, stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn http_1_is_answered_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut world = World::new(&["north", "south"]).await;
    let _south = world.start_plain("south", 0);
    // A TLS client of our own that offers HTTP/1.1 only.
    let client = raw_tls(&world, "north", &[b"http/1.1"]);
    let stream = tokio::net::TcpStream::connect(world.address("south")).await.unwrap();
    let mut stream = client.connect("south".try_into().unwrap(), stream).await.unwrap();
    let request =
        format!("GET {} HTTP/1.1\r\nhost: south\r\nconnection: close\r\n\r\n", path::HEALTH);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("up"), "{answer}");
}
