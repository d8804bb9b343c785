//! `POST /network/v1/deliver`: what must reach a peer, now or when it is back.

use serde::{Deserialize, Serialize};

use crate::raw::Raw;

/// One thing to hand over. The same `id` may arrive more than once and takes effect once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Unique at the sender, 1 to 64 characters.
    pub id: String,
    /// What it is.
    pub kind: DeliveryKind,
    /// The `Patient` id at the receiver; absent until the sender has found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient_id: Option<String>,
    /// The `Patient` id at the sender.
    pub asker_patient_id: String,
    /// The content: a FHIR resource, or for a link an object of the application.
    pub body: Raw,
}

/// What a delivery brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryKind {
    /// A `Consent` that the patient gave or withdrew.
    Consent,
    /// A link between two patient records that was confirmed or undone.
    Link,
    /// A message to the patient or to a person in charge.
    Notice,
    /// Word of an access elsewhere, for the patient's list.
    AuditNotice,
    /// What a party says about an agreement, a [`crate::SignedStatement`]; of no patient.
    Agreement,
}

/// The answer to a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReceipt {
    /// The id of the delivery.
    pub id: String,
    /// What became of it.
    pub outcome: ReceiptOutcome,
}

/// What became of a delivery. In all cases it is done and must not be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiptOutcome {
    /// It took effect now.
    Accepted,
    /// It had taken effect before.
    Duplicate,
    /// It does not concern this node, for instance because the patient is not known here.
    NotApplicable,
}
