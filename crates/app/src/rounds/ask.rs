//! Asking a question in a project, and reading how it stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statistics::{Answer, Question};
use store::{Guard, SideWrite, Snapshot, Transaction};
use wire::research::{Inquiry, Privacy};
use wire::{OrgId, Sealed};

use super::inquiry::allowed;
use super::site::summation;
use super::{MOST_OPEN, SPACE, asked, noise, task};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::projects::Known;
use crate::release::{self, Stage};
use crate::{App, Caller, Error, Kind, Result, budget, programs, projects};

/// What stands under the key of an open question.
const OPEN: &[u8] = b"open";
/// For how long a question may be answered, in milliseconds: 30 days.
const OPEN_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Most questions that are read.
pub(crate) const MOST_KEPT: usize = 100_000;

/// How a question stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Rounds that were added.
    pub rounds: u32,
    /// Rounds that were begun; each has a number of its own.
    pub begun: u32,
    /// Sites that are not in it, and why.
    pub missing: BTreeMap<OrgId, String>,
    /// How it ended; `None` while it goes on.
    pub end: Option<End>,
}

/// How a question ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// With an answer.
    Answered(Box<Answer>),
    /// Without one, and why.
    Failed(String),
    /// With an answer that waits for people to decide, because of these.
    Checking(Vec<String>),
    /// With an answer that a holder keeps back until then, in milliseconds since the Unix epoch.
    KeptBack(i64),
    /// With an answer that does not leave, and why.
    Withheld(String),
}

/// What a question with noise costs and how exact it is, said before anything is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it costs at every holder: ε in millionths.
    pub micro_epsilon: u64,
    /// By how much one row changes the counts, added up.
    pub sensitivity: u32,
    /// Within how many of the truth a count is in 95 of 100 cases.
    pub within: u64,
    /// What the project has left, ε in millionths: every question that was asked in it counts, whatever
    /// came of it.
    pub left: u64,
    /// What was approved with the project.
    pub of: u64,
    /// What the account may still learn of the people of this institution, where its data are asked. The
    /// other holders keep ledgers of their own.
    pub here: Option<budget::Standing>,
}

/// Asks: the institution signs the question, and those who take part find it when they call. Returns
/// its id. For researchers who are named in the project, with a second factor of the last five minutes.
///
/// Errors: [`Kind::NotFound`] for an unknown project, [`Kind::Conflict`] where not everybody has
/// approved, [`Kind::Forbidden`] with the rule of the project that stands against it,
/// [`Kind::Invalid`] with what is wrong in the question.
pub fn ask(app: &App, caller: &Caller, project: &str, question: &Question) -> Result<String> {
    ask_with(app, caller, project, question, None)
}

/// The same, to be answered with noise at this ε.
///
/// Errors: those of [`ask`]; the rule `budget` where the project has less left.
pub fn ask_with(
    app: &App,
    caller: &Caller,
    project: &str,
    question: &Question,
    noise: Option<Privacy>,
) -> Result<String> {
    let _turn = noise.map(|_| app.cohorts().spending.lock());
    let snapshot = app.store().snapshot()?;
    let (known, inquiry) = prepared(app, &*snapshot, caller, project, (question, noise))?;
    let now = inquiry.made;
    if open_questions(&*snapshot)?.len() >= MOST_OPEN {
        return Err(Error::new(Kind::TooCostly, "there are too many open questions"));
    }
    if let Some(noise) = inquiry.noise
        && noise.micro_epsilon > left(&*snapshot, &known)?
    {
        let event = Event::by(caller, Pattern::Refuse)
            .data(format!("ResearchStudy/{}", known.id))
            .refused(format!("{} {}", policy::Action::Research, budget::RULE));
        app.audit(event)?;
        let message = "the questions of the project have spent its privacy budget, or this one asks for more \
                       than is left";
        return Err(Error::new(Kind::Forbidden, message).by_rule(budget::RULE));
    }
    let sealed = Sealed::seal(&inquiry, &app.peers().identity().assertion_key)
        .map_err(|e| Error::invalid("value", e.to_string()))?;
    let id = sealed.id();
    let event = Event::by(caller, Pattern::Query)
        .data(format!("ResearchStudy/{}", known.id))
        .note(format!("asks a research question: {id}"));
    let standing = Standing::default();
    let value = serde_json::to_vec(&sealed).map_err(|e| Error::internal(e.to_string()))?;
    let side = vec![
        SideWrite { space: SPACE, key: inquiry_key(&id), value: Some(value) },
        keep_standing(&id, &standing)?,
        asked::note(&known.id, &id, now),
        SideWrite { space: SPACE, key: open_key(&id), value: Some(OPEN.to_vec()) },
    ];
    let writes = vec![task::put(&id, &known.id, &standing)?, event.write(app)?];
    app.store().commit(Transaction { side, writes, ..Transaction::default() })?;
    app.rounds().open();
    Ok(id)
}

/// What a question would cost and how exact its answer would be. Nothing is asked and nothing spent.
///
/// Errors: those of [`ask`]; the rule `privacy` in a project whose questions have no noise.
pub fn plan(
    app: &App,
    caller: &Caller,
    project: &str,
    question: &Question,
    noise: Option<Privacy>,
) -> Result<Plan> {
    let snapshot = app.store().snapshot()?;
    let (known, inquiry) = prepared(app, &*snapshot, caller, project, (question, noise))?;
    let (Some(mechanism), Some(cost)) = (noise::of(&inquiry, question), inquiry.noise) else {
        let message = "questions of the project have no noise, and cost no privacy budget";
        return Err(Error::invalid("value", message).by_rule(noise::RULE));
    };
    let here = match inquiry.sites.contains(app.network().own()) {
        true => {
            let account = budget::account(app.network().own().as_str(), &caller.user.id);
            Some(budget::Ledger::read(app, &*snapshot)?.standing(app, &account))
        }
        false => None,
    };
    Ok(Plan {
        micro_epsilon: cost.micro_epsilon,
        sensitivity: question.sensitivity().unwrap_or_default(),
        within: noise::within(&mechanism)?,
        left: left(&*snapshot, &known)?,
        of: known.project.privacy.map_or(0, |of| of.micro_epsilon),
        here,
    })
}

/// What the project may still ask for, as far as this node knows.
fn left(snapshot: &dyn Snapshot, known: &Known) -> Result<u64> {
    let of = known.project.privacy.map_or(0, |of| of.micro_epsilon);
    Ok(of.saturating_sub(asked::spent(snapshot, known)?))
}

/// A question as it would be signed: of somebody who may ask it, in a project that allows it.
fn prepared(
    app: &App,
    snapshot: &dyn Snapshot,
    caller: &Caller,
    project: &str,
    (question, noise): (&Question, Option<Privacy>),
) -> Result<(Known, Inquiry)> {
    authorise(app, caller, Action::of(policy::Action::Research))?;
    let known = projects::known(snapshot, project)?;
    let own = app.network().own();
    if known.project.coordinator != *own {
        return Err(Error::new(
            Kind::Conflict,
            "questions are asked where the project was applied for",
        ));
    }
    if let Some(ended) = &known.ended {
        return Err(Error::new(Kind::Conflict, ended.reason()));
    }
    let now = app.now_ms();
    let open = known.parties().into_iter().filter(|party| !known.is_approved_by(party, now));
    let open: Vec<String> = open.map(|party| format!("`{party}`")).collect();
    if !open.is_empty() {
        let message = format!("the project is not approved by {}", open.join(", "));
        return Err(Error::new(Kind::Conflict, message));
    }
    let question = noise::fitted(question, noise);
    let inquiry = Inquiry {
        version: 1,
        project: known.id.clone(),
        asker: caller.user.id.clone(),
        question: serde_json::to_string(&question).map_err(|e| Error::internal(e.to_string()))?,
        sites: known.project.holders.clone(),
        aggregators: known.project.aggregators.clone(),
        min_sites: known.project.min_sites,
        min_rows: known.project.min_rows,
        noise,
        made: now,
        until: now + OPEN_MS,
    };
    allowed(&inquiry, &question, &known.project)
        .map_err(|against| Error::new(Kind::Forbidden, against.reason).by_rule(against.rule))?;
    let begun = programs::begin(app, &question, &known.project)
        .map_err(|e| Error::invalid("value", e.to_string()))?;
    // What no sum can carry would be paid for at every holder and never be answered. It is as much with
    // noise as without.
    summation(&app.network().list().network, "", 1, &begun.first(), true)
        .map_err(|against| Error::invalid("value", against.reason))?;
    Ok((known, inquiry))
}

/// How a question stands. For those who may see what is asked; the answer is for researchers of the
/// project, once it is released.
///
/// Errors: [`Kind::NotFound`].
pub fn standing(app: &App, caller: &Caller, id: &str) -> Result<Standing> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let snapshot = app.store().snapshot()?;
    let (_, inquiry) = read(&*snapshot, id)?;
    let project = projects::known(&*snapshot, &inquiry.project)?.project;
    let mut standing = stands(&*snapshot, id)?;
    let is_named = project.researchers.iter().any(|one| one.account == caller.user.id);
    if !is_named && matches!(standing.end, Some(End::Answered(_))) {
        return Err(Error::new(
            Kind::Forbidden,
            "the answer is for the researchers of the project",
        ));
    }
    if !is_named {
        standing.missing.clear();
    }
    if matches!(standing.end, Some(End::Answered(_))) {
        standing.end = Some(match release::of_question(app, &*snapshot, id)? {
            Stage::Released(answer) => End::Answered(answer),
            Stage::Waits(reasons) => End::Checking(reasons),
            Stage::KeptBack(until_ms) => End::KeptBack(until_ms),
            Stage::Withheld(reason) => End::Withheld(reason),
        });
    }
    Ok(standing)
}

/// Waits until a question has ended, and tells how. Errors as [`standing`]; who gives up waiting drops
/// the future.
pub async fn ended(app: &App, caller: &Caller, id: &str) -> Result<Standing> {
    let mut ends = app.rounds().ended.subscribe();
    loop {
        ends.mark_unchanged();
        let (caller, id) = (caller.clone(), id.to_owned());
        let found = app.run(move |app| standing(app, &caller, &id)).await?;
        if found.end.is_some() {
            return Ok(found);
        }
        // The sender lives as long as the application that is borrowed here.
        let _ = ends.changed().await;
    }
}

/// A question as this institution signed it. Blocks.
///
/// Errors: [`Kind::NotFound`].
pub fn signed(app: &App, id: &str) -> Result<Sealed> {
    Ok(read(&*app.store().snapshot()?, id)?.0)
}

/// The questions that have not ended.
pub(super) fn open_questions(snapshot: &dyn Snapshot) -> Result<Vec<String>> {
    let prefix = open_key("");
    let stored = snapshot.side_scan(SPACE, &prefix, MOST_OPEN)?;
    let id = |key: &[u8]| {
        String::from_utf8_lossy(key.get(prefix.len()..).unwrap_or_default()).into_owned()
    };
    Ok(stored.iter().map(|(key, _)| id(key)).collect())
}

/// What a transaction that goes on with a question rests on: that it has not ended.
pub(super) fn is_open(id: &str) -> Guard {
    Guard::Side { space: SPACE, key: open_key(id), value: Some(OPEN.to_vec()) }
}

/// The write that belongs to the end of a question.
pub(super) fn close(id: &str) -> SideWrite {
    SideWrite { space: SPACE, key: open_key(id), value: None }
}

/// A question, as it was signed and as it is.
pub(crate) fn read(snapshot: &dyn Snapshot, id: &str) -> Result<(Sealed, Inquiry)> {
    let stored = snapshot.side(SPACE, &inquiry_key(id))?.ok_or_else(Error::not_found)?;
    let sealed: Sealed = serde_json::from_slice(&stored).map_err(|_| faulty())?;
    let inquiry = serde_json::from_str(&sealed.text).map_err(|_| faulty())?;
    Ok((sealed, inquiry))
}

/// How it stands.
pub(crate) fn stands(snapshot: &dyn Snapshot, id: &str) -> Result<Standing> {
    let key = format!("standing/{id}").into_bytes();
    let stored = snapshot.side(SPACE, &key)?.ok_or_else(Error::not_found)?;
    serde_json::from_slice(&stored).map_err(|_| faulty())
}

/// The whole answer of a question, as it was found.
///
/// Errors: [`Kind::NotFound`].
pub(crate) fn whole(snapshot: &dyn Snapshot, id: &str) -> Result<Answer> {
    match stands(snapshot, id)?.end {
        Some(End::Answered(answer)) => Ok(*answer),
        _ => Err(Error::not_found()),
    }
}

/// The write that keeps how it stands.
pub(super) fn keep_standing(id: &str, standing: &Standing) -> Result<SideWrite> {
    let value = serde_json::to_vec(standing).map_err(|e| Error::internal(e.to_string()))?;
    Ok(SideWrite { space: SPACE, key: format!("standing/{id}").into_bytes(), value: Some(value) })
}

fn inquiry_key(id: &str) -> Vec<u8> {
    format!("inquiry/{id}").into_bytes()
}

fn open_key(id: &str) -> Vec<u8> {
    format!("open/{id}").into_bytes()
}

fn faulty() -> Error {
    Error::internal("a stored question is faulty")
}
