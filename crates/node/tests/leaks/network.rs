//! The door between hospitals: people at another hospital ask for the record of each generated
//! patient, over the network, and get what the second reading of the rules leaves them. Where it may
//! not be known that something is withheld, they get what a hospital sends that never held it.

use policy::Purpose;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, parameters};
use crate::generated::{Generated, person};
use crate::scene::Pair;
use crate::visit::{By, Visit};
use crate::without::{differs, strip};
use crate::world::Item;

/// The patients, as the hospital that asks knows them. Their ids there.
pub fn known_here(generated: &Generated) -> Vec<Value> {
    let one = |(number, id): (usize, &str)| {
        let mut patient = person(number);
        patient["id"] = json!(id);
        patient
    };
    generated.patients().enumerate().map(one).collect()
}

/// Asks for the record of each patient.
pub async fn records(visit: &mut Visit<'_>, generated: &Generated, purpose: Purpose) {
    let door = match purpose {
        Purpose::BTG => "network in an emergency",
        _ => "network",
    };
    let headers = [("x-purpose-of-use", purpose.code()), ("x-evidence", "a visit today")];
    for patient in generated.patients() {
        let own: Vec<&Item> =
            generated.items.iter().filter(|item| item.patient == patient).collect();
        if purpose == Purpose::BTG {
            let open = format!("/fhir/Patient/{patient}/$break-glass");
            let reason = parameters(&[("reason", "found unconscious")]);
            visit.client.post(&open, &reason).await.expect(200);
        }
        let path = format!("/fhir/Patient/{patient}/$longitudinal-record?_wait=all");
        let answer = visit.client.send(Method::GET, &path, None, &headers).await.expect(200);
        visit.look_for(door, &answer.text, &own);
    }
}

/// What one is told at the other hospital who asks for each patient: the record, and where it may
/// be. Where a decision of the patient has come over by which the own hospital knows nobody any more,
/// there is nothing to compare.
pub async fn differences(visit: &mut Visit<'_>, here: &Pair, twin: &Pair, patients: &[String]) {
    for patient in patients {
        for (door, path) in [
            ("network: record", format!("/fhir/Patient/{patient}/$longitudinal-record?_wait=all")),
            ("network: match", format!("/fhir/Patient/{patient}/$link-candidates")),
        ] {
            let (this, that) = (told(here, &path).await, told(twin, &path).await);
            if this.0 == 404 {
                continue;
            }
            visit.look(door, &this.1.to_string());
            visit.checked.insert((door.to_owned(), By::Twin));
            // Where the person that is hidden is the one who was meant, nobody is offered instead, though
            // others are like them: a record of somebody else would be worse than a word too much.
            let nobody = says(&this.1, "not-found") && says(&that.1, "multiple-matches");
            if this != that && !nobody {
                let what = format!("{path}: {} {} {}", this.0, that.0, differs(&this.1, &that.1));
                visit.leak(door, By::Twin, what);
            }
        }
    }
}

/// Whether an answer has an issue of this code.
fn says(answer: &Value, code: &str) -> bool {
    answer.to_string().contains(&format!("\"code\":\"{code}\""))
}

/// An answer without addresses and times.
async fn told(pair: &Pair, path: &str) -> (u16, Value) {
    let client: &Client = &pair.client;
    let headers = [("x-purpose-of-use", Purpose::TREAT.code()), ("x-evidence", "a visit today")];
    let answer = client.send(Method::GET, path, None, &headers).await;
    let mut text = answer.text;
    for hospital in &pair.hospitals.all {
        text = text.replace(&hospital.base, &hospital.org);
    }
    let mut body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    strip(&mut body);
    by_chance(&mut body);
    (answer.status, body)
}

/// Takes out what is made anew for each answer: ids of what is in no store, and times.
fn by_chance(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let is_made = ["OperationOutcome", "Provenance", "Linkage"];
            let kind = members.get("resourceType").and_then(Value::as_str).unwrap_or_default();
            if is_made.contains(&kind) {
                members.remove("id");
            }
            members.values_mut().for_each(by_chance);
        }
        Value::Array(items) => items.iter_mut().for_each(by_chance),
        Value::String(text) => {
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let is_instant = text.len() >= 20 && text.ends_with('Z') && digits >= 14;
            let is_uuid = text.len() >= 36
                && text.bytes().filter(|byte| *byte == b'-').count() >= 4
                && !text.contains(' ');
            if is_instant || is_uuid {
                text.clear();
            }
        }
        _ => {}
    }
}
