//! Decides when what is sent: follows the feed, makes what is due, and waits.

use std::sync::Arc;
use std::time::Duration;

use federation::notify::Deliver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::definition::{Channel, Status};
use super::feed::{Feed, Live};
use super::work::{Done, Job, Work, carry_out};
use crate::{App, Result};

/// Deliveries that are under way at the same time.
const MAX_UNDER_WAY: usize = 64;
/// A busy store wakes the worker often; it looks no more often than this.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(10);
/// The worker looks at the clock at least this often.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(30);
/// The pause after the store failed.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// The subscriptions of a node at work.
pub struct Worker {
    app: App,
    feed: Feed,
}

impl Worker {
    /// Takes up where the last life ended. Blocks on the medium.
    pub fn open(app: App) -> Result<Self> {
        Ok(Self { feed: Feed::open(app.clone())?, app })
    }

    /// Follows the change feed by one piece; returns whether there may be more. Blocks on the
    /// medium.
    pub fn follow(&mut self) -> Result<bool> {
        self.feed.step()
    }

    /// What is due now, at most `room` jobs; each subscription has at most one under way.
    pub fn jobs(&mut self, room: usize) -> Vec<Job> {
        let (app, now) = (self.app.clone(), self.app.now_ms());
        let mut jobs = Vec::new();
        for (id, live) in self.feed.live() {
            if jobs.len() >= room {
                break;
            }
            let Some((due_ms, work)) = due(&app, live) else { continue };
            if due_ms <= now {
                live.busy = true;
                jobs.push(Job {
                    id: id.clone(),
                    definition: Arc::clone(&live.definition),
                    delivered: live.delivered.clone(),
                    events: live.events,
                    work,
                });
            }
        }
        jobs
    }

    /// Takes note of how a delivery ended.
    pub fn settle(&mut self, done: Done) {
        let Some(live) = self.feed.find(&done.id) else { return };
        live.busy = false;
        // Who has asked anew meanwhile is not overruled.
        if let Some((before, after)) = done.again
            && live.again == Some(before)
        {
            live.again = after;
        }
        live.delivered = done.delivered.under(live.definition.status);
        if let Some((version, status)) = done.status
            && version == live.definition.version
        {
            let mut definition = (*live.definition).clone();
            definition.status = status;
            live.definition = Arc::new(definition);
        }
    }

    /// When the next job is due, in milliseconds since the Unix epoch.
    pub fn next_due_ms(&mut self) -> Option<i64> {
        let app = self.app.clone();
        self.feed.live().filter_map(|(_, live)| due(&app, live)).map(|(due_ms, _)| due_ms).min()
    }
}

/// What a subscription waits for, and when it is due; `None` where it waits for events.
fn due(app: &App, live: &Live) -> Option<(i64, Work)> {
    let (definition, delivered) = (&live.definition, &live.delivered);
    if live.busy || definition.status == Status::Off {
        return None;
    }
    if let Some(end_ms) = definition.end_ms
        && end_ms <= app.now_ms()
    {
        return Some((end_ms, Work::End));
    }
    let work = match definition.status {
        Status::Requested => Some((delivered.due_ms, Work::Handshake)),
        Status::Active
            if definition.channel == Channel::Websocket
                && !app.notify().is_bound(&live.definition.id) =>
        {
            None
        }
        Status::Active if live.again.is_some() => live.again.map(|again| {
            let most = again.from.saturating_add(definition.max_count as u64 - 1);
            (delivered.due_ms, Work::Again { again, to: again.to.min(most) })
        }),
        Status::Active if delivered.acked < live.events => {
            let from = delivered.acked + 1;
            let most = from.saturating_add(definition.max_count as u64 - 1);
            Some((delivered.due_ms, Work::Events { from, to: live.events.min(most) }))
        }
        Status::Active => definition.heartbeat_ms.map(|period| {
            let quiet_ms = delivered.last_ms.saturating_add(period);
            (quiet_ms.max(delivered.due_ms), Work::Heartbeat)
        }),
        Status::Error | Status::Off => None,
    };
    let end = definition.end_ms.map(|end_ms| (end_ms, Work::End));
    match (work, end) {
        (Some(work), Some(end)) => Some(if work.0 <= end.0 { work } else { end }),
        (work, end) => work.or(end),
    }
}

/// Serves the subscriptions of a node until `stopped` turns true. What is under way then is
/// dropped: nothing counts as delivered before its acknowledgement, so nothing is lost.
pub async fn run<D: Deliver>(app: App, deliver: Arc<D>, stopped: watch::Receiver<bool>) {
    serve(&app, deliver, stopped).await;
    app.notify().close();
}

async fn serve<D: Deliver>(app: &App, deliver: Arc<D>, mut stopped: watch::Receiver<bool>) {
    let mut commits = app.store().watch();
    let mut nudges = app.notify().nudges();
    let mut under_way: JoinSet<Done> = JoinSet::new();
    let mut worker = None;
    while !*stopped.borrow() {
        let looked = Instant::now();
        // Marked before looking, so that what comes while we look wakes us again.
        commits.mark_unchanged();
        nudges.mark_unchanged();
        let taken = worker.take();
        let (mut now, more) = match app.run(move |app| look(app, taken)).await {
            Ok(looked) => looked,
            Err(error) => {
                tracing::error!(reason = %error.message, "subscriptions cannot be served; trying again");
                under_way.shutdown().await;
                tokio::select! {
                    () = ended(&mut stopped) => return,
                    () = sleep(AFTER_FAULT) => continue,
                }
            }
        };
        while let Some(done) = under_way.try_join_next() {
            if let Ok(done) = done {
                now.settle(done);
            }
        }
        for job in now.jobs(MAX_UNDER_WAY.saturating_sub(under_way.len())) {
            under_way.spawn(carry_out(app.clone(), Arc::clone(&deliver), job));
        }
        if !more {
            let wait = now.next_due_ms().map_or(LOOK_AT_LEAST_EVERY, |due_ms| {
                let wait_ms = due_ms.saturating_sub(app.now_ms()).max(0);
                Duration::from_millis(wait_ms.unsigned_abs()).min(LOOK_AT_LEAST_EVERY)
            });
            tokio::select! {
                () = ended(&mut stopped) => return,
                _ = commits.changed() => {}
                _ = nudges.changed() => {}
                Some(done) = under_way.join_next(), if !under_way.is_empty() => {
                    // A job that broke off is found again by its durable state.
                    match done {
                        Ok(done) => now.settle(done),
                        Err(_) => { under_way.shutdown().await; continue }
                    }
                }
                () = sleep(wait) => {}
            }
            sleep_until(looked + LOOK_AT_MOST_EVERY).await;
        }
        worker = Some(now);
    }
}

async fn ended(stopped: &mut watch::Receiver<bool>) {
    // A node that is gone has stopped.
    let _ = stopped.wait_for(|stop| *stop).await;
}

fn look(app: &App, worker: Option<Worker>) -> Result<(Worker, bool)> {
    let mut worker = match worker {
        Some(worker) => worker,
        None => Worker::open(app.clone())?,
    };
    let more = worker.follow()?;
    Ok((worker, more))
}
