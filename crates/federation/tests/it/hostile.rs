//! Peers that answer nonsense, too much, or nothing.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use federation::{AskError, Limits};
use futures_util::stream;
use tokio::io::AsyncWriteExt;
use wire::{Refusal, RefusalCode};

use crate::world::*;

/// What asking comes to when `south` answers with `answer`.
async fn outcome(
    limits: Limits,
    answer: impl Fn() -> Response + Clone + Send + Sync + 'static,
) -> AskError {
    let mut world = World::new(&["north", "south"]).await;
    let _south = world.start_with("south", move |_, _, _| {
        let answer = answer();
        async { answer }
    });
    count(&world.peers("north", limits), "south").await.unwrap_err()
}

#[tokio::test]
async fn every_departure_from_the_protocol_is_noticed() {
    let good = || (head("south", 1), resource("south", 0), end(1));
    let (head, resource, end) = good();
    let check = |text: String, expected: AskError| async move {
        let shown = text.clone();
        let answer = move || crate::world::text(text.clone());
        assert_eq!(outcome(Limits::default(), answer).await, expected, "{shown}");
    };
    let no_frame = AskError::Garbage("a line is no frame");
    let out_of_order = AskError::Garbage("frames are out of order");
    check("<html>hello</html>".into(), no_frame.clone()).await;
    check("\u{0}\u{1}\n".into(), no_frame.clone()).await;
    check(format!("{head}\n{end}"), no_frame.clone()).await;
    check(format!("{head}{}", &resource[..20]), no_frame).await;
    check(format!("{resource}{end}"), out_of_order.clone()).await;
    check(format!("{head}{head}"), out_of_order.clone()).await;
    check(format!("{head}{resource}{end}{resource}"), out_of_order).await;
    check(format!("{head}{{\"resource\":7}}\n"), AskError::Garbage("a resource is no json object"))
        .await;
    let other = AskError::Garbage("the answer names another organisation");
    check(crate::world::head("east", 1), other).await;
    check(String::new(), AskError::Incomplete).await;
    check(format!("{head}{resource}"), AskError::Incomplete).await;
    check(format!("{head}{resource}{resource}{end}"), AskError::Incomplete).await;
}

#[tokio::test]
async fn errors_are_refusals_or_garbage() {
    let refusal = Refusal::new(RefusalCode::SecondFactorTooOld, "ask again");
    let sent = refusal.clone();
    let found = outcome(Limits::default(), move || refuse(&sent)).await;
    assert_eq!(found, AskError::Refused(refusal));
    let garbage = AskError::Garbage("an error without a refusal");
    let page = || (StatusCode::BAD_GATEWAY, "<html>").into_response();
    assert_eq!(outcome(Limits::default(), page).await, garbage);
    let long = || (StatusCode::BAD_GATEWAY, vec![b'x'; 10_000_000]).into_response();
    assert_eq!(outcome(Limits::default(), long).await, garbage);
    let elsewhere = || (StatusCode::FOUND, [("location", "https://127.0.0.1:1/")]).into_response();
    assert_eq!(outcome(Limits::default(), elsewhere).await, garbage);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_at_the_limit() {
    let endless = |line: Bytes| {
        move || {
            let head = Bytes::from(head("south", 1));
            let (line, first) = (line.clone(), stream::iter([head]));
            streamed(futures_util::StreamExt::chain(first, stream::repeat(line)))
        }
    };
    let line = Bytes::from(resource("south", 0).repeat(200));
    let limits = Limits { bytes: 1_000_000, ..Limits::default() };
    assert_eq!(outcome(limits, endless(line.clone())).await, AskError::TooLarge);
    let limits = Limits { resources: 100, ..Limits::default() };
    assert_eq!(outcome(limits, endless(line)).await, AskError::TooLarge);
    let limits = Limits { line_bytes: 100_000, ..Limits::default() };
    let no_break = Bytes::from_static(&[b' '; 1000]);
    assert_eq!(outcome(limits, endless(no_break)).await, AskError::TooLarge);
    // A flood of tiny frames ends the connection before any limit is reached.
    let tiny = Bytes::from_static(b" ");
    assert_eq!(outcome(Limits::default(), endless(tiny)).await, AskError::Incomplete);
}

#[tokio::test]
async fn a_peer_that_accepts_and_never_answers_is_given_up() {
    let mut world = World::new(&["north", "south", "east"]).await;
    // Accepts connections (by its backlog) and never begins the handshake.
    let _mute = world.listener("south");
    // Completes the handshake and never answers.
    let _slow = world.start_with("east", |_, _, _| std::future::pending());
    let limits = Limits { connect: Duration::from_millis(100), ..Limits::default() };
    let peers = world.peers("north", limits);
    assert_eq!(ask(&peers, "south").await.unwrap_err(), AskError::Unreachable);
    let short = Duration::from_millis(300);
    assert_eq!(ask_within(&peers, "east", short).await.unwrap_err(), AskError::TimedOut);
}

#[tokio::test]
async fn a_peer_that_stalls_in_the_middle_is_given_up() {
    let mut world = World::new(&["north", "south"]).await;
    let _slow = world.start_with("south", |_, _, _| async {
        let begin = Bytes::from(head("south", 2) + &resource("south", 0));
        let first = stream::iter([begin]);
        streamed(futures_util::StreamExt::chain(first, stream::pending()))
    });
    let peers = world.peers("north", Limits::default());
    let mut reply = ask_within(&peers, "south", Duration::from_millis(500)).await.unwrap();
    assert!(matches!(reply.next_frame().await, Ok(Some(wire::Frame::Head(_)))));
    assert!(matches!(reply.next_frame().await, Ok(Some(wire::Frame::Resource(_)))));
    assert_eq!(reply.next_frame().await.unwrap_err(), AskError::TimedOut);
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_unreachable() {
    let mut world = World::new(&["north", "south"]).await;
    let listener = world.listener("south");
    let speaking = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    });
    let peers = world.peers("north", Limits::default());
    assert_eq!(ask(&peers, "south").await.unwrap_err(), AskError::Unreachable);
    speaking.abort();
}
