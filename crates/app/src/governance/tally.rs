//! How a proposal stands: who has voted how, and what follows from that.

use std::collections::BTreeMap;

use wire::{Ballot, Choice, Membership, Motion, OrgId, Proposal};

/// The state of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Votes are coming in.
    Open,
    /// Enough have voted for it; the list that carries it out gathers signatures.
    Decided,
    /// It is carried, and where it changes the list, that list is in force.
    Carried,
    /// So many have voted against it that it cannot be carried.
    Rejected,
    /// Its time is over.
    Lapsed,
    /// It cannot be done any more, because of what was decided meanwhile.
    Moot(String),
}

impl Outcome {
    /// Its word, for programs and translations.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Decided => "decided",
            Self::Carried => "carried",
            Self::Rejected => "rejected",
            Self::Lapsed => "lapsed",
            Self::Moot(_) => "moot",
        }
    }
}

/// How a proposal stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// What follows.
    pub outcome: Outcome,
    /// Votes for it that count.
    pub yes: usize,
    /// Votes against it that count.
    pub no: usize,
    /// How many votes it takes.
    pub needed: usize,
    /// How many have a vote.
    pub voters: usize,
}

/// The words of the motions against a member with a seat that cannot be carried, because fewer seats
/// are left without that member than it takes. In a network of two that is every one of them:
/// neither is more the network than the other. What remains is to cut the connection, to leave, or
/// to give a third member a seat.
pub fn unreachable(list: &Membership) -> Vec<&'static str> {
    let Some(council) = list.council() else { return Vec::new() };
    let voters = list.voters(&[]).len();
    let thresholds = &council.thresholds;
    let against = [
        ("suspend", thresholds.suspend),
        ("expel", thresholds.expel),
        ("recover", thresholds.recover),
    ];
    let lacks = |needed: &u16| voters < usize::from(*needed) + 1;
    against.into_iter().filter(|(_, needed)| lacks(needed)).map(|(word, _)| word).collect()
}

/// Counts the votes on `proposal` by the council of `list`. A member that it disposes of has no
/// vote. Keys that their owner replaces with the old key are nobody else's matter: that is decided
/// as it stands.
pub fn tally<'a>(
    proposal: &Proposal,
    ballots: impl Iterator<Item = &'a Ballot>,
    list: &Membership,
    now_ms: i64,
) -> Tally {
    let change = proposal.motion.change();
    let changes: Vec<_> = change.iter().cloned().collect();
    let mut voters: Vec<OrgId> =
        list.voters(&changes).into_iter().map(|(org, _)| org.clone()).collect();
    let council = list.council();
    let needed = match (&change, council) {
        (Some(change), Some(council)) => council.needed(change),
        (None, Some(council)) => {
            let advisers = council.advisers.iter().filter(|adviser| adviser.votes);
            voters.extend(advisers.map(|adviser| adviser.id.clone()));
            usize::from(council.thresholds.general)
        }
        (_, None) => usize::MAX,
    };
    let mut votes: BTreeMap<&OrgId, Choice> = BTreeMap::new();
    for ballot in ballots.filter(|ballot| ballot.choice != Choice::Comment) {
        if voters.contains(&ballot.seat) {
            votes.insert(&ballot.seat, ballot.choice);
        }
    }
    let count = |wanted| votes.values().filter(|choice| **choice == wanted).count();
    let (yes, no, abstain) = (count(Choice::Yes), count(Choice::No), count(Choice::Abstain));
    let is_rotation = matches!(proposal.motion, Motion::Rotate { .. });
    let outcome = if yes >= needed || is_rotation {
        Outcome::Carried
    } else if voters.len() - no - abstain < needed {
        Outcome::Rejected
    } else if now_ms >= proposal.closes {
        Outcome::Lapsed
    } else {
        Outcome::Open
    };
    Tally { outcome, yes, no, needed, voters: voters.len() }
}
