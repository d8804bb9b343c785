//! Notifications as the backport guide writes them for FHIR R4: a Bundle of type `history` whose
//! first entry is the status of the subscription as Parameters.

use fhir::json::quote;
use serde_json::{Value, json};
use store::{Method, Stored};

use super::definition::{BACKPORT, Content, Definition, Status};
use crate::App;

/// Why a Bundle is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To see whether the receiver is there.
    Handshake,
    /// To show that this node is there.
    Heartbeat,
    /// To tell of events.
    Event,
    /// The answer to `$status`.
    QueryStatus,
    /// The answer to `$events`.
    QueryEvent,
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Heartbeat => "heartbeat",
            Self::Event => "event-notification",
            Self::QueryStatus => "query-status",
            Self::QueryEvent => "query-event",
        }
    }
}

/// One event: its number and the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 1.
    pub number: u64,
    /// The version that pulled the trigger.
    pub stored: Stored,
}

/// What a status says about a subscription.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The subscription.
    pub definition: &'a Definition,
    /// Its state.
    pub status: Status,
    /// Number of its last event.
    pub events: u64,
    /// Why it is written.
    pub kind: Kind,
    /// How much it says.
    pub content: Content,
    /// Why delivery fails at the moment.
    pub error: Option<&'a str>,
}

/// The status of a subscription as Parameters (profile backport-subscription-status-r4).
pub fn status(app: &App, said: &Said<'_>, told: &[Event]) -> Value {
    let base = &app.org().base_url;
    let subscription = format!("{base}/fhir/Subscription/{}", said.definition.id);
    let mut list =
        vec![json!({"name": "subscription", "valueReference": {"reference": subscription}})];
    if let Some(topic) = said.definition.topic().filter(|_| said.content != Content::Empty) {
        list.push(json!({"name": "topic", "valueCanonical": topic}));
    }
    list.push(json!({"name": "status", "valueCode": said.status.code()}));
    list.push(json!({"name": "type", "valueCode": said.kind.code()}));
    list.push(json!({
        "name": "events-since-subscription-start", "valueString": said.events.to_string(),
    }));
    for event in told {
        let time = fhir::time::instant(event.stored.last_updated_ms);
        let mut parts = vec![
            json!({"name": "event-number", "valueString": event.number.to_string()}),
            json!({"name": "timestamp", "valueInstant": time}),
        ];
        if said.content != Content::Empty {
            let key = &event.stored.key;
            let focus = format!("{base}/fhir/{}/{}", key.resource_type, key.id);
            parts.push(json!({"name": "focus", "valueReference": {"reference": focus}}));
        }
        list.push(json!({"name": "notification-event", "part": parts}));
    }
    if let Some(error) = said.error {
        list.push(json!({"name": "error", "valueCodeableConcept": {"text": error}}));
    }
    json!({
        "resourceType": "Parameters",
        "id": app.new_id().as_str(),
        "meta": {"profile": [format!("{BACKPORT}backport-subscription-status-r4")]},
        "parameter": list,
    })
}

/// A notification as JSON text.
pub fn notification(app: &App, said: &Said<'_>, told: &[Event]) -> String {
    let base = &app.org().base_url;
    let status = status(app, said, told);
    let url = format!("{base}/fhir/Subscription/{}/$status", said.definition.id);
    let mut out = format!(
        "{{\"resourceType\":\"Bundle\",\"id\":\"{}\",\"meta\":{{\"profile\":[\"{BACKPORT}\
         backport-subscription-notification-r4\"]}},\"type\":\"history\",\"timestamp\":\"{}\",\
         \"entry\":[{{\"fullUrl\":\"urn:uuid:{}\",\"resource\":{status},\"request\":{{\
         \"method\":\"GET\",\"url\":{}}},\"response\":{{\"status\":\"200\"}}}}",
        app.new_id(),
        fhir::time::instant(app.now_ms()),
        status["id"].as_str().unwrap_or_default(),
        quote(&url),
    );
    if said.content != Content::Empty {
        for event in told {
            out.push(',');
            out.push_str(&entry(base, &event.stored, said.content));
        }
    }
    out.push_str("]}");
    out
}

/// One change as an entry of a history Bundle.
fn entry(base: &str, stored: &Stored, content: Content) -> String {
    let (kind, id) = (stored.key.resource_type, &stored.key.id);
    let (method, url, status) = match stored.method {
        Method::Post => ("POST", kind.to_owned(), "201"),
        Method::Put if stored.version == 1 => ("PUT", format!("{kind}/{id}"), "201"),
        Method::Put => ("PUT", format!("{kind}/{id}"), "200"),
        Method::Delete => ("DELETE", format!("{kind}/{id}"), "204"),
    };
    let resource = match content {
        Content::Full if !stored.text.is_empty() => format!("\"resource\":{},", stored.text),
        _ => String::new(),
    };
    format!(
        "{{\"fullUrl\":{},{resource}\"request\":{{\"method\":\"{method}\",\"url\":{}}},\
         \"response\":{{\"status\":\"{status}\",\"etag\":\"W/\\\"{}\\\"\",\"lastModified\":\"{}\"}}}}",
        quote(&format!("{base}/fhir/{kind}/{id}")),
        quote(&url),
        stored.version,
        fhir::time::instant(stored.last_updated_ms),
    )
}
