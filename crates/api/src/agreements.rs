//! Agreements between institutions, for a steward's programs.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /steward/agreements` | | the agreements and the members without one |
//! | `POST /steward/agreements` | a draft, FHIR Contract | `{"agreement", "text", "version"}` |
//! | `GET /steward/agreements/{id}` | | how it stands, its versions and what differs |
//! | `GET /steward/agreements/{id}/export` | | every statement as it was signed |
//! | `POST /steward/agreements/{id}/versions/{text}` | a draft that changes that version | as above |
//! | `POST /steward/agreements/{id}/versions/{text}/challenge` | | `{"ceremony", "options"}` |
//! | `POST /steward/agreements/{id}/versions/{text}/signature` | `{"ceremony", "credential"}` | |
//! | `POST /steward/agreements/{id}/end` | `{"from"?, "reason"}` | |
//! | `POST /steward/agreements/{id}/breach` | `{"reason"}` | |
//! | `POST /steward/agreements/{id}/settle` | `{"breach", "reason"}` | |
//!
//! `text` is the hash of a version's exact text; `options` go to `navigator.credentials` and ask a
//! passkey to sign that hash.

use app::agreements::read::{self, Listed};
use app::agreements::say::{self, Proposed};
use app::agreements::sign;
use app::{App, Caller, Error};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use fhir::time::instant;
use policy::agreement::{Dossier, State as Standing, differences};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::auth::{self, Client};
use crate::outcome::Failure;

type Answer = Result<Response, Failure>;

/// The routes under `/steward/agreements`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(list).post(propose))
        .route("/{id}", get(one))
        .route("/{id}/export", get(export))
        .route("/{id}/versions/{text}", post(change))
        .route("/{id}/versions/{text}/challenge", post(challenge))
        .route("/{id}/versions/{text}/signature", post(signature))
        .route("/{id}/end", post(end))
        .route("/{id}/breach", post(breach))
        .route("/{id}/settle", post(settle))
        .with_state(app)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    #[serde(default)]
    from: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Breach {
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settle {
    breach: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    ceremony: String,
    credential: Value,
}

fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Failure> {
    Ok(serde_json::from_slice(bytes).map_err(|e| Error::invalid("structure", e.to_string()))?)
}

fn text(bytes: &Bytes) -> Result<String, Failure> {
    let text = String::from_utf8(bytes.to_vec());
    Ok(text.map_err(|_| Error::invalid("structure", "the body is not UTF-8"))?)
}

/// Runs a use case for whoever asks; `reads` as [`auth::caller`] has it.
async fn by_caller<T: Send + 'static>(
    app: &App,
    client: Client,
    headers: &HeaderMap,
    reads: bool,
    work: impl FnOnce(&App, &Caller) -> app::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let caller = auth::caller(app, headers, client, reads).await?;
    Ok(app.run(move |app| work(app, &caller)).await?)
}

/// The same for what is said about an agreement: a body, and no answer but that it was taken.
async fn said<T: DeserializeOwned + Send + 'static>(
    app: &App,
    client: Client,
    headers: &HeaderMap,
    bytes: &Bytes,
    work: impl FnOnce(&App, &Caller, T) -> app::Result<()> + Send + 'static,
) -> Answer {
    let caller = auth::caller(app, headers, client, false).await?;
    let body: T = body(bytes)?;
    app.run(move |app| work(app, &caller, body)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn list(State(app): State<App>, client: Client, headers: HeaderMap) -> Answer {
    let found = by_caller(&app, client, &headers, true, read::list).await?;
    let without = found.without.iter().map(|(org, name)| json!({"id": org, "name": name}));
    Ok(Json(json!({
        "agreements": found.list.iter().map(listed).collect::<Vec<_>>(),
        "without": without.collect::<Vec<_>>(),
        "common": found.common,
    }))
    .into_response())
}

fn listed(one: &Listed) -> Value {
    json!({
        "id": one.id, "title": one.title, "with": one.others, "state": word(one.state),
        "version": one.version, "from": instant(one.term.0), "until": instant(one.term.1),
        "ends": one.ends_ms.map(instant), "waits": one.waits,
    })
}

/// The word of a state.
pub(crate) fn word(state: Standing) -> &'static str {
    match state {
        Standing::Negotiated => "negotiated",
        Standing::Signed => "signed",
        Standing::InForce => "in-force",
        Standing::Suspended => "suspended",
        Standing::Expired => "expired",
        Standing::Ended => "ended",
    }
}

async fn one(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer {
    let agreement = id.clone();
    let work = move |app: &App, caller: &Caller| read::one(app, caller, &agreement);
    let dossier = by_caller(&app, client, &headers, true, work).await?;
    Ok(Json(shown(&id, &dossier, app.now_ms())?).into_response())
}

fn shown(id: &str, dossier: &Dossier, now_ms: i64) -> Result<Value, Failure> {
    let standing = dossier.standing(now_ms);
    let mut versions = Vec::new();
    for version in dossier.versions() {
        let terms = version.terms;
        let contract: Value = serde_json::from_str(&terms.text())
            .map_err(|e| Error::internal(format!("a text is not JSON: {e}")))?;
        let old = terms.replaces.as_ref().and_then(|hash| dossier.text(hash));
        let changes = old.map(|old| differences(old, terms)).unwrap_or_default();
        let changes = changes.iter().map(|change| {
            json!({
                "clause": change.clause, "part": format!("{:?}", change.part).to_lowercase(),
                "removed": change.removed, "added": change.added,
            })
        });
        let signatures = version.signatures.iter().map(
            |(org, steward, at)| json!({"party": org, "steward": steward, "at": instant(*at)}),
        );
        versions.push(json!({
            "text": version.hash, "version": terms.version, "replaces": terms.replaces,
            "proposedBy": version.proposed_by, "contract": contract,
            "signatures": signatures.collect::<Vec<_>>(),
            "since": version.since_ms.map(instant), "differences": changes.collect::<Vec<_>>(),
        }));
    }
    let breaches = dossier.breaches();
    let breaches = breaches.iter().map(|breach| {
        json!({
            "breach": breach.statement.hash, "by": breach.statement.issuer,
            "at": instant(breach.statement.at_ms), "reason": breach.reason,
            "settled": breach.settled.map(|one| instant(one.at_ms)),
        })
    });
    Ok(json!({
        "id": id, "state": word(standing.state), "text": standing.text,
        "ends": standing.ends_ms.map(instant), "versions": versions,
        "breaches": breaches.collect::<Vec<_>>(),
    }))
}

async fn export(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer {
    let work = move |app: &App, caller: &Caller| read::export(app, caller, &id);
    let export = by_caller(&app, client, &headers, true, work).await?;
    Ok(Json(export).into_response())
}

fn proposed(made: &Proposed) -> Response {
    let body = json!({"agreement": made.agreement, "text": made.text, "version": made.version});
    (StatusCode::CREATED, Json(body)).into_response()
}

async fn propose(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let draft = text(&bytes)?;
    let work = move |app: &App, caller: &Caller| say::propose(app, caller, &draft, None);
    let made = by_caller(&app, client, &headers, false, work).await?;
    Ok(proposed(&made))
}

async fn change(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path((id, version)): Path<(String, String)>,
    bytes: Bytes,
) -> Answer {
    let draft = text(&bytes)?;
    let work =
        move |app: &App, caller: &Caller| say::propose(app, caller, &draft, Some((&id, &version)));
    Ok(proposed(&by_caller(&app, client, &headers, false, work).await?))
}

async fn challenge(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
    Path((id, version)): Path<(String, String)>,
) -> Answer {
    let caller = auth::caller(&app, &headers, Client(address.clone()), false).await?;
    let token = auth::bearer(&headers).ok_or_else(auth::unauthenticated)?.to_owned();
    let begun =
        app.run(move |app| sign::begin(app, &caller, &token, &id, &version, &address)).await?;
    Ok(Json(json!({"ceremony": begun.ceremony, "options": begun.options})).into_response())
}

async fn signature(
    State(app): State<App>,
    Client(address): Client,
    headers: HeaderMap,
    Path((id, version)): Path<(String, String)>,
    bytes: Bytes,
) -> Answer {
    let caller = auth::caller(&app, &headers, Client(address.clone()), false).await?;
    let token = auth::bearer(&headers).ok_or_else(auth::unauthenticated)?.to_owned();
    let Signature { ceremony, credential } = body(&bytes)?;
    let credential = credential.to_string();
    app.run(move |app| {
        let answer =
            sign::Answer { ceremony: &ceremony, credential: &credential, address: &address };
        sign::finish(app, &caller, &token, &id, &version, &answer)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn end(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    let work = move |app: &App, caller: &Caller, End { from, reason }: End| {
        let no_time = || Error::invalid("value", "`from` is no date or time of FHIR");
        let from_ms = match from {
            None => app.now_ms(),
            Some(text) => fhir::time::parse(&text).ok_or_else(no_time)?.start_ms,
        };
        say::end(app, caller, &id, from_ms, &reason)
    };
    said(&app, client, &headers, &bytes, work).await
}

async fn breach(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    let work = move |app: &App, caller: &Caller, Breach { reason }: Breach| {
        say::breach(app, caller, &id, &reason)
    };
    said(&app, client, &headers, &bytes, work).await
}

async fn settle(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Answer {
    let work = move |app: &App, caller: &Caller, Settle { breach, reason }: Settle| {
        say::settle(app, caller, &id, &breach, &reason)
    };
    said(&app, client, &headers, &bytes, work).await
}
