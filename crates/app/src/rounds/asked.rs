//! What was asked in a project, for programs that come back to their questions and for those who may
//! see what is asked. No answer passes here.

use statistics::{Analysis, Question};
use store::{SideWrite, Snapshot};

use super::SPACE;
use super::ask::{End, MOST_KEPT, read, stands};
use crate::authorise::{Action, authorise};
use crate::projects::Known;
use crate::release::{self, Stage};
use crate::{App, Caller, Error, Result, projects};

/// Most questions that are listed; the latest are.
pub const MOST_LISTED: usize = 1_000;

/// A question as it was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its id.
    pub id: String,
    /// The project that it belongs to.
    pub project: String,
    /// The account that asked.
    pub asker: String,
    /// What is asked.
    pub analysis: Analysis,
    /// ε in millionths of the noise with which it is answered.
    pub micro_epsilon: Option<u64>,
    /// When, in milliseconds since the Unix epoch.
    pub made: i64,
    /// Rounds that were added.
    pub rounds: u32,
    /// How far it is.
    pub state: State,
}

/// How far a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    InProgress,
    /// Its answer waits for people.
    Checking,
    /// A holder keeps its answer back.
    KeptBack,
    /// Its answer was released.
    Answered,
    /// Its answer does not leave.
    Withheld,
    /// It ended without one.
    Failed,
}

/// What a question asks. For those who may see what is asked.
///
/// Errors: [`crate::Kind::NotFound`].
pub fn asked(app: &App, caller: &Caller, id: &str) -> Result<Asked> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    told(app, &*app.store().snapshot()?, id)
}

/// The questions of a project that were asked here, the latest first. For those who may see what is
/// asked.
///
/// Errors: [`crate::Kind::NotFound`] for an unknown project.
pub fn list(app: &App, caller: &Caller, project: &str) -> Result<Vec<Asked>> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let snapshot = app.store().snapshot()?;
    projects::known(&*snapshot, project)?;
    let kept = snapshot.side_scan(SPACE, prefix(project).as_bytes(), MOST_LISTED)?;
    kept.iter().filter_map(|(key, _)| id(key)).map(|id| told(app, &*snapshot, id)).collect()
}

/// What the questions of a project, and of those whose budget it goes on with, have asked for together, ε in
/// millionths, whatever came of them.
pub(super) fn spent(snapshot: &dyn Snapshot, known: &Known) -> Result<u64> {
    let mut spent = 0_u64;
    for project in projects::of_one_budget(snapshot, known)? {
        let kept = snapshot.side_scan(SPACE, prefix(&project).as_bytes(), MOST_KEPT)?;
        for id in kept.iter().filter_map(|(key, _)| id(key)) {
            let (_, inquiry) = read(snapshot, id)?;
            spent = spent.saturating_add(inquiry.noise.map_or(0, |noise| noise.micro_epsilon));
        }
    }
    Ok(spent)
}

/// The question that a key of the list is of.
fn id(key: &[u8]) -> Option<&str> {
    let at = key.iter().rposition(|byte| *byte == b'/')?;
    std::str::from_utf8(key.get(at + 1..)?).ok()
}

/// The write by which a project finds a question that was asked in it at `made`, in milliseconds.
pub(super) fn note(project: &str, id: &str, made: i64) -> SideWrite {
    // The latest comes first in the order of keys.
    let key = format!("{}{:019}/{id}", prefix(project), i64::MAX - made);
    SideWrite { space: SPACE, key: key.into_bytes(), value: Some(Vec::new()) }
}

fn told(app: &App, snapshot: &dyn Snapshot, id: &str) -> Result<Asked> {
    let (_, inquiry) = read(snapshot, id)?;
    let question: Question = serde_json::from_str(&inquiry.question)
        .map_err(|_| Error::internal("a stored question is faulty"))?;
    let standing = stands(snapshot, id)?;
    let state = match standing.end {
        None => State::InProgress,
        Some(End::Answered(_)) => match release::of_question(app, snapshot, id)? {
            Stage::Waits(_) => State::Checking,
            Stage::KeptBack(_) => State::KeptBack,
            Stage::Released(..) => State::Answered,
            Stage::Withheld(_) => State::Withheld,
        },
        Some(_) => State::Failed,
    };
    Ok(Asked {
        id: id.to_owned(),
        project: inquiry.project,
        asker: inquiry.asker,
        analysis: question.analysis,
        micro_epsilon: inquiry.noise.map(|noise| noise.micro_epsilon),
        made: inquiry.made,
        rounds: standing.rounds,
        state,
    })
}

fn prefix(project: &str) -> String {
    format!("asked/{project}/")
}
