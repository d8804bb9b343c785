//! What council members, operators and privacy officers see of the network's affairs.

use wire::{Application, Ballot, Council, Member, Motion, OrgId, Proposal};

use super::applications::{self, Waiting};
use super::book::Misconduct;
use super::cut::{self, Cut};
use super::flags::{self, Kept};
use super::tally::{self, Tally};
use super::{SPACE, look};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Result};

/// Most alarms that are shown.
const MOST: usize = 1_000;

/// The affairs of the network.
#[derive(Clone, Debug)]
pub struct Affairs {
    /// The network's name.
    pub network: String,
    /// Serial number of the list in force.
    pub serial: u64,
    /// Until when it is valid, milliseconds since the Unix epoch.
    pub expires_ms: i64,
    /// The members.
    pub members: Vec<Member>,
    /// Who decides; `None` while one key decides.
    pub council: Option<Council>,
    /// Proposals, the newest first.
    pub proposals: Vec<Shown>,
    /// Applications that were handed in here and wait to be proposed, the newest first.
    pub applications: Vec<Waiting>,
    /// The words of motions that cannot be carried against a member with a seat, however all others
    /// vote: the member concerned has no vote, and those that are left are too few.
    pub unreachable: Vec<&'static str>,
    /// Who has signed what excludes each other.
    pub misconduct: Vec<Misconduct>,
    /// Unusual questions, the newest first.
    pub flags: Vec<Kept>,
    /// Whom this node does not talk to by its own decision.
    pub cuts: Vec<Cut>,
}

/// A proposal and how it stands.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its id.
    pub id: String,
    /// What it says.
    pub proposal: Proposal,
    /// How it stands.
    pub tally: Tally,
    /// Votes and comments, the oldest first.
    pub ballots: Vec<Ballot>,
    /// The list that carries it out, by its serial number.
    pub list: Option<u64>,
    /// The application, where it is about one.
    pub application: Option<Application>,
    /// The seats that can vote here and have not: this organisation's and those of its advisers.
    pub open_seats: Vec<OrgId>,
}

/// The affairs of the network, for council members, operators and privacy officers.
pub fn affairs(app: &App, caller: &Caller) -> Result<Affairs> {
    authorise(app, caller, Action::of(policy::Action::CouncilRead))?;
    app.audit(Event::by(caller, Pattern::Read).note("the affairs of the network"))?;
    let list = app.network().list();
    let snapshot = app.store().snapshot()?;
    let mut misconduct = Vec::new();
    for (_, value) in snapshot.side_scan(SPACE, b"alarm/", MOST)? {
        let found = serde_json::from_slice(&value);
        misconduct.push(found.map_err(|e| Error::internal(format!("an alarm is faulty: {e}")))?);
    }
    let flags = flags::list(&*snapshot)?;
    drop(snapshot);
    Ok(Affairs {
        network: list.network.clone(),
        serial: list.serial,
        expires_ms: list.expires,
        members: list.members.clone(),
        council: list.council().cloned(),
        proposals: proposals(app)?,
        applications: applications::waiting(app)?,
        unreachable: tally::unreachable(&list),
        misconduct,
        flags,
        cuts: cut::list(app)?,
    })
}

/// One proposal, for the same people.
pub fn proposal(app: &App, caller: &Caller, id: &str) -> Result<Shown> {
    authorise(app, caller, Action::of(policy::Action::CouncilRead))?;
    let found = proposals(app)?.into_iter().find(|shown| shown.id == id);
    let found = found.ok_or_else(Error::not_found)?;
    app.audit(Event::by(caller, Pattern::Read).data(format!("Task/{id}")))?;
    Ok(found)
}

/// All proposals, the newest first.
pub(crate) fn proposals(app: &App) -> Result<Vec<Shown>> {
    let (own, now_ms) = (app.network().own().clone(), app.now_ms());
    look(app, |book| {
        let mut list: Vec<Shown> = Vec::new();
        for (id, noted) in book.proposals() {
            let Some(tally) = book.tally(id, now_ms) else { continue };
            let mut ballots: Vec<Ballot> =
                noted.ballots.values().map(|(ballot, _)| ballot.clone()).collect();
            ballots.sort_by_key(|ballot| ballot.at);
            let application = match &noted.proposal.motion {
                Motion::Admit { application } | Motion::Recover { application } => {
                    application.open().ok()
                }
                _ => None,
            };
            let voted = |seat: &OrgId| {
                let votes = ballots.iter().filter(|b| b.choice != wire::Choice::Comment);
                votes.clone().any(|ballot| ballot.seat == *seat)
            };
            let open_seats = match book.current().council() {
                Some(council) => {
                    let seats = council.seats.iter().filter(|seat| **seat == own);
                    let advisers = council.advisers.iter().filter(|one| one.host == own);
                    let all = seats.chain(advisers.map(|adviser| &adviser.id));
                    all.filter(|seat| !voted(seat)).cloned().collect()
                }
                None => Vec::new(),
            };
            list.push(Shown {
                id: id.clone(),
                list: book.carried_by(id),
                proposal: noted.proposal.clone(),
                tally,
                ballots,
                application,
                open_seats,
            });
        }
        list.sort_by_key(|shown| std::cmp::Reverse(shown.proposal.made));
        list
    })
}
