//! What people are shown on pages and subscribers are told.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::json;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, text};
use crate::visit::Visit;
use crate::world::Item;

/// Pages for people and the record that is put together.
pub async fn pages_for_people(visit: &mut Visit<'_>) {
    for patient in visit.of("Patient") {
        let own: Vec<&Item> = visit
            .items
            .iter()
            .filter(|item| item.patient == patient.id && item.with.is_none())
            .collect();
        let path = format!("/fhir/Patient/{}/$longitudinal-record", patient.id);
        let record = visit.get(&path).await;
        if visit.is_open(patient) {
            visit.look_for("record", &record.text, &own);
        } else {
            visit.look("record", &record.text);
        }
        let cookie = format!("consilium_session={}", visit.client.token());
        // A page repeats what was looked for, so it is not the mark.
        let id = &patient.id;
        let mut paths = vec![format!("/patients/{id}/record"), "/patients?q=Hildegard".to_owned()];
        if own.iter().any(|item| !visit.is_open(item)) {
            let more = ["ask", "break-glass", "consent", "apps", "record/events"];
            paths.extend(more.map(|page| format!("/patients/{id}/{page}")));
            paths.extend(["/links", "/notices", "/recalls"].map(str::to_owned));
        }
        for path in paths {
            let headers = [("cookie", cookie.as_str())];
            let page = visit.client.send(Method::GET, &path, None, &headers).await;
            visit.look("page", &page.text);
        }
    }
}

/// Longest time between two messages at a websocket behind which more is to come. What a
/// subscriber may know is decided anew after every change, which takes its time where nothing is
/// optimised.
const STALLED: Duration = Duration::from_secs(60);

/// What a subscriber is told of changes, by websocket and when asking again; neither the numbers of
/// the events nor how many there were may tell of what is withheld.
pub async fn told(visit: &mut Visit<'_>, change: &dyn Fn(&Item)) {
    let mut subscribed = Vec::new();
    for kind in ["Condition", "Observation", "Patient"] {
        let resource = json!({
            "resourceType": "Subscription", "status": "requested", "reason": "test",
            "criteria": format!("{kind}?_lastUpdated=gt2000-01-01"),
            "channel": {"type": "websocket", "payload": "application/fhir+json", "_payload":
                {"extension": [{"valueCode": "full-resource", "url":
                    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content"}]}},
        });
        let made = visit.client.post("/fhir/Subscription", &resource).await;
        match made.status {
            201 => {
                let id = text(&made.json()["id"]);
                let path = format!("/fhir/Subscription/{id}");
                while visit.get(&path).await.json()["status"] == "requested" {
                    tokio::task::yield_now().await;
                }
                let heard = listen(visit.client, &id).await;
                subscribed.push((kind, id, heard));
            }
            _ => visit.refused("subscription", kind, &made),
        }
    }
    let kinds: Vec<&str> = subscribed.iter().map(|(kind, ..)| *kind).collect();
    for item in visit.items.iter().filter(|item| kinds.contains(&item.kind)) {
        change(item);
    }
    for (kind, id, mut heard) in subscribed {
        let all = visit.of(kind);
        let open: Vec<&Item> = all.iter().copied().filter(|item| visit.is_open(item)).collect();
        // Events come in the order of the changes, so with the last all have come.
        if let Some(last) = open.last() {
            let all = heard.wait_for(|heard| heard.contains(&last.mark));
            if !matches!(tokio::time::timeout(STALLED, all).await, Ok(Ok(_))) {
                visit.missing.push(format!("websocket: {}", last.reference()));
            }
        }
        let path = format!("/fhir/Subscription/{id}/$events?content=full-resource");
        let found = visit.get(&path).await.text;
        visit.look_for("subscription", &found, &all);
        let heard = heard.borrow().clone();
        visit.look_for("websocket", &heard, &all);
        let status = visit.get(&format!("/fhir/Subscription/{id}/$status")).await;
        visit.look("events counted", &status.text);
        for told in [&found, &heard, &status.text] {
            if let Some(most) = numbers(told).into_iter().max() {
                visit.count("events counted", kind, most as u64, &all);
            }
        }
    }
}

/// Everything that is heard at the websocket of a subscription from now on.
async fn listen(client: &Client, id: &str) -> watch::Receiver<String> {
    let path = format!("/fhir/Subscription/{id}/$get-ws-binding-token");
    let answer = client.get(&path).await.expect(200).json();
    let parameters = answer["parameter"].as_array().expect("parameters");
    let of = |name: &str| parameters.iter().find(|one| one["name"] == name).expect("a parameter");
    let url = text(&of("websocket-url")["valueUrl"]);
    let bind = format!("bind-with-token {}", text(&of("token")["valueString"]));
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a websocket");
    socket.send(Message::text(bind)).await.expect("the token is sent");
    // Greeted, it stands.
    socket.next().await.expect("a greeting").expect("an open socket");
    let (told, heard) = watch::channel(String::new());
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            told.send_modify(|all| all.push_str(message.to_text().unwrap_or_default()));
        }
    });
    heard
}

/// The numbers of events, and how many there were, in what a subscriber is told.
fn numbers(told: &str) -> Vec<usize> {
    let named = [
        "\"events-since-subscription-start\",\"valueString\":\"",
        "\"event-number\",\"valueString\":\"",
    ];
    let behind = named.iter().flat_map(|name| told.split(name).skip(1));
    behind.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
}
