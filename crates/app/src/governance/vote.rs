//! Voting and commenting on a proposal.

use wire::{Ballot, Choice, OrgId, Sealed};

use super::propose::{known, speaker};
use super::{change, rejected};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// Votes or comments in the name of this organisation, or of an adviser at home here. For council
/// members with a second factor of the last five minutes; their node signs the ballot. A vote cannot
/// be taken back.
///
/// Errors: [`Kind::NotFound`] for an unknown proposal, [`Kind::Conflict`] where the seat has voted.
pub fn vote(
    app: &App,
    caller: &Caller,
    id: &str,
    adviser: Option<&OrgId>,
    (choice, reason): (Choice, &str),
) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::CouncilDecide))?;
    known(app, id)?;
    let list = app.network().list();
    let seat = speaker(app, &list, adviser)?;
    let ballot = Ballot {
        version: 1,
        network: list.network.clone(),
        proposal: id.to_owned(),
        seat: seat.clone(),
        choice,
        reason: reason.trim().to_owned(),
        by: caller.user.name.clone(),
        acr: caller.user.acr().to_owned(),
        at: app.now_ms(),
    };
    let key = &app.peers().identity().assertion_key;
    let sealed = Sealed::seal(&ballot, key);
    let sealed = sealed.map_err(|e| Error::invalid("value", e.to_string()))?;
    let note = format!("{} of the network's proposal {id}", choice.word());
    let event = Event::by(caller, Pattern::Configure).note(note).data(format!("Task/{id}"));
    change(app, Some(event), |book, effects| {
        let noted = book.proposals().get(id).ok_or_else(Error::not_found)?;
        let mut votes = noted.ballots.values().filter(|(b, _)| b.choice != Choice::Comment);
        if choice != Choice::Comment && votes.any(|(ballot, _)| ballot.seat == seat) {
            return Err(Error::new(Kind::Conflict, "this seat has voted on the proposal already"));
        }
        book.take_ballot(&sealed, effects).map(drop).map_err(rejected)
    })
}
