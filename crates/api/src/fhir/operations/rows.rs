//! Rows as an answer: sent while they are made, so that no table is held in memory.

use std::io::{self, Write};

use app::views::{Format, RunRequest, run};
use app::{App, Caller, Error, Kind};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use tokio::sync::mpsc;

use crate::outcome::{FHIR_JSON, Failure, outcome};

/// Bytes that are sent at once.
const PIECE: usize = 64 * 1024;
/// Pieces that may wait for a slow client.
const WAITING: usize = 4;
/// Most bytes of a table inside a Binary.
const MAX_BINARY: usize = 32 * 1024 * 1024;

/// How the rows are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Not at all.
    Raw,
    /// As the data of a Binary resource.
    Binary,
}

/// Runs a view and answers with its rows. A fault before the first piece is answered as such; one
/// that comes later breaks the connection off, so that nobody takes a part for the whole.
pub async fn answer(
    app: App,
    caller: Caller,
    request: RunRequest,
    shape: Shape,
) -> Result<Response, Failure> {
    let format = request.format;
    if shape == Shape::Binary {
        return binary(app, caller, request).await;
    }
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let work = async move {
        app.run(move |app| {
            let pieces = Pieces { sender, piece: Vec::with_capacity(PIECE) };
            let mut pieces = run(app, &caller, &request, pieces)?;
            pieces.flush().map_err(|e| Error::internal(format!("rows cannot be sent: {e}")))
        })
        .await
    };
    let work = tokio::spawn(work);
    let Some(first) = receiver.recv().await else {
        let done = work.await.map_err(|_| Error::internal("a view did not finish"))?;
        done?;
        return Ok(typed(Body::empty(), format));
    };
    let rest = stream::unfold(
        (Some(first), receiver, Some(work)),
        |(first, mut receiver, work)| async move {
            if let Some(first) = first {
                return Some((Ok(first), (None, receiver, work)));
            }
            if let Some(piece) = receiver.recv().await {
                return Some((Ok(piece), (None, receiver, work)));
            }
            let fault = match work?.await {
                Ok(Ok(())) => return None,
                Ok(Err(error)) => error.message,
                Err(_) => "a view did not finish".to_owned(),
            };
            tracing::warn!(reason = %fault, "rows were broken off");
            Some((Err(io::Error::other("the view failed")), (None, receiver, None)))
        },
    );
    Ok(typed(Body::from_stream(rest), format))
}

fn typed(body: Body, format: Format) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A table inside a Binary resource.
async fn binary(app: App, caller: Caller, request: RunRequest) -> Result<Response, Failure> {
    if matches!(request.format, Format::Ndjson | Format::Parquet) {
        let kind = [(header::CONTENT_TYPE, FHIR_JSON)];
        let body = outcome(&super::views::no_envelope());
        return Ok((StatusCode::NOT_ACCEPTABLE, kind, body).into_response());
    }
    let media_type = request.format.media_type();
    let data = app
        .run(move |app| {
            let table = run(app, &caller, &request, Held::default());
            table.map(|held| held.0).map_err(|error| match error.kind {
                Kind::Internal if error.message.contains(TOO_LARGE) => {
                    Error::new(Kind::TooCostly, TOO_LARGE)
                }
                _ => error,
            })
        })
        .await?;
    let body = json!({"resourceType": "Binary", "contentType": media_type,
                      "data": base64(&data)});
    Ok(crate::fhir::answer::json(StatusCode::OK, body.to_string()))
}

fn base64(data: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(data)
}

/// What is said of a table beyond [`MAX_BINARY`].
pub const TOO_LARGE: &str = "the table is too large for a Binary; ask for it in its own media type";

/// A table that is held, up to a size.
#[derive(Default)]
pub struct Held(pub Vec<u8>);

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BINARY {
            return Err(io::Error::other(TOO_LARGE));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end of a pipe to the client that blocks while the client is slow.
struct Pieces {
    sender: mpsc::Sender<Bytes>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone");
        self.sender.blocking_send(piece.into()).map_err(gone)
    }
}
