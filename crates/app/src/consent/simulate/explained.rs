//! One withheld item in words.

use fhir::{Resource, Value};
use policy::consent::{Audience, Compiled, ItemDecision, explain};
use wire::{Remedy, WithheldItem};

/// Longest text taken out of a resource, in characters.
const MAX_TEXT: usize = 120;

/// What is withheld, and why. `name` gives the name of an organisation by its short id.
pub(super) fn item(
    resource: &Resource,
    decision: &ItemDecision,
    consents: &Compiled,
    remedy: Remedy,
    name: impl Fn(&str) -> Option<String>,
) -> WithheldItem {
    let why = explain(decision, consents, Audience::Patient, name);
    let id = resource.id().map(|id| id.to_string()).unwrap_or_default();
    WithheldItem {
        reference: format!("{}/{id}", resource.type_name()),
        display: display(resource),
        code: why.code.to_owned(),
        because: why.to_string(),
        about: why.about,
        decided: why.date_ms,
        consent: why.consent,
        remedy,
    }
}

/// What a resource is about, as its coded elements say; empty where they do not.
fn display(resource: &Resource) -> String {
    const ABOUT: [&str; 7] = [
        "code",
        "vaccineCode",
        "medicationCodeableConcept",
        "type",
        "category",
        "serviceType",
        "reasonCode",
    ];
    let found = ABOUT.iter().find_map(|name| {
        let concept = resource.get(name)?.each().next()?;
        let coding = || concept.get("coding")?.each().next()?.get("display");
        let text = |value: Option<Value<'_>>| value?.as_str().map(|text| text.trim().to_owned());
        text(concept.get("text")).or_else(|| text(coding())).filter(|text| !text.is_empty())
    });
    found.unwrap_or_default().chars().take(MAX_TEXT).collect()
}
