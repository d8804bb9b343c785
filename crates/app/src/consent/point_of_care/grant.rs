//! An exact grant: what is shown to the patient, what is signed, and the Consent that it becomes.

use fhir::{Id, Resource};
use policy::Purpose;
use policy::consent::{Grant as Provision, Party, grant_provision};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::WAITS_MS;
use crate::{App, Caller, Error, Result};

/// The form of grants; its number changes with every change of what the members mean.
pub const FORM: &str = "https://consilium.health/consent-grant/1";
/// Policy under which these consents are made.
const POLICY: &str = "https://consilium.health/fhir/policy/point-of-care";
/// Longest time that a grant may hold, in days.
pub const MAX_DAYS: u32 = 366;
/// Most kinds of data that one grant names.
pub const MAX_KINDS: usize = 20;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What somebody would like to be permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The one organisation whose data is wanted; `None` for all.
    pub from: Option<String>,
    /// Resource types; everything that is not sensitive where empty.
    pub kinds: Vec<String>,
    /// Purpose of use, `TREAT` or `ETREAT`.
    pub purpose: Purpose,
    /// For how many days, 1 to [`MAX_DAYS`].
    pub days: u32,
}

/// An id and the name that people know it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
}

/// An exact grant. Its JSON text, as it is written once, is what is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// [`FORM`].
    pub form: String,
    /// Unpredictable, so that no two grants have the same text.
    pub nonce: String,
    /// The organisation where it is given.
    pub at: Named,
    /// Relative reference to the patient there.
    pub patient: String,
    /// The organisation whose people may see.
    pub recipient: Named,
    /// The organisations whose data they may see.
    pub holders: Vec<Named>,
    /// Whether what others hold is not to be seen by them while it lasts.
    pub only: bool,
    /// Resource types; everything that is not sensitive where empty.
    pub kinds: Vec<String>,
    /// Purpose of use, a code of v3-ActReason.
    pub purpose: String,
    /// Until when, RFC 3339.
    pub until: String,
    /// Who proposed it: account and name.
    pub proposed_by: Named,
    /// When, RFC 3339.
    pub proposed: String,
    /// Until when it may be approved, RFC 3339.
    pub expires: String,
}

/// Makes the grant that `wish` asks for, to this institution.
pub(super) fn made(app: &App, caller: &Caller, patient: &Id, wish: &Wish) -> Result<Grant> {
    let invalid = |what: String| Error::invalid("value", what);
    if !(1..=MAX_DAYS).contains(&wish.days) {
        return Err(invalid(format!("a permission lasts 1 to {MAX_DAYS} days")));
    }
    if !super::is_for_care(wish.purpose) {
        return Err(invalid("the purpose is `TREAT` or `ETREAT`".into()));
    }
    let unknown = |kind: &&String| fhir::resource_type(kind).is_none();
    if wish.kinds.len() > MAX_KINDS || wish.kinds.iter().any(|kind| unknown(&kind)) {
        return Err(invalid(format!("`kinds` are at most {MAX_KINDS} resource types")));
    }
    let own = Named { id: app.org().id.clone(), name: app.org().name.clone() };
    let others = app.network().active_others().into_iter();
    let mut holders: Vec<Named> = others
        .map(|member| Named { id: member.id.as_str().to_owned(), name: member.display_name })
        .collect();
    if let Some(from) = &wish.from {
        holders.retain(|holder| holder.id == *from);
        if holders.is_empty() {
            let message = "there is no such organisation in the network, or it is this one";
            return Err(invalid(message.into()));
        }
    }
    let now = app.now_ms();
    let time = |ms: i64| fhir::time::instant(now.saturating_add(ms));
    Ok(Grant {
        form: FORM.into(),
        nonce: app.new_token(),
        at: own.clone(),
        patient: format!("Patient/{patient}"),
        recipient: own,
        holders,
        only: wish.from.is_some(),
        kinds: wish.kinds.clone(),
        purpose: wish.purpose.code().to_owned(),
        until: time(i64::from(wish.days) * DAY_MS),
        proposed_by: Named { id: caller.user.id.clone(), name: caller.user.name.clone() },
        proposed: time(0),
        expires: time(WAITS_MS),
    })
}

impl Grant {
    /// The text that is signed.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::internal(e.to_string()))
    }

    /// What it permits, as FHIR has it.
    pub fn provision(&self) -> Json {
        fn party(named: &Named) -> Party<'_> {
            Party { id: &named.id, name: &named.name }
        }
        let holders: Vec<Party<'_>> = self.holders.iter().map(party).collect();
        let kinds: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
        let text = grant_provision(&Provision {
            patient: &self.patient,
            recipient: party(&self.recipient),
            holders: &holders,
            only: self.only,
            kinds: &kinds,
            purpose: &self.purpose,
            until: &self.until,
        });
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The Consent: decided at the time that comes with the receipt, otherwise when it was proposed.
    pub(super) fn consent(&self, receipt: &Option<(i64, String)>) -> Result<Resource> {
        use base64::Engine;
        let title = format!("Permission given at {} to {}", self.at.name, self.recipient.name);
        let shown = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let date = match receipt {
            Some((ms, _)) => fhir::time::instant(*ms),
            None => self.proposed.clone(),
        };
        let mut source = json!({"title": title, "creation": date});
        if let Some((_, receipt)) = receipt {
            source["contentType"] = "application/jose".into();
            source["data"] = base64::engine::general_purpose::STANDARD.encode(receipt).into();
        }
        let at =
            json!({"reference": format!("Organization/{}", self.at.id), "display": self.at.name});
        let json = json!({
            "resourceType": "Consent",
            "text": {
                "status": "generated",
                "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{shown}</div>"),
            },
            "status": "active",
            "scope": {"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/consentscope",
                "code": "patient-privacy",
            }]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": self.patient},
            "dateTime": date,
            "performer": [{"reference": self.patient}],
            "organization": [at],
            "sourceAttachment": source,
            "policy": [{"uri": POLICY}],
            "provision": self.provision(),
        });
        Resource::parse(json.to_string())
            .map_err(|e| Error::internal(format!("a consent is not valid: {e}")))
    }
}
