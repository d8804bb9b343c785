//! The sums of a question so far at its coordinator, and who has been told of how many of them.

use std::collections::{BTreeMap, BTreeSet};

use statistics::Sums;
use wire::OrgId;
use wire::research::{Before, PastSum};

/// The sums of a question over the same sites, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    sums: Vec<PastSum>,
    /// How many each has said that it knows, by doing something for a round that rests on them.
    told: BTreeMap<OrgId, u32>,
    /// To whom the rest was sent in this round.
    sent: BTreeSet<OrgId>,
}

impl Past {
    /// Sums that are kept; nobody is known to know one.
    pub fn of(sums: Vec<PastSum>) -> Self {
        Self { sums, ..Self::default() }
    }

    /// Adds the sum of a further round.
    pub fn push(&mut self, sum: PastSum) {
        self.sums.push(sum);
        self.sent.clear();
    }

    /// What `to` is to be told with what it is asked to do. What was sent once in a round is not sent
    /// again in it, unless it is said to be lost.
    pub fn before(&mut self, to: &OrgId) -> Before {
        let all = u32::try_from(self.sums.len()).unwrap_or(u32::MAX);
        let from = match self.sent.insert(to.clone()) {
            true => self.told.get(to).copied().unwrap_or(0),
            false => all,
        };
        Before { from, sums: self.sums.iter().skip(from as usize).cloned().collect() }
    }

    /// `by` has done what it was asked: it knows all.
    pub fn knows(&mut self, by: &OrgId) {
        self.told.insert(by.clone(), u32::try_from(self.sums.len()).unwrap_or(u32::MAX));
    }

    /// `by` says that it does not have the sums.
    pub fn lost(&mut self, by: &OrgId) {
        self.told.remove(by);
        self.sent.remove(by);
    }
}

/// A round's sum as it is opened, and as it was given.
pub(super) struct Found {
    /// Opened.
    pub sums: Sums,
    /// In shares.
    pub past: PastSum,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_told_what_they_do_not_know_and_once() {
        let org = |id: &str| OrgId::new(id).unwrap();
        let sum = |number| PastSum { number, shares: Vec::new() };
        let mut past = Past::of(vec![sum(1), sum(3)]);
        let told = |before: Before| (before.from, before.sums.len());
        assert_eq!(told(past.before(&org("east"))), (0, 2), "after a restart all");
        assert_eq!(told(past.before(&org("east"))), (2, 0), "once in a round");
        assert_eq!(told(past.before(&org("west"))), (0, 2));
        past.knows(&org("east"));
        past.push(sum(4));
        assert_eq!(told(past.before(&org("east"))), (2, 1));
        assert_eq!(told(past.before(&org("west"))), (0, 3), "it has not said so");
        past.lost(&org("east"));
        assert_eq!(told(past.before(&org("east"))), (0, 3));
    }
}
