//! `POST /network/v1/simulate`: a patient asks a holder what others would be sent of their record,
//! and what a change of consent would make of it. Nothing is disclosed to those who are named.

use serde::{Deserialize, Serialize};

use crate::assertion::Role;
use crate::org::OrgId;
use crate::raw::Raw;
use crate::time;

/// Most recipients of one question.
pub const MAX_RECIPIENTS: usize = 64;
/// Most consents that may be tried at once.
pub const MAX_DRAFTS: usize = 8;
/// Most withheld items that are explained for one recipient.
pub const MAX_EXPLAINED: usize = 500;

/// Asks what the responder would send of one of its patients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulateRequest {
    /// The `Patient` id at the responder.
    pub patient_id: String,
    /// The `Patient` id at the asker.
    pub asker_patient_id: String,
    /// Who would ask, at most [`MAX_RECIPIENTS`].
    pub recipients: Vec<Recipient>,
    /// For what, a code of v3-ActReason.
    pub purpose_of_use: String,
    /// Whether they would override consent in an emergency; the purpose is then `BTG`.
    #[serde(default)]
    pub emergency: bool,
    /// Consents (FHIR R4) that are tried, at most [`MAX_DRAFTS`]: in place of the one with the same
    /// id, otherwise in addition. They are not stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drafts: Vec<Raw>,
    /// How many withheld items are to be explained for each recipient, at most [`MAX_EXPLAINED`].
    #[serde(default)]
    pub explain: u32,
}

/// Somebody who would ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The organisation.
    pub organisation: OrgId,
    /// The id of the person's account there, as assertions and consents name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Their role.
    pub role: Role,
}

/// What the responder would send to each recipient, in the order of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulateResponse {
    /// One for each recipient.
    pub outcomes: Vec<Simulated>,
}

/// What one recipient would be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Simulated {
    /// The recipient's organisation.
    pub organisation: OrgId,
    /// Why nobody in this role is answered for this purpose at all, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What there is, by resource type in the order of the alphabet.
    pub kinds: Vec<KindCount>,
    /// The first of the withheld items, explained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldItem>,
    /// Whether more is withheld than is explained.
    #[serde(default)]
    pub more: bool,
    /// Whether an emergency override by a clinician there would open anything.
    #[serde(default)]
    pub emergency_opens: bool,
}

/// How much of one kind of data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindCount {
    /// The resource type.
    pub kind: String,
    /// Items that would be sent.
    pub seen: u32,
    /// Items that would be withheld.
    pub withheld: u32,
    /// Items that would be sent because of the drafts, and are withheld at present.
    #[serde(default)]
    pub gained: u32,
    /// Items that would be withheld because of the drafts, and are sent at present.
    #[serde(default)]
    pub lost: u32,
}

/// One item that would be withheld, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithheldItem {
    /// `Type/id` at the responder.
    pub reference: String,
    /// What it is, in words; empty where it does not say.
    pub display: String,
    /// Stable word for the reason, `consent` or `network-default` for example.
    pub code: String,
    /// The reason as a sentence in English.
    pub because: String,
    /// Names of those whom the consent behind it is about; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub about: Vec<String>,
    /// When that consent was decided.
    #[serde(default, with = "time::option", skip_serializing_if = "Option::is_none")]
    pub decided: Option<i64>,
    /// That consent at the responder, `Consent/1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// What would change it.
    pub remedy: Remedy,
}

/// What would make a withheld item be sent; each was tried before it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// A permission for the recipient.
    PermitRecipient,
    /// A permission for the holder to share.
    PermitHolder,
    /// A permission for both.
    PermitBoth,
    /// A permission that names what makes the item sensitive.
    NameSensitive,
    /// The consent must be put right: it is not understood.
    CorrectConsent,
    /// No decision of the patient's own that is known here.
    Nothing,
}

impl Remedy {
    /// Every remedy.
    pub const ALL: [Self; 6] = [
        Self::PermitRecipient,
        Self::PermitHolder,
        Self::PermitBoth,
        Self::NameSensitive,
        Self::CorrectConsent,
        Self::Nothing,
    ];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::PermitRecipient => "permit-recipient",
            Self::PermitHolder => "permit-holder",
            Self::PermitBoth => "permit-both",
            Self::NameSensitive => "name-sensitive",
            Self::CorrectConsent => "correct-consent",
            Self::Nothing => "nothing",
        }
    }
}
