//! People who act for a patient: parents, guardians, carers, holders of a power of attorney.
//!
//! Three resources under ids of the node's own say it, and nobody else may write them: a
//! `RelatedPerson` (who, how related, since when), a `Consent` under the same id (what they may see
//! and do, until when; its provision names the RelatedPerson) and the `Person` that links the
//! account's identities. The consent engine decides what of the record is left to them
//! ([`limits`]); whether they may act at all is read from the store at every request ([`stand`]),
//! so that an end holds at once for sessions and apps that are under way (ADR 21).

mod age;
pub mod appoint;
pub mod arrangement;
pub mod change;
pub mod invite;
pub(crate) mod limits;
pub mod list;
mod person;
pub mod record;
pub(crate) mod stand;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use fhir::{Id, Resource};
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use policy::Purpose;
use store::{Key, Seq};

use crate::authorise::withheld::Withheld;
use crate::{Caller, Error, Kind, Result};

/// HL7 v3 RoleCode, from which a relationship is.
pub const ROLE_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleCode";
/// Relationships that can be chosen (FHIR R4 value set relatedperson-relationshiptype).
pub const RELATIONSHIPS: [&str; 14] = [
    "MTH", "FTH", "PRN", "GRPRN", "GUARD", "SPS", "DOMPART", "SON", "DAU", "CHILD", "SIB",
    "FAMMEMB", "FRND", "POWATT",
];
/// How ids of RelatedPersons and Consents begin that say who acts for whom.
const PREFIX: &str = "proxy-";
/// Callers whose standing or limits are remembered; beyond, all are forgotten.
const MOST: usize = 10_000;

/// What the operator declares; jurisdictions differ.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Age in years on whose birthday a parent's or guardian's right over a child ends.
    pub adult: u8,
    /// Age in years from which on [`Rules::withheld`] is kept from parents.
    pub adolescent: u8,
    /// Sensitivity codes (v3-ActCode) that are kept from parents from adolescence on, unless the
    /// patient permits it.
    pub withheld: Vec<String>,
    /// Where a birthday begins.
    pub zone: TimeZone,
}

/// Codes that are kept from parents unless the operator says otherwise: sexuality and reproduction,
/// mental health, substance use, HIV, sexually transmitted disease, violence.
pub const WITHHELD: [&str; 11] =
    ["SEX", "PREGNANT", "MH", "PSY", "PSYTHPN", "BH", "SUD", "ETH", "HIV", "STD", "VIO"];

impl Default for Rules {
    fn default() -> Self {
        let withheld = WITHHELD.iter().chain(&["SDV", "MST"]).map(|code| (*code).into()).collect();
        Self { adult: 18, adolescent: 12, withheld, zone: TimeZone::UTC }
    }
}

/// What somebody may do in the patient's name beside seeing the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Give and withdraw permissions.
    pub consents: bool,
    /// Invite others to act.
    pub invites: bool,
}

/// On what it rests that somebody acts for a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The patient chose them.
    Invited,
    /// Parent, or guardian, of a child: ends on the day of majority.
    Parent,
    /// A court has appointed them for somebody who cannot decide.
    Court,
    /// A power of attorney.
    Attorney,
}

impl Basis {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Invited, Self::Parent, Self::Court, Self::Attorney];

    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Parent => "parent",
            Self::Court => "court",
            Self::Attorney => "attorney",
        }
    }

    /// The one with this code.
    pub fn find(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.code() == code)
    }
}

/// How somebody acts for a patient at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acting {
    /// Id of the RelatedPerson, and of the Consent that permits it.
    pub related: Id,
    /// For whom.
    pub patient: Id,
    /// The patient's name, for the banner.
    pub patient_name: String,
    /// What they are to the patient, a code of v3-RoleCode.
    pub relationship: String,
    /// On what it rests.
    pub basis: Basis,
    /// What they may do beside seeing the record.
    pub rights: Rights,
}

/// What the node remembers of those who act. Each holds until something but the audit is written.
#[derive(Default)]
pub struct Desk {
    /// By account and RelatedPerson.
    standing: Mutex<HashMap<(String, String), Standing>>,
    /// By RelatedPerson and purpose.
    limits: Mutex<HashMap<(Id, Purpose), Limits>>,
}

type Standing = Remembered<Option<Arc<Acting>>>;
type Limits = Remembered<Arc<Withheld>>;

#[derive(Clone)]
struct Remembered<T> {
    record: Seq,
    until_ms: i64,
    what: T,
}

impl<T: Clone> Remembered<T> {
    fn still(&self, newest: Seq, now_ms: i64) -> Option<T> {
        (self.record >= newest && now_ms < self.until_ms).then(|| self.what.clone())
    }
}

/// Whether a resource is one of those that the node keeps of who acts for whom.
pub(crate) fn is_reserved(key: &Key) -> bool {
    is_own(key.resource_type, key.id.as_str())
}

fn is_own(resource_type: &str, id: &str) -> bool {
    match resource_type {
        "RelatedPerson" | "Consent" => id.starts_with(PREFIX),
        _ => false,
    }
}

/// Whether a Consent says what is left to somebody who acts for a patient.
pub(crate) fn is_arrangement(consent: &Resource) -> bool {
    consent.id().is_some_and(|id| is_own(consent.type_name(), id.as_str()))
}

/// Refuses to have such a resource written through the doors for resources.
pub(crate) fn check_free(resource_type: &str, id: &str) -> Result<()> {
    match is_own(resource_type, id) {
        true => Err(Error::new(
            Kind::Forbidden,
            "this id belongs to what the node keeps of who acts for whom; change it on the pages \
             `/me/proxies` and `/proxies`",
        )
        .by_rule("kept-by-the-node")),
        false => Ok(()),
    }
}

/// Refuses whoever acts for a patient: for what is the patient's alone.
pub(crate) fn refuse(caller: &Caller, what: &str) -> Result<()> {
    match caller.user.acting {
        None => Ok(()),
        Some(_) => Err(Error::new(
            Kind::Forbidden,
            format!("{what} is not open to people who act for a patient"),
        )
        .by_rule("not-for-proxies")),
    }
}
