//! One question to many peers, of which some misbehave.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use federation::{
    Answer, AskError, Deadlines, FanEvent, FanOut, Limits, PeerEnd, PeerEvent, Peers, ServeOptions,
    fan_out,
};
use futures_util::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use wire::{OrgId, SourceStatus, path};

use crate::world::*;

fn records(peers: &Peers, ids: &[&str], deadlines: Deadlines) -> FanOut {
    let peers = peers.clone();
    fan_out(ids.iter().map(|id| org(id)).collect(), deadlines, move |org: OrgId, hard| {
        let peers = peers.clone();
        async move {
            let body = Bytes::from_static(b"{}");
            let reply = peers.ask(&org, path::RECORD, body, &asking(), hard).await?;
            Ok(Answer::Records(Box::new(reply)))
        }
    })
}

/// Reads to the end; returns each peer's end and checks that its resources came before it.
async fn ends(mut events: FanOut) -> BTreeMap<String, PeerEnd> {
    let (mut ends, mut resources) = (BTreeMap::new(), BTreeMap::<String, u64>::new());
    while let Some(event) = timeout(PATIENCE, events.next()).await.unwrap() {
        let FanEvent::Peer { org, event } = event else { continue };
        let org = org.to_string();
        assert!(!ends.contains_key(&org), "nothing comes after the end");
        match event {
            PeerEvent::Head(_) => {}
            PeerEvent::Resource(_) => *resources.entry(org).or_default() += 1,
            PeerEvent::End(end) => {
                assert_eq!(end.resources, resources.get(&org).copied().unwrap_or(0));
                ends.insert(org, end);
            }
        }
    }
    ends
}

#[tokio::test]
async fn no_peer_spoils_the_answers_of_the_others() {
    use SourceStatus::*;
    let ids = ["a-good", "b-huge", "c-garbage", "d-slow", "e-dead", "f-liar", "g-mute", "h-stalls"];
    let mut world = World::new(&[&["north"], &ids[..]].concat()).await;
    let _good = world.start_plain("a-good", 2_000);
    let _huge = world.start_with("b-huge", |_, _, _| async {
        // 200 MB, in lines of 1 MB.
        let line = format!("{{\"resource\":{{\"x\":\"{}\"}}}}\n", "x".repeat(1_000_000));
        let lines = stream::repeat(Bytes::from(line)).take(200);
        streamed(stream::iter([Bytes::from(head("b-huge", 200))]).chain(lines))
    });
    let _garbage = world.start_with("c-garbage", |_, _, _| async { text("garbage") });
    let _slow = world.start_with("d-slow", |_, _, _| std::future::pending());
    drop(world.listener("e-dead"));
    let (listener, network) = (world.listener("f-liar"), world.network("f-liar"));
    let liar = Arc::new(fresh_identity("f-liar"));
    let _liar = start(listener, liar, network, axum::Router::new(), ServeOptions::default());
    let _mute = world.listener("g-mute");
    let _stalls = world.start_with("h-stalls", |_, _, _| async {
        let begin = Bytes::from(head("h-stalls", 2) + &resource("h-stalls", 0));
        streamed(stream::iter([begin]).chain(stream::pending()))
    });
    let limits =
        Limits { connect: Duration::from_millis(500), bytes: 8_000_000, ..Limits::default() };
    let peers = world.peers("north", limits);
    let deadlines =
        Deadlines { soft: Duration::from_millis(1_000), hard: Duration::from_millis(5_000) };
    let ends = ends(records(&peers, &ids, deadlines)).await;
    let found: Vec<_> = ends.iter().map(|(id, end)| (id.as_str(), end.status)).collect();
    assert_eq!(
        found,
        [
            ("a-good", Answered),
            ("b-huge", Partial),
            ("c-garbage", Unreachable),
            ("d-slow", TimedOut),
            ("e-dead", Unreachable),
            ("f-liar", Refused),
            ("g-mute", Unreachable),
            ("h-stalls", Partial),
        ]
    );
    assert_eq!((ends["a-good"].resources, ends["a-good"].expected), (2_000, Some(2_000)));
    let huge = &ends["b-huge"];
    assert!((5..8).contains(&huge.resources), "{}", huge.resources);
    assert_eq!(huge.notes, ["the peer's answer is larger than this node accepts"]);
    assert_eq!((ends["h-stalls"].resources, ends["h-stalls"].expected), (1, Some(2)));
}

#[tokio::test]
async fn rows_of_fast_peers_come_before_slow_ones_answer() {
    let mut world = World::new(&["north", "south", "east"]).await;
    let _south = world.start_plain("south", 2);
    let (release, released) = oneshot::channel::<()>();
    let released = Arc::new(tokio::sync::Mutex::new(Some(released)));
    let _east = world.start_with("east", move |_, _, _| {
        let released = Arc::clone(&released);
        async move {
            released.lock().await.take().unwrap().await.unwrap();
            text(record("east", 1))
        }
    });
    let peers = world.peers("north", Limits::default());
    let deadlines = Deadlines { soft: Duration::ZERO, hard: PATIENCE };
    let mut events = records(&peers, &["east", "south"], deadlines);
    let mut next = async || timeout(PATIENCE, events.next()).await.unwrap();
    // The soft deadline is over at once: both are outstanding.
    let outstanding = vec![org("east"), org("south")];
    assert_eq!(next().await, Some(FanEvent::SoftDeadline { outstanding }));
    for _ in 0..4 {
        let Some(FanEvent::Peer { org: from, .. }) = next().await else { panic!() };
        assert_eq!(from, org("south"), "head, two resources and end, while east has not answered");
    }
    release.send(()).unwrap();
    for _ in 0..3 {
        let Some(FanEvent::Peer { org: from, .. }) = next().await else { panic!() };
        assert_eq!(from, org("east"));
    }
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn dropping_the_stream_cancels_the_questions() {
    let mut world = World::new(&["north", "south"]).await;
    let (begun, mut begins) = mpsc::unbounded_channel();
    let _south = world.start_with("south", move |_, _, _| {
        let (alive, gone) = oneshot::channel::<()>();
        begun.send(gone).unwrap();
        async move {
            let _alive = alive;
            std::future::pending().await
        }
    });
    let peers = world.peers("north", Limits::default());
    let deadlines = Deadlines { soft: PATIENCE, hard: PATIENCE };
    let events = records(&peers, &["south"], deadlines);
    let gone = timeout(PATIENCE, begins.recv()).await.unwrap().unwrap();
    drop(events);
    assert!(timeout(PATIENCE, gone).await.unwrap().is_err(), "south's handler was dropped");
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_kept_to_the_millisecond() {
    let start = tokio::time::Instant::now();
    let peers = vec![org("north"), org("south"), org("east")];
    let mut events = fan_out(peers, Deadlines::default(), |peer, _| async move {
        match peer.as_str() {
            "south" => Ok(Answer::Settled(PeerEnd::plain(SourceStatus::NoMatch))),
            "east" => panic!("a fault of ours while asking one peer"),
            _ => std::future::pending::<Result<Answer, AskError>>().await,
        }
    });
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        let label = match event {
            FanEvent::SoftDeadline { outstanding } => format!("outstanding {outstanding:?}"),
            FanEvent::Peer { org, event: PeerEvent::End(end) } => {
                format!("{org} {}", end.status.as_str())
            }
            FanEvent::Peer { .. } => panic!("nobody sent anything"),
        };
        seen.push((start.elapsed().as_millis(), label));
    }
    // The two that end at once may do so in either order.
    seen.sort();
    let expected = [
        (0, "east timed-out"),
        (0, "south no-match"),
        (2_000, "outstanding [OrgId(north)]"),
        (10_000, "north timed-out"),
    ];
    let seen: Vec<_> = seen.iter().map(|(at, label)| (*at, label.as_str())).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn nobody_to_ask_is_no_question() {
    let world = World::new(&["north"]).await;
    let peers = world.peers("north", Limits::default());
    assert!(ends(records(&peers, &[], Deadlines::default())).await.is_empty());
}
