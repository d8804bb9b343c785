//! `Patient/[id]/$everything` and `Encounter/[id]/$everything`: one Bundle, sent while it is read.

use app::records::everything::{Everything, Wanted, everything};
use app::{App, Caller, Error, Kind, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use fhir::Id;
use futures_util::stream;
use store::Key;
use tokio::sync::mpsc;

use super::Operation;
use super::parameters::{self, Pairs};
use crate::fhir::{Asked, answer};
use crate::outcome::{FHIR_JSON, Failure};

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "everything",
        definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        types: &["Patient"],
    },
    Operation {
        name: "everything",
        definition: "http://hl7.org/fhir/OperationDefinition/Encounter-everything",
        types: &["Encounter"],
    },
];

/// Pieces that wait for a slow client; the reading waits with them.
const AHEAD: usize = 4;

/// About what an entry takes besides the resource and the server's address, in bytes.
const ROOM: usize = 160;

type Answered = std::result::Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/Patient/$everything", get(own).post(own))
        .route("/fhir/Patient/{id}/$everything", get(patient).post(patient))
        .route("/fhir/Encounter/{id}/$everything", get(encounter).post(encounter))
}

/// Without an id it is the record of the patient who asks.
async fn own(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let Some(id) = caller.user.patient.clone() else {
        let message =
            "name a patient: `Patient/[id]/$everything`; for all of them, `Patient/$export`";
        return Err(Error::new(Kind::NotSupported, message).into());
    };
    answered(app, caller, Key { resource_type: "Patient", id }, query, &body).await
}

async fn patient(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let id = Id::new(id).map_err(|e| Error::invalid("value", e.to_string()))?;
    answered(app, caller, Key { resource_type: "Patient", id }, query, &body).await
}

async fn encounter(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let id = Id::new(id).map_err(|e| Error::invalid("value", e.to_string()))?;
    answered(app, caller, Key { resource_type: "Encounter", id }, query, &body).await
}

async fn answered(
    app: App,
    caller: Caller,
    key: Key,
    query: Option<String>,
    body: &Bytes,
) -> Answered {
    let pairs = parameters::pairs(query.as_deref(), body)?;
    let (wanted, count) = wanted(&pairs, key.resource_type)?;
    if let Some(count) = count {
        let page = app
            .run(move |app| {
                let found = everything(app, &caller, &key, wanted)?;
                let page = found.first_page(app, &caller, count)?;
                Ok(answer::searchset(app, &page))
            })
            .await?;
        return Ok(answer::json(StatusCode::OK, page));
    }
    let found = app.run(move |app| everything(app, &caller, &key, wanted)).await?;
    let headers = [(header::CONTENT_TYPE, FHIR_JSON), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, stream_of(app, found)).into_response())
}

fn wanted(pairs: &Pairs, resource_type: &str) -> Result<(Wanted, Option<usize>)> {
    let (mut wanted, mut count) = (Wanted::default(), None);
    for (name, value) in pairs {
        let bad = || Error::invalid("value", format!("`{name}` has a value that cannot be read"));
        let date = || fhir::time::parse(value).ok_or_else(bad);
        match name.as_str() {
            "start" if resource_type == "Patient" => wanted.start = Some(date()?),
            "end" if resource_type == "Patient" => wanted.end = Some(date()?),
            "_since" => wanted.since_ms = Some(date()?.start_ms),
            "_type" => {
                for kind in value.split(',') {
                    let kind = fhir::resource_type(kind.trim()).ok_or_else(|| {
                        Error::invalid("value", "`_type` names something that is no resource type")
                    })?;
                    wanted.types.push(kind);
                }
            }
            "_count" => {
                let most = store::query::MAX_COUNT as usize;
                count = Some(value.parse::<usize>().map_err(|_| bad())?.clamp(1, most));
            }
            _ => return Err(parameters::unknown(name)),
        }
    }
    Ok((wanted, count))
}

/// The Bundle as it is read. The number of entries is known and said at the end.
fn stream_of(app: App, found: Everything) -> Body {
    let (sender, receiver) = mpsc::channel::<std::result::Result<Bytes, std::io::Error>>(AHEAD);
    tokio::task::spawn_blocking(move || {
        let base = format!("{}/fhir", app.org().base_url);
        let start = "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":[";
        let mut text = start.to_owned();
        let mut total = 0;
        let outcome = found.load(&app, |stored| {
            let size = stored.iter().map(|one| one.text.len() + base.len() + ROOM).sum();
            text.reserve(size);
            if total > 0 && !stored.is_empty() {
                text.push(',');
            }
            for one in &stored {
                answer::push_match(&mut text, &base, one);
            }
            total += stored.len();
            sender.blocking_send(Ok(Bytes::from(std::mem::take(&mut text)))).is_ok()
        });
        match outcome {
            Ok(()) => {
                text.push_str(&format!("],\"total\":{total}}}"));
                // A client that has gone needs no end.
                let _ = sender.blocking_send(Ok(Bytes::from(text)));
            }
            Err(error) => {
                tracing::error!(error = %error.message, "a record could not be read to its end");
                // The connection is broken off, so that nobody takes the part for the whole.
                let _ = sender.blocking_send(Err(std::io::Error::other("incomplete")));
            }
        }
    });
    Body::from_stream(stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    }))
}
