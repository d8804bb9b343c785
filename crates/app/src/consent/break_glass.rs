//! Breaking the glass: an emergency override with a reason, a time box, a notice to the patient
//! and a review by the privacy officer.
//!
//! The grant is a `Task` that the privacy officer must complete; it names who, whom, why and until
//! when. The notice is a `Communication` to the patient. Both, and the AuditEvent, are one
//! transaction, at the asker when the override starts and at each holder when it is used.

use fhir::json::quote;
use fhir::{Id, Resource};
use fhirpath::search::Registry;
use serde_json::{Value, json};
use store::query::parse;
use store::{Expect, Key, Method, Snapshot, Stored, Transaction, Write};

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::records::kept::{GOVERNANCE, KIND_SYSTEM, TASK_SYSTEM};
use crate::records::parse as parse_stored;
use crate::{App, Caller, Error, Kind, Result};

/// How long an override holds, in milliseconds.
pub const TIME_BOX_MS: i64 = 30 * 60 * 1000;
/// Longest reason, in characters.
pub const MAX_REASON: usize = 500;
const TASK_CODE: &str = "break-glass-review";
/// Most reviews that one list shows.
const MAX_LISTED: usize = 500;

/// An override that was granted or used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Id of the Task.
    pub task: Id,
    /// The patient.
    pub patient: Id,
    /// Who: account id, with the institution in front where it is another one.
    pub user: String,
    /// Name of the person.
    pub name: String,
    /// Name of the person's institution.
    pub organisation: String,
    /// Why.
    pub reason: String,
    /// From when on, milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Until when.
    pub end_ms: i64,
    /// `None` while the review is open, otherwise what the privacy officer found.
    pub review: Option<String>,
    /// Version of the Task.
    pub version: u64,
    /// When that version was written, milliseconds since the Unix epoch: the time of the review
    /// once there is one.
    pub changed_ms: i64,
}

/// Who overrides, for the Task and the notice.
pub(crate) struct Who<'a> {
    pub user: &'a str,
    pub name: &'a str,
    pub organisation: &'a str,
}

/// Starts an override for `patient`. The caller's purpose must be `BTG`.
pub fn start(app: &App, caller: &Caller, patient: &Id, reason: &str) -> Result<Override> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(Error::invalid(
            "required",
            format!(
                "state the reason for the emergency access, in at most {MAX_REASON} characters"
            ),
        ));
    }
    authorise(app, caller, Action::of(policy::Action::BreakGlass))?;
    let key = Key { resource_type: "Patient", id: patient.clone() };
    let known = app.store().snapshot()?.read(&key)?;
    if known.is_none_or(|stored| stored.method == Method::Delete) {
        return Err(Error::not_found());
    }
    let until = app.now_ms() + TIME_BOX_MS;
    let who = Who { user: &caller.user.id, name: &caller.user.name, organisation: &app.org().name };
    let mut writes = writes(app, patient, &who, reason, until)?;
    let event = Event::by(caller, Pattern::BreakGlass).patients([patient.clone()]);
    writes.push(event.write(app)?);
    app.store().commit(Transaction { writes, ..Default::default() })?;
    granted(&*app.store().snapshot()?, &caller.user.id, patient, app.now_ms())?
        .ok_or_else(|| Error::internal("the override was not found after it was written"))
}

/// The Task and the notice.
pub(crate) fn writes(
    app: &App,
    patient: &Id,
    who: &Who<'_>,
    reason: &str,
    until_ms: i64,
) -> Result<Vec<Write>> {
    let now = fhir::time::instant(app.now_ms());
    let subject = format!("Patient/{patient}");
    let task = json!({
        "resourceType": "Task",
        "meta": {"tag": [governance()]},
        "status": "requested",
        "intent": "order",
        "priority": "urgent",
        "code": {"coding": [{"system": TASK_SYSTEM, "code": TASK_CODE}],
                 "text": "Review of an emergency access"},
        "for": {"reference": subject},
        "authoredOn": now,
        "requester": {"identifier": {"value": who.user}, "display": who.name},
        "owner": app.organisation_reference(),
        "reasonCode": {"text": reason},
        "note": [{"text": who.organisation}],
        "restriction": {"period": {"start": now, "end": fhir::time::instant(until_ms)}},
    });
    let notice = json!({
        "resourceType": "Communication",
        "meta": {"tag": [governance()]},
        "status": "completed",
        "category": [{"text": "Notice of emergency access"}],
        "subject": {"reference": subject},
        "recipient": [{"reference": subject}],
        "sender": app.organisation_reference(),
        "sent": now,
        "payload": [{"contentString": format!(
            "{} at {} opened your record in an emergency without asking you first. Reason given: {reason}. \
             The privacy officer will review it.", who.name, who.organisation
        )}],
    });
    [("Task", task), ("Communication", notice)]
        .into_iter()
        .map(|(resource_type, resource)| put(app, resource_type, &resource))
        .collect()
}

fn put(app: &App, resource_type: &'static str, resource: &Value) -> Result<Write> {
    let resource = Resource::parse(resource.to_string())
        .map_err(|e| Error::internal(format!("a resource made here is not valid: {e}")))?;
    let key = Key { resource_type, id: app.new_id() };
    Ok(Write::Put { key, resource, expect: Expect::Absent, method: Method::Post })
}

/// The tag of resources that govern access and are no part of the clinical record.
pub(crate) fn governance() -> Value {
    json!({"system": KIND_SYSTEM, "code": GOVERNANCE})
}

/// The override that holds now for this user and patient.
pub fn granted(
    snapshot: &dyn Snapshot,
    user: &str,
    patient: &Id,
    now_ms: i64,
) -> Result<Option<Override>> {
    let criteria = [("patient".to_owned(), format!("Patient/{patient}"))];
    let list = find(snapshot, &criteria)?;
    Ok(list.into_iter().find(|one| one.user == user && one.end_ms > now_ms))
}

fn find(snapshot: &dyn Snapshot, criteria: &[(String, String)]) -> Result<Vec<Override>> {
    let mut params = vec![
        ("code".to_owned(), format!("{TASK_SYSTEM}|{TASK_CODE}")),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    params.extend_from_slice(criteria);
    let search =
        parse(Registry::r4(), "Task", &params).map_err(|e| Error::internal(e.to_string()))?;
    let found = snapshot.find(&search.query, MAX_LISTED, false)?;
    let mut list = Vec::new();
    for stored in snapshot.load(&found)? {
        list.extend(view(&parse_stored(&stored)?, &stored));
    }
    Ok(list)
}

fn view(task: &Resource, stored: &Stored) -> Option<Override> {
    let text =
        |names: &[&str]| task.root().path(names).and_then(|v| v.as_str()).map(|v| v.into_owned());
    let time = |name| Some(fhir::time::parse(&text(&["restriction", "period", name])?)?.start_ms);
    let first = |name: &str| Some(task.get(name)?.items().next()?.str_at("text")?.into_owned());
    let reviewed = text(&["status"]).is_some_and(|status| status == "completed");
    Some(Override {
        task: task.id()?,
        patient: Id::new(text(&["for", "reference"])?.strip_prefix("Patient/")?).ok()?,
        user: text(&["requester", "identifier", "value"])?,
        name: text(&["requester", "display"])?,
        organisation: first("note").unwrap_or_default(),
        reason: text(&["reasonCode", "text"])?,
        start_ms: time("start")?,
        end_ms: time("end")?,
        review: reviewed.then(|| text(&["statusReason", "text"]).unwrap_or_default()),
        version: stored.version,
        changed_ms: stored.last_updated_ms,
    })
}

/// All overrides, newest first, for the privacy officer.
pub fn list(app: &App, caller: &Caller) -> Result<Vec<Override>> {
    authorise(app, caller, Action::of(policy::Action::Review))?;
    let list = find(&*app.store().snapshot()?, &[])?;
    let patients = list.iter().map(|one| one.patient.clone());
    app.audit(Event::by(caller, Pattern::AuditRead).patients(patients))?;
    Ok(list)
}

/// Closes the review of an override with what was found.
pub fn review(app: &App, caller: &Caller, task: &Id, finding: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Review))?;
    let finding = finding.trim();
    if finding.is_empty() || finding.chars().count() > 2 * MAX_REASON {
        return Err(Error::invalid("required", "write down what the review found"));
    }
    let key = Key { resource_type: "Task", id: task.clone() };
    let stored = app.store().snapshot()?.read(&key)?.filter(|s| s.method != Method::Delete);
    let stored = stored.ok_or_else(Error::not_found)?;
    let resource = parse_stored(&stored)?;
    let seen = view(&resource, &stored).ok_or_else(Error::not_found)?;
    if seen.review.is_some() {
        return Err(Error::new(Kind::Conflict, "this emergency access has been reviewed already"));
    }
    let mut edits = fhir::edit::Edits::default();
    edits.set(resource.root(), "status", "\"completed\"", "resourceType");
    let reason = format!("{{\"text\":{}}}", quote(finding));
    edits.set(resource.root(), "statusReason", &reason, "intent");
    let resource = Resource::parse(edits.apply(resource.text()))
        .map_err(|e| Error::internal(e.to_string()))?;
    let expect = Expect::Version(stored.version);
    let event =
        Event::by(caller, Pattern::Update).patients([seen.patient]).data(format!("Task/{task}"));
    let writes = vec![Write::Put { key, resource, expect, method: Method::Put }, event.write(app)?];
    app.store().commit(Transaction { writes, ..Default::default() })?;
    Ok(())
}

/// Notices to the patient, newest first: `(when in milliseconds, text)`.
pub fn notices(snapshot: &dyn Snapshot, patient: &Id) -> Result<Vec<(i64, String)>> {
    let params = [
        ("recipient".to_owned(), format!("Patient/{patient}")),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    let search = parse(Registry::r4(), "Communication", &params)
        .map_err(|e| Error::internal(e.to_string()))?;
    let found = snapshot.find(&search.query, MAX_LISTED, false)?;
    let mut notices = Vec::new();
    for stored in snapshot.load(&found)? {
        let resource = parse_stored(&stored)?;
        let text = resource
            .get("payload")
            .and_then(|list| list.items().next()?.str_at("contentString").map(|t| t.into_owned()));
        notices.extend(text.map(|text| (stored.last_updated_ms, text)));
    }
    Ok(notices)
}
