//! A subscriber's own server: takes notifications over HTTP on loopback and keeps them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// What arrived.
#[derive(Debug)]
pub struct Arrived {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// A server that notifications are sent to.
pub struct Receiver {
    pub url: String,
    arrived: mpsc::UnboundedReceiver<Arrived>,
    answer: Arc<AtomicU16>,
}

#[derive(Clone)]
struct Inside {
    arrived: mpsc::UnboundedSender<Arrived>,
    answer: Arc<AtomicU16>,
}

async fn take(
    State(inside): State<Inside>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let body = String::from_utf8(body.to_vec()).expect("a text");
    let _ = inside.arrived.send(Arrived { method, path: uri.path().to_owned(), headers, body });
    StatusCode::from_u16(inside.answer.load(Ordering::SeqCst)).expect("a status")
}

impl Receiver {
    /// Starts one that answers 200.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = listener.await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let (sender, arrived) = mpsc::unbounded_channel();
        let answer = Arc::new(AtomicU16::new(200));
        let inside = Inside { arrived: sender, answer: answer.clone() };
        let router = Router::new().fallback(take).with_state(inside);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, arrived, answer }
    }

    /// Answers with another status from now on.
    pub fn answer(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    /// The next request, which must come within half a minute.
    pub async fn next(&mut self) -> Arrived {
        let next = tokio::time::timeout(Duration::from_secs(30), self.arrived.recv());
        next.await.expect("a notification comes in time").expect("the receiver runs")
    }

    /// The next notification of the backport, which must be of this kind.
    pub async fn notification(&mut self, kind: &str) -> Notification {
        let notification = Notification(self.next().await.json());
        assert_eq!(notification.text("type"), kind, "{}", notification.0);
        notification
    }

    /// Whether nothing has come that was not asked for.
    pub fn is_empty(&mut self) -> bool {
        self.arrived.try_recv().is_err()
    }
}

impl Arrived {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in `{}`", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

/// A Bundle whose first entry is the status of a subscription.
pub struct Notification(pub Value);

impl Notification {
    fn parameters(&self) -> Vec<Value> {
        let status = &self.0["entry"][0]["resource"];
        assert_eq!(status["resourceType"], "Parameters", "{}", self.0);
        status["parameter"].as_array().expect("parameters").clone()
    }

    /// A parameter as text, whatever its type; empty where it is missing.
    pub fn text(&self, name: &str) -> String {
        let found = self.parameters().into_iter().find(|p| p["name"] == name);
        let found = found.unwrap_or_else(|| json!({}));
        let members = found.as_object().expect("an object").clone();
        let value = members.into_iter().find(|(name, _)| name.starts_with("value"));
        match value {
            Some((_, Value::String(text))) => text,
            Some((_, value)) => value["reference"]
                .as_str()
                .or(value["text"].as_str())
                .unwrap_or_default()
                .to_owned(),
            None => String::new(),
        }
    }

    /// Number and focus (`Type/id`; empty without one) of every event.
    pub fn events(&self) -> Vec<(u64, String)> {
        let events = self.parameters().into_iter().filter(|p| p["name"] == "notification-event");
        events
            .map(|event| {
                let part = |name: &str| {
                    let parts = event["part"].as_array().expect("parts");
                    parts.iter().find(|part| part["name"] == name).cloned().unwrap_or_default()
                };
                let number =
                    part("event-number")["valueString"].as_str().expect("a number").parse();
                let focus = part("focus");
                let focus = focus["valueReference"]["reference"].as_str().unwrap_or_default();
                let mut parts: Vec<&str> = focus.rsplit('/').take(2).collect();
                parts.reverse();
                (number.expect("a number"), parts.join("/"))
            })
            .collect()
    }

    /// The resources behind the status; null where an entry has none.
    pub fn resources(&self) -> Vec<Value> {
        let entries = self.0["entry"].as_array().expect("entries");
        entries.iter().skip(1).map(|entry| entry["resource"].clone()).collect()
    }
}
