//! Refused requests.

use serde_json::{Value as Json, json};

use super::{API_VERSION, Beacon, Granularity, PAGE};

/// Why a request was refused. The message names the parameter and the rule, never what was in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BeaconError {
    /// The HTTP status, also the error code.
    pub status: u16,
    /// For people.
    pub message: String,
}

impl BeaconError {
    /// A request that is not well formed: 400.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into() }
    }

    /// A request that nobody may make here: 403.
    #[must_use]
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self { status: 403, message: message.into() }
    }

    /// What there is not: 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self { status: 404, message: "there is no such entry".to_owned() }
    }

    /// Too much was asked: 429.
    #[must_use]
    pub fn exhausted(message: impl Into<String>) -> Self {
        Self { status: 429, message: message.into() }
    }

    /// The body. What was received is not repeated: it may be anything.
    #[must_use]
    pub fn body(&self, beacon: &Beacon) -> Json {
        json!({
            "meta": {
                "beaconId": beacon.id,
                "apiVersion": API_VERSION,
                "returnedSchemas": [],
                "returnedGranularity": Granularity::Boolean.as_str(),
                "receivedRequestSummary": {
                    "apiVersion": API_VERSION,
                    "requestedSchemas": [],
                    "pagination": {"skip": 0, "limit": PAGE},
                    "requestedGranularity": Granularity::Boolean.as_str(),
                },
            },
            "error": {"errorCode": self.status, "errorMessage": self.message},
        })
    }
}
