//! For which organisation, whom and what a program asks: the extension object `hl7-b2b` (HL7 UDAP
//! Security STU2, B2B authorization extension object).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The code system of purposes of use, as UDAP writes it and as FHIR does.
const PURPOSES: [&str; 2] =
    ["urn:oid:2.16.840.1.113883.5.8#", "http://terminology.hl7.org/CodeSystem/v3-ActReason#"];
/// Longest text, in bytes.
const MAX_TEXT: usize = 500;
/// Longest list.
const MAX_LIST: usize = 20;

/// Who asks through a program, as it has signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// The organisation that asks, as an address or URN.
    pub organization_id: String,
    /// Its name.
    pub organization_name: Option<String>,
    /// The person or program behind the question.
    pub subject_name: Option<String>,
    /// The person, as an identifier.
    pub subject_id: Option<String>,
    /// What the person is.
    pub subject_role: Option<String>,
    /// What for: codes of v3-ActReason, at least one.
    pub purposes: Vec<String>,
    /// Policies that the patient has agreed to, as it says.
    pub consent_policy: Vec<String>,
    /// Where the agreement can be read.
    pub consent_reference: Vec<String>,
}

/// Why the object was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskingError {
    /// There is none.
    #[error("the assertion needs the extension `hl7-b2b`")]
    Missing,
    /// Another version.
    #[error("`version` of `hl7-b2b` must be \"1\"")]
    Version,
    /// A text or list that is none, or too long.
    #[error("`hl7-b2b` holds something that is not of the right kind, or too long")]
    Form,
    /// No organisation.
    #[error("`organization_id` of `hl7-b2b` must be a URI")]
    Organization,
    /// No purpose, or one that is not written as a code of v3-ActReason.
    #[error(
        "`purpose_of_use` of `hl7-b2b` must hold codes such as `urn:oid:2.16.840.1.113883.5.8#TREAT`"
    )]
    Purpose,
    /// A person without a name, or a name missing.
    #[error("`subject_id` and `subject_role` of `hl7-b2b` need a `subject_name`")]
    Subject,
    /// A consent without its policy.
    #[error("`consent_reference` of `hl7-b2b` needs `consent_policy`, and holds absolute URLs")]
    Consent,
}

impl Asking {
    /// Reads the object.
    pub fn read(object: Option<&Value>) -> Result<Self, AskingError> {
        let object = object.and_then(Value::as_object).ok_or(AskingError::Missing)?;
        if object.get("version").and_then(Value::as_str) != Some("1") {
            return Err(AskingError::Version);
        }
        let organization_id = text(object, "organization_id")?.filter(|id| is_uri(id));
        let organization_id = organization_id.ok_or(AskingError::Organization)?;
        let purposes = list(object, "purpose_of_use")?;
        let code = |text: &String| {
            let code = PURPOSES.iter().find_map(|system| text.strip_prefix(system));
            code.map(str::to_owned).ok_or(AskingError::Purpose)
        };
        let purposes: Vec<String> = purposes.iter().map(code).collect::<Result<_, _>>()?;
        if purposes.is_empty() {
            return Err(AskingError::Purpose);
        }
        let subject_name = text(object, "subject_name")?;
        let subject_id = text(object, "subject_id")?;
        let subject_role = text(object, "subject_role")?;
        if subject_name.is_none() && (subject_id.is_some() || subject_role.is_some()) {
            return Err(AskingError::Subject);
        }
        let consent_policy = list(object, "consent_policy")?;
        let consent_reference = list(object, "consent_reference")?;
        let web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        let alone = consent_policy.is_empty() && !consent_reference.is_empty();
        if alone
            || !consent_policy.iter().all(|uri| is_uri(uri))
            || !consent_reference.iter().all(web)
        {
            return Err(AskingError::Consent);
        }
        Ok(Self {
            organization_id,
            organization_name: text(object, "organization_name")?,
            subject_name,
            subject_id,
            subject_role,
            purposes,
            consent_policy,
            consent_reference,
        })
    }
}

fn text(object: &Map<String, Value>, name: &str) -> Result<Option<String>, AskingError> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if (1..=MAX_TEXT).contains(&text.trim().len()) => {
            Ok(Some(text.trim().to_owned()))
        }
        Some(_) => Err(AskingError::Form),
    }
}

fn list(object: &Map<String, Value>, name: &str) -> Result<Vec<String>, AskingError> {
    let Some(list) = object.get(name) else { return Ok(Vec::new()) };
    let list = list.as_array().filter(|list| list.len() <= MAX_LIST).ok_or(AskingError::Form)?;
    let read = |one: &Value| match one.as_str() {
        Some(text) if (1..=MAX_TEXT).contains(&text.len()) => Ok(text.to_owned()),
        _ => Err(AskingError::Form),
    };
    list.iter().map(read).collect()
}

/// Whether a text has a scheme and something after it (RFC 3986, section 3).
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let sound = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    sound
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && !rest.is_empty()
        && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_required_is_there_and_what_is_there_is_sound() {
        let whole = json!({
            "version": "1", "organization_id": "https://clinic.example/", "organization_name": "Clinic",
            "subject_name": "Ada Ek", "subject_id": "urn:oid:2.16.840.1.113883.4.6#1234567890",
            "subject_role": "http://nucc.org/provider-taxonomy#207R00000X",
            "purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#TREAT"],
            "consent_policy": ["urn:policy"], "consent_reference": ["https://c.example/Consent/1"],
        });
        let read = Asking::read(Some(&whole)).unwrap();
        assert_eq!(read.purposes, ["TREAT"]);
        assert_eq!(read.organization_id, "https://clinic.example/");
        for (name, value, fault) in [
            ("version", json!("2"), AskingError::Version),
            ("version", json!(1), AskingError::Version),
            ("organization_id", json!(null), AskingError::Form),
            ("organization_id", json!("clinic"), AskingError::Organization),
            ("purpose_of_use", json!([]), AskingError::Purpose),
            ("purpose_of_use", json!(["TREAT"]), AskingError::Purpose),
            ("purpose_of_use", json!("TREAT"), AskingError::Form),
            ("subject_name", json!(""), AskingError::Form),
            ("consent_policy", json!([]), AskingError::Consent),
            ("consent_reference", json!(["Consent/1"]), AskingError::Consent),
        ] {
            let mut changed = whole.clone();
            changed[name] = value.clone();
            assert_eq!(Asking::read(Some(&changed)), Err(fault), "{name}: {value}");
        }
        let mut nameless = whole.clone();
        nameless.as_object_mut().unwrap().remove("subject_name");
        assert_eq!(Asking::read(Some(&nameless)), Err(AskingError::Subject));
        assert_eq!(Asking::read(None), Err(AskingError::Missing));
    }
}
