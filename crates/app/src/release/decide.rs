//! Two people decide about an answer that the rules do not let leave by themselves.

use store::{Guard, SideWrite, Transaction};

use super::SPACE;
use super::output::{Asked, Check, Output, State, independent, keep, read, release};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, projects, rounds};

/// How many people must say that an answer may leave.
pub const CHECKERS: usize = 2;
/// Longest reason, in characters.
const MAX_REASON: usize = 2_000;

/// What somebody decides about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// It may leave, whole.
    Release,
    /// It may not.
    Withhold,
}

/// Decides about an answer. It leaves when two people have said that it may; one who says that it may
/// not ends it. For stewards who are not named in the project, with a second factor of the last five
/// minutes. Returns where it stands then.
///
/// Errors: [`Kind::NotFound`]; [`Kind::Conflict`] where it is decided, or this person has said so before;
/// [`Kind::Forbidden`] for people named in the project; [`Kind::Invalid`] without a reason.
pub fn decide(
    app: &App,
    caller: &Caller,
    question: &str,
    choice: Choice,
    reason: &str,
) -> Result<Output> {
    authorise(app, caller, Action::of(policy::Action::ReleaseAnswers))?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON {
        return Err(Error::invalid("value", "say why, in at most 2,000 characters"));
    }
    let snapshot = app.store().snapshot()?;
    let before = read(&*snapshot, question)?;
    let known = projects::known(&*snapshot, &before.project)?;
    independent(&known, &before, caller)?;
    let conflict = |message: &'static str| Err(Error::new(Kind::Conflict, message));
    if before.state != State::Waits {
        return conflict("this answer is decided");
    }
    if before.checks.iter().any(|check| check.account == caller.user.id) {
        return conflict("you have decided about this answer; somebody else has to as well");
    }
    let mut output = before.clone();
    output.checks.push(Check {
        account: caller.user.id.clone(),
        name: caller.user.name.clone(),
        release: choice == Choice::Release,
        reason: reason.to_owned(),
        at_ms: app.now_ms(),
    });
    let mut side: Vec<SideWrite> = Vec::new();
    if choice == Choice::Withhold {
        output.state = State::Withheld { reason: reason.to_owned() };
    } else if output.checks.len() >= CHECKERS {
        let (sealed, inquiry) = rounds::ask::read(&*snapshot, question)?;
        let asked_question = serde_json::from_str(&inquiry.question)
            .map_err(|_| Error::internal("a stored question is faulty"))?;
        let asked = Asked {
            id: question,
            sealed: &sealed,
            inquiry: &inquiry,
            question: &asked_question,
            missing: rounds::ask::stands(&*snapshot, question)?.missing.into_keys().collect(),
        };
        let answer = rounds::ask::whole(&*snapshot, question)?;
        side.extend(release(app, &known, &mut output, &asked, &answer)?);
    }
    side.push(keep(&output)?);
    let word = match (&output.state, choice) {
        (State::Released { .. }, _) => "releases the answer of a research question",
        (_, Choice::Withhold) => "withholds the answer of a research question",
        _ => "finds that the answer of a research question may leave; one more has to",
    };
    let event = Event::by(caller, Pattern::Configure)
        .request_id(question)
        .data(format!("ResearchStudy/{}", known.id))
        .note(word);
    // Two who decide at once do not overwrite each other.
    let key = format!("output/{question}").into_bytes();
    let value = serde_json::to_vec(&before).map_err(|e| Error::internal(e.to_string()))?;
    let guards = vec![Guard::Side { space: SPACE, key, value: Some(value) }];
    let writes = vec![event.write(app)?];
    app.store().commit(Transaction { guards, side, writes })?;
    app.rounds().end();
    Ok(output)
}
