//! The record of one job, as it is kept.

use std::sync::Arc;

use fhir::Id;
use oauth::Scopes;
use oauth::udap::Asking;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::caller::{Caller, Evidence, Granted, User};
use crate::{Error, Result};

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Accepted, not begun.
    Waiting,
    /// Begun; after a restart it goes on.
    Running,
    /// Ended with a result.
    Done,
    /// Ended with an error.
    Failed,
    /// Cancelled by its owner.
    Cancelled,
}

impl State {
    /// Whether nothing more will happen.
    pub fn is_finished(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// How much of a job is done, in units of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Done.
    pub done: u64,
    /// In all; 0 while that is not known.
    pub total: u64,
}

impl Progress {
    /// The share in percent, never 100 before the end; `None` while it is not known.
    pub fn percent(self) -> Option<u64> {
        (self.total > 0).then(|| (self.done.saturating_mul(100) / self.total).min(99))
    }
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// OperationOutcome issue code.
    pub code: String,
    /// What to tell the owner.
    pub message: String,
}

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, and that of its Task.
    #[serde(with = "id")]
    pub id: Id,
    /// Which work it is.
    pub kind: String,
    /// What it is, for people; no personal data.
    pub title: String,
    /// What the work is given.
    pub request: Value,
    /// How far it is.
    pub state: State,
    /// When it was accepted, milliseconds since the Unix epoch.
    pub created_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// How often it was begun.
    pub attempts: u64,
    /// How much is done.
    pub progress: Progress,
    /// What came of it.
    pub result: Option<Value>,
    /// Why it failed.
    pub failure: Option<Failure>,
    owner: Owner,
}

/// Who ordered it, as the audit names them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Owner {
    user: String,
    role: String,
    name: String,
    patient: Option<String>,
    #[serde(default)]
    practitioner: Option<String>,
    amr: Vec<String>,
    auth_time_ms: i64,
    mfa_time_ms: Option<i64>,
    purpose: String,
    evidence: Option<String>,
    request_id: String,
    address: String,
    #[serde(default)]
    granted: Option<Through>,
}

/// The app through which it was ordered, with what it was allowed then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Through {
    grant: String,
    client: String,
    client_name: String,
    scopes: String,
    patient: Option<String>,
    #[serde(default)]
    asserted: Option<Asking>,
}

impl Through {
    fn of(granted: &Granted) -> Self {
        Self {
            grant: granted.id.clone(),
            client: granted.client.clone(),
            client_name: granted.client_name.clone(),
            scopes: granted.scopes.to_string(),
            patient: granted.patient.as_ref().map(ToString::to_string),
            asserted: granted.asserted.clone(),
        }
    }

    /// A list of scopes that cannot be read allows nothing.
    fn granted(&self) -> Granted {
        Granted {
            id: self.grant.clone(),
            client: self.client.clone(),
            client_name: self.client_name.clone(),
            scopes: Scopes::parse(&self.scopes).unwrap_or_default(),
            patient: self.patient.as_deref().and_then(|id| Id::new(id).ok()),
            organization: self.asserted.as_ref().map(|asking| asking.organization_id.clone()),
            asserted: self.asserted.clone(),
        }
    }
}

impl Job {
    /// A job that is accepted at `now_ms`.
    pub(super) fn new(
        id: Id,
        caller: &Caller,
        kind: &str,
        title: &str,
        request: Value,
        now_ms: i64,
    ) -> Self {
        let user = &caller.user;
        let owner = Owner {
            user: user.id.clone(),
            role: user.role.clone(),
            name: user.name.clone(),
            patient: user.patient.as_ref().map(ToString::to_string),
            practitioner: user.practitioner.clone(),
            amr: user.amr.clone(),
            auth_time_ms: user.auth_time_ms,
            mfa_time_ms: user.mfa_time_ms,
            purpose: caller.purpose.clone(),
            evidence: caller.evidence.as_ref().map(|evidence| evidence.text().to_owned()),
            request_id: caller.request_id.clone(),
            address: caller.address.clone(),
            granted: caller.granted.as_deref().map(Through::of),
        };
        Self {
            id,
            kind: kind.to_owned(),
            title: title.to_owned(),
            request,
            state: State::Waiting,
            created_ms: now_ms,
            ended_ms: None,
            attempts: 0,
            progress: Progress::default(),
            result: None,
            failure: None,
            owner,
        }
    }

    /// Account id of whoever ordered it.
    pub fn owner(&self) -> &str {
        &self.owner.user
    }

    /// Whether a caller may ask for it: whoever ordered it, and through an app only where the same
    /// app is allowed no less now than the job was ordered with, for the same patient.
    pub(super) fn is_of(&self, caller: &Caller) -> bool {
        let through = match (&caller.granted, &self.owner.granted) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(now), Some(then)) => {
                let then = then.granted();
                now.client == then.client
                    && now.asserted == then.asserted
                    && now.patient == then.patient
                    && now.scopes.covers(&then.scopes)
            }
        };
        self.owner.user == caller.user.id && through
    }

    /// Name of whoever ordered it.
    pub fn owner_name(&self) -> &str {
        &self.owner.name
    }

    /// Who ordered it, as they were then.
    pub fn caller(&self) -> Caller {
        let owner = &self.owner;
        Caller {
            user: User {
                id: owner.user.clone(),
                role: owner.role.clone(),
                name: owner.name.clone(),
                patient: owner.patient.as_deref().and_then(|id| Id::new(id).ok()),
                practitioner: owner.practitioner.clone(),
                acting: None,
                amr: owner.amr.clone(),
                auth_time_ms: owner.auth_time_ms,
                mfa_time_ms: owner.mfa_time_ms,
            },
            purpose: owner.purpose.clone(),
            evidence: owner.evidence.as_deref().and_then(Evidence::read),
            request_id: owner.request_id.clone(),
            address: owner.address.clone(),
            granted: owner.granted.as_ref().map(|through| Arc::new(through.granted())),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A record is strings, numbers and JSON, which always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::internal(format!("the record of a job cannot be read: {error}"))
        })
    }
}

/// Ids as texts.
mod id {
    use fhir::Id;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(id: &Id, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(id.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        Id::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
