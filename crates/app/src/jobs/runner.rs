//! Does the jobs: a few at a time, the oldest first, going on after a restart.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fhir::Id;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use store::Transaction;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::folder::Folder;
use super::run::{Ended, Live, Outcome, Run, failed};
use super::{Failure, Job, MAX_ATTEMPTS, Options, Progress, State};
use super::{all, guard, put, read, remove_folder, task};
use crate::{App, Error, Kind, Result};

/// What does the jobs of one kind; its value is the job's result.
pub type Work = Arc<dyn Fn(&App, &Run) -> Outcome<Value> + Send + Sync>;

/// The jobs of a node.
pub struct Jobs {
    options: Options,
    works: RwLock<HashMap<&'static str, Work>>,
    running: Mutex<HashMap<Id, Arc<Live>>>,
    wake: Notify,
}

impl Jobs {
    /// No jobs yet, and nothing that could do them.
    pub fn new(options: Options) -> Self {
        Self { options, works: RwLock::default(), running: Mutex::default(), wake: Notify::new() }
    }

    /// How jobs are done.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Registers what does the jobs of a kind. To be called before [`run_all`].
    pub fn register(&self, kind: &'static str, work: Work) {
        self.works.write().insert(kind, work);
    }

    /// The folder of a job.
    pub(super) fn folder(&self, id: &Id) -> PathBuf {
        self.options.folder.join(id.as_str())
    }

    /// Opens it, or makes it.
    pub(super) fn open_folder(&self, id: &Id) -> std::io::Result<Folder> {
        Folder::make(&self.folder(id), id.as_str(), self.options.keys.as_deref())
    }

    pub(super) fn nudge(&self) {
        self.wake.notify_one();
    }

    pub(super) fn is_running(&self, id: &Id) -> bool {
        self.running.lock().contains_key(id)
    }

    /// Keeps a job from being begun, and its folder from being swept away.
    pub(super) fn hold(&self, id: &Id) {
        self.running.lock().insert(id.clone(), Arc::default());
    }

    /// Lets it go.
    pub(super) fn release(&self, id: &Id) {
        self.running.lock().remove(id);
    }

    pub(super) fn cancel(&self, id: &Id) {
        if let Some(live) = self.running.lock().get(id) {
            live.cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// How far a job is that runs at this moment.
    pub(super) fn progress(&self, id: &Id) -> Option<Progress> {
        let live = self.running.lock().get(id).cloned()?;
        let number = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed);
        Some(Progress { done: number(&live.done), total: number(&live.total) })
    }
}

/// Tells running work to stop when the runner is dropped.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does jobs until `stopped` turns true, then waits until the running ones have saved where they
/// are. Exactly one of these may run on a store.
pub async fn run_all(app: App, mut stopped: watch::Receiver<bool>) {
    let stopping = Arc::new(AtomicBool::new(false));
    let _guard = StopOnDrop(stopping.clone());
    let mut tasks = JoinSet::new();
    while !*stopped.borrow() {
        let free = app.jobs().options.at_once.max(1).saturating_sub(tasks.len());
        let next = app.run(move |app| waiting(app, free)).await;
        match next {
            Ok(next) => {
                for id in next {
                    let live = Arc::new(Live::default());
                    app.jobs().running.lock().insert(id.clone(), live.clone());
                    let (app, stopping) = (app.clone(), stopping.clone());
                    tasks.spawn(async move { perform(app, id, live, stopping).await });
                }
            }
            Err(error) => tracing::error!(reason = %error.message, "jobs could not be read"),
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            _ = app.jobs().wake.notified() => {}
            Some(_) = tasks.join_next() => {}
        }
    }
    stopping.store(true, Ordering::Relaxed);
    while tasks.join_next().await.is_some() {}
}

/// The oldest jobs that could run now, at most `free`.
fn waiting(app: &App, free: usize) -> Result<Vec<Id>> {
    if free == 0 {
        return Ok(Vec::new());
    }
    let mut jobs = all(app)?;
    jobs.retain(|job| !job.state.is_finished() && !app.jobs().is_running(&job.id));
    jobs.sort_by_key(|job| job.created_ms);
    Ok(jobs.into_iter().take(free).map(|job| job.id).collect())
}

async fn perform(app: App, id: Id, live: Arc<Live>, stopping: Arc<AtomicBool>) {
    let job = id.clone();
    let done = app.run(move |app| perform_one(app, &job, live, stopping)).await;
    app.jobs().running.lock().remove(&id);
    if let Err(error) = done {
        tracing::error!(reason = %error.message, "a job could not be done");
        let failure = Err(Ended::Failed(error));
        let ended = id.clone();
        if let Err(error) = app.run(move |app| finish(app, &ended, failure)).await {
            tracing::error!(reason = %error.message, "the end of a job could not be recorded");
        }
    }
    // A job cancelled while it ran has left its folder.
    let gone =
        app.run(move |app| Ok(read(app, &id)?.is_none().then(|| app.jobs().folder(&id)))).await;
    if let Ok(Some(folder)) = gone {
        remove_folder(&folder);
    }
}

fn perform_one(app: &App, id: &Id, live: Arc<Live>, stopping: Arc<AtomicBool>) -> Result<()> {
    let started = change(app, id, |job| {
        job.state = State::Running;
        job.attempts += 1;
    })?;
    let Some(job) = started else { return Ok(()) };
    let work = app.jobs().works.read().get(job.kind.as_str()).cloned();
    let Some(work) = work else {
        let message = "this node does not know how to do this kind of job";
        return finish(app, id, Err(Ended::Failed(Error::new(Kind::NotSupported, message))));
    };
    if job.attempts > MAX_ATTEMPTS {
        return finish(app, id, Err(Ended::Failed(Error::internal("a job ended with the node"))));
    }
    let folder = match app.jobs().open_folder(id) {
        Ok(folder) => folder,
        Err(error) => return finish(app, id, Err(failed("opened", &error).into())),
    };
    let run = Run::new(&job, folder, live, stopping);
    let outcome = work(app, &run);
    finish(app, id, outcome)
}

/// Records how a job ended.
fn finish(app: &App, id: &Id, outcome: Outcome<Value>) -> Result<()> {
    let now = app.now_ms();
    let progress = app.jobs().progress(id);
    change(app, id, |job| {
        job.progress = progress.unwrap_or(job.progress);
        match outcome {
            // It goes on after the next start, and stopping it was not its fault.
            Err(Ended::Stopped) => {
                job.attempts = job.attempts.saturating_sub(1);
                return;
            }
            Err(Ended::Cancelled) => job.state = State::Cancelled,
            Ok(result) => {
                job.state = State::Done;
                job.result = Some(result);
            }
            Err(Ended::Failed(error)) => {
                tracing::warn!(reason = %error.message, kind = job.kind, "a job failed");
                job.state = State::Failed;
                job.failure = Some(failure(&error));
            }
        }
        job.ended_ms = Some(now);
    })?;
    Ok(())
}

fn failure(error: &Error) -> Failure {
    let (code, message) = match error.kind {
        Kind::Internal => ("exception", "the node failed; its log says why"),
        Kind::Invalid(code) => (code, error.message.as_str()),
        Kind::NotSupported => ("not-supported", error.message.as_str()),
        Kind::TooCostly => ("too-costly", error.message.as_str()),
        _ => ("processing", error.message.as_str()),
    };
    Failure { code: code.to_owned(), message: message.to_owned() }
}

/// Changes a record that still stands, and its Task; `None` for one that was cancelled.
fn change(app: &App, id: &Id, change: impl FnOnce(&mut Job)) -> Result<Option<Job>> {
    let Some(before) = read(app, id)? else { return Ok(None) };
    let mut job = before.clone();
    change(&mut job);
    let guards = vec![guard(id, Some(before.to_bytes()))];
    let (writes, side) = (vec![task::write(app, &job)?], vec![put(&job)]);
    match app.store().commit(Transaction { guards, writes, side }) {
        Ok(_) => Ok(Some(job)),
        // Only its owner can have come in between, by cancelling it.
        Err(store::StoreError::GuardFailed) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
