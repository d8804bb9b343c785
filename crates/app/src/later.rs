//! Interactions that are answered later: the client asks with `Prefer: respond-async`, the request
//! is kept, and a job asks it again in the name of whoever sent it (FHIR R5, asynchronous
//! interaction request pattern).
//!
//! The request is a file of the job before it is accepted, so it survives a restart. What only
//! reads is asked again from the start after one. What writes is asked again only where the audit
//! shows that nothing of it was stored: every write leaves an entry with the id of its request,
//! and that id is the job's.

use std::io::Read as _;

use fhir::Id;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Seq;

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::jobs::{self, Ended, Job, Outcome, Reserved, Run, failed};
use crate::{App, Caller, Error, Kind, Result};

/// Kind of the jobs that answer later.
pub const LATER: &str = "interaction";
/// Name of the file that holds the answer.
pub const ANSWER: &str = "answer.json";
/// Name of the file that holds the body of the request.
const BODY: &str = "request-body";
/// Longest address of a request, in bytes.
const MAX_TARGET: usize = 16 * 1024;
/// Most changes that are looked at at once.
const PAGE: usize = 1_000;

/// A request to be answered later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaterRequest {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers that matter for its answer, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whether nothing is changed by it.
    pub reads_only: bool,
}

/// What to do about a request at the start of a run.
pub enum Begun {
    /// To be asked in the name of this caller, with this body.
    Ask(Box<Caller>, Vec<u8>),
    /// It has stored something in an earlier run, whose answer is lost.
    Stored,
}

/// Accepts a request as a job. Whether the caller may do it is decided when it runs, as for a
/// request that is answered at once.
///
/// Errors: [`Kind::TooCostly`] for an address that is too long, [`Kind::Busy`] where too many jobs
/// wait.
pub fn order(app: &App, caller: &Caller, request: &LaterRequest, body: &[u8]) -> Result<Job> {
    if request.target.len() > MAX_TARGET {
        let message = format!("an address has at most {MAX_TARGET} bytes; send a form by `POST`");
        return Err(Error::new(Kind::TooCostly, message));
    }
    let reserved = Reserved::new(app)?;
    reserved.write(BODY, body)?;
    let pattern = if request.reads_only { Pattern::Query } else { Pattern::Transaction };
    let event = Event::by(caller, pattern).note("an interaction was ordered for later");
    jobs::submit_reserved(app, caller, reserved, LATER, "Interaction", json!(request), event)
}

/// What the job was given.
pub fn request_of(run: &Run) -> Outcome<LaterRequest> {
    serde_json::from_value(run.request().clone())
        .map_err(|e| Error::internal(format!("the request of a job cannot be read: {e}")).into())
}

/// Begins a run: asks whether the account still stands as it did, and whether an earlier run has
/// come to store something.
pub fn begin(app: &App, run: &Run, request: &LaterRequest) -> Outcome<Begun> {
    let mut caller = run.caller().clone();
    crate::session::check_standing(app, &caller)?;
    caller.request_id = run.id().to_string();
    if !request.reads_only {
        match run.checkpoint()? {
            Some(saved) if has_stored(app, run.id(), saved["seq"].as_u64().unwrap_or(0))? => {
                return Ok(Begun::Stored);
            }
            Some(_) => {}
            None => run.save(&json!({"seq": app.store().snapshot()?.seq()}))?,
        }
    }
    let body = run.folder().read(BODY).map_err(|e| failed("read", &e))?;
    Ok(Begun::Ask(Box::new(caller), body))
}

/// Keeps the answer; durable on return.
pub fn keep_answer(run: &Run, text: &str) -> Outcome<Value> {
    let kept = run.folder().write(&format!("out/{ANSWER}"), text.as_bytes());
    kept.map_err(|e| Ended::Failed(failed("written", &e)))?;
    Ok(json!({"bytes": text.len()}))
}

/// The answer, for the owner of a job that has ended; an audit entry is committed
/// before.
pub fn answer(app: &App, caller: &Caller, id: &Id) -> Result<String> {
    let mut text = String::new();
    let read = jobs::file(app, caller, id, ANSWER)?.read_to_string(&mut text);
    read.map_err(|e| failed("read", &e))?;
    Ok(text)
}

/// Whether something was written after `seq` in the name of a request.
fn has_stored(app: &App, request: &Id, seq: Seq) -> Result<bool> {
    const WRITING: [&str; 4] =
        ["\"action\":\"C\"", "\"action\":\"U\"", "\"action\":\"D\"", "\"code\":\"transaction\""];
    let id = format!("\"value\":\"{request}\"");
    let snapshot = app.store().snapshot()?;
    let mut after = seq;
    loop {
        let changes = snapshot.changes(after, PAGE)?;
        let Some(last) = changes.last() else { return Ok(false) };
        after = last.seq;
        let audit: Vec<Seq> = changes
            .iter()
            .filter(|change| change.key.resource_type == "AuditEvent")
            .map(|change| change.seq)
            .collect();
        for stored in snapshot.load(&audit)? {
            if stored.text.contains(&id) && WRITING.iter().any(|sign| stored.text.contains(sign)) {
                return Ok(true);
            }
        }
    }
}
