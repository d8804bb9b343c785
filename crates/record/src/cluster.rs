//! Clusters: items that state the same fact, linked and never dissolved.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use crate::entry::Entry;
use crate::record::ItemRef;
use crate::same::{keys, same_fact};

/// Clusters under one key that a further item is compared with: the ones nearest in time.
const MAX_CANDIDATES: usize = 64;
/// Items of one cluster; what comes later starts a cluster of its own.
const MAX_MEMBERS: usize = 256;

/// Two or more items of one type that state the same fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Type of all its items.
    pub type_name: String,
    /// The items, earliest first.
    pub items: Vec<ItemRef>,
    /// What shows that they belong together.
    pub reasons: Vec<ClusterReason>,
}

/// Why two items are the same fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterReason {
    /// By which rule.
    pub rule: Rule,
    /// On what evidence: the shared code, wording or identifier.
    pub evidence: String,
}

impl fmt::Display for ClusterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.rule.sentence(), self.evidence)
    }
}

/// The rules by which items are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Patient resources of the person the record is about.
    SamePerson,
    /// Two versions of one resource.
    SameResource,
    /// An equal business identifier, with nothing that speaks against it.
    SameIdentifier,
    /// Attachments with the same content.
    SameContent,
    /// A problem with the same code and an onset within 30 days.
    CloseOnset,
    /// A problem with the same code, active at different organisations.
    BothActive,
    /// An allergy to the same substance.
    SameSubstance,
    /// The same medicine at different organisations over periods that overlap.
    OverlappingPeriod,
    /// The same vaccine within 3 days.
    CloseDate,
    /// The same code, time (within a minute, or the day where only that is known), value and unit.
    SameTimeAndValue,
    /// The same code and time (within a minute, or the day where only that is known).
    SameTime,
}

impl Rule {
    /// Code in `https://consilium.health/fhir/CodeSystem/link-rule`.
    pub fn code(self) -> &'static str {
        match self {
            Self::SamePerson => "same-person",
            Self::SameResource => "same-resource",
            Self::SameIdentifier => "same-identifier",
            Self::SameContent => "same-content",
            Self::CloseOnset => "close-onset",
            Self::BothActive => "both-active",
            Self::SameSubstance => "same-substance",
            Self::OverlappingPeriod => "overlapping-period",
            Self::CloseDate => "close-date",
            Self::SameTimeAndValue => "same-time-and-value",
            Self::SameTime => "same-time",
        }
    }

    /// The rule in words.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::SamePerson => "same person",
            Self::SameResource => "versions of one resource",
            Self::SameIdentifier => "same identifier",
            Self::SameContent => "same document",
            Self::CloseOnset => "same problem, onset within 30 days",
            Self::BothActive => "same problem, active at both",
            Self::SameSubstance => "same substance",
            Self::OverlappingPeriod => "same medicine at the same time",
            Self::CloseDate => "same vaccine within 3 days",
            Self::SameTimeAndValue => "same code, time and value",
            Self::SameTime => "same code and time",
        }
    }
}

/// Groups of entries by number, each entry in exactly one group; a group of one is an item that
/// stands alone. Entries must be in their fixed order.
pub(crate) struct Groups {
    pub members: Vec<Vec<usize>>,
    pub reasons: Vec<BTreeSet<ClusterReason>>,
}

impl Groups {
    /// Puts each entry into the first group whose every member is the same fact as it.
    pub fn form(entries: &[Entry<'_>]) -> Self {
        let mut groups = Self { members: Vec::new(), reasons: Vec::new() };
        let mut by_key: HashMap<(&str, String), Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            let keys = keys(entry);
            let mut candidates = BTreeSet::new();
            for key in &keys {
                if let Some(found) = by_key.get(&(entry.type_name, key.clone())) {
                    candidates.extend(found.iter().rev().take(MAX_CANDIDATES));
                }
            }
            let joined = candidates.into_iter().find(|&group| groups.join(group, at, entries));
            let group = joined.unwrap_or_else(|| groups.open(at));
            for key in keys {
                let list = by_key.entry((entry.type_name, key)).or_default();
                if list.last() != Some(&group) {
                    list.push(group);
                }
            }
        }
        groups
    }

    fn open(&mut self, at: usize) -> usize {
        self.members.push(vec![at]);
        self.reasons.push(BTreeSet::new());
        self.members.len() - 1
    }

    fn join(&mut self, group: usize, at: usize, entries: &[Entry<'_>]) -> bool {
        let Some(members) = self.members.get_mut(group) else { return false };
        let Some(new) = entries.get(at) else { return false };
        if members.len() >= MAX_MEMBERS {
            return false;
        }
        let mut reasons = Vec::new();
        for &member in members.iter() {
            match entries.get(member).and_then(|old| same_fact(old, new)) {
                Some(reason) => reasons.push(reason),
                None => return false,
            }
        }
        members.push(at);
        if let Some(known) = self.reasons.get_mut(group) {
            known.extend(reasons);
        }
        true
    }

    /// The groups of two and more.
    pub fn clusters(&self, entries: &[Entry<'_>]) -> Vec<Cluster> {
        let groups = self.members.iter().zip(&self.reasons);
        groups
            .filter(|(members, _)| members.len() > 1)
            .map(|(members, reasons)| {
                let found: Vec<_> = members.iter().filter_map(|&at| entries.get(at)).collect();
                Cluster {
                    type_name: found.first().map(|e| e.type_name.to_owned()).unwrap_or_default(),
                    items: found.iter().map(|entry| entry.item).collect(),
                    reasons: reasons.iter().cloned().collect(),
                }
            })
            .collect()
    }
}
