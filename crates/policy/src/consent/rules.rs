//! A consent as the engine keeps it.

use fhir::time::Range;

use super::who::Who;
use crate::label::Label;
use crate::purpose::Purpose;

/// Permit or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `permit`
    Permit,
    /// `deny`
    Deny,
}

/// One consent, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub reference: String,
    pub date: Option<Range>,
    /// Why the consent as a whole is not understood.
    pub refused: Option<&'static str>,
    /// What `policyRule` denies beside the provision.
    pub base: Option<Base>,
    pub root: Option<Provision>,
    /// The purpose BTG is or may be named somewhere.
    pub names_btg: bool,
    /// A part that cannot be read may name a person.
    pub may_name_person: bool,
    /// Its scope is research, so it says nothing about other purposes.
    pub research_only: bool,
}

impl Rules {
    /// Stands for more consents than are accepted.
    pub(crate) fn too_many(names_btg: bool, may_name_person: bool) -> Self {
        Self {
            reference: String::new(),
            date: None,
            refused: Some("there are too many consents"),
            base: None,
            root: None,
            names_btg,
            may_name_person,
            research_only: false,
        }
    }
}

/// The denial a `policyRule` makes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// `OPTOUT`, `OPTOUTE`
    Deny,
    /// `EMRGONLY`
    DenyUnlessEmergency,
}

#[derive(Clone, Debug)]
pub(crate) struct Provision {
    /// Place in document order within the consent, the outermost being 0.
    pub number: u16,
    pub kind: Kind,
    /// `kind` is not what the consent says, for that cannot be read.
    pub kind_unclear: bool,
    /// `None` inside: a bound that cannot be read.
    pub period: Option<(Option<i64>, Option<i64>)>,
    pub period_unclear: bool,
    pub actors: Vec<Actor>,
    pub actions: Vec<ActionTerm>,
    pub purposes: Vec<Option<Purpose>>,
    pub labels: Vec<Label>,
    pub classes: Vec<ClassTerm>,
    pub codes: Vec<Option<(Box<str>, Box<str>)>>,
    pub data_period: Option<(Option<i64>, Option<i64>)>,
    pub data_period_unclear: bool,
    pub data: Vec<DataTerm>,
    pub children: Vec<Provision>,
}

impl Provision {
    /// BTG is among the purposes, or something that cannot be read and may be BTG.
    pub(crate) fn names_btg(&self) -> bool {
        self.purposes.iter().any(|purpose| purpose.is_none_or(|known| known == Purpose::BTG))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub role: ActorRole,
    pub subject: Who,
    pub display: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActorRole {
    Recipient,
    Custodian,
    /// Says who gave the consent; does not narrow it.
    Party,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ActionTerm {
    /// `access`, `correct`, `disclose`: what an answer to another organisation is.
    Disclosure,
    /// What the recipient does with it afterwards, or a code not known: forbidding it forbids the
    /// answer, permitting it does not permit the answer.
    Beyond,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClassTerm {
    Type(Box<str>),
    /// A profile, by its canonical URL.
    Profile(Box<str>),
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataTerm {
    /// `None`: not understood.
    pub meaning: Option<Meaning>,
    pub reference: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Instance,
    Related,
    Dependents,
    AuthoredBy,
}
