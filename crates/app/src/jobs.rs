//! Long work that survives restarts: a job is accepted at once, done in the background, asked
//! after, and its files are fetched by whoever ordered it.
//!
//! A job has three parts: a record in the side space [`SPACE`] (who ordered what, and how far it
//! is), a `Task` that mirrors it for everybody who reads resources, and a folder for its
//! checkpoint and its files. The record is what counts: a Task can be written by people, and what
//! a job may do must not be.
//!
//! What does the work is registered under a name with [`Jobs::register`]. It is called on a thread
//! that may block, saves a checkpoint from time to time, and is called again with it when the node
//! was stopped in between.

pub mod folder;
mod record;
mod run;
mod runner;
mod task;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fhir::Id;
use serde_json::Value;
use store::{Guard, SideWrite, Transaction};

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

use folder::{Folder, Input, Output};
pub use record::{Failure, Job, Progress, State};
pub(crate) use run::failed;
pub use run::{Ended, Outcome, Run};
pub use runner::{Jobs, Work, run_all};
pub use task::SYSTEM;

/// Side space of the records.
pub const SPACE: &str = "jobs";
/// Most jobs of one account that are not finished.
pub const MAX_OWN: usize = 10;
/// Most jobs that are not finished.
pub const MAX_WAITING: usize = 200;
/// Most records that are looked at at once.
const MAX_RECORDS: usize = 10_000;
/// How often a job that ended with the whole node is tried again.
const MAX_ATTEMPTS: u64 = 8;

/// How jobs are done.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the folders of the jobs are.
    pub folder: PathBuf,
    /// How many run at the same time.
    pub at_once: usize,
    /// How long a finished job and its files are kept, in milliseconds.
    pub keep_ms: i64,
    /// Most resources or rows in one file.
    pub file_rows: u64,
    /// Where files of an import may be fetched from.
    pub allowed: federation::notify::Allowed,
    /// What seals the files; `None` where the node has no box of keys.
    pub keys: Option<Arc<folder::Keys>>,
}

impl Options {
    /// The usual ones: two at a time, kept for a day, 100,000 rows a file.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let keep_ms = 24 * 60 * 60 * 1000;
        let allowed = federation::notify::Allowed::default();
        let folder = folder.into();
        Self { folder, at_once: 2, keep_ms, file_rows: 100_000, allowed, keys: None }
    }
}

/// Accepts a job of a registered `kind`. `title` says for people what it is, without personal
/// data; `request` is what the work is given; `event` is the audit entry that goes with it.
///
/// Errors: [`Kind::Busy`] where too many jobs wait already.
pub fn submit(
    app: &App,
    caller: &Caller,
    kind: &str,
    title: &str,
    request: Value,
    event: Event<'_>,
) -> Result<Job> {
    submit_reserved(app, caller, Reserved::new(app)?, kind, title, request, event)
}

/// The same for a job whose folder holds files already.
pub fn submit_reserved(
    app: &App,
    caller: &Caller,
    mut reserved: Reserved,
    kind: &str,
    title: &str,
    request: Value,
    event: Event<'_>,
) -> Result<Job> {
    crate::proxies::refuse(caller, "a job")?;
    let waiting: Vec<Job> = all(app)?.into_iter().filter(|job| !job.state.is_finished()).collect();
    let own = waiting.iter().filter(|job| job.owner() == caller.user.id).count();
    if own >= MAX_OWN || waiting.len() >= MAX_WAITING {
        let message = "too many jobs are waiting; wait until one has ended or cancel one";
        return Err(Error::new(Kind::Busy, message));
    }
    let job = Job::new(reserved.id.clone(), caller, kind, title, request, app.now_ms());
    let writes = vec![task::write(app, &job)?, event.data(format!("Task/{}", job.id)).write(app)?];
    let side = vec![put(&job)];
    app.store().commit(Transaction { writes, side, ..Default::default() })?;
    reserved.kept = true;
    Ok(job)
}

/// The folder of a job that is about to be submitted, for files that come with the request. Where
/// it is dropped without that, the folder goes.
pub struct Reserved {
    app: App,
    id: Id,
    folder: Folder,
    kept: bool,
}

impl Reserved {
    /// Makes the folder.
    pub fn new(app: &App) -> Result<Self> {
        let id = app.new_id();
        app.jobs().hold(&id);
        let made = app.jobs().open_folder(&id);
        let folder = made.map_err(|e| failed("made", &e)).inspect_err(|_| {
            remove_folder(&app.jobs().folder(&id));
            app.jobs().release(&id);
        })?;
        Ok(Self { app: app.clone(), id, folder, kept: false })
    }

    /// Begins a file.
    pub fn create(&self, name: &str) -> Result<Output> {
        self.folder.create(name).map_err(|e| failed("made", &e))
    }

    /// Writes a whole file; durable on return.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        self.folder.write(name, content).map_err(|e| failed("written", &e))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.kept {
            remove_folder(&self.app.jobs().folder(&self.id));
        }
        self.app.jobs().release(&self.id);
        self.app.jobs().nudge();
    }
}

/// A job of the caller with its progress.
///
/// Errors: [`Kind::NotFound`] for a job of somebody else, one that was cancelled or has expired.
pub fn status(app: &App, caller: &Caller, id: &Id) -> Result<Job> {
    let mut job = read(app, id)?.filter(|job| job.is_of(caller)).ok_or_else(gone)?;
    if let Some(progress) = app.jobs().progress(id) {
        job.progress = progress;
    }
    Ok(job)
}

/// Cancels a job of the caller, or removes a finished one with its files. Nothing of it can be
/// asked for afterwards.
///
/// Errors: [`Kind::NotFound`] as [`status`] has it.
pub fn cancel(app: &App, caller: &Caller, id: &Id) -> Result<()> {
    crate::records::write::retry(|| {
        let mut job = read(app, id)?.filter(|job| job.is_of(caller)).ok_or_else(gone)?;
        let before = job.to_bytes();
        let mut writes = Vec::new();
        if !job.state.is_finished() {
            job.state = State::Cancelled;
            job.ended_ms = Some(app.now_ms());
            writes.push(task::write(app, &job)?);
        }
        let event = Event::by(caller, Pattern::Delete).data(format!("Task/{id}"));
        writes.push(event.note("a job was removed").write(app)?);
        let guards = vec![guard(id, Some(before))];
        app.store().commit(Transaction { guards, writes, side: vec![remove(id)] })?;
        Ok(())
    })?;
    app.jobs().cancel(id);
    if !app.jobs().is_running(id) {
        remove_folder(&app.jobs().folder(id));
    }
    Ok(())
}

/// A file that a finished job of the caller left for download. `event` is committed before it is
/// handed out.
///
/// Errors: [`Kind::NotFound`] for another's job or a file that it does not have, [`Kind::Conflict`] for
/// an extract of somebody who is not in research any more, [`Kind::Forbidden`] for one whose project does not go
/// on here.
pub fn file(app: &App, caller: &Caller, id: &Id, name: &str) -> Result<Input> {
    let job = status(app, caller, id)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if job.state != State::Done || name.starts_with('.') || !name.chars().all(plain) {
        return Err(gone());
    }
    let place = format!("{}/{name}", folder::OUT);
    if !app.jobs().folder(id).join(&place).is_file() {
        return Err(gone());
    }
    let folder = app.jobs().open_folder(id).map_err(|e| failed("read", &e))?;
    if job.kind == crate::extracts::EXTRACT {
        crate::extracts::check(app, caller, &job.request, &folder)?;
    }
    let input = folder.open(&place).map_err(|e| failed("read", &e))?;
    let note = format!("file `{name}` of job {id}");
    app.audit(Event::by(caller, Pattern::Disclose).data(format!("Task/{id}")).note(note))?;
    Ok(input)
}

/// Every job of this node, newest first, for the operator.
pub fn list(app: &App, caller: &Caller) -> Result<Vec<Job>> {
    authorise(app, caller, Action::of(policy::Action::Operate))?;
    let mut jobs = all(app)?;
    for job in &mut jobs {
        if let Some(progress) = app.jobs().progress(&job.id) {
            job.progress = progress;
        }
    }
    jobs.sort_by_key(|job| std::cmp::Reverse(job.created_ms));
    Ok(jobs)
}

/// Removes finished jobs that are older than they are kept, and folders that belong to no job.
pub fn sweep(app: &App) -> Result<()> {
    let now = app.now_ms();
    let jobs = all(app)?;
    for job in &jobs {
        let old = job.ended_ms.is_some_and(|ended| now - ended > app.jobs().options().keep_ms);
        if old {
            let transaction = Transaction { side: vec![remove(&job.id)], ..Default::default() };
            app.store().commit(transaction)?;
            remove_folder(&app.jobs().folder(&job.id));
        }
    }
    crate::bulk::submit::sweep(app)?;
    let Ok(folders) = std::fs::read_dir(&app.jobs().options().folder) else { return Ok(()) };
    for folder in folders.flatten() {
        let known = Id::new(folder.file_name().to_string_lossy())
            .ok()
            .is_some_and(|id| jobs.iter().any(|job| job.id == id) || app.jobs().is_running(&id));
        if !known && read_by_name(app, &folder.file_name().to_string_lossy())?.is_none() {
            remove_folder(&folder.path());
        }
    }
    Ok(())
}

fn read_by_name(app: &App, name: &str) -> Result<Option<Job>> {
    Id::new(name).ok().map_or(Ok(None), |id| read(app, &id))
}

fn gone() -> Error {
    Error::new(Kind::NotFound, "there is no such job; it may have been cancelled or have expired")
}

fn read(app: &App, id: &Id) -> Result<Option<Job>> {
    let value = app.store().snapshot()?.side(SPACE, id.as_str().as_bytes())?;
    value.map(|value| Job::from_bytes(&value)).transpose()
}

fn all(app: &App) -> Result<Vec<Job>> {
    let records = app.store().snapshot()?.side_scan(SPACE, b"", MAX_RECORDS)?;
    records.iter().map(|(_, value)| Job::from_bytes(value)).collect()
}

fn put(job: &Job) -> SideWrite {
    let key = job.id.as_str().as_bytes().to_vec();
    SideWrite { space: SPACE, key, value: Some(job.to_bytes()) }
}

fn remove(id: &Id) -> SideWrite {
    SideWrite { space: SPACE, key: id.as_str().as_bytes().to_vec(), value: None }
}

fn guard(id: &Id, value: Option<Vec<u8>>) -> Guard {
    Guard::Side { space: SPACE, key: id.as_str().as_bytes().to_vec(), value }
}

fn remove_folder(folder: &Path) {
    if let Err(error) = folder::remove(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "the folder of a job could not be removed");
    }
}
