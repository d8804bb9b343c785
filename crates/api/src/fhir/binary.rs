//! Binary: contents that are no resource, sent and read as they are (FHIR R4 binary).

use app::Error;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::json::quote;
use fhir::{Document, Resource};
use store::Stored;

use super::media::{self, Form};
use super::{Answered, answer, parse};
use crate::outcome::Failure;

/// Names the resource that decides who may see the content.
const SECURITY_CONTEXT: &str = "x-security-context";

/// The Binary in a body: the resource itself where the type says FHIR, or where it says JSON and
/// the content is a Binary; any other content is wrapped in one.
pub fn resource(headers: &HeaderMap, body: &[u8], id: Option<&str>) -> Result<Resource, Error> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(kind) = kind.filter(|kind| !media::is_fhir(kind)) else { return parse(body) };
    if media::of_content(kind) == Some(Form::Json)
        && let Ok(document) = Document::parse_bytes(body.to_vec())
        && document.root().get("resourceType").is_some_and(|kind| kind.is_str("Binary"))
    {
        return Resource::from_document(document)
            .map_err(|e| Error::invalid("structure", e.to_string()));
    }
    let mut text = "{\"resourceType\":\"Binary\"".to_owned();
    if let Some(id) = id {
        text += &format!(",\"id\":{}", quote(id));
    }
    text += &format!(",\"contentType\":{}", quote(kind));
    if let Some(context) = headers.get(SECURITY_CONTEXT) {
        let context = context.to_str().map_err(|_| {
            Error::invalid("value", "`X-Security-Context` is a reference: `Patient/1`")
        })?;
        text += &format!(",\"securityContext\":{{\"reference\":{}}}", quote(context));
    }
    text += &format!(",\"data\":\"{}\"}}", STANDARD.encode(body));
    Resource::parse(text).map_err(|e| Error::invalid("structure", e.to_string()))
}

/// A Binary as the client wants it: as a resource where it asks for FHIR, otherwise the content
/// with its own type. A browser is told to neither run nor guess it.
pub fn content(stored: Stored, request: &HeaderMap, query: Option<&str>) -> Answered {
    if wants_resource(request, query) {
        return Ok(answer::resource(stored, request));
    }
    let failed = |reason: &str| Failure(Error::internal(format!("a stored Binary {reason}")));
    let document = Document::parse(stored.text.as_str()).map_err(|_| failed("cannot be read"))?;
    let root = document.root();
    let data = root.str_at("data").unwrap_or_default();
    // Line breaks are part of base64 in FHIR, and not of its alphabet.
    let data: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(data.as_bytes()).map_err(|_| {
        Error::invalid("value", "the stored content is not valid base64; read it as a resource")
    })?;
    let unknown = HeaderValue::from_static("application/octet-stream");
    let kind = root.str_at("contentType").and_then(|kind| HeaderValue::from_str(&kind).ok());
    let mut response = (StatusCode::OK, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind.unwrap_or(unknown));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    Ok(answer::versioned(response, stored.version, stored.last_updated_ms))
}

/// Whether FHIR is asked for by name; a client that takes anything gets the content.
fn wants_resource(request: &HeaderMap, query: Option<&str>) -> bool {
    let format = query.and_then(|query| {
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "_format")
    });
    if format.is_some() {
        return true;
    }
    let accept = request.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.unwrap_or_default().split(',').any(|one| {
        media::is_fhir(one) || matches!(media::name(one).as_str(), "application/json" | "text/json")
    })
}
