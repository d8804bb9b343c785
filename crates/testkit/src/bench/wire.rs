//! HTTP/1.1 over one connection that is kept open: what a client costs counts against everything
//! that shares the machine with it, so this one does as little as it can.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::client::Fault;
use crate::figures::Times;

/// No request may take longer than this.
const DEADLINE: Duration = Duration::from_secs(600);

/// One request, ready to be sent any number of times.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Body as `application/fhir+json`; empty for none.
    pub body: Bytes,
}

impl Ask {
    /// A GET of `path`.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Bytes::new() }
    }

    /// A POST of `body` to `path`.
    pub fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, path: path.into(), body: body.into() }
    }
}

/// Where requests go and with which right.
#[derive(Clone, Debug)]
pub struct Door {
    /// The server's address.
    pub address: SocketAddr,
    /// Bearer token, where the server wants one.
    pub token: Option<String>,
}

/// An open connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    door: Door,
}

impl Connection {
    /// Connects.
    pub async fn open(door: &Door) -> Result<Self, Fault> {
        let stream = TcpStream::connect(door.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends with the connection; what broke it is seen by the request that it breaks.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, door: door.clone() })
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(&mut self, ask: &Ask) -> Result<(StatusCode, Bytes), Fault> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header("host", self.door.address.to_string())
            .header("accept", "application/fhir+json");
        if !ask.body.is_empty() {
            request = request.header("content-type", "application/fhir+json");
        }
        if let Some(token) = &self.door.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(ask.body.clone()))?;
        self.sender.ready().await?;
        let answer = tokio::time::timeout(DEADLINE, self.sender.send_request(request)).await??;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}

/// What `clients` connections reached with `count` requests, each client sending the next request
/// when its last one has been answered.
#[derive(Debug, Default)]
pub struct Reached {
    /// How long each answered request took.
    pub times: Times,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Bytes of all answers.
    pub bytes: usize,
    /// Answers that were no success: how many, and the first.
    pub failed: (usize, Option<String>),
}

/// Sends `count` requests of `asks` in turn over `clients` connections.
pub async fn load(
    door: &Door,
    asks: Arc<Vec<Ask>>,
    clients: usize,
    count: usize,
) -> Result<Reached, Fault> {
    if asks.is_empty() {
        return Err("there is nothing to ask for".into());
    }
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Connection::open(door).await?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        let (asks, next) = (asks.clone(), next.clone());
        tasks.spawn(async move {
            let mut reached = Reached::default();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(ask) = asks.get(at % asks.len()).filter(|_| at < count) else {
                    return Ok::<_, Fault>(reached);
                };
                let asked = Instant::now();
                let (status, body) = connection.send(ask).await?;
                reached.times.push(asked.elapsed());
                reached.bytes += body.len();
                if !status.is_success() {
                    let start: String = String::from_utf8_lossy(&body).chars().take(300).collect();
                    reached.failed.0 += 1;
                    let what = || format!("{} {}: {status} {start}", ask.method, ask.path);
                    reached.failed.1.get_or_insert_with(what);
                }
            }
        });
    }
    let mut all = Reached::default();
    while let Some(done) = tasks.join_next().await {
        let done = done??;
        all.times.extend(done.times);
        all.bytes += done.bytes;
        all.failed.0 += done.failed.0;
        all.failed.1 = all.failed.1.or(done.failed.1);
    }
    all.took = started.elapsed();
    Ok(all)
}
