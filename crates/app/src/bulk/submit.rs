//! Submissions: somebody names manifests of files, one request after the other, and asks later
//! what came of them (Bulk Data 4.0.0-ballot, `$bulk-submit` and `$bulk-submit-status`).
//!
//! A submission is a record in the side space [`SPACE`]; each of its manifests is an import job.
//! It belongs to the account that opened it, and to the app where one did; its id is made from
//! these, the submitter and the submission's own id, so that a request which arrives twice opens
//! nothing twice.
//! Whoever asks after it must still be allowed to import: another app of the account, and a token
//! for less, are told what they are told of one that does not exist, or nothing at all.

use fhir::Id;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Guard, SideWrite, Transaction};

use super::import::{ImportRequest, Imported, check_caller, kick_off};
use super::{Manifest, fetch};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::jobs::{self, Job, Reserved, State};
use crate::{App, Caller, Error, Kind, Result};

/// Side space of the records.
pub const SPACE: &str = "submissions";
/// Most manifests of one submission.
const MAX_MANIFESTS: usize = 1_000;
/// Longest id of a submission and of a submitter's parts, in bytes.
const MAX_NAME: usize = 1_000;
/// Most records that are looked at at once.
const MAX_RECORDS: usize = 10_000;

/// Who submits: an identifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitter {
    /// Its system; empty without one.
    pub system: String,
    /// Its value.
    pub value: String,
}

/// How far a submission is, as its submitter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// More will come.
    InProgress,
    /// Nothing more will come.
    Completed,
    /// It is not to be taken in.
    Stopped,
}

/// One request of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitRequest {
    /// Who submits.
    pub submitter: Submitter,
    /// The submission's own id, unique for its submitter.
    pub submission: String,
    /// How far it is after this request.
    pub status: Status,
    /// A manifest to take in.
    pub manifest: Option<Manifest>,
    /// The address of the request.
    pub url: String,
}

/// A manifest that was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Submitted {
    url: String,
    job: String,
}

/// A submission as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    owner: String,
    /// The app that opened it, where one did.
    #[serde(default)]
    client: Option<String>,
    submission: String,
    status: Status,
    manifests: Vec<Submitted>,
    changed_ms: i64,
}

/// What came of one manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its address.
    pub url: String,
    /// Its job; `None` once that has expired.
    pub job: Option<Job>,
    /// What the job has done, once it has.
    pub imported: Option<Imported>,
}

/// How far a submission is.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The submission's own id.
    pub submission: String,
    /// What its submitter said.
    pub status: Status,
    /// Its manifests, in the order in which they came.
    pub parts: Vec<Part>,
    /// When the last request came, milliseconds since the Unix epoch.
    pub changed_ms: i64,
}

impl Report {
    /// Whether nothing more will happen.
    pub fn is_complete(&self) -> bool {
        let running = |part: &Part| part.job.as_ref().is_some_and(|job| !job.state.is_finished());
        self.status != Status::InProgress && !self.parts.iter().any(running)
    }
}

/// Takes one request of a submission.
///
/// Errors: [`Kind::Conflict`] where the submission was completed or stopped before, [`Kind::Busy`]
/// where too many jobs wait.
pub fn submit(app: &App, caller: &Caller, request: &SubmitRequest) -> Result<()> {
    check_caller(app, caller)?;
    let key = key(caller, &request.submitter, &request.submission)?;
    if let Some(manifest) = &request.manifest {
        fetch::check(app, &manifest.url, &manifest.headers)?;
    }
    let before = load(app, &key)?;
    let mut record = before.clone().unwrap_or_else(|| Record {
        owner: caller.user.id.clone(),
        client: client(caller),
        submission: request.submission.clone(),
        status: Status::InProgress,
        manifests: Vec::new(),
        changed_ms: app.now_ms(),
    });
    if record.status != Status::InProgress {
        let message = "the submission was completed or stopped before; use another `submissionId`";
        return Err(Error::new(Kind::Conflict, message));
    }
    let mut ordered = None;
    if let Some(manifest) = request.manifest.as_ref().filter(|_| request.status != Status::Stopped)
    {
        if record.manifests.iter().any(|known| known.url == manifest.url) {
            let message = "this `manifestUrl` is a part of the submission already";
            return Err(Error::new(Kind::Conflict, message));
        }
        if record.manifests.len() >= MAX_MANIFESTS {
            let message = format!("a submission has at most {MAX_MANIFESTS} manifests");
            return Err(Error::new(Kind::TooCostly, message));
        }
        let manifest = Some(manifest.clone());
        let import = ImportRequest { manifest, inputs: Vec::new(), url: request.url.clone() };
        let job = kick_off(app, caller, &import, Reserved::new(app)?)?;
        let url = import.manifest.map(|manifest| manifest.url).unwrap_or_default();
        record.manifests.push(Submitted { url, job: job.id.to_string() });
        ordered = Some(job.id);
    }
    record.status = request.status;
    record.changed_ms = app.now_ms();
    let event = Event::by(caller, Pattern::Import).note("a submission was taken");
    let saved = save(app, &key, before.as_ref(), Some(&record), event);
    if let (Err(_), Some(job)) = (&saved, ordered) {
        // Another request of the same submission came in between: this one did nothing.
        jobs::cancel(app, caller, &job)?;
    }
    saved?;
    if request.status == Status::Stopped {
        for part in &record.manifests {
            let Ok(id) = Id::new(&part.job) else { continue };
            match jobs::status(app, caller, &id) {
                Ok(job) if !job.state.is_finished() => jobs::cancel(app, caller, &id)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// The id under which a submission of the caller can be asked after.
///
/// Errors: [`Kind::NotFound`] where the caller has no such submission.
pub fn find(app: &App, caller: &Caller, submitter: &Submitter, submission: &str) -> Result<Id> {
    check_caller(app, caller)?;
    let key = key(caller, submitter, submission)?;
    load(app, &key)?.map(|_| key).ok_or_else(gone)
}

/// How far a submission of the caller is.
///
/// Errors: [`Kind::Forbidden`] for who may not import, [`Kind::NotFound`] for another's, and for one that has expired.
pub fn report(app: &App, caller: &Caller, key: &Id) -> Result<Report> {
    let record = own(app, caller, key)?;
    let parts = record.manifests.into_iter().map(|part| {
        let job = Id::new(&part.job).ok().and_then(|id| jobs::status(app, caller, &id).ok());
        let done = job.as_ref().filter(|job| job.state == State::Done);
        let result = done.and_then(|job| job.result.clone());
        let imported = result.and_then(|result| serde_json::from_value(result).ok());
        Part { url: part.url, job, imported }
    });
    Ok(Report {
        submission: record.submission,
        status: record.status,
        parts: parts.collect(),
        changed_ms: record.changed_ms,
    })
}

/// Forgets a submission of the caller; what it has stored stays.
pub fn release(app: &App, caller: &Caller, key: &Id) -> Result<()> {
    let record = own(app, caller, key)?;
    let event = Event::by(caller, Pattern::Delete).note("a submission was released");
    save(app, key, Some(&record), None, event)
}

/// Removes records that have not changed for as long as jobs are kept; one that was never completed
/// seven times as long.
pub(crate) fn sweep(app: &App) -> Result<()> {
    let keep_ms = app.jobs().options().keep_ms;
    let now = app.now_ms();
    for (key, value) in app.store().snapshot()?.side_scan(SPACE, b"", MAX_RECORDS)? {
        let record = read(&value)?;
        let patience = if record.status == Status::InProgress { 7 } else { 1 };
        if now - record.changed_ms > keep_ms.saturating_mul(patience) {
            let side = vec![SideWrite { space: SPACE, key, value: None }];
            app.store().commit(Transaction { side, ..Default::default() })?;
        }
    }
    Ok(())
}

fn gone() -> Error {
    Error::new(Kind::NotFound, "there is no such submission; it may have expired")
}

/// The app that asks, where one does.
fn client(caller: &Caller) -> Option<String> {
    caller.granted.as_ref().map(|granted| granted.client.clone())
}

/// A submission of the caller, who may still make one.
fn own(app: &App, caller: &Caller, key: &Id) -> Result<Record> {
    check_caller(app, caller)?;
    let is_own = |record: &Record| {
        record.owner == caller.user.id
            && (caller.granted.is_none() || record.client == client(caller))
    };
    load(app, key)?.filter(is_own).ok_or_else(gone)
}

fn key(caller: &Caller, submitter: &Submitter, submission: &str) -> Result<Id> {
    let app = client(caller);
    let mut parts = vec![&*caller.user.id, &*submitter.system, &*submitter.value, submission];
    parts.extend(app.as_deref());
    if submission.is_empty() || submitter.value.is_empty() {
        let message = "`submissionId` and the value of `submitter` are needed";
        return Err(Error::invalid("required", message));
    }
    if parts.iter().any(|part| part.len() > MAX_NAME) {
        let message = format!("`submissionId` and `submitter` have at most {MAX_NAME} bytes");
        return Err(Error::invalid("too-long", message));
    }
    let text = json!(parts).to_string();
    let hash = crypto::hash::hex(&crypto::hash::sha256(text.as_bytes()));
    Id::new(hash).map_err(|e| Error::internal(format!("the id of a submission: {e}")))
}

fn load(app: &App, key: &Id) -> Result<Option<Record>> {
    let value = app.store().snapshot()?.side(SPACE, key.as_str().as_bytes())?;
    value.map(|value| read(&value)).transpose()
}

fn read(value: &[u8]) -> Result<Record> {
    serde_json::from_slice(value)
        .map_err(|e| Error::internal(format!("the record of a submission cannot be read: {e}")))
}

fn save(
    app: &App,
    key: &Id,
    before: Option<&Record>,
    after: Option<&Record>,
    event: Event<'_>,
) -> Result<()> {
    let bytes = |record: &Record| json!(record).to_string().into_bytes();
    let key = key.as_str().as_bytes().to_vec();
    let value = before.map(bytes);
    let guards = vec![Guard::Side { space: SPACE, key: key.clone(), value }];
    let side = vec![SideWrite { space: SPACE, key, value: after.map(bytes) }];
    app.store().commit(Transaction { guards, writes: vec![event.write(app)?], side })?;
    Ok(())
}
