//! Operations on terminology: `ValueSet/$expand`, `ValueSet/$validate-code`,
//! `CodeSystem/$validate-code`, `CodeSystem/$lookup`, `CodeSystem/$subsumes` and
//! `ConceptMap/$translate`, on a type or on one stored resource, by GET or by POST of Parameters.

mod given;
mod questions;

use std::sync::Arc;

use ::terminology::Terminology;
use app::{App, Caller, Error};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use fhir::{Document, Id};

use super::Operation;
use crate::fhir::{Asked, answer as respond};
use crate::outcome::Failure;
use given::{Given, Parameter, Takes, parameter as one, parameters as many};

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    of("expand", "http://hl7.org/fhir/OperationDefinition/ValueSet-expand", &["ValueSet"]),
    of(
        "validate-code",
        "http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code",
        &["ValueSet"],
    ),
    of(
        "validate-code",
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code",
        &["CodeSystem"],
    ),
    of("lookup", "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup", &["CodeSystem"]),
    of("subsumes", "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes", &["CodeSystem"]),
    of(
        "translate",
        "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate",
        &["ConceptMap"],
    ),
];

const fn of(
    name: &'static str,
    definition: &'static str,
    types: &'static [&'static str],
) -> Operation {
    Operation { name, definition, types }
}

/// One question with everything it needs.
struct Question<'a> {
    app: &'a App,
    terms: Arc<Terminology>,
    given: Given,
    /// The stored resource, where the operation was called on one.
    instance: Option<Document>,
    /// `Accept-Language`, where the parameters name no language.
    language: Option<String>,
}

type Ask = fn(&Question<'_>) -> Result<String, Error>;

/// Bodies up to this length may be read where others wait.
const SHORT: usize = 16 * 1024;

/// An operation: where it is, what it takes and who answers.
struct Door {
    resource_type: &'static str,
    name: &'static str,
    /// Whether it can be called on a stored resource.
    on_instance: bool,
    parameters: &'static [Parameter],
    /// Whether a question is answered in microseconds, so that handing it to another thread would
    /// cost more than answering it; `false` for all where preparing the answer may take a while.
    at_once: fn(&Question<'_>) -> bool,
    ask: Ask,
}

static DOORS: [Door; 6] = [
    Door {
        resource_type: "ValueSet",
        name: "expand",
        on_instance: true,
        parameters: EXPAND,
        at_once: |_| false,
        ask: questions::expand,
    },
    Door {
        resource_type: "ValueSet",
        name: "validate-code",
        on_instance: true,
        parameters: VALIDATE_IN_SET,
        at_once: questions::is_prepared,
        ask: questions::validate_in_set,
    },
    Door {
        resource_type: "CodeSystem",
        name: "validate-code",
        on_instance: true,
        parameters: VALIDATE_IN_SYSTEM,
        at_once: questions::is_of_known_system,
        ask: questions::validate_in_system,
    },
    Door {
        resource_type: "CodeSystem",
        name: "lookup",
        on_instance: false,
        parameters: LOOKUP,
        at_once: |_| true,
        ask: questions::lookup,
    },
    Door {
        resource_type: "CodeSystem",
        name: "subsumes",
        on_instance: true,
        parameters: SUBSUMES,
        at_once: questions::is_of_known_system,
        ask: questions::subsumes,
    },
    Door {
        resource_type: "ConceptMap",
        name: "translate",
        on_instance: true,
        parameters: TRANSLATE,
        at_once: |_| false,
        ask: questions::translate,
    },
];

const EXPAND: &[Parameter] = &[
    one("url", Takes::Text),
    one("valueSet", Takes::Resource),
    one("valueSetVersion", Takes::Text),
    one("context", Takes::Text),
    one("contextDirection", Takes::Text),
    one("filter", Takes::Text),
    one("date", Takes::Text),
    one("offset", Takes::Number),
    one("count", Takes::Number),
    one("includeDesignations", Takes::Flag),
    many("designation", Takes::Text),
    one("includeDefinition", Takes::Flag),
    one("activeOnly", Takes::Flag),
    one("excludeNested", Takes::Flag),
    one("excludeNotForUI", Takes::Flag),
    one("excludePostCoordinated", Takes::Flag),
    one("displayLanguage", Takes::Text),
    many("exclude-system", Takes::Text),
    many("system-version", Takes::Text),
    many("check-system-version", Takes::Text),
    many("force-system-version", Takes::Text),
];

const VALIDATE_IN_SET: &[Parameter] = &[
    one("url", Takes::Text),
    one("context", Takes::Text),
    one("valueSet", Takes::Resource),
    one("valueSetVersion", Takes::Text),
    one("code", Takes::Text),
    one("system", Takes::Text),
    one("systemVersion", Takes::Text),
    one("display", Takes::Text),
    one("coding", Takes::Element),
    one("codeableConcept", Takes::Element),
    one("date", Takes::Text),
    one("abstract", Takes::Flag),
    one("displayLanguage", Takes::Text),
    one("inferSystem", Takes::Flag),
    one("activeOnly", Takes::Flag),
    one("lenient-display-validation", Takes::Flag),
    many("system-version", Takes::Text),
    many("check-system-version", Takes::Text),
    many("force-system-version", Takes::Text),
];

const VALIDATE_IN_SYSTEM: &[Parameter] = &[
    one("url", Takes::Text),
    one("codeSystem", Takes::Resource),
    one("code", Takes::Text),
    one("version", Takes::Text),
    one("display", Takes::Text),
    one("coding", Takes::Element),
    one("codeableConcept", Takes::Element),
    one("date", Takes::Text),
    one("abstract", Takes::Flag),
    one("displayLanguage", Takes::Text),
    one("lenient-display-validation", Takes::Flag),
];

const LOOKUP: &[Parameter] = &[
    one("code", Takes::Text),
    one("system", Takes::Text),
    one("version", Takes::Text),
    one("coding", Takes::Element),
    one("date", Takes::Text),
    one("displayLanguage", Takes::Text),
    many("property", Takes::Text),
];

const SUBSUMES: &[Parameter] = &[
    one("codeA", Takes::Text),
    one("codeB", Takes::Text),
    one("system", Takes::Text),
    one("version", Takes::Text),
    one("codingA", Takes::Element),
    one("codingB", Takes::Element),
];

const TRANSLATE: &[Parameter] = &[
    one("url", Takes::Text),
    one("conceptMap", Takes::Resource),
    one("conceptMapVersion", Takes::Text),
    one("code", Takes::Text),
    one("system", Takes::Text),
    one("version", Takes::Text),
    one("source", Takes::Text),
    one("coding", Takes::Element),
    one("codeableConcept", Takes::Element),
    one("target", Takes::Text),
    one("targetsystem", Takes::Text),
    many("dependency", Takes::Element),
    one("reverse", Takes::Flag),
];

pub fn routes() -> Router<App> {
    let mut router = Router::new();
    for door in &DOORS {
        let serve = move |State(app): State<App>,
                          Asked(caller): Asked,
                          id: Option<Path<String>>,
                          RawQuery(query): RawQuery,
                          method: Method,
                          headers: HeaderMap,
                          body: Bytes| async move {
            let request = Request { query, method, headers, body };
            answer(door, app, caller, id.map(|Path(id)| id), request).await
        };
        let (kind, name) = (door.resource_type, door.name);
        router = router.route(&format!("/fhir/{kind}/${name}"), get(serve).post(serve));
        if door.on_instance {
            router = router.route(&format!("/fhir/{kind}/{{id}}/${name}"), get(serve).post(serve));
        }
    }
    router
}

/// What came over HTTP.
struct Request {
    query: Option<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

async fn answer(
    door: &'static Door,
    app: App,
    caller: Caller,
    id: Option<String>,
    request: Request,
) -> Result<Response, Failure> {
    let id = id.map(Id::new).transpose().map_err(|e| Error::invalid("value", e.to_string()))?;
    let Request { query, method, headers, body } = request;
    let body = (method == Method::POST).then_some(body);
    let language = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = language.map(str::to_owned);
    let is_short = body.as_ref().is_none_or(|body| body.len() <= SHORT);
    if is_short
        && id.is_none()
        && let Some(terms) = app::terminology::ready(&app, &caller, door.resource_type)
    {
        let given = Given::read(door.parameters, query.as_deref(), body.as_ref(), app.now_ms())?;
        let language = language.clone();
        let question = Question { app: &app, terms, given, instance: None, language };
        if (door.at_once)(&question) {
            return Ok(respond::json(StatusCode::OK, (door.ask)(&question)?));
        }
    }
    let body = app
        .run(move |app| {
            let given =
                Given::read(door.parameters, query.as_deref(), body.as_ref(), app.now_ms())?;
            let (terms, instance) = match id {
                Some(id) => {
                    let (terms, instance) =
                        app::terminology::stored(app, &caller, door.resource_type, id)?;
                    (terms, Some(instance))
                }
                None => (app::terminology::ask(app, &caller, door.resource_type)?, None),
            };
            (door.ask)(&Question { app, terms, given, instance, language })
        })
        .await?;
    Ok(respond::json(StatusCode::OK, body))
}
