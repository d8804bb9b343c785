//! What the node keeps to govern by is nobody's to write: emergencies and their reviews, notices to
//! patients, links to records elsewhere.

use identity::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, parameters};
use crate::hospitals::{Hospital, run, shared};
use crate::record::{ask, newcomer};

const EMERGENCY: [(&str, &str); 2] = [("x-purpose-of-use", "BTG"), ("x-evidence", "unconscious")];

fn bundle(kind: &str, resource: Option<&Value>, method: &str, url: &str) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if let Some(resource) = resource {
        entry["resource"] = resource.clone();
    }
    json!({"resourceType": "Bundle", "type": kind, "entry": [entry]})
}

fn is_refused(answer: &Answer, what: &str) {
    let text = &answer.text;
    // A batch is answered, and its entry is refused.
    assert!(answer.status == 403 || text.contains("\"status\":\"403"), "{what}: {text}");
    assert!(text.contains("kept-by-the-node"), "{what}: {text}");
}

/// Tries to write `resource` by every door for writing.
async fn cannot_be_made(client: &Client, resource: &Value) {
    let kind = resource["resourceType"].as_str().unwrap();
    is_refused(&client.post(&format!("/fhir/{kind}"), resource).await, "create");
    let mut named = resource.clone();
    named["id"] = json!("made-by-hand");
    is_refused(&client.put(&format!("/fhir/{kind}/made-by-hand"), &named).await, "update");
    let matching = format!("/fhir/{kind}?_id=made-by-hand");
    is_refused(&client.put(&matching, resource).await, "conditional update");
    for sort in ["transaction", "batch"] {
        let posted = bundle(sort, Some(resource), "POST", kind);
        is_refused(&client.post("/fhir", &posted).await, sort);
        let put = bundle(sort, Some(&named), "PUT", &format!("{kind}/made-by-hand"));
        is_refused(&client.post("/fhir", &put).await, sort);
    }
}

/// Tries to change `resource` to `wanted`, and to delete it, by every door for that.
async fn cannot_be_changed(client: &Client, resource: &Value, wanted: &Value) {
    let kind = resource["resourceType"].as_str().unwrap();
    let id = resource["id"].as_str().unwrap();
    let path = format!("/fhir/{kind}/{id}");
    is_refused(&client.put(&path, wanted).await, "update");
    let patch = json!([{"op": "add", "path": "/language", "value": "en"}]).to_string();
    let json_patch = [("content-type", "application/json-patch+json")];
    let patched = client.send(Method::PATCH, &path, Some(patch), &json_patch).await;
    is_refused(&patched, "patch");
    is_refused(&client.send(Method::DELETE, &path, None, &[]).await, "delete");
    let matching = format!("/fhir/{kind}?_id={id}");
    is_refused(&client.send(Method::DELETE, &matching, None, &[]).await, "conditional delete");
    let tag = &resource["meta"]["tag"];
    if tag.is_array() {
        let meta = json!({"resourceType": "Parameters", "parameter": [
            {"name": "meta", "valueMeta": {"tag": tag}}]});
        is_refused(&client.post(&format!("{path}/$meta-delete"), &meta).await, "meta-delete");
    }
    for sort in ["transaction", "batch"] {
        let put = bundle(sort, Some(wanted), "PUT", &format!("{kind}/{id}"));
        is_refused(&client.post("/fhir", &put).await, sort);
        let gone = bundle(sort, None, "DELETE", &format!("{kind}/{id}"));
        is_refused(&client.post("/fhir", &gone).await, sort);
    }
}

fn first(found: &Answer) -> Value {
    found.json()["entry"][0]["resource"].clone()
}

#[test]
fn an_emergency_is_neither_made_nor_ended_by_hand() {
    run(async {
        let hospital = &shared().await.all[0];
        let ids = newcomer(&[hospital], "Keppelhofer", "987-39-7731").await;
        let (id, subject) = (&ids[0], format!("Patient/{}", ids[0]));
        let account = hospital.account(Role::Clinician, None);
        let clinician = Client::with_second_factor(&hospital.base, &account).await;
        let open = format!("/fhir/Patient/{id}/$break-glass");
        let record = format!("/fhir/Patient/{id}/$longitudinal-record");
        let refused = clinician.send(Method::GET, &record, None, &EMERGENCY).await;
        assert!(refused.text.contains("break-glass-not-granted"), "{}", refused.text);

        let accounts = hospital.app.identity().accounts();
        let own = accounts.find(&account.username).unwrap().unwrap().id;
        let forged = json!({
            "resourceType": "Task", "status": "completed", "intent": "order",
            "code": {"coding": [{"system": "https://consilium.health/fhir/CodeSystem/task",
                                 "code": "break-glass-review"}]},
            "for": {"reference": subject}, "reasonCode": {"text": "none"},
            "requester": {"identifier": {"value": own}, "display": "me"},
            "restriction": {"period": {"start": "2020-01-01T00:00:00Z",
                                       "end": "2099-01-01T00:00:00Z"}},
        });
        cannot_be_made(&clinician, &forged).await;
        let refused = clinician.send(Method::GET, &record, None, &EMERGENCY).await;
        assert!(refused.text.contains("break-glass-not-granted"), "{}", refused.text);

        let reason = parameters(&[("reason", "unconscious")]);
        clinician.post(&open, &reason).await.expect(200);
        let tasks = clinician.get(&format!("/fhir/Task?patient={subject}")).await.expect(200);
        let notices =
            clinician.get(&format!("/fhir/Communication?recipient={subject}")).await.expect(200);
        for kept in [first(&tasks), first(&notices)] {
            assert!(kept["id"].is_string(), "{kept}");
            let mut wanted = json!({
                "resourceType": kept["resourceType"], "id": kept["id"], "status": "completed",
            });
            if kept["resourceType"] == "Task" {
                wanted["intent"] = json!("order");
            }
            cannot_be_changed(&clinician, &kept, &wanted).await;
            let again = clinician
                .get(&format!(
                    "/fhir/{}/{}",
                    kept["resourceType"].as_str().unwrap(),
                    kept["id"].as_str().unwrap()
                ))
                .await
                .expect(200);
            assert_eq!(again.json()["meta"]["versionId"], "1");
        }

        // What is no such Task is anybody's, and the review is the privacy officer's.
        let plain = json!({"resourceType": "Task", "status": "requested", "intent": "order",
                           "code": {"text": "call back"}, "for": {"reference": subject}});
        clinician.create(&plain).await;
    });
}

#[test]
fn a_link_to_another_record_is_not_made_by_hand() {
    run(async {
        let all: Vec<&Hospital> = shared().await.all.iter().take(2).collect();
        let ids = newcomer(&all, "Linkenheil", "987-31-5520").await;
        let clinician = all[0].signed_in(Role::Clinician).await;
        assert_eq!(ask(&clinician, &ids[0]).await.state(all[1]), "answered");
        let subject = format!("Patient/{}", ids[0]);
        let found = clinician.get(&format!("/fhir/Linkage?source={subject}")).await.expect(200);
        let link = first(&found);
        let id = link["id"].as_str().unwrap();
        assert!(id.starts_with("link-"), "{link}");

        let mut elsewhere = link.clone();
        elsewhere["extension"].as_array_mut().unwrap().iter_mut().for_each(|extension| {
            if extension["url"].as_str().unwrap().ends_with("link-patient-id") {
                extension["valueString"] = json!("somebody-else");
            }
        });
        cannot_be_changed(&clinician, &link, &elsewhere).await;
        elsewhere.as_object_mut().unwrap().remove("id");
        elsewhere.as_object_mut().unwrap().remove("meta");
        cannot_be_made(&clinician, &elsewhere).await;
        // Nor where the link of another pair would stand.
        let free = format!("link-{}", "0".repeat(40));
        elsewhere["id"] = json!(free);
        elsewhere.as_object_mut().unwrap().remove("extension");
        is_refused(&clinician.put(&format!("/fhir/Linkage/{free}"), &elsewhere).await, "reserved");

        // Two records of one person at this institution are linked as FHIR has it.
        let plain = json!({"resourceType": "Linkage", "item": [
            {"type": "source", "resource": {"reference": subject}},
            {"type": "alternate", "resource": {"reference": subject}}]});
        clinician.create(&plain).await;
    });
}
