//! One text of an agreement, as it is understood.

use crate::consent::Item;
use crate::label::{Confidentiality, Label};
use crate::purpose::Purpose;

use super::obligation::Obligation;

/// Longest text of an agreement, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;
/// Most parties of one agreement.
pub(super) const MAX_PARTIES: usize = 50;
/// Most clauses of one agreement, and most entries of each list in a clause.
pub(super) const MAX_CLAUSES: usize = 50;

/// One text of an agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The agreement's id, the same in all versions and at all parties.
    pub id: Box<str>,
    /// Number of the version, from 1.
    pub version: u32,
    /// Hash of the version that this one changes; `None` in the first.
    pub replaces: Option<Box<str>>,
    /// When this version was written, in milliseconds since the Unix epoch.
    pub issued_ms: i64,
    /// What people call it.
    pub title: Box<str>,
    /// Who agrees, by id.
    pub parties: Vec<Party>,
    /// From when on it holds, in milliseconds since the Unix epoch.
    pub from_ms: i64,
    /// Until when, exclusive.
    pub until_ms: i64,
    /// With how many days of notice a party may end it; at least one.
    pub notice_days: u32,
    /// What is agreed. Each clause permits something; what none permits is not permitted.
    pub clauses: Vec<Clause>,
}

/// An organisation that agrees.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party {
    /// Short id, `north` for example.
    pub org: Box<str>,
    /// Display name.
    pub name: Box<str>,
}

/// One thing that is permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Who may ask, by id; empty in the common agreement of a network: every member.
    pub asks: Vec<Box<str>>,
    /// Who answers, by id; empty in the same way.
    pub answers: Vec<Box<str>>,
    /// For what; a purpose takes in those below it.
    pub purposes: Vec<Purpose>,
    /// Which data.
    pub classes: Vec<Class>,
    /// The highest degree of confidentiality that is covered.
    pub ceiling: Confidentiality,
    /// Where not empty, the only sensitive topics and laws that are covered.
    pub topics: Vec<Label>,
    /// What is asked of whoever receives the data.
    pub obligations: Vec<Obligation>,
}

/// A class of data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    /// A resource type; `None` for all.
    pub kind: Option<&'static str>,
    /// Where not empty, only resources with one of these codes, by system and code.
    pub categories: Vec<(Box<str>, Box<str>)>,
}

impl Terms {
    /// The party with this id.
    pub fn party(&self, org: &str) -> Option<&Party> {
        self.parties.iter().find(|party| &*party.org == org)
    }

    /// The notice in milliseconds.
    pub fn notice_ms(&self) -> i64 {
        i64::from(self.notice_days) * 24 * 60 * 60 * 1000
    }
}

impl Clause {
    /// Whether `asker` may be answered by `holder` for `purpose` under this clause, whatever the
    /// data.
    pub fn covers(&self, asker: &str, holder: &str, purpose: Purpose) -> bool {
        let names = |list: &[Box<str>], org: &str| {
            list.is_empty() || list.iter().any(|named| &**named == org)
        };
        names(&self.asks, asker)
            && names(&self.answers, holder)
            && self.purposes.iter().any(|permitted| purpose.is_a(*permitted))
    }

    /// Whether one resource is among the data of this clause.
    pub fn holds(&self, item: &Item) -> bool {
        let labels = &item.labels;
        let topic_named = |label: &Label| self.topics.contains(label);
        let topics = self.topics.is_empty()
            || (labels.sensitivity.iter().all(|own| {
                self.topics
                    .iter()
                    .any(|topic| matches!(topic, Label::Sensitive(named) if own.is_a(*named)))
            }) && labels.laws.iter().all(|law| topic_named(&Label::Law(law))));
        labels.confidentiality <= self.ceiling
            && topics
            && self.classes.iter().any(|class| class.holds(item))
    }
}

impl Class {
    /// Everything.
    pub fn all() -> Self {
        Self { kind: None, categories: Vec::new() }
    }

    /// Whether a resource is of this class.
    pub fn holds(&self, item: &Item) -> bool {
        self.kind.is_none_or(|kind| *item.resource_type == *kind)
            && (self.categories.is_empty()
                || self.categories.iter().any(|category| item.codes.contains(category)))
    }
}
