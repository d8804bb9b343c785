//! The workers: one for each peer, in order, with retry.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use store::{SideWrite, StoreError, Transaction, Watch};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use wire::{Delivery, OrgId};

use super::{DEAD_SPACE, Dead, Entry, SPACE, Waiting, head_of, label};
use crate::ask::AskError;
use crate::{Clock, Network, Outbox, Peers};

const BATCH: usize = 32;
/// A busy store wakes the workers often; they look no more often than this.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// A commit that wrote no resource raises no sequence number and may come without a nudge.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(1);
const MAX_REASON: usize = 500;

/// How a delivery is handed over; the application finds the peer's patient id, asks the peer, and
/// returns once it has a receipt.
pub trait Deliver: Send + Sync + 'static {
    /// Hands `delivery` to `peer`. Called again after [`DeliverError::Retry`], perhaps after a
    /// restart, so a peer may see the same delivery twice.
    fn deliver(
        &self,
        peer: &OrgId,
        delivery: Delivery,
    ) -> impl Future<Output = Result<(), DeliverError>> + Send;
}

/// Why a delivery was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// It may work later.
    #[error("{0}")]
    Retry(String),
    /// It will never work: the peer refuses it for good.
    #[error("{0}")]
    Permanent(String),
}

impl From<AskError> for DeliverError {
    fn from(error: AskError) -> Self {
        let reason = error.to_string();
        if error.is_temporary() { Self::Retry(reason) } else { Self::Permanent(reason) }
    }
}

/// How patient the workers are.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    /// How long one attempt may take.
    pub attempt: Duration,
    /// The pause after the first failure; it doubles with each further one.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(15),
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(5),
        }
    }
}

impl Outbox {
    /// Works off the queues until `shutdown` turns true: a worker for each other member of the
    /// network, woken by commits, by the peer's recovery and by its own patience.
    pub async fn run<D: Deliver>(
        self: Arc<Self>,
        network: Network,
        peers: Peers,
        deliver: Arc<D>,
        clock: Clock,
        options: WorkerOptions,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let mut members = network.changes();
        let mut served = HashSet::new();
        let mut workers = JoinSet::new();
        loop {
            members.mark_unchanged();
            for member in network.others() {
                if served.insert(member.id.clone()) {
                    let worker = Worker {
                        outbox: Arc::clone(&self),
                        recoveries: peers.recoveries(&member.id),
                        commits: self.store.watch(),
                        nudges: self.nudges.subscribe(),
                        peer: member.id,
                        deliver: Arc::clone(&deliver),
                        clock: Arc::clone(&clock),
                        options,
                        failures: 0,
                    };
                    workers.spawn(worker.run());
                }
            }
            // Ending drops the workers, at whatever point they are: nothing is removed from a
            // queue before its receipt, so nothing is lost.
            tokio::select! {
                _ = shutdown.wait_for(|stop| *stop) => return,
                changed = members.changed() => if changed.is_err() { return },
            }
        }
    }
}

struct Worker<D> {
    outbox: Arc<Outbox>,
    recoveries: watch::Receiver<u64>,
    commits: Watch,
    nudges: watch::Receiver<u64>,
    peer: OrgId,
    deliver: Arc<D>,
    clock: Clock,
    options: WorkerOptions,
    failures: u32,
}

impl<D: Deliver> Worker<D> {
    async fn run(mut self) {
        loop {
            let looked = Instant::now();
            // Marked before looking, so that what comes while we look wakes us again.
            self.commits.mark_unchanged();
            self.nudges.mark_unchanged();
            self.recoveries.mark_unchanged();
            match self.head().await {
                Ok(entries) if entries.is_empty() => {
                    self.outbox.waiting.lock().insert(self.peer.clone(), 0);
                    self.wait_for_work(looked).await;
                }
                Ok(entries) => {
                    if !self.work_off(entries).await {
                        self.pause().await;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, peer = %self.peer, "a delivery queue cannot be read");
                    self.failures = self.failures.saturating_add(1);
                    self.pause().await;
                }
            }
        }
    }

    async fn head(&self) -> Result<Vec<Entry>, StoreError> {
        let (store, peer) = (Arc::clone(&self.outbox.store), self.peer.clone());
        spawn_blocking(move || head_of(&*store.snapshot()?, &peer, BATCH))
            .await
            .unwrap_or_else(|_| Err(StoreError::Failed("reading was interrupted".into())))
    }

    /// Hands over entry after entry; `false` as soon as one must be tried again.
    async fn work_off(&mut self, entries: Vec<Entry>) -> bool {
        for (key, value) in entries {
            let outcome = match serde_json::from_slice::<Waiting>(&value) {
                Ok(waiting) => self.attempt(waiting.delivery).await,
                Err(_) => Err(DeliverError::Permanent("the stored text is damaged".into())),
            };
            let side = match outcome {
                Ok(()) => vec![removed(key)],
                Err(DeliverError::Permanent(reason)) => {
                    let letter = self.dead_letter(key.clone(), &value, &reason);
                    vec![removed(key), letter]
                }
                Err(DeliverError::Retry(_)) => {
                    self.failures = self.failures.saturating_add(1);
                    return false;
                }
            };
            let transaction = Transaction { side, ..Transaction::default() };
            if let Err(error) = self.outbox.store.submit(transaction).done().await {
                // It will be handed over again, and the peer will know it.
                tracing::error!(%error, peer = %self.peer, "a delivery could not be taken off");
                self.failures = self.failures.saturating_add(1);
                return false;
            }
            self.failures = 0;
            if let Some(count) = self.outbox.waiting.lock().get_mut(&self.peer) {
                *count = count.saturating_sub(1);
            }
        }
        true
    }

    async fn attempt(&self, delivery: Delivery) -> Result<(), DeliverError> {
        let (id, kind) = (delivery.id.clone(), label(delivery.kind));
        let outcome =
            match timeout(self.options.attempt, self.deliver.deliver(&self.peer, delivery)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(DeliverError::Retry("no receipt in time".into())),
            };
        match &outcome {
            Err(DeliverError::Permanent(reason)) => {
                tracing::error!(peer = %self.peer, id, kind, reason, "a delivery was refused for good");
            }
            // Once a second for each peer that is down would fill the log.
            Err(DeliverError::Retry(reason)) if self.failures == 0 => {
                tracing::warn!(peer = %self.peer, id, kind, reason, "a delivery will be tried again");
            }
            _ => {}
        }
        outcome
    }

    fn dead_letter(&self, key: Vec<u8>, value: &[u8], reason: &str) -> SideWrite {
        let dead = Dead {
            reason: reason.chars().take(MAX_REASON).collect(),
            refused_ms: (self.clock)(),
            text: String::from_utf8_lossy(value).into_owned(),
        };
        let value = serde_json::to_vec(&dead).unwrap_or_default();
        SideWrite { space: DEAD_SPACE, key, value: Some(value) }
    }

    async fn wait_for_work(&mut self, looked: Instant) {
        tokio::select! {
            () = until(&mut self.commits) => {}
            () = until(&mut self.nudges) => {}
            () = sleep(LOOK_AT_LEAST_EVERY) => {}
        }
        sleep_until(looked + LOOK_AT_MOST_EVERY).await;
    }

    async fn pause(&mut self) {
        let doublings = self.failures.saturating_sub(1).min(16);
        let pause = self.options.first_pause.saturating_mul(2_u32.pow(doublings));
        tokio::select! {
            () = sleep(pause.min(self.options.longest_pause)) => {}
            () = until(&mut self.recoveries) => {}
        }
    }
}

/// Waits for a change; for ever once nobody can make one.
async fn until<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn removed(key: Vec<u8>) -> SideWrite {
    SideWrite { space: SPACE, key, value: None }
}
