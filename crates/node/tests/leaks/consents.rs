//! What the patients have decided, and what it means, said once more in the plainest way.

use serde_json::{Value, json};

use crate::world::Item;

/// One who asks.
pub struct Caller {
    pub name: &'static str,
    pub practitioner: Option<&'static str>,
    /// Whether the hospital can tell by the account whom it is not.
    pub is_told_by_account: bool,
}

/// A program that acts for the colleague by an account of its own.
pub const PROGRAM: Caller =
    Caller { name: "service", practitioner: Some("Practitioner/8"), is_told_by_account: false };

/// Whom all are about, a colleague whose account the hospital knows, and one whom it knows as
/// nobody's Practitioner, who may therefore be anybody but the colleague.
pub const CALLERS: &[Caller] = &[
    Caller { name: "seven", practitioner: Some("Practitioner/7"), is_told_by_account: true },
    Caller { name: "eight", practitioner: Some("Practitioner/8"), is_told_by_account: true },
    Caller { name: "unknown", practitioner: None, is_told_by_account: true },
];

/// How many forms of consent there are. Patient number n has that of n modulo this.
pub const FORMS: usize = 16;

/// Whether a resource is one of a patient with a consent of fixed form.
pub fn is_fixed(item: &Item) -> bool {
    item.patient.trim_start_matches('p').parse::<usize>().is_ok()
}

fn of(item: &Item) -> usize {
    item.patient.trim_start_matches('p').parse::<usize>().expect("a number") % FORMS
}

/// The consent of a patient.
pub fn consent(number: usize) -> Option<Value> {
    let types =
        |kind: &str| json!([{"system": "http://hl7.org/fhir/resource-types", "code": kind}]);
    let data = |meaning: &str, reference: String| json!([{"meaning": meaning, "reference": {"reference": reference}}]);
    let period = |start: &str, end: &str| json!({"start": start, "end": end});
    let reason = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let degree = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let reference = |text: &str| json!({"reference": text});
    let (mut status, mut more) = ("active", json!({}));
    let mut about = reference("Practitioner/7");
    match number % FORMS {
        0 => return None,
        1 => {}
        2 => more = json!({"securityLabel": [{"system": act, "code": "HIV"}]}),
        3 => more = json!({"class": types("Observation")}),
        4 => more = json!({"data": data("instance", format!("Condition/condition-{number}-0"))}),
        5 => more = json!({"data": data("related", format!("Encounter/encounter-{number}-0"))}),
        6 => more = json!({"provision": [{"type": "permit", "class": types("Condition")}]}),
        7 => about = reference("PractitionerRole/somebody"),
        8 => more = json!({"purpose": [{"system": reason, "code": "HRESCH"}]}),
        9 => more = json!({"period": period("2001-01-01", "2002-01-01")}),
        10 => {
            more = json!({"dataPeriod": period("2024-01-01", "2024-12-31"), "class": types("Condition")})
        }
        11 => more = json!({"securityLabel": [{"system": degree, "code": "R"}]}),
        12 => status = "inactive",
        13 => about = reference("Practitioner/8"),
        14 => {
            let (system, value) = ("urn:consilium:org:north", "somebody-else");
            about = json!({"identifier": {"system": system, "value": value}});
        }
        _ => about = json!({"display": "the one with the beard"}),
    }
    let mut provision = json!({"type": "deny", "actor": [{
        "role": {"coding": [{"code": "IRCP",
            "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"}]},
        "reference": about}]});
    for (name, value) in more.as_object().expect("an object") {
        provision[name.as_str()] = value.clone();
    }
    Some(json!({
        "resourceType": "Consent", "id": format!("consent-{number}"), "status": status,
        "scope": {"coding": [{"code": "patient-privacy",
            "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": format!("Patient/p{number}")},
        "dateTime": "2024-05-01T08:00:00Z",
        "policy": [{"uri": "https://example.org/policy"}],
        "provision": provision,
    }))
}

/// Whether a caller who treats may not see it. The Patient stays known to people of the hospital.
pub fn forbidden(item: &Item, caller: &Caller) -> bool {
    if item.kind == "Patient" {
        return false;
    }
    let (number, form) = (item.patient.trim_start_matches('p'), of(item));
    let meant = match form {
        7 | 15 => true,
        14 => !caller.is_told_by_account,
        // Whose account the hospital knows.
        13 => caller.practitioner == Some("Practitioner/8"),
        _ => caller.practitioner.is_none_or(|who| who == "Practitioner/7"),
    };
    let security = item.json["meta"]["security"][0]["code"].as_str();
    let encounter = format!("Encounter/encounter-{number}-0");
    let refers = item.json.to_string().contains(&format!("\"{encounter}\""));
    meant
        && match form {
            1 | 7 | 13..=15 => true,
            2 => security == Some("HIV"),
            3 => item.kind == "Observation",
            4 => item.id == format!("condition-{number}-0"),
            5 => item.reference() == encounter || refers,
            // A permission that is not surely about somebody does not count.
            6 => item.kind != "Condition" || caller.practitioner.is_none(),
            10 => item.kind == "Condition",
            // What is sensitive counts as restricted.
            11 => security.is_some(),
            _ => false,
        }
}
