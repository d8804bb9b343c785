//! A patient objects to an access: the holder's privacy officer is asked, must answer in time, and the
//! patient reads the answer.
//!
//! An objection is a [`Matter`]. To another institution it goes through the outbox, and each step there
//! comes back the same way, so that the patient sees at home how it stands.

use fhir::Id;
use store::Transaction;
use wire::{Notice, ObjectionState, ObjectionWord, OrgId, ReceiptOutcome};

use super::accesses::{Access, authorise_own, view};
use super::event::{Agent, Event, Pattern};
use super::line;
use crate::authorise::{Action, authorise};
use crate::notices::matter::{self, is_ours};
use crate::notices::post::{self, Parties, Taken, send};
use crate::notices::{Kind, Matter, State};
use crate::records::link;
use crate::{App, Caller, Error, Kind as ErrorKind, Result};

/// Longest reason, in characters.
pub const MAX_REASON: usize = 1_000;
/// Longest answer, in characters.
pub const MAX_ANSWER: usize = 2_000;
/// How long the privacy officer has for an answer, in milliseconds: 14 days.
pub const DUE_MS: i64 = 14 * 24 * 60 * 60 * 1000;
/// Most objections of one patient that may wait for an answer at a time.
const MAX_OPEN: usize = 50;

/// Objects to the line `entry` in the log of `at`. For the patient alone.
///
/// Errors: [`ErrorKind::NotFound`] where there is no such line about the patient here or no such
/// institution holds the record, [`ErrorKind::Conflict`] where an objection to it stands.
pub fn object(
    app: &App,
    caller: &Caller,
    patient: &Id,
    at: &str,
    entry: &Id,
    reason: &str,
) -> Result<Id> {
    let reason = within(reason, MAX_REASON)?;
    authorise_own(app, caller, patient)?;
    if caller.user.patient.as_ref() != Some(patient) {
        return Err(Error::new(ErrorKind::Forbidden, "only the patient can object"));
    }
    let snapshot = app.store().snapshot()?;
    let known = matter::list(&*snapshot, Kind::Objection, Some(patient), false)?;
    if known.iter().any(|one| one.owner == at && one.entry == entry.as_str()) {
        return Err(Error::new(
            ErrorKind::Conflict,
            "there is an objection to this access already",
        ));
    }
    if known.iter().filter(|one| one.state.is_open()).count() >= MAX_OPEN {
        return Err(Error::new(
            ErrorKind::Busy,
            "wait for the answers to earlier objections first",
        ));
    }
    let (task, now) = (app.new_id(), app.now_ms());
    let mut one = Matter {
        origin: (app.org().id.clone(), task.to_string()),
        task: task.clone(),
        version: 0,
        kind: Kind::Objection,
        state: State::Received,
        overdue: false,
        owner: at.to_owned(),
        patient: patient.clone(),
        entry: entry.to_string(),
        reason,
        opened_ms: now,
        due_ms: now + DUE_MS,
        answer: String::new(),
        changed_ms: now,
    };
    let mut side = Vec::new();
    if is_ours(app, &one) {
        line::about(&*snapshot, entry, patient)?;
    } else {
        let link = link::find(&*snapshot, patient, at)?.filter(|link| link.state.is_followed());
        let link = link.ok_or_else(Error::not_found)?;
        let peer = OrgId::new(at).map_err(|_| Error::not_found())?;
        let parties = Parties { peer, patient: patient.clone(), remote: link.remote };
        let word = wire::Objection {
            id: task.to_string(),
            entry: entry.to_string(),
            reason: one.reason.clone(),
            due: one.due_ms,
        };
        side.push(send(app, &parties, &Notice::Objection(word))?);
        one.state = State::Sent;
    }
    drop(snapshot);
    let event =
        Event::by(caller, Pattern::Create).patients([patient.clone()]).data(format!("Task/{task}"));
    let writes = vec![one.write()?, event.write(app)?];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    app.outbox().nudge();
    Ok(task)
}

/// A text that says something and is not too long.
fn within(text: &str, most: usize) -> Result<String> {
    let text = text.trim();
    match text.is_empty() || text.chars().count() > most {
        true => {
            Err(Error::invalid("required", format!("write something, at most {most} characters")))
        }
        false => Ok(text.to_owned()),
    }
}

/// The patient's own objections, the newest first.
pub fn mine(app: &App, caller: &Caller, patient: &Id) -> Result<Vec<Matter>> {
    authorise_own(app, caller, patient)?;
    let list = matter::list(&*app.store().snapshot()?, Kind::Objection, Some(patient), false)?;
    app.audit(Event::by(caller, Pattern::Query).patients([patient.clone()]).query("Task"))?;
    // What this patient objected to elsewhere and what came from elsewhere are both theirs.
    Ok(list)
}

/// An objection with the access that it is about, as the privacy officer sees it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The objection.
    pub matter: Matter,
    /// The access; `None` where its entry cannot be read.
    pub access: Option<Access>,
}

/// The objections that this institution must answer or has answered, the newest first. For the privacy
/// officer.
pub fn cases(app: &App, caller: &Caller) -> Result<Vec<Case>> {
    authorise(app, caller, Action::of(policy::Action::Review))?;
    let snapshot = app.store().snapshot()?;
    let mut cases = Vec::new();
    for one in matter::list(&*snapshot, Kind::Objection, None, false)? {
        if !is_ours(app, &one) {
            continue;
        }
        let entry = Id::new(&one.entry).ok();
        let stored = entry.and_then(|entry| line::about(&*snapshot, &entry, &one.patient).ok());
        let event = stored.as_ref().map(crate::records::parse).transpose()?;
        let access = event.and_then(|event| view(&event, &app.org().id));
        cases.push(Case { matter: one, access });
    }
    let patients = cases.iter().map(|case| case.matter.patient.clone());
    app.audit(Event::by(caller, Pattern::AuditRead).patients(patients))?;
    Ok(cases)
}

/// Answers an objection: `upheld` where the access was wrong. The patient reads `answer`, also where
/// the objection came from another institution.
///
/// Errors: [`ErrorKind::Conflict`] where it has been answered.
pub fn answer(app: &App, caller: &Caller, task: &Id, upheld: bool, answer: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Review))?;
    let answer = within(answer, MAX_ANSWER)?;
    let snapshot = app.store().snapshot()?;
    let known = matter::read(&*snapshot, task)?;
    if known.kind != Kind::Objection || !is_ours(app, &known) {
        return Err(Error::not_found());
    }
    if !known.state.is_open() {
        return Err(Error::new(ErrorKind::Conflict, "this objection has been answered already"));
    }
    let (state, word) = match upheld {
        true => (State::Upheld, ObjectionWord::Upheld),
        false => (State::Rejected, ObjectionWord::Rejected),
    };
    let one = Matter { state, answer: answer.clone(), ..known };
    let side = back(app, &*snapshot, &one, word, answer)?;
    drop(snapshot);
    let event = Event::by(caller, Pattern::Update)
        .patients([one.patient.clone()])
        .data(format!("Task/{task}"));
    let writes = vec![one.write()?, event.write(app)?];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    app.outbox().nudge();
    Ok(())
}

/// Word to the institution where the objection was made; nothing where that is this one.
fn back(
    app: &App,
    snapshot: &dyn store::Snapshot,
    one: &Matter,
    state: ObjectionWord,
    answer: String,
) -> Result<Vec<store::SideWrite>> {
    if one.origin.0 == app.org().id {
        return Ok(Vec::new());
    }
    let (peer, id) = &one.origin;
    let link = link::find(snapshot, &one.patient, peer)?.ok_or_else(|| {
        Error::new(ErrorKind::Precondition, "the link to the patient's institution is gone")
    })?;
    let peer = OrgId::new(peer).map_err(|e| Error::internal(e.to_string()))?;
    let parties = Parties { peer, patient: one.patient.clone(), remote: link.remote };
    let word = ObjectionState { id: id.clone(), state, answer };
    Ok(vec![send(app, &parties, &Notice::ObjectionState(word))?])
}

/// Takes an objection that a patient made at another institution.
pub(crate) fn receive(
    app: &App,
    from: &Agent,
    parties: &Parties,
    word: &wire::Objection,
    mut taken: Taken,
) -> Result<ReceiptOutcome> {
    let Parties { peer, patient, remote } = parties;
    let snapshot = app.store().snapshot()?;
    let link = link::find(&*snapshot, patient, peer.as_str())?;
    let linked = link.is_some_and(|link| link.state.is_followed() && link.remote == *remote);
    let entry = Id::new(&word.entry).ok();
    let entry = entry.filter(|entry| linked && line::about(&*snapshot, entry, patient).is_ok());
    let Some(entry) = entry else { return Ok(ReceiptOutcome::NotApplicable) };
    let task = Matter::received_id(peer.as_str(), &word.id)?;
    if matter::find_one(&*snapshot, &task)?.is_some() {
        return Ok(ReceiptOutcome::Duplicate);
    }
    let known = matter::list(&*snapshot, Kind::Objection, Some(patient), false)?;
    let waiting = known.iter().filter(|one| one.state.is_open() && one.origin.0 == peer.as_str());
    // More is nothing that a node lets its patient ask; their own page says that it was not taken.
    if waiting.count() >= MAX_OPEN {
        return Ok(ReceiptOutcome::NotApplicable);
    }
    let now = app.now_ms();
    let one = Matter {
        task,
        version: 0,
        kind: Kind::Objection,
        state: State::Received,
        overdue: false,
        origin: (peer.to_string(), word.id.clone()),
        owner: app.org().id.clone(),
        patient: patient.clone(),
        entry: entry.to_string(),
        reason: word.reason.chars().take(MAX_REASON).collect(),
        opened_ms: now,
        // The deadline is the patient's, whatever either clock says.
        due_ms: word.due.clamp(now, now + DUE_MS),
        answer: String::new(),
        changed_ms: now,
    };
    taken.side.extend(back(app, &*snapshot, &one, ObjectionWord::Received, String::new())?);
    drop(snapshot);
    let event = Event::by_node(Pattern::Receive)
        .peer(from.clone())
        .patients([patient.clone()])
        .data(format!("Task/{}", one.task));
    let writes = vec![one.write()?, event.write(app)?];
    app.store().commit(Transaction { guards: taken.guards, writes, side: taken.side })?;
    app.outbox().nudge();
    Ok(ReceiptOutcome::Accepted)
}

/// Takes word of how an objection stands that was made here.
pub(crate) fn told(
    app: &App,
    from: &Agent,
    parties: &Parties,
    word: &ObjectionState,
    taken: Taken,
) -> Result<ReceiptOutcome> {
    let is_theirs = |one: &Matter| {
        one.kind == Kind::Objection
            && one.owner == parties.peer.as_str()
            && one.patient == parties.patient
    };
    let known = matter::named(app, &word.id)?.filter(is_theirs);
    let Some(known) = known else { return Ok(ReceiptOutcome::NotApplicable) };
    let state = match word.state {
        ObjectionWord::Received => State::Received,
        ObjectionWord::Upheld => State::Upheld,
        ObjectionWord::Rejected => State::Rejected,
    };
    if matches!(known.state, State::Upheld | State::Rejected) {
        return Ok(ReceiptOutcome::Duplicate);
    }
    let answer = word.answer.chars().take(MAX_ANSWER).collect();
    let one = Matter { state, answer, ..known };
    post::move_on(app, from, Pattern::Receive, &one, taken)
}
