//! Durable delivery: what must reach a peer, now or when it is back.
//!
//! A delivery is enqueued by a side write inside the transaction that it tells about, so it is
//! sent if and only if that happened. Each peer has its own queue and its own worker: in order, at
//! least once, removed only after a receipt. A delivery that a peer refuses for good moves to the
//! dead letters, where the operator sees it, and does not hold up the rest.

mod queue;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use store::{Guard, SharedStore, SideWrite, Snapshot, StoreError, Transaction};
use tokio::sync::watch;
use wire::{Delivery, DeliveryKind, OrgId};

pub use worker::{Deliver, DeliverError, WorkerOptions};

/// The namespace of waiting deliveries.
pub const SPACE: &str = "outbox";
/// The namespace of deliveries that were refused for good.
pub const DEAD_SPACE: &str = "dead-letter";
/// Deliveries that may wait for one peer.
pub const MAX_WAITING: usize = 200_000;
/// Bytes of one delivery.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Dead letters that are listed at once.
const MAX_LISTED: usize = 1000;

/// The queues of one store. There is one `Outbox` for each store.
pub struct Outbox {
    store: SharedStore,
    next: AtomicU64,
    // An estimate that may count transactions that were not committed; corrected when the worker
    // finds a queue empty. It only bounds the queue.
    waiting: Mutex<HashMap<OrgId, usize>>,
    nudges: watch::Sender<u64>,
}

/// Why a delivery could not be enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// [`MAX_WAITING`] is reached.
    #[error("too many deliveries wait for the peer; see the operator's page")]
    Full,
    /// Larger than [`MAX_BYTES`].
    #[error("the delivery is larger than {MAX_BYTES} bytes")]
    TooLarge,
}

/// The queue of one peer, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueFigures {
    /// Which peer.
    pub peer: OrgId,
    /// How many deliveries wait.
    pub waiting: usize,
    /// When the oldest of them was enqueued, in milliseconds since the Unix epoch.
    pub oldest_ms: i64,
}

/// A delivery that was refused for good.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Names it for [`Outbox::requeue`] and [`Outbox::discard`].
    pub key: Vec<u8>,
    /// Whom it was for.
    pub peer: OrgId,
    /// What it was; `None` where the stored text is damaged.
    pub delivery: Option<Delivery>,
    /// Why it was refused.
    pub reason: String,
    /// When, in milliseconds since the Unix epoch.
    pub refused_ms: i64,
}

/// What is stored under a key of [`SPACE`].
#[derive(Serialize, Deserialize)]
struct Waiting {
    queued_ms: i64,
    delivery: Delivery,
}

/// What is stored under a key of [`DEAD_SPACE`].
#[derive(Serialize, Deserialize)]
struct Dead {
    reason: String,
    refused_ms: i64,
    /// The stored text of a [`Waiting`], whatever it is.
    text: String,
}

impl Outbox {
    /// The queues in `store`, with what waits there from before. Blocks on the medium.
    pub fn open(store: SharedStore) -> Result<Self, StoreError> {
        let snapshot = store.snapshot()?;
        let (mut highest, mut waiting) = (0, HashMap::new());
        for (key, _) in snapshot.side_scan(SPACE, b"", usize::MAX)? {
            if let Some((peer, sequence)) = queue::read_key(&key) {
                highest = highest.max(sequence);
                *waiting.entry(peer).or_default() += 1;
            }
        }
        drop(snapshot);
        Ok(Self {
            store,
            next: AtomicU64::new(highest + 1),
            waiting: Mutex::new(waiting),
            nudges: watch::channel(0).0,
        })
    }

    /// The write that puts `delivery` at the end of the queue for `peer`; part of the caller's
    /// transaction. `now_ms` is kept for the operator's page.
    pub fn enqueue(
        &self,
        peer: &OrgId,
        delivery: &Delivery,
        now_ms: i64,
    ) -> Result<SideWrite, OutboxError> {
        let waiting = Waiting { queued_ms: now_ms, delivery: delivery.clone() };
        // Ids, words and a raw text: there is always a JSON form.
        let value = serde_json::to_vec(&waiting).unwrap_or_default();
        if value.len() > MAX_BYTES {
            return Err(OutboxError::TooLarge);
        }
        let mut counts = self.waiting.lock();
        let count = counts.entry(peer.clone()).or_default();
        if *count >= MAX_WAITING {
            return Err(OutboxError::Full);
        }
        *count += 1;
        drop(counts);
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(SideWrite { space: SPACE, key: queue::key(peer, sequence), value: Some(value) })
    }

    /// The writes that take back what waits for `peer` about the patient `asker_patient_id` here, of
    /// one kind. Blocks on the medium.
    pub fn withdraw(
        &self,
        peer: &OrgId,
        asker_patient_id: &str,
        kind: DeliveryKind,
    ) -> Result<Vec<SideWrite>, StoreError> {
        let mut gone = Vec::new();
        for (key, value) in
            self.store.snapshot()?.side_scan(SPACE, &queue::prefix(peer), usize::MAX)?
        {
            let waiting = serde_json::from_slice::<Waiting>(&value);
            let is_about = waiting.is_ok_and(|waiting| {
                let delivery = waiting.delivery;
                delivery.kind == kind && delivery.asker_patient_id == asker_patient_id
            });
            if is_about {
                gone.push(SideWrite { space: SPACE, key, value: None });
            }
        }
        Ok(gone)
    }

    /// Wakes the workers. Needed only after a transaction that wrote no resource; any other wakes
    /// them through the store's watch.
    pub fn nudge(&self) {
        self.nudges.send_modify(|count| *count += 1);
    }

    /// The queues that are not empty. Blocks on the medium.
    pub fn figures(&self) -> Result<Vec<QueueFigures>, StoreError> {
        let mut queues = BTreeMap::<OrgId, QueueFigures>::new();
        for (key, value) in self.store.snapshot()?.side_scan(SPACE, b"", usize::MAX)? {
            let Some((peer, _)) = queue::read_key(&key) else { continue };
            let queue = queues.entry(peer.clone()).or_insert_with(|| {
                let oldest = serde_json::from_slice::<Waiting>(&value);
                QueueFigures { peer, waiting: 0, oldest_ms: oldest.map_or(0, |w| w.queued_ms) }
            });
            queue.waiting += 1;
        }
        Ok(queues.into_values().collect())
    }

    /// What was refused for good, at most 1,000 of them. Blocks on the medium.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let found = self.store.snapshot()?.side_scan(DEAD_SPACE, b"", MAX_LISTED)?;
        let letter = |(key, value): (Vec<u8>, Vec<u8>)| {
            let (peer, _) = queue::read_key(&key)?;
            let dead: Dead = serde_json::from_slice(&value).ok()?;
            let waiting = serde_json::from_str::<Waiting>(&dead.text);
            Some(DeadLetter {
                key,
                peer,
                delivery: waiting.ok().map(|waiting| waiting.delivery),
                reason: dead.reason,
                refused_ms: dead.refused_ms,
            })
        };
        Ok(found.into_iter().filter_map(letter).collect())
    }

    /// The changes that put a dead letter back at the end of its queue; `None` where there is no
    /// such letter. Blocks on the medium.
    pub fn requeue(&self, key: &[u8]) -> Result<Option<Transaction>, StoreError> {
        let snapshot = self.store.snapshot()?;
        let Some(value) = snapshot.side(DEAD_SPACE, key)? else { return Ok(None) };
        let dead = serde_json::from_slice::<Dead>(&value).ok();
        let Some((dead, (peer, _))) = dead.zip(queue::read_key(key)) else { return Ok(None) };
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        let back = Some(dead.text.into_bytes());
        Ok(Some(Transaction {
            guards: vec![Guard::Side { space: DEAD_SPACE, key: key.to_vec(), value: Some(value) }],
            writes: Vec::new(),
            side: vec![
                self.discard(key),
                SideWrite { space: SPACE, key: queue::key(&peer, sequence), value: back },
            ],
        }))
    }

    /// The write that removes a dead letter.
    pub fn discard(&self, key: &[u8]) -> SideWrite {
        SideWrite { space: DEAD_SPACE, key: key.to_vec(), value: None }
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

/// The first `limit` entries of a peer's queue, oldest first.
fn head_of(snapshot: &dyn Snapshot, peer: &OrgId, limit: usize) -> Result<Vec<Entry>, StoreError> {
    snapshot.side_scan(SPACE, &queue::prefix(peer), limit)
}

/// A log line's name for a delivery: no patient, no content.
fn label(kind: DeliveryKind) -> &'static str {
    match kind {
        DeliveryKind::Consent => "consent",
        DeliveryKind::Link => "link",
        DeliveryKind::Notice => "notice",
        DeliveryKind::AuditNotice => "audit-notice",
        DeliveryKind::Agreement => "agreement",
    }
}

/// Key and value of an entry.
type Entry = (Vec<u8>, Vec<u8>);
