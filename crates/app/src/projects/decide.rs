//! Deciding, for an institution, whether a project may use its data or its help.

use wire::Sealed;
pub use wire::research::ProjectChoice as Choice;
use wire::research::{CouncilWord, Decision};

use super::{Known, amend, council, known, take_decision};
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
/// nothing to decide in it, where it has ended, where its patient council has not agreed to what it
/// approves, or where it approves a program whose bytes are not here or are not what the project says;
/// [`Kind::Invalid`] for an amendment that cannot take the place of what it amends.
pub fn decide(app: &App, caller: &Caller, id: &str, verdict: &Verdict) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::DecideProjects))?;
    let conflict = |message: &str| Error::new(Kind::Conflict, message.to_owned());
    let found = known(&*app.store().snapshot()?, id)?;
    let own = app.network().own();
    if !found.parties().contains(own) {
        return Err(conflict(
            "this institution is neither a holder nor an aggregator of the project",
        ));
    }
    if verdict.choice == Choice::End {
        return Err(conflict("whoever applied for the project takes it back"));
    }
    if verdict.choice == Choice::Approve {
        programs::verify(app, caller, &found.id, &found.project)?;
    }
    // What the patient council says meanwhile is said before or after.
    let _turn = app.projects().turn();
    let snapshot = app.store().snapshot()?;
    let known = known(&*snapshot, id)?;
    if known.ended.is_some() {
        return Err(conflict("the project has ended"));
    }
    if verdict.choice == Choice::Approve {
        // What it amends may have become known after it.
        amend::check(&*snapshot, &known)?;
    }
    let stand = council::stands(app, &*snapshot, &known)?;
    drop(snapshot);
    if verdict.choice == Choice::Approve
        && let Some(against) = stand.against()
    {
        let event = Event::by(caller, Pattern::Refuse).data(format!("ResearchStudy/{id}"));
        app.audit(event.refused(format!("patient-council: {against}")))?;
        return Err(conflict(&against));
    }
    let sealed = sign(app, &known, verdict, caller.user.name.clone(), stand.told())?;
    let word = match verdict.choice {
        Choice::Approve => "approves a research project",
        Choice::Refuse => "refuses a research project",
        Choice::Withdraw | Choice::End => "withdraws from a research project",
    };
    take_decision(app, &sealed, Some(Event::by(caller, Pattern::Configure).note(word)))?;
    app.rounds().nudge();
    Ok(())
}

/// Takes a project back for good, for whoever applied: nobody is asked anything more in it, what was released
/// stays. For researchers who are named in it, with a second factor of the last five minutes.
///
/// Errors: [`Kind::NotFound`] for an unknown project, [`Kind::Forbidden`] for one of others,
/// [`Kind::Conflict`] where it has ended.
pub fn end(app: &App, caller: &Caller, id: &str, reason: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::Research))?;
    let _turn = app.projects().turn();
    let known = known(&*app.store().snapshot()?, id)?;
    let is_named = known.project.researchers.iter().any(|one| one.account == caller.user.id);
    if known.project.coordinator != *app.network().own() || !is_named {
        return Err(Error::new(Kind::Forbidden, "the project is somebody else's"));
    }
    if known.ended.is_some() {
        return Err(Error::new(Kind::Conflict, "the project has ended"));
    }
    let own = known.decisions.get(app.network().own());
    let embargo_days = own.map(|decision| decision.embargo_days).unwrap_or_default();
    let verdict = Verdict { choice: Choice::End, reason: reason.to_owned(), embargo_days };
    let sealed = sign(app, &known, &verdict, caller.user.name.clone(), None)?;
    let event = Event::by(caller, Pattern::Configure).note("takes a research project back");
    take_decision(app, &sealed, Some(event))?;
    app.rounds().nudge();
    Ok(())
}

/// A decision of this institution, signed by its node, later than the one before it.
pub(super) fn sign(
    app: &App,
    known: &Known,
    verdict: &Verdict,
    steward: String,
    council: Option<CouncilWord>,
) -> Result<Sealed> {
    let own = app.network().own();
    let before = known.decisions.get(own).map(|decision| decision.at + 1);
    let decision = Decision {
        version: 1,
        network: known.project.network.clone(),
        project: known.id.clone(),
        holder: own.clone(),
        choice: verdict.choice,
        reason: verdict.reason.trim().to_owned(),
        embargo_days: verdict.embargo_days,
        steward,
        council,
        at: app.now_ms().max(before.unwrap_or_default()),
    };
    let key = &app.peers().identity().assertion_key;
    Sealed::seal(&decision, key).map_err(|e| Error::invalid("value", e.to_string()))
}
