//! The consents that a patient makes with one action: permit or withdraw, one organisation or all.

use fhir::json::quote;
use fhir::time::instant;

use super::rules::Kind;
use crate::purpose;

/// The policy these consents are made under.
const POLICY: &str = "https://consilium.health/fhir/policy/patient-choice";

/// An organisation as people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party<'a> {
    /// Short id, `north` for example.
    pub id: &'a str,
    /// Display name, `North Hospital` for example.
    pub name: &'a str,
}

/// A patient's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// Relative reference to the patient at the organisation where the decision is made.
    pub patient: &'a str,
    /// Whom it is about; `None` for all organisations.
    pub organisation: Option<Party<'a>>,
    /// [`Kind::Permit`] or, to withdraw, [`Kind::Deny`].
    pub decision: Kind,
    /// When, in milliseconds since the Unix epoch.
    pub date_ms: i64,
    /// Where it is made and kept.
    pub custodian: Party<'a>,
}

/// Writes the decision as a FHIR R4 Consent without an id.
///
/// Withdrawing names the organisation as recipient and as custodian and no purpose, so it is out
/// of the exchange in both directions for everything. Permitting names both too, so that it
/// replaces a withdrawal, and is for treatment only. A decision about all names nobody. There is
/// no period: it is in force at once, also where a clock is behind, and until replaced.
pub fn build(choice: &Choice<'_>) -> String {
    let title = title(choice);
    let date = quote(&instant(choice.date_ms));
    let patient = quote(choice.patient);
    let custodian = organisation_reference(choice.custodian);
    let provision = provision(choice);
    let (heading, policy) = (quote(&title), quote(POLICY));
    let narrative = quote(&format!(
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>",
        title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    ));
    format!(
        r#"{{"resourceType":"Consent","text":{{"status":"generated","div":{narrative}}},"status":"active","scope":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},"category":[{{"coding":[{{"system":"http://loinc.org","code":"59284-0"}}]}}],"patient":{{"reference":{patient}}},"dateTime":{date},"performer":[{{"reference":{patient}}}],"organization":[{custodian}],"sourceAttachment":{{"contentType":"text/plain","language":"en","title":{heading},"creation":{date}}},"policy":[{{"uri":{policy}}}],"provision":{provision}}}"#
    )
}

fn title(choice: &Choice<'_>) -> String {
    let about = choice.organisation.map_or("all organisations", |organisation| organisation.name);
    match choice.decision {
        Kind::Permit => format!("Permission for treatment given to {about}"),
        Kind::Deny => format!("Permission withdrawn from {about}"),
    }
}

fn provision(choice: &Choice<'_>) -> String {
    let mut members = match choice.decision {
        Kind::Permit => vec![
            r#""type":"permit""#.to_owned(),
            format!(r#""purpose":[{{"system":{},"code":"TREAT"}}]"#, quote(purpose::SYSTEM)),
        ],
        Kind::Deny => vec![r#""type":"deny""#.to_owned()],
    };
    if let Some(organisation) = choice.organisation {
        let reference = organisation_reference(organisation);
        let actor = |role: &str| {
            format!(
                r#"{{"role":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"{role}"}}]}},"reference":{reference}}}"#
            )
        };
        members.insert(1, format!(r#""actor":[{},{}]"#, actor("IRCP"), actor("CST")));
    }
    format!("{{{}}}", members.join(","))
}

pub(super) fn organisation_reference(party: Party<'_>) -> String {
    let reference = quote(&format!("Organization/{}", party.id));
    format!(r#"{{"reference":{reference},"display":{}}}"#, quote(party.name))
}
