//! Deciding, for an institution, whether a project may use its data or its help.

use wire::Sealed;
use wire::research::Decision;
pub use wire::research::ProjectChoice as Choice;

use super::{known, take_decision};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, programs};

/// What a steward decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What.
    pub choice: Choice,
    /// Why, in words; conditions too.
    pub reason: String,
    /// For how many days after its release an answer is to be kept back, at most
    /// [`wire::research::MAX_EMBARGO_DAYS`].
    pub embargo_days: u32,
}

/// Decides about a project. For stewards with a second factor of the last five minutes. A refusal or a
/// withdrawal holds at once here; the coordinator hears of it when this node next calls.
///
/// Errors: [`Kind::NotFound`] for an unknown project, [`Kind::Conflict`] where this institution has
/// nothing to decide in it, or approves a program whose bytes are not here or are not what the project says.
pub fn decide(app: &App, caller: &Caller, id: &str, verdict: &Verdict) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::DecideProjects))?;
    let known = known(&*app.store().snapshot()?, id)?;
    let own = app.network().own();
    if !known.parties().contains(own) {
        let message = "this institution is neither a holder nor an aggregator of the project";
        return Err(Error::new(Kind::Conflict, message));
    }
    if verdict.choice == Choice::Approve {
        programs::verify(app, caller, &known.id, &known.project)?;
    }
    let decision = Decision {
        version: 1,
        network: known.project.network.clone(),
        project: known.id.clone(),
        holder: own.clone(),
        choice: verdict.choice,
        reason: verdict.reason.trim().to_owned(),
        embargo_days: verdict.embargo_days,
        steward: caller.user.name.clone(),
        at: app.now_ms(),
    };
    let key = &app.peers().identity().assertion_key;
    let sealed =
        Sealed::seal(&decision, key).map_err(|e| Error::invalid("value", e.to_string()))?;
    let word = match verdict.choice {
        Choice::Approve => "approves a research project",
        Choice::Refuse => "refuses a research project",
        Choice::Withdraw => "withdraws from a research project",
    };
    take_decision(app, &sealed, Some(Event::by(caller, Pattern::Configure).note(word)))?;
    app.rounds().nudge();
    Ok(())
}
