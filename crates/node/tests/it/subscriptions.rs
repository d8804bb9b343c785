//! Subscriptions over a node's real doors, with a subscriber's real server behind them.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use identity::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{OnceCell, mpsc};
use tokio::task::block_in_place;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, text};
use crate::hospitals::{Hospital, Hospitals, Setup, clock, run};
use crate::receiver::{Notification, Receiver};

pub(crate) const TOPIC: &str = "https://consilium.health/fhir/SubscriptionTopic/";
pub(crate) const BACKPORT: &str =
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";

/// A hospital that sends to this machine.
pub(crate) async fn hospital() -> &'static Hospital {
    static SHARED: OnceCell<Hospitals> = OnceCell::const_new();
    let start = || {
        Hospitals::start(Setup {
            hospitals: 2,
            patients: 6,
            config: &[("notify_allowed = []", "notify_allowed = [\"127.0.0.0/8\"]")],
            ..Setup::default()
        })
    };
    &SHARED.get_or_init(start).await.all[0]
}

pub(crate) fn with_content(mut channel: Value, content: &str) -> Value {
    channel["payload"] = json!("application/fhir+json");
    channel["_payload"] = json!({"extension": [
        {"url": format!("{BACKPORT}backport-payload-content"), "valueCode": content},
    ]});
    channel
}

pub(crate) fn hook(url: &str) -> Value {
    json!({"type": "rest-hook", "endpoint": url})
}

pub(crate) fn subscription(criteria: &str, filters: &[&str], channel: Value) -> Value {
    let mut resource = json!({
        "resourceType": "Subscription", "status": "requested", "reason": "test",
        "criteria": criteria, "channel": channel,
    });
    if !filters.is_empty() {
        let url = format!("{BACKPORT}backport-filter-criteria");
        let filters: Vec<Value> =
            filters.iter().map(|filter| json!({"url": url, "valueString": filter})).collect();
        resource["_criteria"] = json!({"extension": filters});
    }
    resource
}

pub(crate) async fn patient(client: &Client) -> String {
    client.create(&json!({"resourceType": "Patient", "name": [{"family": "Told"}]})).await
}

pub(crate) fn encounter(patient: &str, status: &str) -> Value {
    json!({
        "resourceType": "Encounter", "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": format!("Patient/{patient}")},
    })
}

pub(crate) fn observation(patient: &str, code: &str) -> Value {
    json!({
        "resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": format!("Patient/{patient}")},
    })
}

/// The status of a subscription once it is `wanted`. Every look waits for the worker by way of the
/// store, which commits what the worker does.
pub(crate) async fn becomes(hospital: &Hospital, client: &Client, id: &str, wanted: &str) -> Value {
    let mut commits = hospital.app.store().watch();
    let waiting = async {
        loop {
            commits.mark_unchanged();
            let read = client.get(&format!("/fhir/Subscription/{id}")).await.expect(200).json();
            if read["status"] == wanted {
                return read;
            }
            // The look itself is recorded and so commits, too.
            commits.changed().await.expect("the store is open");
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("the subscription becomes {wanted}"))
}

#[test]
fn a_topic_subscription_is_greeted_told_and_asked_again() {
    run(async {
        let hospital = hospital().await;
        let client = hospital.signed_in(Role::Clinician).await;
        let mut receiver = Receiver::start().await;
        let own = patient(&client).await;
        let mut channel = with_content(hook(&receiver.url), "full-resource");
        channel["header"] = json!(["Authorization: Bearer limited-use"]);
        let filter = format!("Encounter?patient=Patient/{own}");
        let id = client
            .create(&subscription(&format!("{TOPIC}encounter-start"), &[&filter], channel))
            .await;

        let greeting = receiver.next().await;
        assert_eq!(greeting.header("content-type"), "application/fhir+json");
        assert_eq!(greeting.header("authorization"), "Bearer limited-use");
        let greeting = Notification(greeting.json());
        assert_eq!(greeting.0["type"], "history");
        assert_eq!(greeting.text("type"), "handshake");
        assert_eq!(greeting.text("status"), "requested");
        assert_eq!(greeting.text("events-since-subscription-start"), "0");
        assert_eq!(greeting.text("topic"), format!("{TOPIC}encounter-start"));
        becomes(hospital, &client, &id, "active").await;

        // Somebody else's, one that has not started, and then the one that counts.
        let other = patient(&client).await;
        client.create(&encounter(&other, "in-progress")).await;
        let planned = client.create(&encounter(&own, "planned")).await;
        let mut started = encounter(&own, "in-progress");
        started["id"] = json!(planned);
        client.put(&format!("/fhir/Encounter/{planned}"), &started).await.expect(200);
        // Still in progress: no start.
        client.put(&format!("/fhir/Encounter/{planned}"), &started).await.expect(200);
        let second = client.create(&encounter(&own, "in-progress")).await;

        let mut numbers = Vec::new();
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let told = receiver.notification("event-notification").await;
            assert_eq!(told.text("status"), "active");
            for (number, focus) in told.events() {
                numbers.push(number);
                seen.push(focus);
            }
            for entry in told.0["entry"].as_array().unwrap() {
                assert!(entry["request"]["method"].is_string(), "{entry}");
                assert!(entry["response"]["status"].is_string(), "{entry}");
            }
            assert!(told.resources().iter().all(|r| r["status"] == "in-progress"));
        }
        assert_eq!(numbers, [1, 2]);
        assert_eq!(seen, [format!("Encounter/{planned}"), format!("Encounter/{second}")]);
        assert!(receiver.is_empty());

        let status = client.get(&format!("/fhir/Subscription/{id}/$status")).await.expect(200);
        let bundle = status.json();
        assert_eq!(bundle["type"], "searchset");
        let said = Notification(bundle);
        assert_eq!(said.text("type"), "query-status");
        assert_eq!(said.text("events-since-subscription-start"), "2");
        for (query, total) in
            [(format!("id={id}&status=active"), 1), (format!("id={id}&status=error,off"), 0)]
        {
            let path = format!("/fhir/Subscription/$status?{query}");
            assert_eq!(client.get(&path).await.expect(200).json()["total"], total, "{query}");
        }

        let again = |query: &str| format!("/fhir/Subscription/{id}/$events?{query}");
        let replay = client.get(&again("eventsSinceNumber=2&content=id-only")).await.expect(200);
        let replay = Notification(replay.json());
        assert_eq!(replay.text("type"), "query-event");
        assert_eq!(replay.events(), [(2, format!("Encounter/{second}"))]);
        assert_eq!(replay.resources(), [Value::Null]);
        let all = Notification(client.get(&again("")).await.expect(200).json());
        assert_eq!(all.events().len(), 2);
        assert_eq!(all.resources()[1]["id"], second.as_str());
        let (_, message) = client.get(&again("since=1")).await.expect(400).issue();
        assert!(message.contains("since"), "{message}");
    });
}

#[test]
fn plain_criteria_send_a_ping_or_the_resource_itself() {
    run(async {
        let hospital = hospital().await;
        let client = hospital.signed_in(Role::Clinician).await;
        let (mut pinged, mut fed) = (Receiver::start().await, Receiver::start().await);
        let own = patient(&client).await;
        let criteria = format!("Observation?code=http://loinc.org|8867-4&subject=Patient/{own}");
        let ping = client.create(&subscription(&criteria, &[], hook(&pinged.url))).await;
        let mut channel = hook(&fed.url);
        channel["payload"] = json!("application/fhir+json");
        let feed = client.create(&subscription(&criteria, &[], channel)).await;
        let mut as_xml = Receiver::start().await;
        let mut channel = with_content(hook(&as_xml.url), "full-resource");
        channel["payload"] = json!("application/fhir+xml");
        client.create(&subscription(&criteria, &[], channel)).await;
        let greeting = as_xml.next().await;
        assert_eq!(greeting.header("content-type"), "application/fhir+xml");
        assert!(greeting.body.contains("value=\"handshake\""), "{}", greeting.body);
        for id in [&ping, &feed] {
            becomes(hospital, &client, id, "active").await;
        }
        client.create(&observation(&own, "other")).await;
        let seen = client.create(&observation(&own, "8867-4")).await;
        let arrived = pinged.next().await;
        assert_eq!((arrived.method.as_str(), arrived.body.as_str()), ("POST", ""));
        let arrived = fed.next().await;
        assert_eq!(arrived.method.as_str(), "PUT");
        assert_eq!(arrived.path, format!("/hook/Observation/{seen}"));
        assert_eq!(arrived.json()["id"], seen.as_str());
        let arrived = as_xml.next().await;
        assert!(arrived.body.starts_with("<?xml"), "{}", arrived.body);
        assert!(arrived.body.contains(&format!("<id value=\"{seen}\"/>")), "{}", arrived.body);
        assert!(pinged.is_empty() && fed.is_empty());
    });
}

#[test]
fn what_is_not_understood_or_not_allowed_is_refused_by_name() {
    run(async {
        let hospital = hospital().await;
        let client = hospital.signed_in(Role::Clinician).await;
        let ok = || with_content(hook("http://127.0.0.1:9/hook"), "id-only");
        let to = |url: &str| with_content(hook(url), "id-only");
        let of = |kind: &str, endpoint: &str| {
            with_content(json!({"type": kind, "endpoint": endpoint}), "empty")
        };
        let mut no_content = ok();
        no_content.as_object_mut().unwrap().remove("_payload");
        let mut xml = ok();
        xml["payload"] = json!("text/plain");
        let mut header = ok();
        header["header"] = json!(["Host: elsewhere"]);
        let mut unknown = ok();
        unknown["extension"] = json!([{"url": "http://example.org/x", "valueCode": "y"}]);
        let change = format!("{TOPIC}resource-change");
        let mut past = subscription("Observation?status=final", &[], ok());
        past["end"] = json!("2001-01-01T00:00:00Z");
        let mut failed = subscription("Observation?status=final", &[], ok());
        failed["status"] = json!("error");
        for (resource, words) in [
            (subscription("Nonsense?x=y", &[], ok()), "criteria"),
            (subscription("Observation?nonsense=y", &[], ok()), "nonsense"),
            (subscription("Observation?_count=3", &[], ok()), "_count"),
            (subscription("AuditEvent?action=R", &[], ok()), "AuditEvent"),
            (subscription("Subscription?status=active", &[], ok()), "Subscription"),
            (subscription("https://example.org/no-topic", &[], ok()), "topic"),
            (subscription(&change, &["Observation?nonsense=1"], ok()), "nonsense"),
            (subscription(&change, &["Nonsense?code=1"], ok()), "resource type"),
            (subscription("Observation?status=final", &["code=1"], ok()), "topic"),
            (subscription(&change, &[], no_content), "backport-payload-content"),
            (subscription(&change, &[], xml), "payload"),
            (subscription(&change, &[], header), "header"),
            (subscription(&change, &[], unknown), "extension"),
            (subscription(&change, &[], of("sms", "tel:1")), "sms"),
            (subscription(&change, &[], of("email", "mailto:a@example.org")), "mail"),
            (subscription(&change, &[], to("http://hooks.example.org/")), "https"),
            (subscription(&change, &[], to("https://10.0.0.1/")), "private"),
            (subscription(&change, &[], to("https://169.254.169.254/latest")), "private"),
            (subscription(&change, &[], to("https://[::1]/")), "private"),
            (subscription(&change, &[], to("https://u:p@example.org/")), "password"),
            (past, "end"),
            (failed, "status"),
        ] {
            let answer = client.post("/fhir/Subscription", &resource).await.expect(422);
            let (_, message) = answer.issue();
            assert!(message.contains(words), "`{message}` names `{words}`");
        }
        // In a transaction it is the same door.
        let bad = subscription("Observation?nonsense=y", &[], ok());
        let entry = json!({"resource": bad, "request": {"method": "POST", "url": "Subscription"}});
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
        client.post("/fhir", &bundle).await.expect(422);
        for role in [Role::Operator, Role::PrivacyOfficer, Role::Registrar] {
            let other = hospital.signed_in(role).await;
            let good = subscription("Observation?status=final", &[], ok());
            other.post("/fhir/Subscription", &good).await.expect(403);
            other.get("/fhir/Subscription/$status").await.expect(403);
        }
        hospital.stranger().get("/fhir/Subscription/$status").await.expect(401);
    });
}

#[test]
fn a_patient_is_told_of_the_own_record_alone_until_the_account_ends() {
    run(async {
        let hospital = hospital().await;
        let clinician = hospital.signed_in(Role::Clinician).await;
        let (own, other) = (patient(&clinician).await, patient(&clinician).await);
        let account = hospital.account(Role::Patient, Some(&own));
        let client = Client::sign_in(&hospital.base, &account, Some(hospital.app.now_ms())).await;
        let mut receiver = Receiver::start().await;
        let channel = with_content(hook(&receiver.url), "full-resource");
        let resource = subscription(&format!("{TOPIC}resource-change"), &[], channel.clone());
        let id = client.create(&resource).await;
        receiver.notification("handshake").await;
        becomes(hospital, &client, &id, "active").await;
        clinician.create(&observation(&other, "1")).await;
        let mine = clinician.create(&observation(&own, "2")).await;
        let told = receiver.notification("event-notification").await;
        assert_eq!(told.events(), [(1, format!("Observation/{mine}"))]);
        clinician.delete(&format!("/fhir/Observation/{mine}")).await.expect(204);
        let told = receiver.notification("event-notification").await;
        assert_eq!(told.events(), [(2, format!("Observation/{mine}"))]);
        assert_eq!(told.resources(), [Value::Null]);

        // The disclosure stands in the patient's own list of accesses.
        let log = client.get("/fhir/AuditEvent?_count=200&subtype=disclose").await.expect(200);
        let told_of = format!("Observation/{mine}");
        assert!(log.text.contains(&told_of), "the audit names {told_of}");

        // Another patient neither sees the subscription nor takes it over.
        let stranger = hospital.patient(&other).await;
        stranger.get(&format!("/fhir/Subscription/{id}")).await.expect(404);
        stranger.get(&format!("/fhir/Subscription/{id}/$status")).await.expect(404);
        stranger.get(&format!("/fhir/Subscription/{id}/$events")).await.expect(404);
        let mut stolen = resource.clone();
        stolen["id"] = json!(id);
        stranger.put(&format!("/fhir/Subscription/{id}"), &stolen).await.expect(404);
        // Whose it is, is the node's to say.
        let mut forged = resource;
        forged["extension"] = json!([{
            "url": "https://consilium.health/fhir/StructureDefinition/subscription-owner",
            "valueReference": {"reference": format!("Patient/{own}"), "identifier": {"value": "x"}},
        }]);
        let forged = stranger.create(&forged).await;
        let stored = stranger.get(&format!("/fhir/Subscription/{forged}")).await.expect(200).json();
        let reference = &stored["extension"][0]["valueReference"]["reference"];
        assert_eq!(*reference, format!("Patient/{other}"));
        receiver.notification("handshake").await;

        let accounts = hospital.app.identity().accounts();
        let now = hospital.app.now_ms();
        block_in_place(|| {
            let found = accounts.find(&account.username).unwrap().unwrap();
            accounts.set_disabled(&found.id, true, now).unwrap();
        });
        clinician.create(&observation(&own, "3")).await;
        let ended = becomes(hospital, &clinician, &id, "off").await;
        assert!(text(&ended["error"]).contains("account"), "{ended}");
        assert!(receiver.is_empty());
    });
}

#[test]
fn a_subscription_that_fails_is_shown_to_the_operator_and_served_again() {
    run(async {
        let hospital = hospital().await;
        let client = hospital.signed_in(Role::Clinician).await;
        let operator = hospital.signed_in(Role::Operator).await;
        let mut receiver = Receiver::start().await;
        receiver.answer(503);
        let own = patient(&client).await;
        let criteria = format!("Observation?subject=Patient/{own}");
        let channel = with_content(hook(&receiver.url), "id-only");
        let id = client.create(&subscription(&criteria, &[], channel)).await;
        receiver.notification("handshake").await;
        let failed = becomes(hospital, &client, &id, "error").await;
        assert!(text(&failed["error"]).contains("503"), "{failed}");
        // It is still counted.
        let missed = client.create(&observation(&own, "1")).await;
        let figures = operator.get("/operate/figures").await.expect(200).json();
        let list = figures["subscriptionsGivenUp"].as_array().unwrap().clone();
        assert!(list.iter().any(|one| one["subscription"] == id.as_str()), "{figures}");
        receiver.answer(200);
        let retry = format!("/operate/subscriptions/{id}/retry");
        client.post(&retry, &json!({})).await.expect(403);
        operator.post(&retry, &json!({})).await.expect(200);
        receiver.notification("handshake").await;
        let told = receiver.notification("event-notification").await;
        assert_eq!(told.events(), [(1, format!("Observation/{missed}"))]);
        becomes(hospital, &client, &id, "active").await;
        operator.post(&retry, &json!({})).await.expect(404);
        // Off is off.
        let mut off = client.get(&format!("/fhir/Subscription/{id}")).await.expect(200).json();
        off["status"] = json!("off");
        client.put(&format!("/fhir/Subscription/{id}"), &off).await.expect(200);
        client.create(&observation(&own, "2")).await;
        client.delete(&format!("/fhir/Subscription/{id}")).await.expect(204);
        client.get(&format!("/fhir/Subscription/{id}/$events")).await.expect(404);
        assert!(receiver.is_empty());
    });
}

#[test]
fn a_topic_that_users_store_can_be_subscribed_to_with_its_filters() {
    run(async {
        let hospital = hospital().await;
        let client = hospital.signed_in(Role::Clinician).await;
        let mut receiver = Receiver::start().await;
        let own = patient(&client).await;
        let root = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.";
        let url = format!("https://example.org/topics/{own}");
        let part = |name: &str, kind: &str, value: Value| json!({"url": name, kind: value});
        let criteria = json!({"url": "queryCriteria", "extension": [
            part("previous", "valueString", json!("status:not=completed")),
            part("resultForCreate", "valueCode", json!("test-fails")),
            part("current", "valueString", json!("status=completed")),
            part("requireBoth", "valueBoolean", json!(true)),
        ]});
        let trigger = json!({"url": format!("{root}resourceTrigger"), "extension": [
            part("resource", "valueUri", json!("http://hl7.org/fhir/StructureDefinition/Task")),
            part("supportedInteraction", "valueCode", json!("update")),
            criteria,
        ]});
        let filter = json!({"url": format!("{root}canFilterBy"), "extension": [
            part("filterParameter", "valueString", json!("patient")),
            part("resource", "valueUri", json!("Task")),
        ]});
        let topic = |trigger: Value| {
            json!({
                "resourceType": "Basic",
                "code": {"coding": [
                    {"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}]},
                "extension": [{"url": format!("{root}url"), "valueUri": url}, trigger, filter],
            })
        };
        let mut wrong = trigger.clone();
        wrong["extension"][2]["extension"][2]["valueString"] = json!("nonsense=1");
        let answer = client.post("/fhir/Basic", &topic(wrong)).await.expect(422);
        assert!(answer.issue().1.contains("nonsense"));
        client.create(&topic(trigger)).await;

        let channel = with_content(hook(&receiver.url), "id-only");
        let refused = subscription(&url, &["status=x"], channel.clone());
        let (_, message) = client.post("/fhir/Subscription", &refused).await.expect(422).issue();
        assert!(message.contains("status"), "{message}");
        let filter = format!("patient=Patient/{own}");
        client.create(&subscription(&url, &[&filter], channel)).await;
        receiver.notification("handshake").await;
        let mut task = json!({
            "resourceType": "Task", "status": "completed", "intent": "order",
            "for": {"reference": format!("Patient/{own}")},
        });
        client.create(&task).await;
        task["status"] = json!("requested");
        let id = client.create(&task).await;
        task["id"] = json!(id);
        task["status"] = json!("completed");
        client.put(&format!("/fhir/Task/{id}"), &task).await.expect(200);
        let told = receiver.notification("event-notification").await;
        assert_eq!(told.events(), [(1, format!("Task/{id}"))]);
        assert!(receiver.is_empty());
    });
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn connect(client: &Client, id: &str) -> Socket {
    let path = format!("/fhir/Subscription/$get-ws-binding-token?id={id}");
    let answer = client.get(&path).await.expect(200).json();
    let value = |name: &str, kind: &str| {
        let list = answer["parameter"].as_array().unwrap();
        text(&list.iter().find(|p| p["name"] == name).unwrap()[kind])
    };
    let (mut socket, _) =
        tokio_tungstenite::connect_async(value("websocket-url", "valueUrl")).await.unwrap();
    let bind = format!("bind-with-token {}", value("token", "valueString"));
    socket.send(Message::text(bind)).await.unwrap();
    socket
}

async fn heard(socket: &mut Socket, kind: &str) -> Notification {
    let next = tokio::time::timeout(Duration::from_secs(30), socket.next()).await;
    let message = next.expect("a message in time").expect("an open socket").unwrap();
    let notification = Notification(serde_json::from_str(message.to_text().unwrap()).unwrap());
    assert_eq!(notification.text("type"), kind, "{}", notification.0);
    notification
}

#[test]
fn a_websocket_is_greeted_told_and_told_what_it_missed() {
    run(async {
        let hospital = hospital().await;
        let client = hospital.signed_in(Role::Clinician).await;
        let own = patient(&client).await;
        let criteria = format!("Observation?subject=Patient/{own}");
        let channel = with_content(json!({"type": "websocket"}), "id-only");
        let id = client.create(&subscription(&criteria, &[], channel)).await;
        becomes(hospital, &client, &id, "active").await;
        let mut socket = connect(&client, &id).await;
        let greeting = heard(&mut socket, "handshake").await;
        assert_eq!(
            greeting.text("subscription"),
            format!("{}/fhir/Subscription/{id}", hospital.base)
        );
        let first = client.create(&observation(&own, "1")).await;
        let told = heard(&mut socket, "event-notification").await;
        assert_eq!(told.events(), [(1, format!("Observation/{first}"))]);
        socket.close(None).await.unwrap();
        while socket.next().await.is_some() {}

        let second = client.create(&observation(&own, "2")).await;
        let mut socket = connect(&client, &id).await;
        heard(&mut socket, "handshake").await;
        let told = heard(&mut socket, "event-notification").await;
        assert_eq!(told.events(), [(2, format!("Observation/{second}"))]);

        // A wrong token is told so and shown out; a token is given to the owner alone.
        let url = hospital.base.replace("http", "ws") + "/ws/subscriptions";
        let (mut stranger, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        stranger.send(Message::text("bind-with-token wrong")).await.unwrap();
        let answer = stranger.next().await.unwrap().unwrap();
        assert!(answer.to_text().unwrap().contains("token"), "{answer}");
        let other = hospital.signed_in(Role::Clinician).await;
        let path = format!("/fhir/Subscription/{id}/$get-ws-binding-token");
        other.get(&path).await.expect(404);
    });
}

/// A mail server of the plainest kind: takes one mail after the other.
async fn mail_server() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, mails) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let (reading, mut writing) = stream.into_split();
                let mut lines = BufReader::new(reading).lines();
                writing.write_all(b"220 test\r\n").await.unwrap();
                let (mut mail, mut in_mail) = (String::new(), false);
                while let Ok(Some(line)) = lines.next_line().await {
                    let reply: &[u8] = match (in_mail, line.as_str()) {
                        (true, ".") => {
                            in_mail = false;
                            let _ = sender.send(std::mem::take(&mut mail));
                            b"250 taken\r\n"
                        }
                        (true, _) => {
                            mail.push_str(&line);
                            mail.push('\n');
                            continue;
                        }
                        (false, "DATA") => {
                            in_mail = true;
                            b"354 go on\r\n"
                        }
                        (false, "QUIT") => b"221 bye\r\n",
                        (false, _) => {
                            mail.push_str(&line);
                            mail.push('\n');
                            b"250 ok\r\n"
                        }
                    };
                    writing.write_all(reply).await.unwrap();
                }
            });
        }
    });
    (address, mails)
}

#[test]
fn a_mail_tells_that_there_is_news_and_carries_what_is_allowed() {
    run(async {
        let (address, mut mails) = mail_server().await;
        let server: &'static str = format!("mail_server = \"smtp://{address}\"").leak();
        let config: &'static [(&'static str, &'static str)] = vec![
            ("mail_server = \"\"", server),
            ("mail_from = \"\"", "mail_from = \"node@north.example\""),
            ("mail_content = false", "mail_content = true"),
        ]
        .leak();
        let setup = Setup { hospitals: 2, patients: 6, config, ..Setup::default() };
        let hospitals = Hospitals::start(setup).await;
        let hospital = &hospitals.all[0];
        let client = hospital.signed_in(Role::Clinician).await;
        let own = patient(&client).await;
        let criteria = format!("Observation?subject=Patient/{own}");
        let channel = |content: &str, to: &str| {
            with_content(json!({"type": "email", "endpoint": to}), content)
        };
        let empty = subscription(&criteria, &[], channel("empty", "mailto:empty@example.org"));
        let empty = client.create(&empty).await;
        let named = subscription(&criteria, &[], channel("id-only", "mailto:named@example.org"));
        let named = client.create(&named).await;
        for id in [&empty, &named] {
            becomes(hospital, &client, id, "active").await;
        }
        let seen = client.create(&observation(&own, "1")).await;
        for _ in 0..2 {
            let next = tokio::time::timeout(Duration::from_secs(30), mails.recv()).await;
            let mail = next.expect("a mail in time").expect("the server runs");
            assert!(mail.contains("one new event"), "{mail}");
            let is_named = mail.contains("named@example.org");
            assert_eq!(mail.contains("multipart/mixed"), is_named, "{mail}");
            assert!(is_named || !mail.contains(&seen), "{mail}");
        }
        hospitals.stop().await;
    });
}

#[test]
fn time_brings_heartbeats_retries_and_the_end() {
    run(async {
        let (clock, ahead) = clock();
        let hospitals = Hospitals::start(Setup {
            hospitals: 2,
            patients: 6,
            config: &[("notify_allowed = []", "notify_allowed = [\"127.0.0.0/8\"]")],
            clock: clock.clone(),
            ..Setup::default()
        })
        .await;
        let hospital = &hospitals.all[0];
        let forward = |s: u64| {
            ahead.fetch_add(s * 1000, std::sync::atomic::Ordering::SeqCst);
            hospital.app.notify().nudge();
        };
        let client = hospital.signed_in(Role::Clinician).await;
        let mut receiver = Receiver::start().await;
        let own = patient(&client).await;
        let criteria = format!("Observation?subject=Patient/{own}");
        let mut channel = with_content(hook(&receiver.url), "id-only");
        channel["extension"] = json!([
            {"url": format!("{BACKPORT}backport-heartbeat-period"), "valueUnsignedInt": 300},
            {"url": format!("{BACKPORT}backport-timeout"), "valueUnsignedInt": 10},
            {"url": format!("{BACKPORT}backport-max-count"), "valuePositiveInt": 2},
        ]);
        let mut resource = subscription(&criteria, &[], channel);
        resource["end"] = json!(fhir::time::instant(clock() + 900_000));
        let id = client.create(&resource).await;
        receiver.notification("handshake").await;
        becomes(hospital, &client, &id, "active").await;
        forward(300);
        let beat = receiver.notification("heartbeat").await;
        assert_eq!(beat.text("events-since-subscription-start"), "0");

        // Five events while the receiver is down arrive afterwards, two at a time, in order.
        receiver.answer(500);
        let mut written = Vec::new();
        for _ in 0..5 {
            written.push(client.create(&observation(&own, "1")).await);
        }
        let first = receiver.notification("event-notification").await;
        assert_eq!(first.events()[0], (1, format!("Observation/{}", written[0])));
        // Its failure shows in the status once it is written down.
        let mut commits = hospital.app.store().watch();
        loop {
            commits.mark_unchanged();
            let path = format!("/fhir/Subscription/{id}/$status");
            let status = Notification(client.get(&path).await.expect(200).json());
            if status.text("error").contains("500") {
                break;
            }
            commits.changed().await.unwrap();
        }
        receiver.answer(200);
        forward(5);
        let mut told = Vec::new();
        while told.len() < 5 {
            let next = receiver.notification("event-notification").await.events();
            assert!(next.len() <= 2, "{next:?}");
            told.extend(next);
        }
        let expected: Vec<(u64, String)> =
            (1..).zip(written.iter().map(|id| format!("Observation/{id}"))).collect();
        assert_eq!(told, expected);
        forward(900);
        // The session has ended meanwhile, too.
        let client = hospital.signed_in(Role::Clinician).await;
        becomes(hospital, &client, &id, "off").await;
        hospitals.stop().await;
    });
}
