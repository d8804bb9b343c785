//! Deliveries that must not be lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::response::Response;
use federation::inbox::{self, Admission};
use federation::outbox::WorkerOptions;
use federation::{Asking, Deliver, DeliverError, Limits, Outbox, Peers, ServeOptions};
use store::memory::MemoryStore;
use store::{SharedStore, Transaction};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use wire::{
    Delivery, DeliveryKind, DeliveryReceipt, OrgId, Raw, ReceiptOutcome, Refusal, RefusalCode,
    Role, Subject, path,
};

use crate::world::*;

fn delivery(number: usize) -> Delivery {
    Delivery {
        id: format!("north-{number}"),
        kind: DeliveryKind::Consent,
        patient_id: Some("p-1".into()),
        asker_patient_id: "a-1".into(),
        body: Raw::new(format!(r#"{{"resourceType":"Consent","x":{number}.0}}"#)).unwrap(),
    }
}

/// Sends deliveries to the peer's `/deliver`, as an application would.
struct Post(Peers);

impl Deliver for Post {
    async fn deliver(&self, peer: &OrgId, delivery: Delivery) -> Result<(), DeliverError> {
        let subject = Subject { id: "outbox".into(), display: "NORTH".into(), role: Role::Service };
        let asking = Asking { subject, mfa_time_ms: None, ..asking() };
        let body = Bytes::from(serde_json::to_string(&delivery).unwrap());
        let deadline = Instant::now() + PATIENCE;
        let reply = self.0.ask(peer, path::DELIVER, body, &asking, deadline).await?;
        let receipt: DeliveryReceipt = reply.json().await?;
        assert_eq!(receipt.id, delivery.id);
        Ok(())
    }
}

/// A receiver that takes each delivery once, and loses some of its receipts.
#[derive(Clone)]
struct Receiver {
    store: SharedStore,
    taken: watch::Sender<Vec<String>>,
    arrived: Arc<AtomicUsize>,
}

impl Receiver {
    fn new(world: &World) -> Self {
        let store = MemoryStore::new(world.clock());
        Self { store, taken: watch::channel(Vec::new()).0, arrived: Arc::default() }
    }

    fn take(&self, body: &[u8]) -> Response {
        let delivery: Delivery = serde_json::from_slice(body).unwrap();
        if delivery.body.get().contains("poison") {
            return refuse(&Refusal::new(RefusalCode::MessageInvalid, "no such consent"));
        }
        let snapshot = self.store.snapshot().unwrap();
        let outcome = match inbox::admit(&*snapshot, &org("north"), &delivery.id).unwrap() {
            Admission::Duplicate => ReceiptOutcome::Duplicate,
            Admission::New { guards, side } => {
                let transaction = Transaction { guards, side, ..Transaction::default() };
                self.store.submit(transaction);
                self.taken.send_modify(|taken| taken.push(delivery.id.clone()));
                ReceiptOutcome::Accepted
            }
        };
        if self.arrived.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) {
            // The receipt of every third arrival is lost on the way.
            return refuse(&Refusal::new(RefusalCode::Unavailable, "restarting"));
        }
        text(serde_json::to_string(&DeliveryReceipt { id: delivery.id, outcome }).unwrap())
    }

    /// Waits until `count` deliveries were taken, and returns their ids.
    async fn wait_for(&self, count: usize) -> Vec<String> {
        let mut taken = self.taken.subscribe();
        let all = taken.wait_for(|taken| taken.len() >= count);
        timeout(PATIENCE, all).await.unwrap().unwrap().clone()
    }
}

/// The sending side, from opening its queues to being stopped.
struct Sender {
    outbox: Arc<Outbox>,
    store: SharedStore,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Sender {
    fn open(world: &World, store: &SharedStore) -> Self {
        let outbox = Arc::new(Outbox::open(Arc::clone(store)).unwrap());
        let (network, peers) = (world.network("north"), world.peers("north", Limits::default()));
        let (stop, stopped) = watch::channel(false);
        let deliver = Arc::new(Post(peers.clone()));
        let options = WorkerOptions::default();
        let running = Arc::clone(&outbox);
        let task =
            tokio::spawn(running.run(network, peers, deliver, world.clock(), options, stopped));
        Self { outbox, store: Arc::clone(store), stop, task }
    }

    async fn send(&self, peer: &str, delivery: &Delivery) {
        let write = self.outbox.enqueue(&org(peer), delivery, START_MS).unwrap();
        let transaction = Transaction { side: vec![write], ..Transaction::default() };
        self.store.submit(transaction).done().await.unwrap();
        self.outbox.nudge();
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }

    /// How many deliveries wait for each peer.
    fn waiting(&self) -> BTreeMap<String, usize> {
        let figures = self.outbox.figures().unwrap();
        figures.into_iter().map(|queue| (queue.peer.to_string(), queue.waiting)).collect()
    }

    /// Waits until nothing is queued any more.
    async fn drained(&self) {
        let drained = async {
            while !self.waiting().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, drained).await.unwrap();
    }
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("north-{number}")).collect()
}

#[tokio::test]
async fn what_was_queued_outlives_both_sides_and_arrives_in_order_once() {
    let mut world = World::new(&["north", "south", "east"]).await;
    let store: SharedStore = MemoryStore::new(world.clock());
    let address = world.address("south");
    drop(world.listener("south"));
    let (south, east) = (Receiver::new(&world), Receiver::new(&world));
    let receiver = east.clone();
    let _east =
        world.start_with("east", move |_, _, body| std::future::ready(receiver.take(&body)));

    let sender = Sender::open(&world, &store);
    for number in 0..20 {
        sender.send("south", &delivery(number)).await;
        sender.send("east", &delivery(number)).await;
    }
    // A peer that is down does not hold up the other.
    assert_eq!(east.wait_for(20).await, ids(0..20));
    assert_eq!(sender.waiting().get("south"), Some(&20));
    assert_eq!(sender.outbox.figures().unwrap()[0].oldest_ms, START_MS);
    sender.stop().await;

    // The node comes back with the same store, queues more, and then south comes back.
    let sender = Sender::open(&world, &store);
    for number in 20..30 {
        sender.send("south", &delivery(number)).await;
    }
    let (identity, network) = (world.identity("south"), world.network("south"));
    let inbound = world.inbound(&network);
    let receiver = south.clone();
    let router = checked(inbound, move |_, _, body| std::future::ready(receiver.take(&body)));
    let listener = rebind(address).await;
    let _south = start(listener, identity, network, router, ServeOptions::default());
    assert_eq!(south.wait_for(30).await, ids(0..30));
    sender.drained().await;
    assert!(south.arrived.load(Ordering::SeqCst) > 30, "some came twice and counted once");
    assert_eq!(south.wait_for(30).await.len(), 30);
    sender.stop().await;
}

#[tokio::test]
async fn a_delivery_that_is_refused_for_good_does_not_hold_up_the_rest() {
    let mut world = World::new(&["north", "south"]).await;
    let store: SharedStore = MemoryStore::new(world.clock());
    let south = Receiver::new(&world);
    let receiver = south.clone();
    let _south =
        world.start_with("south", move |_, _, body| std::future::ready(receiver.take(&body)));
    let sender = Sender::open(&world, &store);
    sender.send("south", &delivery(0)).await;
    let poison = Delivery { body: Raw::new(r#"{"poison":1}"#).unwrap(), ..delivery(1) };
    sender.send("south", &poison).await;
    sender.send("south", &delivery(2)).await;
    assert_eq!(south.wait_for(2).await, ids([0, 2]));
    sender.drained().await;

    let letters = sender.outbox.dead_letters().unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].peer, org("south"));
    assert_eq!(letters[0].delivery, Some(poison));
    assert_eq!(letters[0].reason, "the peer refused: no such consent");
    assert_eq!(letters[0].refused_ms, START_MS);

    // The operator tries again, to the same end, and then gives it up.
    let again = sender.outbox.requeue(&letters[0].key).unwrap().unwrap();
    store.submit(again).done().await.unwrap();
    sender.outbox.nudge();
    let refused_again = async {
        loop {
            let letters = sender.outbox.dead_letters().unwrap();
            if let Some(letter) = letters.into_iter().next() {
                break letter;
            }
            tokio::task::yield_now().await;
        }
    };
    let letter = timeout(PATIENCE, refused_again).await.unwrap();
    assert_ne!(letter.key, letters[0].key);
    assert!(sender.outbox.requeue(&letters[0].key).unwrap().is_none());
    let side = vec![sender.outbox.discard(&letter.key)];
    store.submit(Transaction { side, ..Transaction::default() }).done().await.unwrap();
    assert!(sender.outbox.dead_letters().unwrap().is_empty());
    sender.stop().await;
}

/// Fails as often as it is told, then succeeds; notes the time of each attempt.
struct Flaky {
    failures: usize,
    attempts: Mutex<Vec<Instant>>,
    done: watch::Sender<bool>,
}

impl Deliver for Flaky {
    async fn deliver(&self, _: &OrgId, _: Delivery) -> Result<(), DeliverError> {
        let mut attempts = self.attempts.lock().unwrap();
        attempts.push(Instant::now());
        if attempts.len() <= self.failures {
            return Err(DeliverError::Retry("not yet".into()));
        }
        self.done.send_replace(true);
        Ok(())
    }
}

#[tokio::test]
async fn pauses_between_attempts_grow_to_their_limit() {
    let world = World::new(&["north", "south"]).await;
    let store: SharedStore = MemoryStore::new(world.clock());
    let outbox = Arc::new(Outbox::open(Arc::clone(&store)).unwrap());
    let write = outbox.enqueue(&org("south"), &delivery(0), START_MS).unwrap();
    store.submit(Transaction { side: vec![write], ..Transaction::default() }).done().await.unwrap();
    let (done, mut is_done) = watch::channel(false);
    let flaky = Arc::new(Flaky { failures: 7, attempts: Mutex::default(), done });
    let (_stop, stopped) = watch::channel(false);
    let (network, peers) = (world.network("north"), world.peers("north", Limits::default()));
    let options = WorkerOptions::default();
    // From here on only timers are involved.
    tokio::time::pause();
    let running = outbox.run(network, peers, Arc::clone(&flaky), world.clock(), options, stopped);
    let running = tokio::spawn(running);
    is_done.wait_for(|done| *done).await.unwrap();
    let attempts = flaky.attempts.lock().unwrap().clone();
    let pauses: Vec<_> = attempts.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    assert_eq!(pauses.len(), 7);
    for (pause, expected) in pauses.iter().zip([250, 500, 1000, 2000, 4000, 5000, 5000]) {
        assert!((expected..expected + 5).contains(pause), "{pauses:?}");
    }
    running.abort();
}

#[test]
fn the_inbox_remembers_the_last_ten_thousand_of_each_peer() {
    let store = MemoryStore::new(Arc::new(|| START_MS)) as SharedStore;
    let admit = |id: &str| inbox::admit(&*store.snapshot().unwrap(), &org("south"), id).unwrap();
    let commit = |admission| match admission {
        Admission::Duplicate => false,
        Admission::New { guards, side } => {
            store.commit(Transaction { guards, side, ..Transaction::default() }).is_ok()
        }
    };
    let total = inbox::REMEMBERED + 50;
    for number in 0..total {
        assert!(commit(admit(&format!("id-{number}"))));
    }
    for number in [50, total - 1] {
        assert!(matches!(admit(&format!("id-{number}")), Admission::Duplicate));
    }
    assert!(matches!(admit("id-49"), Admission::New { .. }), "older ones are forgotten");
    let stored = store.snapshot().unwrap().side_scan(inbox::SPACE, b"", usize::MAX).unwrap();
    assert_eq!(stored.len() as u64, 2 * inbox::REMEMBERED + 1);

    // Two copies at once: the second does not commit.
    let (one, two) = (admit("twice"), admit("twice"));
    assert!(commit(one) && !commit(two));
}
