//! Recall: two people were confused, and what was disclosed about one of them stands at others as the
//! other's. Every recipient is told, removes what it keeps, tells whoever looked, and confirms; each
//! recipient is a [`Matter`] that is followed to its end.
//!
//! A recall begins when a registrar rejects a link that was followed, or declares that a patient's
//! record was another's. What nodes keep of each other's records is little, because records stay where
//! they were made: the link, the permissions that came along it, and what waits to be sent along it.

use std::collections::BTreeMap;

use fhir::Id;
use fhirpath::search::Registry;
use serde_json::json;
use store::query::parse;
use store::{Expect, Key, Method, SideWrite, Snapshot, Stored, Transaction, Write};
use wire::{Notice, OrgId, RecallConfirmed, ReceiptOutcome};

use super::kept::NOTICE_SYSTEM;
use super::link::{self, Link, State as LinkState};
use super::parse as parse_stored;
use crate::audit::event::{Agent, Event, Pattern};
use crate::authorise::{Action, authorise};
use crate::consent::break_glass::governance;
use crate::consent::deliver::came_from;
use crate::notices::matter;
use crate::notices::post::{self, Parties, Taken, send};
use crate::notices::{Kind, Matter, State};
use crate::{App, Caller, Error, Result};

/// How long a recipient has to confirm, in milliseconds: 7 days.
pub const DUE_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Longest reason, in characters.
pub const MAX_REASON: usize = 500;
/// Most audit entries that are read to find recipients, or who has looked.
const MAX_ENTRIES: usize = 10_000;
/// The category of a notice to people who have looked.
const CATEGORY: &str = "confused-record";
/// Most notices that one list holds.
const MAX_NOTICES: usize = 100;

/// What belongs into the transaction that begins a recall.
#[derive(Default)]
pub(crate) struct Begun {
    /// Tasks, notices, and what is removed here.
    pub writes: Vec<Write>,
    /// Word to the recipients, and what is no longer sent.
    pub side: Vec<SideWrite>,
    /// How many recipients are told.
    pub recipients: usize,
}

/// Declares that what was disclosed of `patient` was another person's: every recipient is told. For
/// registrars. Returns how many there are.
///
/// Errors: [`crate::Kind::Precondition`] where nothing was disclosed to anybody that could be told.
pub fn declare(app: &App, caller: &Caller, patient: &Id, reason: &str) -> Result<usize> {
    authorise(app, caller, Action::of(policy::Action::ConfirmLink))?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        let message = format!("write down what happened, in at most {MAX_REASON} characters");
        return Err(Error::invalid("required", message));
    }
    let snapshot = app.store().snapshot()?;
    let mut begun = Begun::default();
    for (org, since) in recipients(app, &*snapshot, patient)? {
        let Some(link) = link::find(&*snapshot, patient, &org)? else { continue };
        tell(app, &link, since, reason, &mut begun)?;
    }
    drop(snapshot);
    if begun.recipients == 0 {
        let message =
            "nothing of this patient was disclosed to anybody, so there is nobody to tell";
        return Err(Error::new(crate::Kind::Precondition, message));
    }
    let event = Event::by(caller, Pattern::Recall).patients([patient.clone()]);
    begun.writes.push(event.write(app)?);
    let Begun { writes, side, recipients } = begun;
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    app.outbox().nudge();
    Ok(recipients)
}

/// What follows when a registrar finds that `link`, which was followed, leads to somebody else: the
/// other side is told if anything was disclosed to it, and what is here of it goes.
pub(crate) fn after_rejection(app: &App, snapshot: &dyn Snapshot, link: &Link) -> Result<Begun> {
    let mut begun = Begun::default();
    if let Some(since) = recipients(app, snapshot, &link.patient)?.get(&link.org) {
        tell(app, link, *since, "the two records are not the same person's", &mut begun)?;
    }
    let gone = purge(app, snapshot, &link.patient, &link.org, None)?;
    begun.writes.extend(gone.writes);
    begun.side.splice(0..0, gone.side);
    Ok(begun)
}

/// One recipient's Task and the word to it.
fn tell(app: &App, link: &Link, since: i64, reason: &str, begun: &mut Begun) -> Result<()> {
    let (task, now) = (app.new_id(), app.now_ms());
    let one = Matter {
        origin: (app.org().id.clone(), task.to_string()),
        task: task.clone(),
        version: 0,
        kind: Kind::Recall,
        state: State::Sent,
        overdue: false,
        owner: link.org.clone(),
        patient: link.patient.clone(),
        entry: String::new(),
        reason: reason.to_owned(),
        opened_ms: now,
        due_ms: now + DUE_MS,
        answer: String::new(),
        changed_ms: now,
    };
    let peer = OrgId::new(&link.org).map_err(|e| Error::internal(e.to_string()))?;
    let parties = Parties { peer, patient: link.patient.clone(), remote: link.remote.clone() };
    let word = wire::Recall { id: task.to_string(), since, due: one.due_ms };
    begun.side.push(send(app, &parties, &Notice::Recall(word))?);
    begun.writes.push(one.write()?);
    begun.recipients += 1;
    Ok(())
}

/// To whom anything of the patient was disclosed, and since when.
fn recipients(app: &App, snapshot: &dyn Snapshot, patient: &Id) -> Result<BTreeMap<String, i64>> {
    let mut found = BTreeMap::new();
    for stored in entries(snapshot, patient, &[("type", "110106")])? {
        let event = parse_stored(&stored)?;
        let agents = event.get("agent");
        for agent in agents.iter().flat_map(|agents| agents.items()) {
            let who = agent.path(&["who", "reference"]).and_then(|text| text.as_str());
            let org = who.as_deref().and_then(|text| text.strip_prefix("Organization/"));
            let Some(org) = org.filter(|org| *org != app.org().id) else { continue };
            let since = found.entry(org.to_owned()).or_insert(stored.last_updated_ms);
            *since = (*since).min(stored.last_updated_ms);
        }
    }
    Ok(found)
}

/// Audit entries about a patient that fit, the newest first.
fn entries(snapshot: &dyn Snapshot, patient: &Id, more: &[(&str, &str)]) -> Result<Vec<Stored>> {
    let mut params = vec![
        ("patient".to_owned(), format!("Patient/{patient}")),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    params.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let search =
        parse(Registry::r4(), "AuditEvent", &params).map_err(|e| Error::internal(e.to_string()))?;
    Ok(snapshot.load(&snapshot.find(&search.query, MAX_ENTRIES, false)?)?)
}

/// What is removed here of what came from `org` about `patient`, and who is told.
struct Gone {
    writes: Vec<Write>,
    side: Vec<SideWrite>,
    removed: u32,
    told: u32,
}

/// Removes what this node keeps of what came from `org` about `patient`: the permissions that came from
/// there, what waits to be sent there, and the link itself where `link` is given. Tells the people here
/// who have opened the record.
fn purge(
    app: &App,
    snapshot: &dyn Snapshot,
    patient: &Id,
    org: &str,
    link: Option<Link>,
) -> Result<Gone> {
    let mut gone = Gone { writes: Vec::new(), side: Vec::new(), removed: 0, told: 0 };
    let params = [("patient".to_owned(), format!("Patient/{patient}"))];
    let search =
        parse(Registry::r4(), "Consent", &params).map_err(|e| Error::internal(e.to_string()))?;
    for stored in snapshot.load(&snapshot.find(&search.query, MAX_ENTRIES, false)?)? {
        if came_from(&parse_stored(&stored)?, org) {
            let expect = Expect::Version(stored.version);
            gone.writes.push(Write::Delete { key: stored.key.clone(), expect });
            gone.writes.push(Write::Forget { key: stored.key, below: u64::MAX });
            gone.removed += 1;
        }
    }
    if let Some(link) = link.filter(|link| link.state != LinkState::Rejected) {
        // The decision stays, so that the matcher does not find the same again; what the other sent
        // of the person goes, from earlier versions too.
        let ended = Link {
            state: LinkState::Rejected,
            fields: None,
            demographics: None,
            score: None,
            ..link
        };
        gone.writes.push(link::write(app, &ended, &app.base_url_of(org))?);
        gone.writes.push(Write::Forget { key: link::key(patient, org)?, below: u64::MAX });
        gone.removed += 1;
    }
    if let Ok(peer) = OrgId::new(org) {
        let outbox = app.outbox();
        gone.side = outbox.withdraw(&peer, patient.as_str(), wire::DeliveryKind::Consent)?;
    }
    let people = who_looked(app, snapshot, patient)?;
    gone.told = u32::try_from(people.len()).unwrap_or(u32::MAX);
    if !people.is_empty() {
        gone.writes.push(notice(app, patient, org, &people)?);
    }
    Ok(gone)
}

/// People of this node who have opened the record with what came from others: account and name.
fn who_looked(
    app: &App,
    snapshot: &dyn Snapshot,
    patient: &Id,
) -> Result<BTreeMap<String, String>> {
    let mut people = BTreeMap::new();
    for stored in entries(snapshot, patient, &[("subtype", "search")])? {
        let event = parse_stored(&stored)?;
        let agents = event.get("agent");
        let agents = || agents.iter().flat_map(|agents| agents.items());
        let asked = agents().any(|agent| {
            let who = agent.path(&["who", "reference"]).and_then(|text| text.as_str());
            who.as_deref()
                .and_then(|text| text.strip_prefix("Organization/"))
                .is_some_and(|org| org != app.org().id)
        });
        let is_theirs = |agent: &fhir::Value<'_>| {
            agent.path(&["who", "identifier", "system"]).is_none()
                && agent.path(&["who", "reference"]).is_none()
        };
        for agent in agents().filter(|agent| asked && is_theirs(agent)) {
            let id = agent.path(&["who", "identifier", "value"]).and_then(|text| text.as_str());
            let name = agent.path(&["who", "display"]).and_then(|text| text.as_str());
            if let Some((id, name)) = id.zip(name) {
                people.insert(id.into_owned(), name.into_owned());
            }
        }
    }
    Ok(people)
}

fn notice(app: &App, patient: &Id, org: &str, people: &BTreeMap<String, String>) -> Result<Write> {
    let recipients = people.iter().map(
        |(id, name)| json!({"type": "Practitioner", "identifier": {"value": id}, "display": name}),
    );
    let resource = json!({
        "resourceType": "Communication",
        "meta": {"tag": [governance()]},
        "status": "completed",
        "category": [{"coding": [{"system": NOTICE_SYSTEM, "code": CATEGORY}]}],
        "priority": "urgent",
        "subject": {"reference": format!("Patient/{patient}")},
        "recipient": recipients.collect::<Vec<_>>(),
        "sender": {"reference": format!("Organization/{org}")},
        "sent": fhir::time::instant(app.now_ms()),
        "payload": [{"contentString": "What this institution sent for the patient was another \
                     person's. Do not rely on it; open the record again."}],
    });
    let resource = fhir::Resource::parse(resource.to_string())
        .map_err(|e| Error::internal(format!("a notice is not valid: {e}")))?;
    let key = Key { resource_type: "Communication", id: app.new_id() };
    Ok(Write::Put { key, resource, expect: Expect::Absent, method: Method::Post })
}

/// Carries out a recall that another institution asks for, and confirms it.
pub(crate) fn receive(
    app: &App,
    from: &Agent,
    parties: &Parties,
    word: &wire::Recall,
    mut taken: Taken,
) -> Result<ReceiptOutcome> {
    let Parties { peer, patient, remote } = parties;
    let snapshot = app.store().snapshot()?;
    let known = link::find(&*snapshot, patient, peer.as_str())?;
    // What is linked to another record of theirs is not what is recalled.
    let known = known.filter(|link| link.remote == *remote);
    let followed = known.clone().filter(|link| link.state.is_followed());
    let Gone { mut writes, side, removed, told } = match &known {
        Some(link) => purge(app, &*snapshot, patient, peer.as_str(), Some(link.clone()))?,
        None => Gone { writes: Vec::new(), side: Vec::new(), removed: 0, told: 0 },
    };
    taken.side.extend(side);
    // The confusion went both ways: what was disclosed to them on this link is another person's too.
    if let Some(link) = &followed
        && let Some(since) = recipients(app, &*snapshot, patient)?.get(peer.as_str())
    {
        let mut begun = Begun::default();
        tell(app, link, *since, "the other institution has found a confusion", &mut begun)?;
        writes.extend(begun.writes);
        taken.side.extend(begun.side);
    }
    drop(snapshot);
    let confirmed = RecallConfirmed { id: word.id.clone(), removed, told };
    taken.side.push(send(app, parties, &Notice::RecallConfirmed(confirmed))?);
    let event = Event::by_node(Pattern::Recall)
        .peer(from.clone())
        .note(format!("{removed} resources removed, {told} people told"));
    let event = if known.is_some() { event.patients([patient.clone()]) } else { event };
    writes.push(event.write(app)?);
    app.store().commit(Transaction { guards: taken.guards, writes, side: taken.side })?;
    app.outbox().nudge();
    Ok(ReceiptOutcome::Accepted)
}

/// Takes word that a recall of this node was carried out.
pub(crate) fn confirmed(
    app: &App,
    from: &Agent,
    parties: &Parties,
    word: &RecallConfirmed,
    taken: Taken,
) -> Result<ReceiptOutcome> {
    let known = matter::named(app, &word.id)?;
    let known = known.filter(|one| one.kind == Kind::Recall && one.owner == parties.peer.as_str());
    let Some(known) = known else { return Ok(ReceiptOutcome::NotApplicable) };
    if !known.state.is_open() {
        return Ok(ReceiptOutcome::Duplicate);
    }
    let answer = format!("removed {}, told {}", word.removed, word.told);
    let one = Matter { state: State::Upheld, answer, ..known };
    post::move_on(app, from, Pattern::Recall, &one, taken)
}

/// The recalls of this institution, the newest first. For registrars and privacy officers.
pub fn list(app: &App, caller: &Caller) -> Result<Vec<Matter>> {
    let review = Action::of(policy::Action::Review);
    if crate::authorise::permitted(app, caller, review).is_none() {
        authorise(app, caller, Action::of(policy::Action::ConfirmLink))?;
    }
    let list = matter::list(&*app.store().snapshot()?, Kind::Recall, None, false)?;
    let patients = list.iter().map(|one| one.patient.clone());
    app.audit(Event::by(caller, Pattern::Query).patients(patients).query("Task"))?;
    Ok(list)
}

/// A notice to somebody who has opened a record that was confused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The patient here.
    pub patient: Id,
    /// The institution whose part of the record was another person's.
    pub org: String,
    /// When that was found out, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// The notices to the caller, the newest first.
pub fn told(app: &App, caller: &Caller) -> Result<Vec<Told>> {
    authorise(app, caller, Action::reading("Communication"))?;
    let params = [
        ("category".to_owned(), format!("{NOTICE_SYSTEM}|{CATEGORY}")),
        ("recipient:identifier".to_owned(), format!("|{}", caller.user.id)),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    let search = parse(Registry::r4(), "Communication", &params)
        .map_err(|e| Error::internal(e.to_string()))?;
    let snapshot = app.store().snapshot()?;
    let mut list = Vec::new();
    for stored in snapshot.load(&snapshot.find(&search.query, MAX_NOTICES, false)?)? {
        let resource = parse_stored(&stored)?;
        let text = |path: &[&str], start: &str| {
            let text = resource.root().path(path)?.as_str()?.into_owned();
            Some(text.strip_prefix(start)?.to_owned())
        };
        let patient = text(&["subject", "reference"], "Patient/").and_then(|id| Id::new(id).ok());
        let org = text(&["sender", "reference"], "Organization/");
        if let Some((patient, org)) = patient.zip(org) {
            list.push(Told { patient, org, at_ms: stored.last_updated_ms });
        }
    }
    let patients = list.iter().map(|one| one.patient.clone());
    app.audit(Event::by(caller, Pattern::Query).patients(patients).query("Communication"))?;
    Ok(list)
}
