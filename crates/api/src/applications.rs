//! `POST /council/applications`: where an institution that is no member hands in its application to
//! become one, or a member without its keys asks for new ones.
//!
//! The body is what `consilium network apply` signs, as JSON or as its line of text. Nobody signs
//! in; the answer is 202 with an `ApplicationReceipt`, and what is taken waits for the council's
//! members at this node. Bounded in size and number; nothing is trusted because of it.

use app::governance::applications::{self, MAX_BYTES};
use app::{App, Error};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use wire::Sealed;

use crate::auth::Client;
use crate::outcome::Failure;

/// The route.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/council/applications", post(receive))
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .with_state(app)
}

async fn receive(
    State(app): State<App>,
    Client(address): Client,
    bytes: Bytes,
) -> Result<Response, Failure> {
    let text = std::str::from_utf8(&bytes).ok();
    let sealed = text.and_then(Sealed::from_line).ok_or_else(|| {
        Error::invalid("structure", "the body is no application; see `consilium network apply`")
    })?;
    let receipt = app.run(move |app| applications::receive(app, &address, &sealed)).await?;
    Ok((StatusCode::ACCEPTED, Json(receipt)).into_response())
}
