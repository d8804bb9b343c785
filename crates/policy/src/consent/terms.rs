//! Reading single values of a provision.

use fhir::Value;

use super::item::relative;
use super::rules::{ActionTerm, Actor, ActorRole, ClassTerm, DataTerm, Kind, Meaning};
use super::who::{Directory, Who};
use crate::label::Label;
use crate::purpose::{self, Purpose};

pub(super) fn kind(provision: Value<'_>) -> Option<Kind> {
    match &*provision.str_at("type")? {
        "permit" => Some(Kind::Permit),
        "deny" => Some(Kind::Deny),
        _ => None,
    }
}

pub(super) fn purpose_term(coding: Value<'_>) -> Option<Purpose> {
    const OLD: [&str; 2] = ["http://hl7.org/fhir/v3/ActReason", "urn:oid:2.16.840.1.113883.5.8"];
    let system = coding.str_at("system").unwrap_or_default();
    let known = system.is_empty() || system == purpose::SYSTEM || OLD.contains(&&*system);
    Purpose::find(&coding.str_at("code")?).filter(|_| known)
}

/// A label of a system not known here is compared as written; one that does not say which system
/// or which code it is cannot be compared with anything.
pub(super) fn label_term(coding: Value<'_>) -> Label {
    match Label::of_coding(coding) {
        Label::Other(system, code) if system.is_empty() || code.is_empty() => Label::UnknownLevel,
        label => label,
    }
}

pub(super) fn action_term(concept: Value<'_>) -> ActionTerm {
    match first_code(concept).as_deref() {
        Some("access" | "disclose" | "correct") => ActionTerm::Disclosure,
        _ => ActionTerm::Beyond,
    }
}

pub(super) fn class_term(coding: Value<'_>) -> ClassTerm {
    const DEFINITION: &str = "http://hl7.org/fhir/StructureDefinition/";
    let Some(code) = coding.str_at("code") else { return ClassTerm::Unknown };
    let system = coding.str_at("system").unwrap_or_default();
    let name = code.strip_prefix(DEFINITION).unwrap_or(&code);
    // Resource types begin with a capital; profiles of the core, such as `lipidprofile`, do not.
    let is_type = name.bytes().next().is_some_and(|b| b.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric());
    match &*system {
        "" | "http://hl7.org/fhir/resource-types" | "urn:ietf:rfc:3986" if is_type => {
            ClassTerm::Type(name.into())
        }
        // A profile; those of the core that are resource types were taken above.
        "" | "urn:ietf:rfc:3986" if code.contains("/StructureDefinition/") => {
            ClassTerm::Profile(code.as_ref().into())
        }
        _ => ClassTerm::Unknown,
    }
}

pub(super) fn data_term(data: Value<'_>) -> DataTerm {
    let meaning = match data.str_at("meaning").as_deref() {
        Some("instance") => Some(Meaning::Instance),
        Some("related") => Some(Meaning::Related),
        Some("dependents") => Some(Meaning::Dependents),
        Some("authoredby") => Some(Meaning::AuthoredBy),
        _ => None,
    };
    let reference = data.path(&["reference", "reference"]).and_then(Value::as_str);
    DataTerm { meaning, reference: reference.as_deref().and_then(relative).map(Box::from) }
}

pub(super) fn actor(value: Value<'_>, directory: Directory<'_>) -> Actor {
    let codings = value.path(&["role", "coding"]).into_iter().flat_map(Value::each);
    let codes: Vec<_> = codings.filter_map(|coding| coding.str_at("code")).collect();
    let role = match codes.iter().find_map(|code| actor_role(code)) {
        Some(role) => role,
        None if codes.is_empty() => ActorRole::Recipient,
        None => ActorRole::Unknown,
    };
    let reference = value.get("reference");
    let display = reference.and_then(|reference| reference.str_at("display"));
    Actor {
        role,
        subject: reference.map_or(Who::Unknown, |reference| subject(reference, directory)),
        display: display.map(|display| display.into_owned()),
    }
}

fn actor_role(code: &str) -> Option<ActorRole> {
    Some(match code {
        "IRCP" | "PRCP" | "GRANTEE" | "DELEGATEE" => ActorRole::Recipient,
        "CST" => ActorRole::Custodian,
        "CONSENTER" | "GRANTOR" | "DELEGATOR" | "WIT" | "CONSWIT" => ActorRole::Party,
        _ => return None,
    })
}

/// A reference decides; where there is none, the identifier.
fn subject(reference: Value<'_>, directory: Directory<'_>) -> Who {
    if let Some(text) = reference.str_at("reference") {
        return Who::referred(&text, directory);
    }
    let part = |name| reference.path(&["identifier", name]).and_then(Value::as_str);
    let (system, value) = (part("system").unwrap_or_default(), part("value").unwrap_or_default());
    Who::identified(&system, &value, directory)
}

pub(super) fn first_code(concept: Value<'_>) -> Option<String> {
    let mut codings = concept.get("coding").into_iter().flat_map(Value::each);
    codings.find_map(|coding| Some(coding.str_at("code")?.into_owned()))
}
