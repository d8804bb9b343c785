//! Refusals and failures as OperationOutcome with an HTTP status.

use app::{Error, Kind};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use wire::acr::{PHISHING_RESISTANT, TWO_FACTORS};

/// Media type of FHIR JSON.
pub const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// Media type of FHIR XML.
pub const FHIR_XML: &str = "application/fhir+xml; charset=utf-8";

/// A request that HTTP itself refuses, with its status.
#[derive(Debug)]
pub struct Refusal {
    /// The status: 405, 406, 413, 415 and their like.
    pub status: StatusCode,
    /// What to tell.
    pub message: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = match self.status {
            StatusCode::BAD_REQUEST => "value",
            StatusCode::NOT_FOUND => "not-found",
            StatusCode::PAYLOAD_TOO_LARGE => "too-long",
            _ => "not-supported",
        };
        let body = outcome(&Error::invalid(code, self.message));
        let headers = [(header::CONTENT_TYPE, FHIR_JSON), (header::CACHE_CONTROL, "no-store")];
        (self.status, headers, body).into_response()
    }
}

/// A refusal by HTTP or by a use case.
#[derive(Debug)]
pub enum Refused {
    /// By HTTP.
    Http(Refusal),
    /// By a use case, or because the content is faulty.
    App(Error),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Http(refusal)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::App(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Http(refusal) => refusal.into_response(),
            Self::App(error) => Failure(error).into_response(),
        }
    }
}

/// An error on its way out of the API.
#[derive(Debug)]
pub struct Failure(pub Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// The HTTP status and issue code of an error kind.
pub fn status(kind: &Kind) -> (StatusCode, &'static str) {
    match kind {
        Kind::Invalid(code) => (StatusCode::BAD_REQUEST, code),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "login"),
        Kind::StepUp { .. } => (StatusCode::UNAUTHORIZED, "login"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        Kind::NotFound => (StatusCode::NOT_FOUND, "not-found"),
        Kind::Gone => (StatusCode::GONE, "deleted"),
        Kind::Conflict => (StatusCode::CONFLICT, "conflict"),
        Kind::Precondition => (StatusCode::PRECONDITION_FAILED, "conflict"),
        Kind::MultipleMatches => (StatusCode::PRECONDITION_FAILED, "multiple-matches"),
        Kind::Unprocessable => (StatusCode::UNPROCESSABLE_ENTITY, "business-rule"),
        Kind::TooCostly => (StatusCode::FORBIDDEN, "too-costly"),
        Kind::NotSupported => (StatusCode::METHOD_NOT_ALLOWED, "not-supported"),
        Kind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "throttled"),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "exception"),
    }
}

/// The OperationOutcome of an error, as JSON text.
pub fn outcome(error: &Error) -> String {
    if let (Some(outcome), None) = (&error.outcome, &error.expression) {
        return outcome.clone();
    }
    let (_, code) = status(&error.kind);
    let diagnostics = match error.kind {
        Kind::Internal => "the node failed; its log says why",
        _ => &error.message,
    };
    let mut issue = json!({"severity": "error", "code": code, "diagnostics": diagnostics});
    if let Some(expression) = &error.expression {
        issue["expression"] = json!([expression]);
    }
    if let Some(rule) = &error.rule {
        issue["details"] = json!({"coding": [{
            "system": "https://consilium.health/fhir/CodeSystem/policy-rule", "code": rule
        }]});
    }
    let mut body = json!({"resourceType": "OperationOutcome", "issue": [issue]});
    // The entry of a Bundle comes first, then what is wrong inside of it.
    let detailed = error.outcome.as_ref().and_then(|text| serde_json::from_str(text).ok());
    if let Some(mut detailed) = detailed.map(|mut outcome: Value| outcome["issue"].take())
        && let (Some(all), Some(more)) = (body["issue"].as_array_mut(), detailed.as_array_mut())
    {
        all.append(more);
    }
    body.to_string()
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, _) = status(&self.0.kind);
        if self.0.kind == Kind::Internal {
            tracing::error!(reason = %self.0.message, "a request failed");
        }
        let mut response = (status, outcome(&self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let challenge = match self.0.kind {
            // RFC 6750, section 3.1.
            Kind::Unauthenticated if self.0.rule.as_deref() == Some("invalid-token") => {
                Some("Bearer error=\"invalid_token\"".to_owned())
            }
            Kind::Unauthenticated => Some("Bearer".to_owned()),
            Kind::Forbidden
                if self.0.rule.as_deref() == Some(app::authorise::INSUFFICIENT_SCOPE) =>
            {
                Some("Bearer error=\"insufficient_scope\"".to_owned())
            }
            // RFC 9470, step up authentication challenge.
            Kind::StepUp { max_age_s } => {
                let acr = match self.0.rule.as_deref() {
                    Some("passkey-needed") => PHISHING_RESISTANT.to_owned(),
                    _ => format!("{TWO_FACTORS} {PHISHING_RESISTANT}"),
                };
                Some(format!(
                    "Bearer error=\"insufficient_user_authentication\", acr_values=\"{acr}\", max_age=\"{max_age_s}\""
                ))
            }
            _ => None,
        };
        if let Some(value) = challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        if self.0.kind == Kind::Busy {
            headers.insert(HeaderName::from_static("retry-after"), HeaderValue::from_static("1"));
        }
        response
    }
}
