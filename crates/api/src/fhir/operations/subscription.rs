//! Operations on subscriptions: how they stand, what they told, and tokens for websockets
//! (Subscriptions R4 Backport guide).

use app::notify::Status;
use app::notify::definition::Content;
use app::notify::resend::{Wanted, resend};
use app::notify::status::{self, Replay};
use app::{App, Error};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use fhir::{Id, Value};
use serde_json::{Value as Json, json};

use super::{Operation, Parameters};
use crate::fhir::{Asked, answer, websocket};
use crate::outcome::Failure;

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    of_subscription(
        "status",
        "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status",
    ),
    of_subscription(
        "events",
        "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-events",
    ),
    of_subscription(
        "resend",
        "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-resend",
    ),
    of_subscription(
        "get-ws-binding-token",
        "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-get-ws-binding-token",
    ),
];

const fn of_subscription(name: &'static str, definition: &'static str) -> Operation {
    Operation { name, definition, types: &["Subscription"] }
}

type Answered = Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/Subscription/$status", get(status_of_all).post(status_of_all))
        .route("/fhir/Subscription/{id}/$status", get(status_of_one).post(status_of_one))
        .route("/fhir/Subscription/{id}/$events", get(events).post(events))
        .route("/fhir/Subscription/{id}/$resend", post(send_again))
        .route("/fhir/Subscription/$get-ws-binding-token", get(token).post(token))
        .route(
            "/fhir/Subscription/{id}/$get-ws-binding-token",
            get(token_of_one).post(token_of_one),
        )
}

/// The parameters of a call, from the address and from a Parameters resource.
fn inputs(
    query: Option<String>,
    body: &Bytes,
    known: &[&str],
) -> Result<Vec<(String, String)>, Failure> {
    let query = query.unwrap_or_default();
    let mut inputs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    inputs.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
    if !body.is_empty() {
        let parameters = Parameters::read(body)?;
        let list = parameters.0.root().get("parameter");
        for parameter in list.into_iter().flat_map(Value::items) {
            let name = parameter.str_at("name").unwrap_or_default().into_owned();
            let value = parameter.members().find(|member| member.name().starts_with("value"));
            let value = value.and_then(|member| match member.value.as_str() {
                Some(text) => Some(text.into_owned()),
                None => member.value.as_number().map(str::to_owned),
            });
            inputs.push((name, value.unwrap_or_default()));
        }
    }
    match inputs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        None => Ok(inputs),
        Some((name, _)) => {
            let name: String = name.chars().take(40).collect();
            let message = format!("`{name}` is not a parameter of this operation");
            Err(Error::invalid("not-supported", message).into())
        }
    }
}

fn id_of(text: &str) -> Result<Id, Failure> {
    let text = text.rsplit('/').next().unwrap_or_default();
    Id::new(text).map_err(|e| Error::invalid("value", e.to_string()).into())
}

fn ids_in(inputs: &[(String, String)]) -> Result<Vec<Id>, Failure> {
    let named = inputs.iter().filter(|(name, _)| name == "id");
    named.flat_map(|(_, value)| value.split(',')).map(id_of).collect()
}

async fn status_of_all(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let inputs = inputs(query, &body, &["id", "status"])?;
    let ids = ids_in(&inputs)?;
    let named = inputs.iter().filter(|(name, _)| name == "status");
    let statuses = named
        .flat_map(|(_, value)| value.split(','))
        .map(|code| {
            Status::find(code).ok_or_else(|| {
                Error::invalid("value", "`status` must be requested, active, error or off")
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let found =
        app.run(move |app| Ok((status::status(app, &caller, &ids, &statuses)?, base(app)))).await?;
    Ok(searchset(found))
}

async fn status_of_one(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    inputs(query, &body, &[])?;
    let id = id_of(&id)?;
    let (found, base) =
        app.run(move |app| Ok((status::status(app, &caller, &[id], &[])?, base(app)))).await?;
    if found.is_empty() {
        return Err(Error::not_found().into());
    }
    Ok(searchset((found, base)))
}

fn base(app: &App) -> String {
    format!("{}/fhir", app.org().base_url)
}

fn searchset((found, base): (Vec<(Id, Json)>, String)) -> Response {
    let entries: Vec<Json> = found
        .iter()
        .map(|(id, status)| {
            let url = format!("{base}/Subscription/{id}/$status");
            json!({"fullUrl": url, "resource": status, "search": {"mode": "match"}})
        })
        .collect();
    let mut bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "total": entries.len(),
        "link": [{"relation": "self", "url": format!("{base}/Subscription/$status")}],
    });
    if !entries.is_empty() {
        bundle["entry"] = Json::Array(entries);
    }
    answer::json(StatusCode::OK, bundle.to_string())
}

async fn events(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let inputs = inputs(query, &body, &["eventsSinceNumber", "eventsUntilNumber", "content"])?;
    let id = id_of(&id)?;
    let mut replay = Replay::default();
    for (name, value) in &inputs {
        match name.as_str() {
            "eventsSinceNumber" => replay.since = Some(number(name, value)?),
            "eventsUntilNumber" => replay.until = Some(number(name, value)?),
            _ => {
                replay.content = Some(Content::find(value).ok_or_else(|| {
                    Error::invalid("value", "`content` must be empty, id-only or full-resource")
                })?);
            }
        }
    }
    let body = app.run(move |app| status::events(app, &caller, &id, replay)).await?;
    Ok(answer::json(StatusCode::OK, body))
}

fn number(name: &str, value: &str) -> Result<u64, Error> {
    let bad = |_| Error::invalid("value", format!("`{name}` must be the number of an event"));
    value.parse().map_err(bad)
}

async fn send_again(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    const KNOWN: [&str; 4] =
        ["eventsSinceNumber", "eventsUntilNumber", "eventsSinceInstant", "eventsUntilInstant"];
    let inputs = inputs(query, &body, &KNOWN)?;
    let id = id_of(&id)?;
    let mut wanted = Wanted::default();
    for (name, value) in &inputs {
        let instant = || {
            let bad = || Error::invalid("value", format!("`{name}` must be an instant"));
            fhir::time::parse(value).ok_or_else(bad)
        };
        match name.as_str() {
            "eventsSinceNumber" => wanted.since = Some(number(name, value)?),
            "eventsUntilNumber" => wanted.until = Some(number(name, value)?),
            "eventsSinceInstant" => wanted.since_ms = Some(instant()?.start_ms),
            _ => wanted.until_ms = Some(instant()?.end_ms.saturating_sub(1)),
        }
    }
    let again = app.run(move |app| resend(app, &caller, &id, wanted)).await?;
    let said = match again {
        Some(again) => format!("events {} to {} will be sent again", again.from, again.to),
        None => "there is nothing to be sent again".to_owned(),
    };
    let outcome = json!({
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "information", "code": "informational", "diagnostics": said}],
    });
    Ok(answer::json(StatusCode::OK, outcome.to_string()))
}

async fn token(
    State(app): State<App>,
    asked: Asked,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let ids = ids_in(&inputs(query, &body, &["id"])?)?;
    bind(app, asked, ids).await
}

async fn token_of_one(
    State(app): State<App>,
    asked: Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    inputs(query, &body, &[])?;
    let id = id_of(&id)?;
    bind(app, asked, vec![id]).await
}

async fn bind(app: App, Asked(caller): Asked, ids: Vec<Id>) -> Answered {
    let url = websocket::url(&app);
    let binding = app.run(move |app| status::binding(app, &caller, ids)).await?;
    let mut list = vec![
        json!({"name": "token", "valueString": binding.token}),
        json!({"name": "expiration", "valueDateTime": fhir::time::instant(binding.expires_ms)}),
    ];
    list.extend(
        binding
            .subscriptions
            .iter()
            .map(|id| json!({"name": "subscription", "valueString": id.as_str()})),
    );
    list.push(json!({"name": "websocket-url", "valueUrl": url}));
    let body = json!({"resourceType": "Parameters", "parameter": list});
    Ok(answer::json(StatusCode::OK, body.to_string()))
}
