//! A subscriber's server on loopback: keeps what arrives, is slow to acknowledge, and now and then
//! refuses.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::client::Fault;

/// An acknowledgement is kept back at most this long, so that kills fall before it.
const SLOWEST_MS: u64 = 60;
/// One in so many notifications to a hook that refuses is answered with 503.
const REFUSES_ONE_IN: u32 = 25;

/// One event as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Number of the event; `None` for a hook of plain R4, which has none.
    pub number: Option<u64>,
    /// `Type/id` of what changed.
    pub focus: String,
    /// The text in the resource, where one came along.
    pub text: Option<String>,
}

/// The server.
pub struct Receiver {
    /// Base address of the hooks.
    pub url: String,
    inside: Arc<Inside>,
}

struct Inside {
    got: Mutex<BTreeMap<String, Vec<Told>>>,
    chance: Mutex<ChaCha8Rng>,
    faults: Mutex<Vec<String>>,
    is_steady: Mutex<bool>,
    arrived: Notify,
}

impl Receiver {
    /// Starts one on a free port. `seed` decides how long it takes and when it refuses.
    pub async fn start(seed: u64) -> Result<Self, Fault> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let inside = Arc::new(Inside {
            got: Mutex::default(),
            chance: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            faults: Mutex::default(),
            is_steady: Mutex::new(false),
            arrived: Notify::new(),
        });
        let shared = Arc::clone(&inside);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { url, inside })
    }

    /// Acknowledges everything at once from now on.
    pub fn be_steady(&self) {
        *self.inside.is_steady.lock() = true;
    }

    /// What came to a hook so far, in the order of arrival.
    pub fn got(&self, hook: &str) -> Vec<Told> {
        self.inside.got.lock().get(hook).cloned().unwrap_or_default()
    }

    /// What arrived and could not be read.
    pub fn faults(&self) -> Vec<String> {
        self.inside.faults.lock().clone()
    }

    /// Waits until every one of `hooks` has been told of `focus`, for at most `patience`; returns
    /// the hooks that were not.
    pub async fn until_told(
        &self,
        hooks: &[String],
        focus: &str,
        patience: Duration,
    ) -> Vec<String> {
        let missing = || -> Vec<String> {
            let got = self.inside.got.lock();
            let has = |hook: &String| {
                got.get(hook).is_some_and(|list| list.iter().any(|told| told.focus == focus))
            };
            hooks.iter().filter(|hook| !has(hook)).cloned().collect()
        };
        let all = async {
            loop {
                let arrived = self.inside.arrived.notified();
                if missing().is_empty() {
                    return;
                }
                arrived.await;
            }
        };
        let _ = tokio::time::timeout(patience, all).await;
        missing()
    }
}

async fn serve(stream: TcpStream, inside: Arc<Inside>) {
    let answer = service_fn(move |request| {
        let inside = Arc::clone(&inside);
        async move { Ok::<_, Infallible>(take(request, &inside).await) }
    });
    // A node that is killed breaks its connections; that is the point.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

async fn take(request: Request<Incoming>, inside: &Inside) -> Response<String> {
    let (parts, body) = request.into_parts();
    let Some(text) = whole(body).await else { return status(StatusCode::BAD_REQUEST) };
    let (hook, rest) = match parts.uri.path().trim_start_matches('/').split_once('/') {
        Some((hook, rest)) => (hook.to_owned(), rest.to_owned()),
        None => (parts.uri.path().trim_start_matches('/').to_owned(), String::new()),
    };
    let (refuses, pause_ms) = {
        let mut chance = inside.chance.lock();
        let refuses = hook.starts_with("refusing") && chance.random_range(0..REFUSES_ONE_IN) == 0;
        (refuses, chance.random_range(0..SLOWEST_MS))
    };
    let is_steady = *inside.is_steady.lock();
    match read(&rest, &text) {
        Ok(_) if refuses && !is_steady => return status(StatusCode::SERVICE_UNAVAILABLE),
        Ok(told) => {
            inside.got.lock().entry(hook).or_default().extend(told);
            inside.arrived.notify_waiters();
        }
        Err(fault) => inside.faults.lock().push(format!("`{hook}` was told nonsense: {fault}")),
    }
    if !is_steady {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
    status(StatusCode::OK)
}

fn status(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    response
}

/// The whole body; `None` where the sender was killed before its end.
async fn whole(mut body: Incoming) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.ok()?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The events of a request: of a resource at `rest` as plain R4 sends it, or of a notification.
pub fn read(rest: &str, text: &str) -> Result<Vec<Told>, Fault> {
    let value: Value = serde_json::from_str(text)?;
    if !rest.is_empty() {
        return Ok(vec![Told { number: None, focus: rest.to_owned(), text: said(&value) }]);
    }
    let entries = value["entry"].as_array().ok_or("no entries")?;
    let status = entries.first().ok_or("no status")?["resource"]["parameter"].as_array();
    let mut told = Vec::new();
    let events =
        status.ok_or("no parameters")?.iter().filter(|p| p["name"] == "notification-event");
    for (event, entry) in events.zip(entries.iter().skip(1)) {
        let part = |name: &str| {
            let parts = event["part"].as_array().into_iter().flatten();
            parts.clone().find(|part| part["name"] == name).cloned().unwrap_or_default()
        };
        let number = part("event-number")["valueString"].as_str().ok_or("no number")?.parse()?;
        let reference = part("focus")["valueReference"]["reference"].clone();
        let reference = reference.as_str().ok_or("no focus")?;
        let (_, focus) = reference.split_once("/fhir/").ok_or("a focus of elsewhere")?;
        let text = said(&entry["resource"]);
        told.push(Told { number: Some(number), focus: focus.to_owned(), text });
    }
    Ok(told)
}

fn said(resource: &Value) -> Option<String> {
    resource["valueString"].as_str().map(str::to_owned)
}
