//! The door between hospitals: people at another hospital ask for the record of each generated
//! patient, over the network, and get what the second reading of the rules leaves them.

use policy::Purpose;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::parameters;
use crate::doors::Visit;
use crate::generated::{Generated, person};
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
