//! UDAP (HL7 UDAP Security STU2): programs of a trusted community register themselves by a signed
//! statement, and say in each assertion for which organisation and purpose they ask.
//!
//! Nothing of it is offered unless the operator has configured a community.

pub mod metadata;
pub mod register;
pub mod tiered;

use crypto::RsaKey;
use crypto::chain::Anchors;
use oauth::Code;
use oauth::udap::Asking;
use policy::Purpose;
use serde_json::{Value, json};

use super::Fault;

/// A community whose programs may register themselves.
#[derive(Debug)]
pub struct Community {
    /// Its address, by which programs ask for it.
    pub community: String,
    /// Whom it trusts.
    pub anchors: Anchors,
    /// The key of this node in the community.
    pub key: RsaKey,
    /// Its certificates, leaf first; the leaf is for the base address of the FHIR API.
    pub chain: Vec<Vec<u8>>,
    /// The username of the account whose permission programs have that ask in their own name;
    /// empty where none may.
    pub account: String,
    /// The most that such a program is granted.
    pub scopes: String,
}

/// Who asks and what for, out of the assertion of a program that asks in its own name. The purposes
/// must be ones of the published list.
pub(super) fn asking(object: Option<&Value>) -> Result<Asking, Fault> {
    let refused = |why: String| Fault::new(Code::InvalidGrant, why);
    let asking = Asking::read(object).map_err(|e| refused(e.to_string()))?;
    match asking.purposes.iter().find(|code| Purpose::find(code).is_none()) {
        None => Ok(asking),
        Some(unknown) => {
            let unknown: String = unknown.chars().take(40).collect();
            Err(refused(format!("`{unknown}` is no purpose of use of v3-ActReason")))
        }
    }
}

/// The same as it was signed, for introspection.
pub(super) fn told(asking: &Asking) -> Value {
    let purposes: Vec<String> = asking
        .purposes
        .iter()
        .map(|code| format!("urn:oid:2.16.840.1.113883.5.8#{code}"))
        .collect();
    let mut told = json!({
        "version": "1",
        "organization_id": asking.organization_id,
        "purpose_of_use": purposes,
    });
    for (name, value) in [
        ("organization_name", &asking.organization_name),
        ("subject_name", &asking.subject_name),
        ("subject_id", &asking.subject_id),
        ("subject_role", &asking.subject_role),
    ] {
        if let Some(value) = value {
            told[name] = json!(value);
        }
    }
    if !asking.consent_policy.is_empty() {
        told["consent_policy"] = json!(asking.consent_policy);
        told["consent_reference"] = json!(asking.consent_reference);
    }
    told
}
