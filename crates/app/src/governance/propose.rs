//! Proposing something to the members of the network.

use wire::{Membership, Motion, OrgId, Proposal, Sealed};

use super::{change, look, rejected};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// What somebody wants to propose.
#[derive(Clone, Debug)]
pub struct Draft {
    /// For an adviser at home here, its id; `None` for this organisation.
    pub adviser: Option<OrgId>,
    /// What it is about, in one line.
    pub title: String,
    /// Why.
    pub reason: String,
    /// What is to be done.
    pub motion: Motion,
    /// For how many days votes count, 1 to 90.
    pub days: u32,
}

/// Makes a proposal and returns its id. For council members with a second factor of the last five
/// minutes; their node signs it.
///
/// Errors: [`Kind::Invalid`] where it is not within bounds or cannot be done as the list is.
pub fn propose(app: &App, caller: &Caller, draft: Draft) -> Result<String> {
    authorise(app, caller, Action::of(policy::Action::CouncilDecide))?;
    submit(app, Some(caller), draft)
}

/// The same for the node itself, and for whoever is at its terminal (`None`), who may hand in what
/// its keys prove: a rotation of its own keys.
pub fn submit(app: &App, caller: Option<&Caller>, draft: Draft) -> Result<String> {
    let Draft { adviser, title, reason, motion, days } = draft;
    if !(1..=90).contains(&days) {
        return Err(Error::invalid("value", "a proposal is open for 1 to 90 days"));
    }
    let list = app.network().list();
    let proposer = speaker(app, &list, adviser.as_ref())?;
    let made = app.now_ms();
    let proposal = Proposal {
        version: 1,
        network: list.network.clone(),
        proposer,
        by: caller.map(|caller| caller.user.name.clone()).unwrap_or_default(),
        title: title.trim().to_owned(),
        reason: reason.trim().to_owned(),
        motion,
        made,
        closes: made + i64::from(days) * 24 * 60 * 60 * 1000,
    };
    let key = &app.peers().identity().assertion_key;
    let invalid = |e: wire::SealError| Error::invalid("value", e.to_string());
    let sealed = Sealed::seal(&proposal, key).map_err(invalid)?;
    let id = sealed.id();
    // What cannot be done is not asked.
    let (current, hash) = app.network().hashed();
    let next = proposal.next(&id, &current, &hash, current.serial + 1);
    next.map_err(|e| Error::invalid("business-rule", e.to_string()))?;
    can_be_carried(&proposal, &current)?;
    let note = format!("proposes to the network: {} ({id})", proposal.motion.word());
    let event = match caller {
        Some(caller) => Event::by(caller, Pattern::Configure),
        None => Event::by_node(Pattern::Configure),
    };
    let data = format!("Task/{id}");
    change(app, Some(event.note(note).data(data)), |book, effects| {
        book.take_proposal(&sealed, effects).map_err(rejected)
    })
}

/// Refuses what no votes can carry, with what can be done in its place.
fn can_be_carried(proposal: &Proposal, list: &Membership) -> Result<()> {
    let change = proposal.motion.change();
    let against = change.as_ref().and_then(|change| change.against());
    let (Some(change), Some(against), Some(council)) = (&change, against, list.council()) else {
        return Ok(());
    };
    let (needed, voters) =
        (council.needed(change), list.voters(std::slice::from_ref(change)).len());
    if voters >= needed {
        return Ok(());
    }
    let message = format!(
        "no vote can carry this: it takes {needed} votes, and without `{against}` only {voters} can be \
         cast; cut the connection to it, or have the council give more members a seat"
    );
    Err(Error::invalid("business-rule", message))
}

/// The seat that speaks: this organisation's, or an adviser's that is at home here.
pub(super) fn speaker(app: &App, list: &Membership, adviser: Option<&OrgId>) -> Result<OrgId> {
    let own = app.network().own();
    let Some(council) = list.council() else {
        let message = "the network has no council yet; see `consilium network found`";
        return Err(Error::new(Kind::Conflict, message));
    };
    match adviser {
        None if list.member(own).is_some() => Ok(own.clone()),
        None => Err(Error::new(Kind::Forbidden, "this organisation is no member of the network")),
        Some(id) if council.adviser(id).is_some_and(|a| a.host == *own) => Ok(id.clone()),
        Some(_) => Err(Error::new(Kind::Forbidden, "this adviser is not at home at this node")),
    }
}

/// A comment or vote needs a proposal that is there.
pub(super) fn known(app: &App, id: &str) -> Result<()> {
    match look(app, |book| book.proposals().contains_key(id))? {
        true => Ok(()),
        false => Err(Error::not_found()),
    }
}
