//! The JSON doors of a node: FHIR REST and operations under `/fhir`, sessions for programs under
//! `/auth`, tokens of apps under `/oauth`, agreements under
//! `/steward/agreements`, applications of strangers under `/council/applications`, the operator's
//! switches under `/operate`, research under `/research` and `/beacon`, and the node-to-node door under
//! `/network`.

mod agreements;
mod applications;
pub mod auth;
mod beacon;
mod dpop;
pub mod events;
mod fhir;
pub mod network;
mod oauth;
pub mod operate;
pub mod outcome;
pub mod research;

use app::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::get;

/// Most bytes in a body of FHIR.
pub const MAX_BODY: usize = 64 * 1024 * 1024;
/// Most bytes in a body of another kind, which is read before it is known who sends it.
const MAX_SMALL_BODY: usize = 256 * 1024;

/// Everything that people's programs reach.
pub fn router(app: App) -> Router {
    let small = Router::new()
        .nest("/auth", auth::router(app.clone()))
        .nest("/steward/agreements", agreements::router(app.clone()))
        .nest("/operate", operate::router(app.clone()))
        .layer(DefaultBodyLimit::max(MAX_SMALL_BODY));
    Router::new()
        .route("/healthz", get(|| async { (StatusCode::OK, "ready\n") }))
        .merge(small)
        .nest("/research", research::router(app.clone()))
        .merge(beacon::router(app.clone()))
        .merge(applications::router(app.clone()))
        .merge(oauth::router(app.clone()))
        .merge(fhir::websocket::router(app.clone()))
        .merge(fhir::router(app.clone()))
        .layer(axum::middleware::from_fn_with_state(app, dpop::proven))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}
