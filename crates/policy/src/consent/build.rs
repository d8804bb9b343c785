//! The consents that a patient makes with one action: permit or withdraw, one organisation or all.

use fhir::json::quote;
use fhir::time::instant;

use super::ORGANISATION_URN;
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
    let made = (choice.patient, choice.date_ms, choice.custodian);
    written(&title(choice), made, &provision(choice))
}

/// A person whom a consent can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person<'a> {
    /// Somebody with an account at an organisation of the network.
    Staff {
        /// The organisation's short id.
        organisation: &'a str,
        /// The account there.
        account: &'a str,
        /// The person's name.
        name: &'a str,
    },
    /// Somebody who belongs to the patient, known where the decision is made and kept.
    Related {
        /// Relative reference, `RelatedPerson/7` for example.
        reference: &'a str,
        /// The person's name.
        name: &'a str,
    },
}

impl Person<'_> {
    /// The name to show.
    pub fn name(&self) -> &str {
        match self {
            Self::Staff { name, .. } | Self::Related { name, .. } => name,
        }
    }

    fn reference(&self) -> String {
        let name = quote(self.name());
        match self {
            Self::Staff { organisation, account, .. } => {
                let system = quote(&format!("{ORGANISATION_URN}{organisation}"));
                let account = quote(account);
                format!(
                    r#"{{"identifier":{{"system":{system},"value":{account}}},"display":{name}}}"#
                )
            }
            Self::Related { reference, .. } => {
                format!(r#"{{"reference":{},"display":{name}}}"#, quote(reference))
            }
        }
    }
}

/// A patient's decision about one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonalChoice<'a> {
    /// Relative reference to the patient at the organisation where the decision is made.
    pub patient: &'a str,
    /// Whom it is about.
    pub person: Person<'a>,
    /// [`Kind::Permit`] or, to withdraw, [`Kind::Deny`].
    pub decision: Kind,
    /// When, in milliseconds since the Unix epoch.
    pub date_ms: i64,
    /// Where it is made and kept.
    pub custodian: Party<'a>,
}

/// Writes a decision about one person as a FHIR R4 Consent without an id.
///
/// The person is named as recipient and nothing else is: a denial holds wherever they ask, also for
/// what the own organisation holds, and for every purpose; a permission is for treatment, and
/// replaces denials of the organisation for this person alone.
pub fn build_personal(choice: &PersonalChoice<'_>) -> String {
    let actor = format!(
        r#"{{"role":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}}]}},"reference":{}}}"#,
        choice.person.reference()
    );
    let (kind, purpose, title) = match choice.decision {
        Kind::Permit => (
            "permit",
            format!(r#","purpose":[{{"system":{},"code":"TREAT"}}]"#, quote(purpose::SYSTEM)),
            "Permission for treatment given to",
        ),
        Kind::Deny => ("deny", String::new(), "Permission withdrawn from"),
    };
    let provision = format!(r#"{{"type":"{kind}","actor":[{actor}]{purpose}}}"#);
    let made = (choice.patient, choice.date_ms, choice.custodian);
    written(&format!("{title} {}", choice.person.name()), made, &provision)
}

/// The Consent around a provision.
fn written(
    title: &str,
    (patient, date_ms, custodian): (&str, i64, Party<'_>),
    provision: &str,
) -> String {
    let date = quote(&instant(date_ms));
    let patient = quote(patient);
    let custodian = organisation_reference(custodian);
    let (heading, policy) = (quote(title), quote(POLICY));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use fhir::Resource;

    use super::*;
    use crate::consent::{Compiled, Defaults, Item, Request, decide_all, user_of};
    use crate::{Purpose, Role};

    const NOW_MS: i64 = 1_750_000_000_000;
    const NORTH: Party<'_> = Party { id: "north", name: "North" };

    fn about(person: Person<'_>, decision: Kind, ago_ms: i64) -> Resource {
        let (patient, date_ms, custodian) = ("Patient/1", NOW_MS - ago_ms, NORTH);
        let choice = PersonalChoice { patient, person, decision, date_ms, custodian };
        Resource::parse(build_personal(&choice)).unwrap()
    }

    fn of_all(decision: Kind, ago_ms: i64) -> Resource {
        let (organisation, date_ms, custodian) = (None, NOW_MS - ago_ms, NORTH);
        let choice = Choice { patient: "Patient/1", organisation, decision, date_ms, custodian };
        Resource::parse(build(&choice)).unwrap()
    }

    fn sees(consents: &[Resource], user: &str, holder: &str, role: Role) -> bool {
        let item = Item::of(&Resource::parse(r#"{"resourceType":"Basic","id":"1"}"#).unwrap());
        let request = Request {
            recipient_org: "north".into(),
            recipient_user: Some(user.to_owned()),
            role,
            purpose: Purpose::TREAT,
            custodian_org: holder.into(),
            now_ms: NOW_MS,
            break_glass_enabled: false,
        };
        let decided = decide_all(&request, &Compiled::new(consents), &Defaults::default(), &[item]);
        decided.iter().all(|decision| decision.is_permitted())
    }

    #[test]
    fn a_decision_about_a_person_is_about_nobody_else() {
        let weber = Person::Staff { organisation: "north", account: "weber", name: "Dr. <Weber>" };
        let (named, other) = (user_of("north", "weber"), user_of("north", "adler"));
        let open = of_all(Kind::Permit, 9_000);
        let denied = [open.clone(), about(weber, Kind::Deny, 5_000)];
        for holder in ["north", "south"] {
            assert!(!sees(&denied, &named, holder, Role::Clinician), "{holder}");
            assert!(sees(&denied, &other, holder, Role::Clinician), "{holder}");
        }
        let closed = [of_all(Kind::Deny, 9_000), about(weber, Kind::Permit, 5_000)];
        assert!(sees(&closed, &named, "south", Role::Clinician));
        assert!(!sees(&closed, &other, "south", Role::Clinician));
        let again = [open, about(weber, Kind::Deny, 5_000), about(weber, Kind::Permit, 1_000)];
        assert!(sees(&again, &named, "south", Role::Clinician));
    }

    #[test]
    fn a_related_person_is_not_staff() {
        let ana = Person::Related { reference: "RelatedPerson/7", name: "Ana" };
        let denied = [of_all(Kind::Permit, 9_000), about(ana, Kind::Deny, 5_000)];
        assert!(sees(&denied, &user_of("north", "weber"), "south", Role::Clinician));
        assert!(!sees(&denied, "RelatedPerson/7", "south", Role::Patient));
        assert!(sees(&denied, "RelatedPerson/8", "south", Role::Patient));
    }
}
