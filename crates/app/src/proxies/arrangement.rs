//! What is arranged between a patient and one who acts for them, and the resources that say it.

use fhir::{Id, Resource};
use policy::label::ACT_CODE;
use serde_json::{Value as Json, json};

use super::{Basis, ROLE_CODE, Rights};
use crate::{App, Error, Result};

const EXTENSION: &str = "https://consilium.health/fhir/StructureDefinition/proxy-";
const POLICY: &str = "https://consilium.health/fhir/policy/proxy";
const SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";

/// What the patient leaves to somebody who acts for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Sensitivity codes (v3-ActCode) that are kept from them.
    pub labels: Vec<String>,
    /// Types of resources that are kept from them.
    pub kinds: Vec<String>,
    /// Codes that age alone would keep from a parent and the patient permits.
    pub released: Vec<String>,
    /// What they may do beside seeing.
    pub rights: Rights,
    /// Until when, milliseconds since the Unix epoch; open where `None`.
    pub until_ms: Option<i64>,
}

/// Who acts for whom, how and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// Id of the RelatedPerson and of the Consent.
    pub id: Id,
    /// The patient.
    pub patient: Id,
    /// The account that acts.
    pub account: String,
    /// What people call its owner.
    pub name: String,
    /// What they are to the patient, a code of v3-RoleCode.
    pub relationship: String,
    /// On what it rests.
    pub basis: Basis,
    /// A reference to a DocumentReference or words: the birth certificate, the court's order.
    pub evidence: String,
    /// Since when, milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// What is left to them.
    pub limits: Limits,
    /// Who decided it last, as a reference: the patient, somebody who acts for them
    /// (`RelatedPerson/x`), or the institution.
    pub by: String,
    /// Whether it stands.
    pub active: bool,
}

impl Arrangement {
    /// Reads it from its two resources; `None` where they are none of the node's own.
    pub(super) fn read(related: &Resource, consent: &Resource) -> Option<Self> {
        let (id, same) = (related.id()?, consent.id()?);
        if id != same {
            return None;
        }
        let related: Json = serde_json::from_str(related.text()).ok()?;
        let consent: Json = serde_json::from_str(consent.text()).ok()?;
        let text = |json: &Json, at: &str| json.pointer(at)?.as_str().map(str::to_owned);
        let patient = text(&related, "/patient/reference")?;
        let extensions = |name: &str| -> Vec<String> {
            let url = format!("{EXTENSION}{name}");
            let all = consent.get("extension").and_then(Json::as_array).into_iter().flatten();
            let of_name = all.filter(|one| one.get("url").is_some_and(|found| *found == *url));
            of_name.filter_map(|one| one.get("valueCode")?.as_str().map(str::to_owned)).collect()
        };
        let denied = |element: &str| -> Vec<String> {
            let inner = consent.pointer("/provision/provision").and_then(Json::as_array);
            let codes = inner.into_iter().flatten().filter_map(|one| one.get(element)?.as_array());
            let codes = codes.flatten().filter_map(|coding| coding.get("code")?.as_str());
            codes.map(str::to_owned).collect()
        };
        let rights = extensions("right");
        let has = |right: &str| rights.iter().any(|one| one == right);
        let ms = |text: String| fhir::time::parse(&text).map(|range| range.start_ms);
        let is_active = related.get("active") == Some(&Json::Bool(true))
            && consent.get("status").is_some_and(|status| status == "active");
        Some(Self {
            patient: Id::new(patient.strip_prefix("Patient/")?).ok()?,
            account: text(&related, "/identifier/0/value")?,
            name: text(&related, "/name/0/text")?,
            relationship: text(&related, "/relationship/0/coding/0/code")?,
            basis: Basis::find(extensions("basis").first()?)?,
            evidence: text(&consent, "/sourceAttachment/title").unwrap_or_default(),
            since_ms: text(&consent, "/provision/period/start").and_then(ms)?,
            limits: Limits {
                labels: denied("securityLabel"),
                kinds: denied("class"),
                released: extensions("released"),
                rights: Rights { consents: has("consents"), invites: has("invites") },
                until_ms: text(&consent, "/provision/period/end").and_then(ms),
            },
            by: text(&consent, "/performer/0/reference").unwrap_or_default(),
            active: is_active,
            id,
        })
    }

    /// The RelatedPerson and the Consent.
    pub(super) fn resources(&self, app: &App, now_ms: i64) -> Result<[Resource; 2]> {
        Ok([parsed(&self.related(app))?, parsed(&self.consent(app, now_ms))?])
    }

    fn period(&self) -> Json {
        let mut period = json!({"start": fhir::time::instant(self.since_ms)});
        if let Some(until_ms) = self.limits.until_ms {
            period["end"] = fhir::time::instant(until_ms).into();
        }
        period
    }

    fn related(&self, app: &App) -> Json {
        json!({
            "resourceType": "RelatedPerson",
            "id": self.id.as_str(),
            "identifier": [crate::accounts::resources::identifier(app, &self.account)],
            "active": self.active,
            "patient": {"reference": format!("Patient/{}", self.patient)},
            "relationship": [{"coding": [{"system": ROLE_CODE, "code": self.relationship}]}],
            "name": [{"text": self.name}],
            "period": self.period(),
        })
    }

    /// The permission for the RelatedPerson, with what is kept from them as exceptions.
    fn consent(&self, app: &App, now_ms: i64) -> Json {
        let patient = format!("Patient/{}", self.patient);
        let coding = |system: &str, code: &str| json!({"system": system, "code": code});
        let denial = |element: &str, system: &str, codes: &[String]| {
            let codes: Vec<Json> = codes.iter().map(|code| coding(system, code)).collect();
            let actor = actor(&self.id);
            (!codes.is_empty()).then(|| json!({"type": "deny", "actor": [actor], element: codes}))
        };
        let inner = [
            denial("securityLabel", ACT_CODE, &self.limits.labels),
            denial("class", RESOURCE_TYPES, &self.limits.kinds),
        ];
        let inner: Vec<Json> = inner.into_iter().flatten().collect();
        let mut provision =
            json!({"type": "permit", "period": self.period(), "actor": [actor(&self.id)]});
        if !inner.is_empty() {
            provision["provision"] = inner.into();
        }
        let rights =
            [("consents", self.limits.rights.consents), ("invites", self.limits.rights.invites)];
        let rights = rights.iter().filter(|(_, given)| *given);
        let mut extensions = vec![extension("basis", self.basis.code())];
        extensions.extend(rights.map(|(right, _)| extension("right", right)));
        extensions.extend(self.limits.released.iter().map(|code| extension("released", code)));
        let status = if self.active { "active" } else { "inactive" };
        let title = "Somebody acts for the patient";
        let mut consent = json!({
            "resourceType": "Consent",
            "id": self.id.as_str(),
            "text": {"status": "generated",
                "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{title}</div>")},
            "extension": extensions,
            "status": status,
            "scope": {"coding": [coding(SCOPE, "patient-privacy")]},
            "category": [{"coding": [coding("http://loinc.org", "59284-0")]}],
            "patient": {"reference": patient},
            "dateTime": fhir::time::instant(now_ms),
            "performer": [{"reference": self.by}],
            "organization": [app.organisation_reference()],
            "policy": [{"uri": POLICY}],
            "provision": provision,
        });
        if !self.evidence.is_empty() {
            consent["sourceAttachment"] =
                json!({"contentType": "text/plain", "title": self.evidence});
        }
        consent
    }
}

/// A RelatedPerson as the recipient of a provision.
pub(super) fn actor(related: &Id) -> Json {
    json!({
        "role": {"coding": [{"system": PARTICIPATION, "code": "IRCP"}]},
        "reference": {"reference": format!("RelatedPerson/{related}")},
    })
}

fn extension(name: &str, code: &str) -> Json {
    json!({"url": format!("{EXTENSION}{name}"), "valueCode": code})
}

pub(super) fn parsed(json: &Json) -> Result<Resource> {
    Resource::parse(json.to_string())
        .map_err(|e| Error::internal(format!("a resource of a proxy is not valid: {e}")))
}
