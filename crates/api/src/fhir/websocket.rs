//! The websocket of subscriptions: a client sends `bind-with-token <token>`, is greeted with a
//! handshake for each subscription, and is told of events from then on.

use std::time::Duration;

use app::App;
use app::notify::channel::{Frame, MAX_WAITING, Token};
use app::notify::status::greeting;
use app::{Error, Kind};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::outcome::Failure;

const PATH: &str = "/ws/subscriptions";
/// How long a client may take to say who it is.
const BIND_WITHIN: Duration = Duration::from_secs(30);
/// How long writing one notification may take.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// Longest message of a client, in bytes.
const MAX_MESSAGE: usize = 4 * 1024;

/// The route. It stands beside the frame of FHIR requests, which are answered and end.
pub fn router(app: App) -> Router {
    Router::new().route(PATH, get(open)).with_state(app)
}

/// Where clients find the websocket.
pub fn url(app: &App) -> String {
    let base = &app.org().base_url;
    match base.strip_prefix("http") {
        Some(rest) => format!("ws{rest}{PATH}"),
        None => format!("{base}{PATH}"),
    }
}

async fn open(State(app): State<App>, upgrade: WebSocketUpgrade) -> Response {
    let Some(connection) = app.notify().connect() else {
        let message = "too many websockets are open; try again later";
        return Failure(Error::new(Kind::Busy, message)).into_response();
    };
    let guard = Connection { app, number: connection };
    upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| serve(guard, socket))
}

/// Leaves the hub when the connection ends, however it ends.
struct Connection {
    app: App,
    number: u64,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.app.notify().leave(self.number);
    }
}

async fn serve(connection: Connection, mut socket: WebSocket) {
    let (sender, mut frames) = mpsc::channel::<Frame>(MAX_WAITING);
    // Once bound, the hub alone holds senders: when it drops them, this connection ends.
    let (mut own, later) = (Some(sender.clone()), sender.downgrade());
    drop(sender);
    let mut until = Instant::now() + BIND_WITHIN;
    let mut closed = connection.app.notify().closed();
    loop {
        tokio::select! {
            message = socket.recv() => {
                let Some(Ok(message)) = message else { return };
                let Message::Text(text) = message else { continue };
                let Some(token) = token_of(&connection.app, &text) else {
                    let _ = write(&mut socket, "the token is not known or has expired").await;
                    return;
                };
                let Some(sender) = own.take().or_else(|| later.upgrade()) else { return };
                until = Instant::now() + lasts(&connection.app, &token);
                if !bind(&connection, &mut socket, &token, &sender).await {
                    return;
                }
            }
            frame = frames.recv() => {
                let Some(frame) = frame else { return };
                if !write(&mut socket, &frame.text).await {
                    return;
                }
                // Nobody may be waiting any more.
                let _ = frame.written.try_send(());
            }
            () = sleep_until(until) => return,
            () = ended(&mut closed) => return,
        }
    }
}

async fn ended(closed: &mut watch::Receiver<bool>) {
    // A hub that is gone is closed.
    let _ = closed.wait_for(|closed| *closed).await;
}

fn token_of(app: &App, text: &str) -> Option<Token> {
    let token = text.trim().strip_prefix("bind-with-token")?.trim_start_matches(':').trim();
    app.notify().redeem(token, app.now_ms())
}

fn lasts(app: &App, token: &Token) -> Duration {
    let left_ms = token.expires_ms.saturating_sub(app.now_ms());
    Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
}

/// Greets and binds the subscriptions of a token; returns whether the connection goes on.
async fn bind(
    connection: &Connection,
    socket: &mut WebSocket,
    token: &Token,
    sender: &mpsc::Sender<Frame>,
) -> bool {
    let mut bound = false;
    for id in &token.subscriptions {
        let (account, wanted) = (token.account.clone(), id.clone());
        let hello = connection.app.run(move |app| greeting(app, &account, &wanted)).await;
        let Ok(Some(hello)) = hello else { continue };
        if !write(socket, &hello).await {
            return false;
        }
        bound |= connection.app.notify().bind(id, connection.number, sender.clone());
    }
    bound
}

async fn write(socket: &mut WebSocket, text: &str) -> bool {
    let sent = timeout(WRITE_WITHIN, socket.send(Message::Text(text.into()))).await;
    matches!(sent, Ok(Ok(())))
}
