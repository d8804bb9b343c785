//! What is kept of an answer on its way out.

use privacy::disclosure::{Checked, Rules, Table};
use serde::{Deserialize, Serialize};
use statistics::{Answer, Question};
use store::{SideWrite, Snapshot};
use wire::research::{Decision, Inquiry, Release, ReleaseCheck, ReleaseRule};
use wire::{OrgId, Sealed};

use super::judge::{Judgement, judge};
use super::publish::Publication;
use super::{MOST_LISTED, SPACE, outcome};
use crate::authorise::{Action, authorise};
use crate::projects::{self, Known};
use crate::{App, Caller, Error, Kind, Result};

/// Most tables of earlier answers that a new one is compared with.
const MOST_COMPARED: usize = 500;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const SOFTWARE: &str = concat!("consilium ", env!("CARGO_PKG_VERSION"));

/// An answer on its way out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Id of the question.
    pub question: String,
    /// Id of the project.
    pub project: String,
    /// The account that asked.
    pub asker: String,
    /// The limits it was held to.
    pub rules: Rules,
    /// What was found, part by part, with evidence. For checkers.
    pub findings: Vec<Checked>,
    /// Why people have to look, without a value.
    pub reasons: Vec<String>,
    /// Who has looked.
    pub checks: Vec<Check>,
    /// Where it stands.
    pub state: State,
    /// When the question was answered, in milliseconds since the Unix epoch.
    pub made_ms: i64,
    /// Whether the form that may leave by the rules is a part of the answer only.
    pub reduced: bool,
    /// Where it was published.
    #[serde(default)]
    pub publications: Vec<Publication>,
}

/// Somebody who looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Whether it may leave.
    pub release: bool,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// Where an output stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// It waits for people.
    Waits,
    /// It was released.
    Released {
        /// What it is cited by.
        id: String,
        /// Not to be shown before, in milliseconds since the Unix epoch.
        from_ms: i64,
    },
    /// It does not leave.
    Withheld {
        /// Why, in the words of whoever decided.
        reason: String,
    },
}

/// What is kept beside an output.
#[derive(Serialize, Deserialize)]
struct Compared {
    dataset: String,
    tables: Vec<Table>,
}

/// How far an answer has come, for whoever asked.
pub(crate) enum Stage {
    /// It waits for people, because of these.
    Waits(Vec<String>),
    /// It was released; a holder keeps it back until then.
    KeptBack(i64),
    /// It was released in this form.
    Released(Box<Answer>),
    /// It does not leave.
    Withheld(String),
}

/// The question that was answered, as far as a release needs it.
pub(crate) struct Asked<'a> {
    pub id: &'a str,
    pub sealed: &'a Sealed,
    pub inquiry: &'a Inquiry,
    pub question: &'a Question,
    pub missing: Vec<OrgId>,
}

/// Judges an answer and gives what is to be written: the output, and the release where the rules let it
/// leave by itself.
pub(crate) fn writes(app: &App, asked: &Asked<'_>, answer: &Answer) -> Result<Vec<SideWrite>> {
    let snapshot = app.store().snapshot()?;
    let known = projects::known(&*snapshot, &asked.inquiry.project)?;
    let earlier = compared(&*snapshot, &known.project.dataset)?;
    let rules = Rules::default();
    let Judgement { findings, mut reasons, shown, tables } =
        judge(asked.question, answer, &earlier, &rules);
    let checked = known.project.release == ReleaseRule::Checked;
    if checked {
        reasons.push("the project has every answer looked at".to_owned());
    }
    let mut output = Output {
        question: asked.id.to_owned(),
        project: known.id.clone(),
        asker: asked.inquiry.asker.clone(),
        rules,
        findings,
        reasons,
        checks: Vec::new(),
        state: State::Waits,
        made_ms: app.now_ms(),
        reduced: shown.as_ref().is_some_and(|shown| shown != answer),
        publications: Vec::new(),
    };
    let mut side = Vec::new();
    if let (Some(shown), false) = (&shown, checked) {
        side.extend(release(app, &known, &mut output, asked, shown)?);
    }
    side.push(keep(&output)?);
    let compared = Compared { dataset: known.project.dataset, tables };
    side.push(write(format!("tables/{}", output.question), &compared)?);
    Ok(side)
}

/// Signs the answer as released, and gives what is to be written for it.
pub(super) fn release(
    app: &App,
    known: &Known,
    output: &mut Output,
    asked: &Asked<'_>,
    shown: &Answer,
) -> Result<Vec<SideWrite>> {
    let at = app.now_ms();
    let days = known.decisions.values().map(|decision: &Decision| decision.embargo_days).max();
    let from = at + i64::from(days.unwrap_or_default()) * DAY_MS;
    let text =
        |value: serde_json::Result<String>| value.map_err(|e| Error::internal(e.to_string()));
    let finding =
        |(number, checked): (usize, &Checked)| format!("part {number}: {}", checked.said());
    let checks = output.checks.iter().map(|check| ReleaseCheck {
        name: check.name.clone(),
        reason: check.reason.clone(),
        at: check.at_ms,
    });
    let release = Release {
        version: 1,
        network: app.network().list().network.clone(),
        coordinator: app.network().own().clone(),
        project: known.id.clone(),
        title: known.project.title.clone(),
        inquiry: asked.sealed.clone(),
        missing: asked.missing.clone(),
        answer: text(serde_json::to_string(shown))?,
        rules: text(serde_json::to_string(&output.rules))?,
        findings: (1..).zip(&output.findings).map(finding).collect(),
        checks: checks.collect(),
        software: SOFTWARE.to_owned(),
        at,
        from,
    };
    let sealed = Sealed::seal(&release, &app.peers().identity().assertion_key)
        .map_err(|e| Error::internal(e.to_string()))?;
    let id = sealed.id();
    output.state = State::Released { id: id.clone(), from_ms: from };
    let mut side = vec![write(format!("sealed/{id}"), &sealed)?];
    side.extend(outcome::put(app, output)?);
    Ok(side)
}

/// How far the answer of a question has come.
pub(crate) fn of_question(app: &App, snapshot: &dyn Snapshot, question: &str) -> Result<Stage> {
    let output = read(snapshot, question)?;
    Ok(match output.state {
        State::Waits => Stage::Waits(output.reasons),
        State::Withheld { reason } => Stage::Withheld(reason),
        State::Released { from_ms, .. } if from_ms > app.now_ms() => Stage::KeptBack(from_ms),
        State::Released { id, .. } => {
            let (_, release) = opened(snapshot, &id)?;
            let answer = serde_json::from_str(&release.answer).map_err(|_| faulty())?;
            Stage::Released(Box::new(answer))
        }
    })
}

/// The outputs of this institution, the latest first, at most [`MOST_LISTED`]. For those who may
/// release answers.
pub fn list(app: &App, caller: &Caller) -> Result<Vec<Output>> {
    authorise(app, caller, Action::of(policy::Action::ReleaseAnswers))?;
    let snapshot = app.store().snapshot()?;
    let mut all = all(&*snapshot)?;
    all.sort_by_key(|output| std::cmp::Reverse(output.made_ms));
    all.truncate(MOST_LISTED);
    Ok(all)
}

/// The outputs of a project, the latest first, without evidence. For those who may see what is asked.
pub fn mine(app: &App, caller: &Caller, project: &str) -> Result<Vec<Output>> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let mut all = all(&*app.store().snapshot()?)?;
    all.retain(|output| output.project == project);
    all.iter_mut().for_each(|output| output.findings.clear());
    all.sort_by_key(|output| std::cmp::Reverse(output.made_ms));
    all.truncate(MOST_LISTED);
    Ok(all)
}

/// What the answer of a question is cited by, where it was released. For those who may see what is asked.
///
/// Errors: [`Kind::NotFound`] where there is no answer.
pub fn cited(app: &App, caller: &Caller, question: &str) -> Result<Option<String>> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    Ok(match read(&*app.store().snapshot()?, question)?.state {
        State::Released { id, .. } => Some(id),
        State::Waits | State::Withheld { .. } => None,
    })
}

/// One output with the whole answer, for those who may release it.
///
/// Errors: [`Kind::NotFound`]; [`Kind::Forbidden`] for people named in the project, who are not to see
/// their own answer before it is released.
pub fn one(app: &App, caller: &Caller, question: &str) -> Result<(Output, Answer)> {
    authorise(app, caller, Action::of(policy::Action::ReleaseAnswers))?;
    let snapshot = app.store().snapshot()?;
    let output = read(&*snapshot, question)?;
    let known = projects::known(&*snapshot, &output.project)?;
    independent(&known, &output, caller)?;
    let answer = crate::rounds::ask::whole(&*snapshot, question)?;
    Ok((output, answer))
}

/// Nobody decides about the answers of a project in which they are named.
pub(super) fn independent(known: &Known, output: &Output, caller: &Caller) -> Result<()> {
    let is_named = known.project.researchers.iter().any(|one| one.account == caller.user.id);
    match is_named || output.asker == caller.user.id {
        true => Err(Error::new(
            Kind::Forbidden,
            "who is named in a project does not decide about its answers",
        )),
        false => Ok(()),
    }
}

/// A release, as it was signed and as it is. For those who may see what is asked.
///
/// Errors: [`Kind::NotFound`], also while a holder keeps it back.
pub fn released(app: &App, caller: &Caller, id: &str) -> Result<(Sealed, Release)> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let (sealed, release) = opened(&*app.store().snapshot()?, id)?;
    if release.from > app.now_ms() {
        return Err(Error::not_found());
    }
    Ok((sealed, release))
}

fn opened(snapshot: &dyn Snapshot, id: &str) -> Result<(Sealed, Release)> {
    let stored = snapshot.side(SPACE, format!("sealed/{id}").as_bytes())?;
    let sealed: Sealed =
        serde_json::from_slice(&stored.ok_or_else(Error::not_found)?).map_err(|_| faulty())?;
    let release = serde_json::from_str(&sealed.text).map_err(|_| faulty())?;
    Ok((sealed, release))
}

pub(super) fn read(snapshot: &dyn Snapshot, question: &str) -> Result<Output> {
    let stored = snapshot.side(SPACE, format!("output/{question}").as_bytes())?;
    serde_json::from_slice(&stored.ok_or_else(Error::not_found)?).map_err(|_| faulty())
}

pub(super) fn keep(output: &Output) -> Result<SideWrite> {
    write(format!("output/{}", output.question), output)
}

fn all(snapshot: &dyn Snapshot) -> Result<Vec<Output>> {
    let stored = snapshot.side_scan(SPACE, b"output/", crate::rounds::ask::MOST_KEPT)?;
    stored.iter().map(|(_, value)| serde_json::from_slice(value).map_err(|_| faulty())).collect()
}

/// The tables of earlier answers over a data set.
fn compared(snapshot: &dyn Snapshot, dataset: &str) -> Result<Vec<Table>> {
    let mut out = Vec::new();
    for (_, value) in snapshot.side_scan(SPACE, b"tables/", crate::rounds::ask::MOST_KEPT)? {
        let kept: Compared = serde_json::from_slice(&value).map_err(|_| faulty())?;
        if kept.dataset == dataset {
            out.extend(kept.tables);
        }
    }
    let from = out.len().saturating_sub(MOST_COMPARED);
    Ok(out.split_off(from))
}

fn write<T: Serialize>(key: String, value: &T) -> Result<SideWrite> {
    let value = serde_json::to_vec(value).map_err(|e| Error::internal(e.to_string()))?;
    Ok(SideWrite { space: SPACE, key: key.into_bytes(), value: Some(value) })
}

fn faulty() -> Error {
    Error::internal("a stored output is faulty")
}
