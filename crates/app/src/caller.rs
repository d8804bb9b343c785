//! Who asks, for what purpose and on which evidence.

use std::sync::Arc;

use fhir::Id;
use oauth::Scopes;
use oauth::udap::Asking;

/// A person or program whose identity has been proved to this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Account id; a pseudonym that other nodes may log.
    pub id: String,
    /// One of the network's roles, `clinician` for example.
    pub role: String,
    /// Name to show.
    pub name: String,
    /// The patient this account belongs to, for role `patient`; for role `proxy` the one for whom
    /// they act at this moment.
    pub patient: Option<Id>,
    /// How they act for that patient, for role `proxy`; nobody acts for a patient without it.
    pub acting: Option<Arc<crate::proxies::Acting>>,
    /// Who a clinician is as a resource, `Practitioner/x`, where the account says it.
    pub practitioner: Option<String>,
    /// Authentication methods (RFC 8176): `pwd`, `otp`, `pop`, `user`, `mfa`.
    pub amr: Vec<String>,
    /// When the user signed in, milliseconds since the Unix epoch.
    pub auth_time_ms: i64,
    /// When a second factor was last proved.
    pub mfa_time_ms: Option<i64>,
}

impl User {
    /// How strongly the user signed in: an authentication context class reference.
    pub fn acr(&self) -> &'static str {
        wire::acr(&self.amr)
    }
}

/// What a person, or the operator, has allowed an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The grant's id.
    pub id: String,
    /// The app's id.
    pub client: String,
    /// What people call the app.
    pub client_name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The patient in context, whom `patient/` scopes are about.
    pub patient: Option<Id>,
    /// The organisation that asks through a program, as an address or URN (UDAP, `hl7-b2b`):
    /// whoever decides by recipient decides by it. `None` where nobody but this institution asks.
    pub organization: Option<String>,
    /// All that the program has signed of who asks and what for.
    pub asserted: Option<Asking>,
}

/// What shows that a cross-organisation question serves the stated purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A care event: `Appointment/x`, `Encounter/x` or `ServiceRequest/x` at the asker.
    Reference(String),
    /// A reason in the asker's words.
    Reason(String),
}

impl Evidence {
    /// Reads evidence from what a person or program wrote: a reference to an Appointment,
    /// Encounter or ServiceRequest, otherwise a reason of at most 500 characters.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > 500 {
            return None;
        }
        let event = text.split_once('/').is_some_and(|(kind, id)| {
            matches!(kind, "Appointment" | "Encounter" | "ServiceRequest") && Id::new(id).is_ok()
        });
        Some(if event { Self::Reference(text.into()) } else { Self::Reason(text.into()) })
    }

    /// The reference or the reason as text.
    pub fn text(&self) -> &str {
        match self {
            Self::Reference(text) | Self::Reason(text) => text,
        }
    }
}

/// One request: who, for what, on which evidence, under which id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who asks.
    pub user: User,
    /// Purpose of use: a code of v3-ActReason, `TREAT` unless stated.
    pub purpose: String,
    /// Why this patient, where stated.
    pub evidence: Option<Evidence>,
    /// Joins the entries of all nodes that take part (`X-Request-Id`).
    pub request_id: String,
    /// Network address of the client, for the audit.
    pub address: String,
    /// Through which app the user asks, and what it may do; `None` for people and programs that
    /// are signed in themselves.
    pub granted: Option<Arc<Granted>>,
}

impl Caller {
    /// Whose a list of results is: the account's, or the app's in its name; of whoever acts for a
    /// patient, only for as long as they act for that one.
    pub fn holder(&self) -> String {
        let who = match &self.user.acting {
            None => self.user.id.clone(),
            Some(acting) => format!("{} {}", self.user.id, acting.related),
        };
        match &self.granted {
            None => who,
            Some(granted) => format!("{who} {} {}", granted.id, granted.scopes),
        }
    }

    /// Age of the second factor in seconds; `None` without one.
    pub fn mfa_age_s(&self, now_ms: i64) -> Option<u32> {
        let age_ms = now_ms.saturating_sub(self.user.mfa_time_ms?).max(0);
        u32::try_from(age_ms / 1000).ok()
    }
}
