//! The door for other nodes, behind mutual TLS. Every request but `/health` carries a signed
//! assertion, which is checked here before a use case sees the message.

use std::sync::Arc;

use app::App;
use app::agreements::sync;
use app::audit::{reconcile, witness};
use app::catalog;
use app::cohorts;
use app::consent::{deliver, simulate};
use app::governance;
use app::locator::{answer as locator, keys as locator_keys};
use app::records::answer;
use app::rounds;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use federation::{Asserted, Inbound, PeerOrg};
use futures_util::stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{
    AccessesRequest, AddCheckpoint, AgreementsRequest, CatalogueRequest, CheckpointsRequest,
    CohortRequest, CouncilRequest, Delivery, Flag, Head, LocateRequest, LocatorKeyRequest,
    MatchRequest, OrgId, Publication, ReconcileRequest, RecordRequest, Refusal, RefusalCode,
    RoundsRequest, SimulateRequest, path,
};

/// Most bytes in a message of a peer.
const MAX_MESSAGE: usize = 2 * 1024 * 1024;
/// Bytes of a record that are put together before they are sent.
const CHUNK: usize = 64 * 1024;

#[derive(Clone)]
struct Door {
    app: App,
    inbound: Arc<Inbound>,
}

/// Everything that other nodes reach.
pub fn router(app: App, inbound: Arc<Inbound>) -> Router {
    Router::new()
        .route(path::HEALTH, get(|| async { StatusCode::OK }))
        .route(path::MATCH, post(match_))
        .route(path::RECORD, post(record))
        .route(path::DELIVER, post(deliver_))
        .route(path::ACCESSES, post(accesses))
        .route(path::SIMULATE, post(simulate_))
        .route(path::WITNESS, post(witness_))
        .route(path::CHECKPOINTS, post(checkpoints))
        .route(path::LOCATOR_KEY, post(locator_key))
        .route(path::LOCATOR_PUBLISH, post(publish))
        .route(path::LOCATOR_LOCATE, post(locate))
        .route(path::RECONCILE, post(reconcile_))
        .route(path::AGREEMENTS, post(agreements))
        .route(path::COUNCIL, post(council))
        .route(path::FLAG, post(flag))
        .route(path::ROUNDS, post(rounds_))
        .route(path::CATALOG, post(catalog_))
        .route(path::COHORTS, post(cohorts_))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_MESSAGE))
        .with_state(Door { app, inbound })
}

struct Refused(Refusal);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait = self.0.retry_after_s;
        let mut response = (status, axum::Json(self.0)).into_response();
        if let Some(seconds) = wait {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl Door {
    fn check(
        &self,
        PeerOrg(peer): &PeerOrg,
        headers: &HeaderMap,
        path: &str,
        body: &[u8],
    ) -> Result<Asserted, Refused> {
        let token = headers.get(wire::ASSERTION_HEADER).and_then(|value| value.to_str().ok());
        Ok(self.inbound.check(peer, token, "POST", path, body)?)
    }

    /// The answer as JSON; its length counts against what the peer may draw.
    fn json(&self, PeerOrg(peer): &PeerOrg, answer: &impl Serialize) -> Result<Response, Refused> {
        let text = serde_json::to_vec(answer);
        let text = text.map_err(|_| unavailable())?;
        self.inbound.sent(peer, text.len() as u64);
        Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
    }

    /// Checks the assertion, reads the message and runs the use case off the async threads.
    async fn answer<M, A>(
        &self,
        peer: &PeerOrg,
        headers: HeaderMap,
        path: &'static str,
        body: Bytes,
        work: impl FnOnce(&App, &Asserted, M) -> Result<A, Refusal> + Send + 'static,
    ) -> Result<A, Refused>
    where
        M: DeserializeOwned,
        A: Send + 'static,
    {
        let asserted = self.check(peer, &headers, path, &body)?;
        let app = self.app.clone();
        let work = move || {
            let message = serde_json::from_slice(&body).map_err(|_| {
                Refusal::new(RefusalCode::MessageInvalid, "the message cannot be read")
            })?;
            work(&app, &asserted, message)
        };
        Ok(tokio::task::spawn_blocking(work).await.map_err(|_| unavailable())??)
    }
}

fn unavailable() -> Refusal {
    Refusal::new(RefusalCode::Unavailable, "the node cannot answer at the moment")
}

async fn match_(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: MatchRequest| {
        answer::match_request(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::MATCH, body, work).await?;
    door.json(&peer, &answer)
}

async fn record(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let unknown = || Refusal::new(RefusalCode::Unavailable, "the node does not know its own name");
    let own = OrgId::new(&door.app.org().id).map_err(|_| unknown())?;
    let work = |app: &App, asserted: &Asserted, message: RecordRequest| {
        answer::record_request(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::RECORD, body, work).await?;
    let head = Head { organisation: own, expected: answer.resources.len() as u64 };
    let mut chunks = Vec::new();
    let mut chunk = head.to_line();
    for resource in &answer.resources {
        chunk.push_str(&wire::frame::resource_line(resource.text()));
        if chunk.len() >= CHUNK {
            chunks.push(std::mem::take(&mut chunk));
        }
    }
    chunk.push_str(&answer.end.to_line());
    chunks.push(chunk);
    let bytes: usize = chunks.iter().map(String::len).sum();
    door.inbound.sent(&peer.0, bytes as u64);
    let chunks =
        chunks.into_iter().map(|chunk| Ok::<_, std::convert::Infallible>(Bytes::from(chunk)));
    let body = Body::from_stream(stream::iter(chunks));
    Ok(([(header::CONTENT_TYPE, wire::NDJSON)], body).into_response())
}

async fn deliver_(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: Delivery| {
        let from = answer::agent(asserted);
        deliver::receive(app, &from, &asserted.assertion.issuer, &message).map_err(answer::refused)
    };
    let answer = door.answer(&peer, headers, path::DELIVER, body, work).await?;
    door.json(&peer, &answer)
}

async fn accesses(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: AccessesRequest| {
        answer::accesses_request(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::ACCESSES, body, work).await?;
    door.json(&peer, &answer)
}

async fn simulate_(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: SimulateRequest| {
        simulate::answer(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::SIMULATE, body, work).await?;
    door.json(&peer, &answer)
}

async fn witness_(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: AddCheckpoint| {
        witness::add_checkpoint(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::WITNESS, body, work).await?;
    door.json(&peer, &answer)
}

async fn checkpoints(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work =
        |app: &App, _: &Asserted, message: CheckpointsRequest| witness::checkpoints(app, &message);
    let answer = door.answer(&peer, headers, path::CHECKPOINTS, body, work).await?;
    door.json(&peer, &answer)
}

async fn council(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, _: &Asserted, message: CouncilRequest| {
        governance::gossip::answer(app, &message)
    };
    let answer = door.answer(&peer, headers, path::COUNCIL, body, work).await?;
    door.json(&peer, &answer)
}

async fn flag(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: Flag| {
        governance::flags::receive(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::FLAG, body, work).await?;
    door.json(&peer, &answer)
}

async fn locator_key(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: LocatorKeyRequest| {
        locator_keys::key_request(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::LOCATOR_KEY, body, work).await?;
    door.json(&peer, &answer)
}

async fn publish(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: Publication| {
        locator::publication(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::LOCATOR_PUBLISH, body, work).await?;
    door.json(&peer, &answer)
}

async fn locate(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: LocateRequest| {
        locator::locate(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::LOCATOR_LOCATE, body, work).await?;
    door.json(&peer, &answer)
}

async fn reconcile_(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: ReconcileRequest| {
        reconcile::answer(app, &asserted.assertion.issuer, &message)
    };
    let answer = door.answer(&peer, headers, path::RECONCILE, body, work).await?;
    door.json(&peer, &answer)
}

async fn agreements(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, asserted: &Asserted, message: AgreementsRequest| {
        sync::statements(app, asserted, &message)
    };
    let answer = door.answer(&peer, headers, path::AGREEMENTS, body, work).await?;
    door.json(&peer, &answer)
}

async fn rounds_(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let read = |_: &App, asserted: &Asserted, message: RoundsRequest| {
        Ok((asserted.assertion.issuer.clone(), message))
    };
    let (member, message) = door.answer(&peer, headers, path::ROUNDS, body, read).await?;
    let answer = rounds::exchange(&door.app, &member, message).await.map_err(answer::refused)?;
    door.json(&peer, &answer)
}

async fn catalog_(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let work = |app: &App, _: &Asserted, message: CatalogueRequest| {
        catalog::answer(app, &message).map_err(answer::refused)
    };
    let answer = door.answer(&peer, headers, path::CATALOG, body, work).await?;
    door.json(&peer, &answer)
}

async fn cohorts_(
    State(door): State<Door>,
    Extension(peer): Extension<PeerOrg>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let read =
        |_: &App, asserted: &Asserted, message: CohortRequest| Ok((asserted.clone(), message));
    let (asserted, message) = door.answer(&peer, headers, path::COHORTS, body, read).await?;
    let answer = cohorts::answer(&door.app, asserted, message).await?;
    door.json(&peer, &answer)
}
