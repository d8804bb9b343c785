//! Topics that look at two versions, events of the outside world, and events that are sent again.

use identity::Role;
use serde_json::{Value, json};

use crate::client::{Client, text};
use crate::hospitals::run;
use crate::receiver::Receiver;
use crate::subscriptions::{
    TOPIC, becomes, encounter, hook, hospital, observation, patient, subscription, with_content,
};

const ROOT: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.";

/// Subscribes to a topic about one patient and waits for the greeting.
async fn subscribed(client: &Client, topic: &str, own: &str) -> (Receiver, String) {
    let mut receiver = Receiver::start().await;
    let channel = with_content(hook(&receiver.url), "id-only");
    let filter = format!("patient=Patient/{own}");
    let id = client.create(&subscription(topic, &[&filter], channel)).await;
    receiver.notification("handshake").await;
    (receiver, id)
}

/// The next event, which must have this number, and what it is about.
async fn next(receiver: &mut Receiver, number: u64) -> String {
    let mut events = receiver.notification("event-notification").await.events();
    assert_eq!(events.len(), 1, "{events:?}");
    let (found, focus) = events.remove(0);
    assert_eq!(found, number, "{focus}");
    focus
}

async fn write(client: &Client, resource: &Value) {
    let id = text(&resource["id"]);
    let path = format!("/fhir/{}/{id}", text(&resource["resourceType"]));
    let answer = client.put(&path, resource).await;
    assert!(answer.status < 300, "{}", answer.text);
}

#[test]
fn a_move_during_a_stay_is_a_transfer() {
    run(async {
        let client = hospital().await.signed_in(Role::Clinician).await;
        let own = patient(&client).await;
        let topic = format!("{TOPIC}transfer");
        let channel = with_content(json!({"type": "websocket"}), "id-only");
        let refused = subscription(&topic, &["date=gt2020-01-01"], channel);
        let (_, message) = client.post("/fhir/Subscription", &refused).await.expect(422).issue();
        assert!(message.contains("`date`"), "{message}");
        let (mut moves, _) = subscribed(&client, &topic, &own).await;
        let (mut admissions, _) = subscribed(&client, &format!("{TOPIC}admission"), &own).await;
        let (mut discharges, _) = subscribed(&client, &format!("{TOPIC}discharge"), &own).await;
        let mut wards = Vec::new();
        for name in ["Ward 1", "Ward 2"] {
            wards.push(client.create(&json!({"resourceType": "Location", "name": name})).await);
        }
        let at = |ward: &str, status: &str| json!({"location": {"reference": format!("Location/{ward}")}, "status": status});
        let mut stay = encounter(&own, "in-progress");
        let id = client.create(&stay).await;
        stay["id"] = json!(id);
        assert_eq!(next(&mut admissions, 1).await, format!("Encounter/{id}"));
        // The first place is no move, and a planned one is none yet.
        stay["location"] = json!([at(&wards[0], "active")]);
        write(&client, &stay).await;
        stay["location"] = json!([at(&wards[0], "active"), at(&wards[1], "planned")]);
        write(&client, &stay).await;
        stay["location"] = json!([at(&wards[0], "completed"), at(&wards[1], "active")]);
        write(&client, &stay).await;
        assert_eq!(next(&mut moves, 1).await, format!("Encounter/{id}"));
        write(&client, &stay).await;
        stay["status"] = json!("finished");
        write(&client, &stay).await;
        assert_eq!(next(&mut discharges, 1).await, format!("Encounter/{id}"));
        assert!(moves.is_empty() && admissions.is_empty());
    });
}

#[test]
fn an_abnormal_result_is_told_whole_or_by_component() {
    run(async {
        let client = hospital().await.signed_in(Role::Clinician).await;
        let own = patient(&client).await;
        let (mut receiver, _) = subscribed(&client, &format!("{TOPIC}abnormal-result"), &own).await;
        let means = |code: &str| {
            let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
            json!([{"coding": [{"system": system, "code": code}]}])
        };
        let mut normal = observation(&own, "1");
        normal["interpretation"] = means("N");
        client.create(&normal).await;
        let mut high = observation(&own, "1");
        high["interpretation"] = means("HH");
        let mut early = high.clone();
        early["status"] = json!("preliminary");
        client.create(&early).await;
        let high = client.create(&high).await;
        assert_eq!(next(&mut receiver, 1).await, format!("Observation/{high}"));
        let mut part = observation(&own, "1");
        part["component"] = json!([
            {"code": {"text": "a"}, "interpretation": means("N")},
            {"code": {"text": "b"}, "interpretation": means("L")},
        ]);
        let part = client.create(&part).await;
        assert_eq!(next(&mut receiver, 2).await, format!("Observation/{part}"));
    });
}

/// A stored topic with one trigger and the filter `patient`.
fn topic(url: &str, trigger: &str, parts: &[(&str, Value)]) -> Value {
    let parts: Vec<Value> = parts
        .iter()
        .map(|(name, value)| {
            let mut part = json!({"url": name});
            let kind = match *name {
                "resource" => "valueUri",
                "event" => "valueCodeableConcept",
                "supportedInteraction" => "valueCode",
                _ => "valueString",
            };
            part[kind] = value.clone();
            part
        })
        .collect();
    json!({
        "resourceType": "Basic",
        "code": {"coding": [
            {"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}]},
        "extension": [
            {"url": format!("{ROOT}url"), "valueUri": url},
            {"url": format!("{ROOT}{trigger}"), "extension": parts},
            {"url": format!("{ROOT}canFilterBy"), "extension": [
                {"url": "filterParameter", "valueString": "patient"}]},
        ],
    })
}

#[test]
fn stored_topics_look_at_both_versions_and_name_events() {
    run(async {
        let client = hospital().await.signed_in(Role::Clinician).await;
        let own = patient(&client).await;
        let weight = format!("https://example.org/topics/{own}/more");
        let more = |expression: &str| {
            topic(
                &weight,
                "resourceTrigger",
                &[
                    ("resource", json!("Observation")),
                    ("supportedInteraction", json!("update")),
                    ("fhirPathCriteria", json!(expression)),
                ],
            )
        };
        for (wrong, word) in [
            (more("%current.value >"), "fhirPathCriteria"),
            (more("%before.exists()"), "before"),
            (topic(&weight, "eventTrigger", &[("resource", json!("Observation"))]), "event"),
            (
                topic(
                    &weight,
                    "eventTrigger",
                    &[
                        ("resource", json!("Observation")),
                        (
                            "event",
                            json!({"coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "A01"}]}),
                        ),
                    ],
                ),
                "Observation",
            ),
        ] {
            let (_, message) = client.post("/fhir/Basic", &wrong).await.expect(422).issue();
            assert!(message.contains(word), "{message}");
        }
        client.create(&more("%current.value.value > %previous.value.value + 5")).await;
        let arrival = format!("https://example.org/topics/{own}/arrival");
        let event = json!({"coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "A01"}]});
        let named = [("resource", json!("Encounter")), ("event", event)];
        client.create(&topic(&arrival, "eventTrigger", &named)).await;

        let (mut grown, _) = subscribed(&client, &weight, &own).await;
        let (mut arrived, _) = subscribed(&client, &arrival, &own).await;
        let mut weighed = observation(&own, "29463-7");
        weighed["valueQuantity"] = json!({"value": 70, "unit": "kg"});
        let id = client.create(&weighed).await;
        weighed["id"] = json!(id);
        for value in [72, 80] {
            weighed["valueQuantity"]["value"] = json!(value);
            write(&client, &weighed).await;
        }
        assert_eq!(next(&mut grown, 1).await, format!("Observation/{id}"));
        client.create(&encounter(&own, "planned")).await;
        let stay = client.create(&encounter(&own, "in-progress")).await;
        assert_eq!(next(&mut arrived, 1).await, format!("Encounter/{stay}"));
        assert!(grown.is_empty());
    });
}

#[test]
fn what_was_acknowledged_is_sent_again_to_who_asks() {
    run(async {
        let hospital = hospital().await;
        let client = hospital.signed_in(Role::Clinician).await;
        let own = patient(&client).await;
        let mut receiver = Receiver::start().await;
        let channel = with_content(hook(&receiver.url), "id-only");
        let criteria = format!("Observation?subject=Patient/{own}");
        let id = client.create(&subscription(&criteria, &[], channel)).await;
        let path = |query: &str| format!("/fhir/Subscription/{id}/$resend?{query}");
        let none = json!({"resourceType": "Parameters"});
        receiver.notification("handshake").await;
        becomes(hospital, &client, &id, "active").await;
        let nothing = client.post(&path(""), &none).await.expect(200).issue().1;
        assert!(nothing.contains("nothing"), "{nothing}");
        let mut written = Vec::new();
        for number in 1..=3 {
            let seen = client.create(&observation(&own, "1")).await;
            assert_eq!(next(&mut receiver, number).await, format!("Observation/{seen}"));
            written.push(format!("Observation/{seen}"));
        }
        let said = client.post(&path("eventsSinceNumber=2"), &none).await.expect(200).issue().1;
        assert!(said.contains("2 to 3"), "{said}");
        let again = receiver.notification("event-notification").await;
        assert_eq!(again.events(), [(2, written[1].clone()), (3, written[2].clone())]);
        assert_eq!(again.text("events-since-subscription-start"), "3");
        let second = client.get(&format!("/fhir/{}", written[1])).await.expect(200).json();
        let at = text(&second["meta"]["lastUpdated"]);
        let only = format!("eventsSinceInstant={at}&eventsUntilInstant={at}&eventsUntilNumber=2");
        client.post(&path(&only), &none).await.expect(200);
        let again = receiver.notification("event-notification").await;
        assert_eq!(again.events().last(), Some(&(2, written[1].clone())));
        // What is new goes on where it was.
        let fourth = client.create(&observation(&own, "1")).await;
        assert_eq!(next(&mut receiver, 4).await, format!("Observation/{fourth}"));

        let (_, message) = client.post(&path("since=1"), &none).await.expect(400).issue();
        assert!(message.contains("since"), "{message}");
        client.post(&path("eventsSinceInstant=yesterday"), &none).await.expect(400);
        let other = hospital.signed_in(Role::Clinician).await;
        other.post(&path(""), &none).await.expect(403);
        hospital.stranger().post(&path(""), &none).await.expect(401);
        let mut off = client.get(&format!("/fhir/Subscription/{id}")).await.expect(200).json();
        off["status"] = json!("off");
        client.put(&format!("/fhir/Subscription/{id}"), &off).await.expect(200);
        client.post(&path(""), &none).await.expect(422);
        assert!(receiver.is_empty());
    });
}
