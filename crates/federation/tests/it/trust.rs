//! Who is let in, and what makes a request acceptable.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use crypto::{Random, RandomFault, SystemRandom};
use federation::{AskError, Limits, Network, Peers, ServeOptions};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire::{Member, MemberState, MembershipError, RefusalCode, path};

use crate::world::*;

fn suspended(id: &'static str) -> impl Fn(&mut Vec<Member>) {
    move |members| {
        let member = members.iter_mut().find(|m| m.id == org(id)).unwrap();
        member.state = MemberState::Suspended;
    }
}

fn without(id: &'static str) -> impl Fn(&mut Vec<Member>) {
    move |members| members.retain(|m| m.id != org(id))
}

fn code<T>(result: Result<T, AskError>) -> Option<RefusalCode> {
    match result {
        Err(AskError::Refused(refusal)) => Some(refusal.code),
        _ => None,
    }
}

/// Starts `south` with its view of the network; counts the requests that reach its service.
fn counted(world: &mut World, network: Option<Network>) -> (Node, Arc<AtomicUsize>) {
    let network = network.unwrap_or_else(|| world.network("south"));
    let reached = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reached);
    let inbound = world.inbound(&network);
    let handler = move |_, _, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        async { text(record("south", 1)) }
    };
    let (listener, identity) = (world.listener("south"), world.identity("south"));
    let router = checked(inbound, handler);
    (start(listener, identity, network, router, ServeOptions::default()), reached)
}

#[tokio::test]
async fn a_peer_that_lies_about_its_identity_is_found_out() {
    let mut world = World::new(&["north", "south"]).await;
    let (listener, network) = (world.listener("south"), world.network("south"));
    let reached = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reached);
    let router = axum::Router::new().fallback(async move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let liar = Arc::new(fresh_identity("south"));
    let _liar = start(listener, liar, network, router, ServeOptions::default());
    let peers = world.peers("north", Limits::default());
    for _ in 0..4 {
        assert_eq!(ask(&peers, "south").await.unwrap_err(), AskError::Identity);
    }
    assert_eq!(reached.load(Ordering::SeqCst), 0, "nothing is sent to a liar");
    // It answers, so this is no matter for the circuit breaker.
    assert_eq!(peers.figures()[0].failures, 0);
}

#[tokio::test]
async fn whoever_is_not_in_the_list_is_refused_in_the_handshake() {
    let mut world = World::new(&["north", "south", "mallory"]).await;
    let network = world.network_of("south", &world.list(1, without("mallory")));
    let (_south, reached) = counted(&mut world, Some(network));
    let mallory = world.peers("mallory", Limits::default());
    assert_eq!(ask(&mallory, "south").await.unwrap_err(), AskError::Identity);
    // A member's name with a key of one's own is not enough either.
    let impostor = Arc::new(fresh_identity("north"));
    let impostor = world.peers_as(impostor, world.network("north"), Limits::default());
    assert_eq!(ask(&impostor, "south").await.unwrap_err(), AskError::Identity);
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    assert_eq!(count(&world.peers("north", Limits::default()), "south").await, Ok(1));
}

#[tokio::test]
async fn a_suspension_holds_in_the_handshake_on_open_connections_and_until_it_is_lifted() {
    let mut world = World::new(&["north", "south"]).await;
    let network = world.network("south");
    let (_south, reached) = counted(&mut world, Some(network.clone()));
    let connected = world.peers("north", Limits::default());
    assert_eq!(count(&connected, "south").await, Ok(1));
    assert_eq!(network.update(&world.list(2, suspended("north"))), Ok(2));
    assert_eq!(code(ask(&connected, "south").await), Some(RefusalCode::Suspended));
    let unconnected = world.peers("north", Limits::default());
    assert_eq!(ask(&unconnected, "south").await.unwrap_err(), AskError::Identity);
    assert_eq!(reached.load(Ordering::SeqCst), 1);

    let outdated = MembershipError::Outdated { offered: 1, current: 2 };
    assert_eq!(network.update(&world.list(1, |_| {})), Err(outdated));
    assert_eq!(network.update(&world.list(3, |_| {})), Ok(3));
    assert_eq!(count(&connected, "south").await, Ok(1));
    assert_eq!(count(&unconnected, "south").await, Ok(1));
}

#[tokio::test]
async fn a_node_does_not_ask_whom_its_own_list_excludes() {
    let mut world = World::new(&["north", "south"]).await;
    let (_south, reached) = counted(&mut world, None);
    for (change, expected) in [
        (&suspended("south") as &dyn Fn(&mut Vec<Member>), RefusalCode::Suspended),
        (&without("south"), RefusalCode::NotAMember),
    ] {
        let network = world.network_of("north", &world.list(1, change));
        let peers = world.peers_as(world.identity("north"), network, Limits::default());
        assert_eq!(code(ask(&peers, "south").await), Some(expected));
    }
    let peers = world.peers("north", Limits::default());
    world.now_ms.fetch_add(86_400_000, Ordering::SeqCst);
    assert_eq!(code(ask(&peers, "south").await), Some(RefusalCode::NotAMember), "list expired");
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_expired_list_admits_nobody() {
    let mut world = World::new(&["north", "south"]).await;
    let (_south, reached) = counted(&mut world, None);
    let client = raw_tls(&world, "north", &[b"http/1.1"]);
    world.now_ms.fetch_add(86_400_000, Ordering::SeqCst);
    let stream = TcpStream::connect(world.address("south")).await.unwrap();
    let mut stream = client.connect("south".try_into().unwrap(), stream).await.unwrap();
    let error = stream.read_u8().await.unwrap_err().to_string();
    assert_eq!(error, "received fatal alert: AccessDenied");
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_client_that_never_speaks_is_let_go() {
    let mut world = World::new(&["north", "south"]).await;
    let (listener, identity) = (world.listener("south"), world.identity("south"));
    let options = ServeOptions { handshake: Duration::from_millis(50), ..ServeOptions::default() };
    let _south = start(listener, identity, world.network("south"), axum::Router::new(), options);
    let mut stream = TcpStream::connect(world.address("south")).await.unwrap();
    let read = timeout(PATIENCE, stream.read_u8()).await.unwrap();
    assert!(read.is_err(), "the node closes the connection");
}

#[tokio::test]
async fn one_organisation_cannot_take_all_connections() {
    let mut world = World::new(&["north", "south", "east"]).await;
    let (listener, identity) = (world.listener("south"), world.identity("south"));
    let network = world.network("south");
    let router = checked(world.inbound(&network), |_, _, _| async { text(record("south", 1)) });
    let options = ServeOptions { max_per_peer: 2, ..ServeOptions::default() };
    let _south = start(listener, identity, network, router, options);
    let client = raw_tls(&world, "north", &[b"http/1.1"]);
    let mut held = Vec::new();
    for _ in 0..3 {
        let stream = TcpStream::connect(world.address("south")).await.unwrap();
        held.push(client.connect("south".try_into().unwrap(), stream).await.unwrap());
    }
    let closed = held.iter_mut().map(|stream| Box::pin(stream.read_u8()));
    let (closed, _, _) = timeout(PATIENCE, futures_util::future::select_all(closed)).await.unwrap();
    assert!(closed.is_err(), "one of three is closed");
    assert_eq!(count(&world.peers("east", Limits::default()), "south").await, Ok(1));
}

/// Gives the same bytes each time, so that each assertion has the same `jti`.
struct Constant;

impl Random for Constant {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomFault> {
        bytes.fill(7);
        Ok(())
    }
}

#[tokio::test]
async fn a_replayed_assertion_is_refused() {
    let mut world = World::new(&["north", "south"]).await;
    let (_south, reached) = counted(&mut world, None);
    let (identity, network) = (world.identity("north"), world.network("north"));
    let limits = Limits::default();
    let peers = Peers::new(identity, network, world.clock(), Arc::new(Constant), limits);
    assert_eq!(count(&peers, "south").await, Ok(1));
    assert_eq!(code(ask(&peers, "south").await), Some(RefusalCode::Replayed));
    world.now_ms.fetch_add(59_999, Ordering::SeqCst);
    assert_eq!(code(ask(&peers, "south").await), Some(RefusalCode::Replayed));
    assert_eq!(reached.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_assertion_holds_for_a_minute_and_for_one_request_between_two_nodes() {
    let mut world = World::new(&["north", "south", "east"]).await;
    let (captured, mut capture) = mpsc::unbounded_channel();
    let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let token = request.headers()[wire::ASSERTION_HEADER].to_str().unwrap().to_owned();
        captured.send(token).unwrap();
        async { text(record("south", 0)) }
    });
    let _south = world.start("south", router);
    let peers = world.peers("north", Limits::default());
    assert_eq!(count(&peers, "south").await, Ok(0));
    let token = capture.recv().await.unwrap();

    let inbound = world.inbound(&world.network("south"));
    let check = |peer: &str, token: Option<&str>, method: &str, path: &str, body: &[u8]| {
        inbound.check(&org(peer), token, method, path, body).map(|_| ()).map_err(|r| r.message)
    };
    let good = Some(token.as_str());
    let refusals = [
        check("north", None, "POST", path::RECORD, b"{}"),
        check("north", Some("x.y.z"), "POST", path::RECORD, b"{}"),
        check("north", good, "POST", path::RECORD, b"{ }"),
        check("north", good, "POST", path::DELIVER, b"{}"),
        check("north", good, "PUT", path::RECORD, b"{}"),
        check("east", good, "POST", path::RECORD, b"{}"),
        check("west", good, "POST", path::RECORD, b"{}"),
    ];
    let messages: Vec<_> = refusals.into_iter().map(|r| r.unwrap_err()).collect();
    assert_eq!(
        messages,
        [
            "the request carries no assertion",
            "the token is not a compact JWS",
            "the assertion covers another request",
            "the assertion covers another request",
            "the assertion covers another request",
            "the signature of the token does not match",
            "the organisation is not in the membership list; ask the council",
        ]
    );
    let east = world.inbound(&world.network("east"));
    let elsewhere = east.check(&org("north"), good, "POST", path::RECORD, b"{}").unwrap_err();
    assert_eq!(elsewhere.message, "the assertion is meant for another organisation");
    world.now_ms.fetch_add(60_000, Ordering::SeqCst);
    let late = check("north", good, "POST", path::RECORD, b"{}").unwrap_err();
    assert_eq!(late, "the assertion has expired; check the clocks of both nodes");
    world.now_ms.fetch_sub(60_001, Ordering::SeqCst);
    assert_eq!(check("north", good, "POST", path::RECORD, b"{}"), Ok(()));
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named_to_the_asker() {
    let mut world = World::new(&["north", "south"]).await;
    let (_south, _) = counted(&mut world, None);
    let (identity, network) = (world.identity("north"), world.network("north"));
    for (offset_ms, expected) in [
        (-60_000, "the assertion has expired; check the clocks of both nodes"),
        (11_000, "the assertion is not yet valid; check the clocks of both nodes"),
    ] {
        let clock: federation::Clock = Arc::new(move || START_MS + offset_ms);
        let random = Arc::new(SystemRandom);
        let (identity, network) = (Arc::clone(&identity), network.clone());
        let peers = Peers::new(identity, network, clock, random, Limits::default());
        let Err(AskError::Refused(refusal)) = ask(&peers, "south").await else { panic!() };
        assert_eq!(refusal.code, RefusalCode::AssertionInvalid);
        assert_eq!(refusal.message, expected);
    }
}

#[tokio::test]
async fn a_peer_that_asks_too_much_is_slowed_and_others_are_not() {
    let world = World::new(&["north", "south", "east"]).await;
    let inbound = federation::Inbound::new(
        world.network("south"),
        world.clock(),
        federation::InboundLimits {
            per_second: 1,
            burst: 3,
            remembered: 100,
            ..federation::InboundLimits::default()
        },
    );
    let ask = |peer: &str| {
        inbound.check(&org(peer), None, "POST", path::RECORD, &Bytes::new()).unwrap_err().code
    };
    let codes: Vec<_> = (0..4).map(|_| ask("north")).collect();
    let invalid = RefusalCode::AssertionInvalid;
    assert_eq!(codes, [invalid, invalid, invalid, RefusalCode::RateLimited]);
    assert_eq!(ask("east"), invalid);
    world.now_ms.fetch_add(1000, Ordering::SeqCst);
    assert_eq!(ask("north"), invalid);
}

/// Starts `south` with an answer that begins and then goes on for ever.
fn endless(world: &mut World, network: &Network) -> Node {
    let handler = |_, _, _| async {
        let begin = [Bytes::from(head("south", 9)), Bytes::from(resource("south", 1))];
        let rest = futures_util::stream::pending();
        streamed(futures_util::StreamExt::chain(futures_util::stream::iter(begin), rest))
    };
    let router = checked(world.inbound(network), handler);
    let (listener, identity) = (world.listener("south"), world.identity("south"));
    start(listener, identity, network.clone(), router, ServeOptions::default())
}

/// Reads until the answer ends early; how long that took after `change`.
async fn broken_off(peers: &Peers, change: impl FnOnce()) -> (AskError, Duration) {
    let mut reply = ask(peers, "south").await.unwrap();
    for _ in 0..2 {
        assert!(reply.next_frame().await.unwrap().is_some(), "the answer has begun");
    }
    let since = std::time::Instant::now();
    change();
    let error = timeout(Duration::from_secs(5), reply.next_frame()).await.unwrap().unwrap_err();
    (error, since.elapsed())
}

#[tokio::test]
async fn a_cut_ends_streams_and_connections_within_a_second_and_a_restore_heals() {
    let mut world = World::new(&["north", "south", "west"]).await;
    let network = world.network("south");
    let _south = endless(&mut world, &network);
    let north = org("north");
    for (cut, restore) in [(Some(&north), Some(&north)), (None, None)] {
        let peers = world.peers("north", Limits::default());
        let (error, took) = broken_off(&peers, || assert!(network.cut(cut))).await;
        assert_eq!(error, AskError::Incomplete);
        assert!(took < Duration::from_secs(1), "{took:?}");
        let again = ask(&peers, "south").await.unwrap_err();
        assert!(matches!(again, AskError::Identity | AskError::Unreachable), "{again:?}");
        let west = ask(&world.peers("west", Limits::default()), "south").await;
        assert_eq!(west.is_ok(), cut.is_some(), "others are cut only with all");
        assert!(network.restore(restore));
        ask(&world.peers("north", Limits::default()), "south").await.unwrap();
    }
    // The asker's own switch.
    let own = world.network("north");
    let peers = world.peers_as(world.identity("north"), own.clone(), Limits::default());
    let (error, took) = broken_off(&peers, || assert!(own.cut(Some(&org("south"))))).await;
    assert_eq!(code::<()>(Err(error)), Some(RefusalCode::CutOff));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(code(ask(&peers, "south").await), Some(RefusalCode::CutOff));
    assert!(own.active_others().iter().all(|member| member.id != org("south")));
}

#[tokio::test]
async fn a_list_ends_streams_of_whoever_it_shuts_out_and_of_keys_it_replaces() {
    let mut world = World::new(&["north", "south"]).await;
    let network = world.network("south");
    let _south = endless(&mut world, &network);
    let peers = world.peers("north", Limits::default());
    let stolen = fresh_identity("north").member("NORTH", "https://north:1", "https://north:1");
    let lists = [
        world.list(2, suspended("north")),
        world.list(4, without("north")),
        world.list(6, |members| {
            let member = members.iter_mut().find(|m| m.id == org("north")).unwrap();
            member.tls_fingerprint = stolen.tls_fingerprint;
            member.assertion_key = stolen.assertion_key;
        }),
    ];
    for (list, back) in lists.iter().zip([3, 5, 7]) {
        let (error, took) = broken_off(&peers, || assert!(network.update(list).is_ok())).await;
        assert_eq!(error, AskError::Incomplete, "list {}", back - 1);
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert!(ask(&peers, "south").await.is_err());
        network.update(&world.list(back, |_| {})).unwrap();
        ask(&world.peers("north", Limits::default()), "south").await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_that_draws_too_much_is_told_when_to_come_back() {
    let world = World::new(&["north", "south"]).await;
    let network = world.network("south");
    let limits = federation::InboundLimits {
        bytes_per_minute: 600,
        bytes_burst: 1000,
        ..federation::InboundLimits::default()
    };
    let inbound = federation::Inbound::new(network, world.clock(), limits);
    let refused = || inbound.check(&org("north"), None, "POST", path::RECORD, b"").unwrap_err();
    assert_eq!(refused().code, RefusalCode::AssertionInvalid, "within its volume it may ask");
    inbound.sent(&org("north"), 1100);
    let refusal = refused();
    assert_eq!((refusal.code, refusal.retry_after_s), (RefusalCode::RateLimited, Some(10)));
    world.now_ms.fetch_add(10_000, Ordering::SeqCst);
    assert_eq!(refused().code, RefusalCode::AssertionInvalid);
}
