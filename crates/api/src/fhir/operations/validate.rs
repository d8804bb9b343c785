//! `$validate` (FHIR R4, Resource/$validate): of the system, of a type, of an instance.

use app::records::validate::{self, Asked as Question, Mode};
use app::{App, Error};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use fhir::{Document, Value};
use store::Key;

use super::Operation;
use crate::fhir::{Asked, answer};
use crate::fhir::{key, known_type};
use crate::outcome::Failure;

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "validate",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        types: &["Resource"],
    },
    Operation {
        name: "validate",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        types: &[],
    },
];

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/$validate", post(of_system))
        .route("/fhir/{type}/$validate", post(of_type))
        .route("/fhir/{type}/{id}/$validate", post(of_instance).get(of_stored))
}

async fn of_system(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    answered(app, caller, None, None, query, body).await
}

async fn of_type(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let kind = if kind == "Resource" { None } else { Some(known_type(&kind)?) };
    answered(app, caller, kind, None, query, body).await
}

async fn of_instance(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let key = key(&kind, &id)?;
    answered(app, caller, Some(key.resource_type), Some(key), query, body).await
}

async fn of_stored(
    state: State<App>,
    asked: Asked,
    path: Path<(String, String)>,
    query: RawQuery,
) -> Answered {
    of_instance(state, asked, path, query, Bytes::new()).await
}

async fn answered(
    app: App,
    caller: app::Caller,
    resource_type: Option<&'static str>,
    key: Option<Key>,
    query: Option<String>,
    body: Bytes,
) -> Answered {
    let mut question =
        Question { resource_type, key, content: None, mode: Mode::General, profiles: Vec::new() };
    by_query(&mut question, &query.unwrap_or_default())?;
    by_body(&mut question, &body)?;
    let outcome = app.run(move |app| validate::validate(app, &caller, &question)).await?;
    Ok(answer::json(StatusCode::OK, outcome))
}

/// Takes parameters from the address.
fn by_query(question: &mut Question, query: &str) -> Result<(), Error> {
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "_format" | "_pretty" => {}
            name => set(question, name, &value)?,
        }
    }
    Ok(())
}

/// Takes the content, and parameters where it comes in a Parameters resource.
fn by_body(question: &mut Question, body: &Bytes) -> Result<(), Error> {
    if body.is_empty() {
        return Ok(());
    }
    let text = String::from_utf8(body.to_vec())
        .map_err(|_| Error::invalid("structure", "the body is not valid UTF-8"))?;
    let Ok(document) = Document::parse(text.as_str()) else {
        // That it is no JSON is for the answer to say.
        question.content = Some(text);
        return Ok(());
    };
    let root = document.root();
    let list = || root.get("parameter").into_iter().flat_map(Value::items);
    let named = |parameter: &Value<'_>, name: &str| {
        parameter.get("name").is_some_and(|own| own.is_str(name))
    };
    let parameters = root.get("resourceType").is_some_and(|kind| kind.is_str("Parameters"));
    // Parameters may also be what is to be validated.
    let call = ["resource", "mode", "profile"];
    let is_call = list().any(|one| call.iter().any(|name| named(&one, name)));
    if !parameters || question.resource_type == Some("Parameters") && !is_call {
        question.content = Some(text);
        return Ok(());
    }
    for parameter in list() {
        let name = parameter.str_at("name").unwrap_or_default();
        if name == "resource" {
            let resource = parameter.get("resource").ok_or_else(|| {
                Error::invalid("required", "the parameter `resource` holds no resource")
            })?;
            question.content = Some(resource.raw().to_owned());
            continue;
        }
        let value = parameter.members().find(|member| member.name().starts_with("value"));
        let value = value.and_then(|member| member.value.as_str()).unwrap_or_default();
        set(question, &name, &value)?;
    }
    Ok(())
}

fn set(question: &mut Question, name: &str, value: &str) -> Result<(), Error> {
    match (name, value) {
        ("mode", "create") => question.mode = Mode::Create,
        ("mode", "update") => question.mode = Mode::Update,
        ("mode", "delete") => question.mode = Mode::Delete,
        ("mode", "profile") => question.mode = Mode::General,
        ("mode", _) => {
            let message = "`mode` is `create`, `update`, `delete` or `profile`";
            return Err(Error::invalid("value", message));
        }
        ("profile", "") => {
            return Err(Error::invalid("value", "`profile` is the address of a profile"));
        }
        ("profile", url) => question.profiles.push(url.to_owned()),
        _ => {
            let name: String = name.chars().take(40).collect();
            let message = format!("`{name}` is not a parameter of this operation");
            return Err(Error::invalid("not-supported", message));
        }
    }
    Ok(())
}
