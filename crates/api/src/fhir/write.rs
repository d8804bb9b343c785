//! Create, update, patch and delete, each also under a condition.

use app::records::bundle::{query_pairs, representation};
use app::records::condition::{Params, Standing};
use app::records::patch::{JSON_PATCH, Patch, XML_PATCH};
use app::records::write::Written;
use app::records::{delete, patch, write};
use app::{App, Caller, Error};
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fhir::Resource;

use super::media::{self, Form};
use super::prefer::Return;
use super::{Answered, Asked, answer, binary, key, known_type, parse, unsupported_media};
use crate::outcome::{Failure, Refusal};

/// The media type of a body, where it is stated.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

/// The resource in a body, read where it may take long. A missing type is taken for JSON; for a
/// Binary other contents are wrapped.
struct Content {
    headers: HeaderMap,
    body: Bytes,
    kind: &'static str,
}

impl Content {
    /// Refuses media types that are no resource.
    fn of(headers: HeaderMap, body: Bytes, kind: &'static str) -> Result<Self, Refusal> {
        let media_type = content_type(&headers);
        let known = media_type.is_none_or(|name| media::of_content(name) == Some(Form::Json));
        if !known && kind != "Binary" {
            return Err(unsupported_media(
                "send a resource as `application/fhir+json` or `application/fhir+xml`",
            ));
        }
        Ok(Self { headers, body, kind })
    }

    /// The resource; `id` is where a wrapped content goes.
    fn resource(self, id: Option<&str>) -> Result<Resource, Error> {
        match self.kind {
            "Binary" => binary::resource(&self.headers, &self.body, id),
            _ => parse(&self.body),
        }
    }
}

/// What must stand, from `If-Match` and `If-None-Match`.
fn standing(headers: &HeaderMap) -> Result<Standing, Error> {
    let text = |name| headers.get(name).map(|v: &HeaderValue| v.to_str().unwrap_or_default());
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (Some(tags), _) => Standing::if_match(tags),
        (None, Some(tag)) if tag.trim() == "*" => Ok(Standing::Nothing),
        (None, Some(_)) => Err(Error::invalid(
            "not-supported",
            "`If-None-Match` of a write can only be `*`; state versions in `If-Match`",
        )),
        (None, None) => Ok(Standing::Anything),
    }
}

/// The search of a conditional interaction.
fn condition(query: Option<String>) -> Result<Params, Error> {
    let mut params = query_pairs(query.as_deref().unwrap_or_default());
    params.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
    if params.is_empty() {
        let message = "name the resource by `[type]/[id]`, or by a search: `[type]?[parameters]`";
        return Err(Error::invalid("required", message));
    }
    Ok(params)
}

fn shown(app: &App, written: &Written, wish: Option<Return>) -> Result<Response, Error> {
    let wish = wish.unwrap_or(Return::Representation);
    let text = match wish {
        Return::Representation => representation(app, written)?.map(|stored| stored.text),
        Return::Minimal | Return::Outcome => None,
    };
    Ok(answer::written(app, written, text, wish))
}

/// `POST [type]`, with `If-None-Exist`.
pub async fn create(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let kind = known_type(&kind)?;
    let condition = match headers.get("if-none-exist") {
        Some(value) => {
            let text = value.to_str().map_err(|_| {
                Error::invalid("value", "`If-None-Exist` is a search: `parameter=value`")
            })?;
            // Some clients send the type along.
            let (_, query) = text.split_once('?').unwrap_or(("", text));
            Some(query_pairs(query))
        }
        None => None,
    };
    let wish = Return::preferred(&headers);
    let content = match Content::of(headers, body, kind) {
        Ok(content) => content,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    app.run(move |app| {
        let resource = content.resource(None)?;
        let written = write::create(app, &caller, kind, resource, condition.as_deref())?;
        shown(app, &written, wish)
    })
    .await
    .map_err(Failure)
}

/// `PUT [type]/[id]`.
pub async fn update(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let key = key(&kind, &id)?;
    let (wish, standing) = (Return::preferred(&headers), standing(&headers)?);
    let content = match Content::of(headers, body, key.resource_type) {
        Ok(content) => content,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    app.run(move |app| {
        let resource = content.resource(Some(key.id.as_str()))?;
        let written = write::update(app, &caller, key, resource, &standing)?;
        shown(app, &written, wish)
    })
    .await
    .map_err(Failure)
}

/// `PUT [type]?[search]`.
pub async fn update_matching(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let kind = known_type(&kind)?;
    let params = condition(query)?;
    let (wish, standing) = (Return::preferred(&headers), standing(&headers)?);
    let content = match Content::of(headers, body, kind) {
        Ok(content) => content,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    app.run(move |app| {
        let resource = content.resource(None)?;
        let written = write::update_matching(app, &caller, kind, &params, resource, &standing)?;
        shown(app, &written, wish)
    })
    .await
    .map_err(Failure)
}

/// The forms of patches that [`patch_of`] reads, as the CapabilityStatement lists them.
pub const PATCH_FORMATS: [&str; 4] =
    [JSON_PATCH, XML_PATCH, "application/fhir+json", "application/fhir+xml"];

/// The patch in a body; a refusal for other media types names what is offered.
fn patch_of(headers: &HeaderMap, body: &[u8]) -> Result<Result<Patch, Error>, Refusal> {
    let kind = content_type(headers).unwrap_or_default();
    match (media::name(kind).as_str(), media::of_content(kind)) {
        (JSON_PATCH, _) => Ok(Patch::json(body.to_vec())),
        (_, Some(_)) => Ok(parse(body).and_then(Patch::fhirpath)),
        (XML_PATCH, _) => Ok(Patch::xml(body.to_vec())),
        _ => Err(unsupported_media(
            "send a patch as `application/json-patch+json` or `application/xml-patch+xml`, or as \
             Parameters in `application/fhir+json` or `application/fhir+xml`",
        )),
    }
}

/// `PATCH [type]/[id]`.
pub async fn patch_(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let key = key(&kind, &id)?;
    let (wish, standing) = (Return::preferred(&headers), standing(&headers)?);
    let change = match patch_of(&headers, &body) {
        Ok(change) => change?,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    app.run(move |app| {
        let written = patch::patch(app, &caller, &key, &change, &standing)?;
        shown(app, &written, wish)
    })
    .await
    .map_err(Failure)
}

/// `PATCH [type]?[search]`.
pub async fn patch_matching(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let kind = known_type(&kind)?;
    let params = condition(query)?;
    let (wish, standing) = (Return::preferred(&headers), standing(&headers)?);
    let change = match patch_of(&headers, &body) {
        Ok(change) => change?,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    app.run(move |app| {
        let written = patch::patch_matching(app, &caller, kind, &params, &change, &standing)?;
        shown(app, &written, wish)
    })
    .await
    .map_err(Failure)
}

/// `DELETE [type]/[id]`.
pub async fn delete_(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answered {
    let key = key(&kind, &id)?;
    let (wish, standing) = (Return::preferred(&headers), standing(&headers)?);
    let deleted = app.run(move |app| delete::delete(app, &caller, key, &standing)).await?;
    Ok(gone(deleted.as_slice(), wish))
}

/// `DELETE [type]?[search]`.
pub async fn delete_matching(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    let kind = known_type(&kind)?;
    let params = condition(query)?;
    let (wish, standing) = (Return::preferred(&headers), standing(&headers)?);
    let by = move |app: &App, caller: &Caller| {
        delete::delete_matching(app, caller, kind, &params, &standing)
    };
    let deleted = app.run(move |app| by(app, &caller)).await?;
    Ok(gone(&deleted, wish))
}

/// The answer to a deletion: 204, or 200 with an OperationOutcome where one is preferred.
fn gone(deleted: &[Written], wish: Option<Return>) -> Response {
    let mut response = match wish {
        Some(Return::Outcome) => {
            let text = format!("{} deleted", deleted.len());
            answer::json(StatusCode::OK, answer::information(&text))
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    };
    if let [one] = deleted
        && let Ok(tag) = HeaderValue::from_str(&format!("W/\"{}\"", one.version))
    {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
