//! What a Consent covers, in plain words, for whoever receives something on its ground.
//!
//! 42 CFR 2.32(b) lets a disclosure of records of a programme be accompanied by "a clear explanation
//! of the scope of the consent" in the place of a copy. Every element that narrows a permission is
//! told, so that nobody takes it for wider than it is. What is denied is not: an exception that names
//! a subject would tell that there is something of it. That there may be exceptions is said of every
//! Consent, whether or not it has any.

use fhir::{Resource, Value};

/// Levels of provisions that are looked at.
const LEVELS: usize = 8;
/// Permissions that are told, and names or codes of each; of more it is said how many.
const MOST: usize = 12;

/// The scope of a Consent: its day, who gave it, and each element of its provisions.
pub fn scope(consent: &Resource) -> String {
    let root = consent.root();
    let day =
        root.str_at("dateTime").map(|date| format!(" of {}", date.get(..10).unwrap_or(&date)));
    let signer = root.get("performer").and_then(|all| all.items().next()).map(name);
    let signer = match signer.as_deref() {
        None | Some("") => String::new(),
        Some(by) if by.starts_with("Patient/") => ", given by the patient".to_owned(),
        Some(by) if by.starts_with("RelatedPerson/") => {
            ", given by somebody who acts for the patient".to_owned()
        }
        Some(by) => format!(", given by {by}"),
    };
    let mut permits = Vec::new();
    permitted(root.get("provision"), 0, &mut permits);
    let told = match permits.as_slice() {
        [] => "permits nothing by itself".to_owned(),
        all => more(all.iter().take(MOST).cloned().collect(), all.len(), "; it also "),
    };
    let day = day.unwrap_or_default();
    format!("The consent{day}{signer} {told}. What the patient has excepted is not part of it.")
}

/// The permissions among provisions, the outer ones first.
fn permitted(provision: Option<Value<'_>>, level: usize, told: &mut Vec<String>) {
    let Some(provision) = provision.filter(|_| level < LEVELS) else { return };
    if !provision.get("type").is_some_and(|kind| kind.is_str("deny")) {
        told.push(said(provision));
    }
    for inner in provision.get("provision").into_iter().flat_map(|all| all.items()) {
        permitted(Some(inner), level + 1, told);
    }
}

fn said(provision: Value<'_>) -> String {
    let actors = list(provision, "actor", |actor| actor.get("reference").map(name));
    let actors = if actors.is_empty() { "everybody in the network".to_owned() } else { actors };
    let mut parts = vec![format!("permits {actors}")];
    for (element, words) in [
        ("action", "to"),
        ("purpose", "for the purposes"),
        ("securityLabel", "of data labelled"),
        ("class", "of the kinds"),
        ("code", "of what is coded"),
    ] {
        let codes = list(provision, element, code);
        if !codes.is_empty() {
            parts.push(format!("{words} {codes}"));
        }
    }
    let data = list(provision, "data", |data| data.get("reference").map(name));
    if !data.is_empty() {
        parts.push(format!("of {data} alone"));
    }
    parts.extend(period(provision, "dataPeriod", "of data"));
    parts.extend(period(provision, "period", "in force"));
    parts.join(" ")
}

/// What the elements of a list are called, joined.
fn list(
    provision: Value<'_>,
    element: &str,
    called: impl Fn(Value<'_>) -> Option<String>,
) -> String {
    let Some(all) = provision.get(element) else { return String::new() };
    let names: Vec<String> = all.items().take(MOST).filter_map(called).collect();
    more(names, all.items().count(), ", ")
}

fn more(told: Vec<String>, all: usize, between: &str) -> String {
    let rest = all.saturating_sub(MOST);
    let joined = told.join(between);
    if rest > 0 { format!("{joined} and {rest} more") } else { joined }
}

/// What a reference is called: its display, else what it refers to.
fn name(reference: Value<'_>) -> String {
    let text = |path: &[&str]| Some(reference.path(path)?.as_str()?.into_owned());
    text(&["display"])
        .or_else(|| text(&["reference"]))
        .or_else(|| text(&["identifier", "value"]))
        .unwrap_or_else(|| "somebody who is not named".to_owned())
}

/// A Coding, or the first of a CodeableConcept, by its words and its code.
fn code(value: Value<'_>) -> Option<String> {
    let coding = match value.get("coding") {
        Some(codings) => codings.items().next(),
        None => Some(value),
    };
    let text = |name: &str| coding.and_then(|coding| coding.str_at(name)).map(|t| t.into_owned());
    match (text("display"), text("code")) {
        (Some(display), Some(code)) => Some(format!("{display} ({code})")),
        (Some(one), None) | (None, Some(one)) => Some(one),
        (None, None) => value.str_at("text").map(|text| text.into_owned()),
    }
}

fn period(provision: Value<'_>, element: &str, words: &str) -> Option<String> {
    let period = provision.get(element)?;
    let at = |name: &str| period.str_at(name).map(|text| text.into_owned());
    Some(match (at("start"), at("end")) {
        (Some(start), Some(end)) => format!("{words} from {start} until {end}"),
        (Some(start), None) => format!("{words} from {start} on"),
        (None, Some(end)) => format!("{words} until {end}"),
        (None, None) => return None,
    })
}

#[cfg(test)]
mod tests {

    use serde_json::{Value as Json, json};

    use super::*;

    fn check(provision: &Json, expected: &str) {
        let consent = json!({"resourceType": "Consent", "id": "c", "status": "active",
            "dateTime": "2026-02-03T10:00:00Z", "performer": [{"reference": "Patient/1"}],
            "provision": provision});
        let consent = Resource::parse(consent.to_string()).unwrap();
        let expected = format!(
            "The consent of 2026-02-03, given by the patient {expected}. What the patient has \
             excepted is not part of it."
        );
        assert_eq!(scope(&consent), expected);
    }

    #[test]
    fn every_element_that_narrows_is_told() {
        check(&json!({"type": "permit"}), "permits everybody in the network");
        let purpose = json!([{"code": "TREAT", "display": "treatment"}, {"code": "HPAYMT"}]);
        check(
            &json!({"type": "permit", "purpose": purpose,
                "actor": [{"reference": {"display": "West Hospital"}}],
                "period": {"start": "2026-01-01", "end": "2026-12-31"},
                "provision": [
                    {"type": "deny", "securityLabel": [{"code": "HIV"}]},
                    {"type": "deny", "class": [{"code": "DocumentReference"}],
                        "dataPeriod": {"end": "2020"}}]}),
            "permits West Hospital for the purposes treatment (TREAT), HPAYMT in force from \
             2026-01-01 until 2026-12-31",
        );
        check(
            &json!({"type": "deny", "provision": [{"type": "permit", "class": [
                {"code": "Observation"}]}]}),
            "permits everybody in the network of the kinds Observation",
        );
        check(&json!({"type": "deny"}), "permits nothing by itself");
        let code = json!([{"coding": [{"code": "F11.20", "display": "Opioid dependence"}]}]);
        let data = json!([{"meaning": "instance", "reference": {"reference": "Condition/7"}}]);
        check(
            &json!({"type": "permit", "code": code, "data": data}),
            "permits everybody in the network of what is coded Opioid dependence (F11.20) of \
             Condition/7 alone",
        );
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let mut provision = json!({"type": "permit"});
        for _ in 0..40 {
            provision = json!({"type": "permit", "provision": [provision]});
        }
        let one = "permits everybody in the network";
        check(&provision, &[one; LEVELS].join("; it also "));
        let labels: Vec<Json> = (0..20).map(|n| json!({"code": format!("L{n}")})).collect();
        check(
            &json!({"type": "permit", "securityLabel": labels}),
            &format!(
                "{one} of data labelled L0, L1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11 and 8 more"
            ),
        );
    }
}
