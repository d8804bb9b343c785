//! Applications that strangers hand in: signed, bounded, and trusted with nothing.
//!
//! Anybody may hand one in at a node's door for people; it waits there for the council members of
//! that node, who propose it to the network or put it aside. It makes nobody a member: that takes a
//! proposal, and votes. What an applicant can show is that it has both keys of the application.

use std::collections::HashMap;

use store::{SideWrite, Transaction};
use wire::{Application, ApplicationReceipt, Asked, Membership, Motion, OrgId, Proposal, Sealed};

use super::{SPACE, look};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// Most applications that wait at one node.
pub const MAX_WAITING: usize = 100;
/// Most bytes of an application.
pub const MAX_BYTES: usize = 32 * 1024;
/// How long one waits before it is dropped, in milliseconds: 60 days.
pub const MAX_AGE_MS: i64 = 60 * 24 * 60 * 60 * 1000;
/// Applications that one address may hand in within an hour.
pub const MOST_FROM_ADDRESS: u32 = 10;
/// Applications that a node looks at within an hour, from wherever they come.
pub const MOST_IN_HOUR: u32 = 60;

const PREFIX: &[u8] = b"application/";
const HOUR_MS: i64 = 60 * 60 * 1000;
/// How far the clock of an applicant may be ahead.
const AHEAD_MS: i64 = 5 * 60 * 1000;

/// Counts what is handed in. In memory; a restart begins anew.
#[derive(Debug, Default)]
pub(crate) struct Turnstile {
    since_ms: i64,
    all: u32,
    by_address: HashMap<String, u32>,
}

impl Turnstile {
    /// Counts one more; `false` where it is one too many. Holds at most [`MOST_IN_HOUR`] addresses.
    fn admits(&mut self, address: &str, now_ms: i64) -> bool {
        if now_ms.saturating_sub(self.since_ms) >= HOUR_MS {
            *self = Self { since_ms: now_ms, ..Self::default() };
        }
        if self.all >= MOST_IN_HOUR {
            return false;
        }
        let own = self.by_address.entry(address.to_owned()).or_default();
        if *own >= MOST_FROM_ADDRESS {
            return false;
        }
        (*own, self.all) = (*own + 1, self.all + 1);
        true
    }
}

/// An application that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its id: the hash of what was signed.
    pub id: String,
    /// As it was signed.
    pub sealed: Sealed,
    /// What it says.
    pub application: Application,
    /// When it was handed in, milliseconds since the Unix epoch.
    pub received_ms: i64,
    /// What it asks for.
    pub asks: Asked,
}

/// What is kept of it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    sealed: Sealed,
    received_ms: i64,
}

/// Takes an application from `address`. Handing in the same one again changes nothing.
///
/// Errors: [`Kind::Invalid`] where it is not signed by its keys, is for another network, or could not
/// be proposed as the list is; [`Kind::Busy`] where too many come or wait; [`Kind::Conflict`] where
/// the network has no council.
pub fn receive(app: &App, address: &str, sealed: &Sealed) -> Result<ApplicationReceipt> {
    let now_ms = app.now_ms();
    if !app.governance().turnstile.lock().admits(address, now_ms) {
        return Err(Error::new(Kind::Busy, "too many applications come at once; try again later"));
    }
    let list = app.network().list();
    let application = Application::open(sealed, &list.network)
        .map_err(|e| Error::invalid("value", e.to_string()))?;
    let age_ms = now_ms.saturating_sub(application.made);
    if !(-AHEAD_MS..MAX_AGE_MS).contains(&age_ms) {
        let why =
            "the application is too old, or from the future; make a new one and check the clock";
        return Err(Error::invalid("value", why));
    }
    let asks = asked(&list, &application);
    feasible(app, sealed, asks, now_ms)?;
    let id = sealed.id();
    let organisation = application.member.id.clone();
    let receipt = ApplicationReceipt { id, network: list.network.clone(), organisation, asks };
    let all = kept(app)?;
    if all.iter().any(|one| one.id == receipt.id) || is_proposed(app, &receipt.id)? {
        return Ok(receipt);
    }
    let (gone, stays): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| is_over(one, now_ms));
    if stays.len() >= MAX_WAITING {
        let why = "too many applications wait here; ask a council member, who can take it as text";
        return Err(Error::new(Kind::Busy, why));
    }
    let value = serde_json::to_vec(&Kept { sealed: sealed.clone(), received_ms: now_ms });
    let value = value.map_err(|e| Error::internal(e.to_string()))?;
    let mut side: Vec<_> = gone.iter().map(|one| side_write(&one.id, None)).collect();
    side.push(side_write(&receipt.id, Some(value)));
    let what = match asks {
        Asked::Admit => "become a member",
        Asked::Recover => "get new keys",
    };
    let note = format!("`{}` has handed in an application to {what}", receipt.organisation);
    let writes = vec![Event::by_node(Pattern::Configure).note(note).write(app)?];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(receipt)
}

/// What the application of a member, or of somebody who is none, can only mean.
fn asked(list: &Membership, application: &Application) -> Asked {
    match list.member(&application.member.id) {
        Some(_) => Asked::Recover,
        None => Asked::Admit,
    }
}

/// The motion that it asks for.
pub fn motion(sealed: &Sealed, asks: Asked) -> Motion {
    let application = sealed.clone();
    match asks {
        Asked::Admit => Motion::Admit { application },
        Asked::Recover => Motion::Recover { application },
    }
}

/// Refuses what no vote could carry out: keys that are refused or another's, an id that is taken.
fn feasible(app: &App, sealed: &Sealed, asks: Asked, now_ms: i64) -> Result<()> {
    let (list, hash) = app.network().hashed();
    if list.council().is_none() {
        return Err(Error::new(Kind::Conflict, "the network has no council yet"));
    }
    let proposal = Proposal {
        version: 1,
        network: list.network.clone(),
        proposer: app.network().own().clone(),
        by: String::new(),
        title: "application".into(),
        reason: "application".into(),
        motion: motion(sealed, asks),
        made: now_ms,
        closes: now_ms + HOUR_MS,
    };
    let next = proposal.next(&sealed.id(), &list, &hash, list.serial + 1);
    next.map(drop).map_err(|e| Error::invalid("business-rule", e.to_string()))
}

fn side_write(id: &str, value: Option<Vec<u8>>) -> SideWrite {
    SideWrite { space: SPACE, key: [PREFIX, id.as_bytes()].concat(), value }
}

fn is_over(one: &Waiting, now_ms: i64) -> bool {
    now_ms.saturating_sub(one.received_ms) >= MAX_AGE_MS
}

fn is_proposed(app: &App, id: &str) -> Result<bool> {
    look(app, |book| {
        book.proposals().values().any(|noted| match &noted.proposal.motion {
            Motion::Admit { application } | Motion::Recover { application } => {
                application.id() == id
            }
            _ => false,
        })
    })
}

/// Everything that is kept, the newest first.
fn kept(app: &App) -> Result<Vec<Waiting>> {
    let list = app.network().list();
    let mut all = Vec::new();
    for (_, value) in app.store().snapshot()?.side_scan(SPACE, PREFIX, 2 * MAX_WAITING)? {
        let faulty = || Error::internal("a kept application is faulty");
        let Kept { sealed, received_ms } = serde_json::from_slice(&value).map_err(|_| faulty())?;
        let application: Application = sealed.open().map_err(|_| faulty())?;
        let asks = asked(&list, &application);
        all.push(Waiting { id: sealed.id(), sealed, application, received_ms, asks });
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.received_ms));
    Ok(all)
}

/// The applications that wait for somebody to propose them or to put them aside, the newest first.
/// One that was proposed, here or elsewhere, waits no longer.
pub(super) fn waiting(app: &App) -> Result<Vec<Waiting>> {
    let (now_ms, mut open) = (app.now_ms(), Vec::new());
    for one in kept(app)? {
        if !is_over(&one, now_ms) && !is_proposed(app, &one.id)? {
            open.push(one);
        }
    }
    Ok(open)
}

/// One that waits, for whoever is about to propose it.
pub fn one(app: &App, caller: &Caller, id: &str) -> Result<Waiting> {
    authorise(app, caller, Action::of(policy::Action::CouncilRead))?;
    let found = waiting(app)?.into_iter().find(|one| one.id == id);
    let found = found.ok_or_else(Error::not_found)?;
    app.audit(Event::by(caller, Pattern::Read).note(about("reads", &found.application.member.id)))?;
    Ok(found)
}

/// Puts an application aside. It may be handed in again.
pub fn put_aside(app: &App, caller: &Caller, id: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::CouncilDecide))?;
    let found = waiting(app)?.into_iter().find(|one| one.id == id);
    let found = found.ok_or_else(Error::not_found)?;
    let note = about("puts aside", &found.application.member.id);
    let writes = vec![Event::by(caller, Pattern::Configure).note(note).write(app)?];
    let side = vec![side_write(id, None)];
    app.store().commit(Transaction { writes, side, ..Transaction::default() })?;
    Ok(())
}

fn about(does: &str, org: &OrgId) -> String {
    format!("{does} the application of `{org}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_use_up_what_all_may_hand_in() {
        let mut turnstile = Turnstile::default();
        let admitted = (0..100).filter(|_| turnstile.admits("192.0.2.1", 1)).count();
        assert_eq!(admitted, MOST_FROM_ADDRESS as usize);
        let others = (0..1_000).filter(|n| turnstile.admits(&format!("192.0.2.{n}-"), 2)).count();
        assert_eq!(admitted + others, MOST_IN_HOUR as usize);
        assert!(turnstile.by_address.len() <= MOST_IN_HOUR as usize, "it is bounded");
        assert!(turnstile.admits("192.0.2.1", 1 + HOUR_MS), "an hour later it begins anew");
    }
}
