//! What the pages show of a Patient, and of the events that bring a person to a hospital.

use app::records::{read, search};
use app::{App, Caller, Error};
use fhir::{Id, Resource, Value};
use store::{Key, Stored};

use crate::clinician::ask::Offer;
use crate::clinician::find::Found;
use crate::terms::Sex;
use crate::when::When;

/// Longest text taken out of a resource, in characters.
const MAX_TEXT: usize = 300;
/// Visits or appointments that are offered as evidence, of each kind.
const MAX_OFFERS: &str = "15";

/// A stored version as a resource.
pub fn parse(stored: Stored) -> Result<Resource, Error> {
    Resource::parse(stored.text)
        .map_err(|e| Error::internal(format!("a stored version cannot be read: {e}")))
}

/// The patient of this hospital with that id. The reading is recorded.
pub fn find(app: &App, caller: &Caller, patient: &Id) -> Result<Found, Error> {
    let key = Key { resource_type: "Patient", id: patient.clone() };
    let patient = parse(read::read(app, caller, &key, None)?)?;
    found(&patient).ok_or_else(Error::not_found)
}

/// A Patient as a line of a list.
pub fn found(patient: &Resource) -> Option<Found> {
    let root = patient.root();
    let deceased = root.get("deceasedDateTime").is_some()
        || root.get("deceasedBoolean").and_then(Value::as_bool) == Some(true);
    Some(Found {
        id: patient.id()?.to_string(),
        name: name(root),
        birth: text(root.get("birthDate")).and_then(|date| When::parse(&date)),
        sex: Sex::from_code(&text(root.get("gender")).unwrap_or_default()),
        identifier: identifiers(root, &["MR"]).into_iter().next().unwrap_or_default(),
        place: address_part(root, "city"),
        deceased,
    })
}

/// The full name: the official one first.
pub fn name(root: Value<'_>) -> String {
    let Some(name) = official(root) else { return String::new() };
    let given = name.get("given").into_iter().flat_map(Value::each);
    let given = given.filter_map(|part| text(Some(part)));
    let parts: Vec<String> = given.chain(text(name.get("family"))).collect();
    match parts.is_empty() {
        true => text(name.get("text")).unwrap_or_default(),
        false => parts.join(" "),
    }
}

/// One part of the official name: `family` or `given`.
pub fn name_part(root: Value<'_>, part: &str) -> String {
    let part = official(root).and_then(|name| name.get(part));
    let parts = part.into_iter().flat_map(Value::each).filter_map(|part| text(Some(part)));
    parts.collect::<Vec<_>>().join(" ")
}

fn official(root: Value<'_>) -> Option<Value<'_>> {
    let names = root.get("name")?;
    let is_official =
        |name: &Value<'_>| name.get("use").is_some_and(|kind| kind.is_str("official"));
    names.each().find(is_official).or_else(|| names.each().next())
}

/// Identifiers of the given kinds (HL7 v2 table 0203).
pub fn identifiers(root: Value<'_>, kinds: &[&str]) -> Vec<String> {
    let all = root.get("identifier").into_iter().flat_map(Value::each);
    let is_wanted = |identifier: &Value<'_>| {
        let codings = identifier.path(&["type", "coding"]);
        let mut codes = codings.into_iter().flat_map(Value::each).filter_map(|c| c.get("code"));
        codes.any(|code| kinds.iter().any(|kind| code.is_str(kind)))
    };
    all.filter(is_wanted).filter_map(|identifier| text(identifier.get("value"))).collect()
}

/// One part of the first address: `line`, `city` or `postalCode`.
pub fn address_part(root: Value<'_>, part: &str) -> String {
    let address = root.get("address").and_then(|all| all.each().next());
    let part = address.and_then(|address| address.get(part));
    let parts = part.into_iter().flat_map(Value::each).filter_map(|part| text(Some(part)));
    parts.collect::<Vec<_>>().join(", ")
}

/// The first contact of a system: `phone` or `email`.
pub fn contact(root: Value<'_>, system: &str) -> String {
    let all = root.get("telecom").into_iter().flat_map(Value::each);
    let mut wanted = all.filter(|c| c.get("system").is_some_and(|kind| kind.is_str(system)));
    wanted.next().and_then(|contact| text(contact.get("value"))).unwrap_or_default()
}

/// Visits and appointments of the patient here, newest first.
pub fn offers(app: &App, caller: &Caller, patient: &Id) -> Result<Vec<Offer>, Error> {
    let mut offers = Vec::new();
    for (resource_type, param) in [("Appointment", "patient"), ("Encounter", "patient")] {
        let params = [
            (param.to_owned(), format!("Patient/{patient}")),
            ("_sort".to_owned(), "-date".to_owned()),
            ("_count".to_owned(), MAX_OFFERS.to_owned()),
        ];
        let query = format!("{resource_type}?patient=Patient/{patient}&_sort=-date");
        let page = search::search(app, caller, resource_type, &params, &query)?;
        for stored in page.matches {
            let resource = parse(stored)?;
            let Some(id) = resource.id() else { continue };
            let reference = format!("{resource_type}/{id}");
            offers.push(Offer { reference, text: event(&resource), when: start(&resource) });
        }
    }
    offers.sort_by_key(|offer| std::cmp::Reverse(offer.when.map(|when| when.start_ms())));
    Ok(offers)
}

/// What an Encounter, Appointment or ServiceRequest is about; its type where it does not say.
pub fn event(resource: &Resource) -> String {
    let concept = |name: &str| {
        let concept = resource.get(name)?.each().next()?;
        let coding = || concept.get("coding")?.each().next();
        text(concept.get("text")).or_else(|| text(coding()?.get("display")))
    };
    ["type", "serviceType", "code", "reasonCode"]
        .into_iter()
        .find_map(concept)
        .or_else(|| text(resource.get("description")))
        .unwrap_or_else(|| resource.type_name().to_owned())
}

fn start(resource: &Resource) -> Option<When> {
    let root = resource.root();
    let at = root.path(&["period", "start"]).or_else(|| root.get("start"));
    When::parse(&text(at)?)
}

/// A text that is not empty, cut to [`MAX_TEXT`].
pub fn text(value: Option<Value<'_>>) -> Option<String> {
    let text = value?.as_str()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().take(MAX_TEXT).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    #[test]
    fn a_patient_is_found_by_the_official_name_and_record_number() {
        let patient = Resource::parse(
            r#"{"resourceType":"Patient","id":"p-1","gender":"female","birthDate":"1961-02-28",
            "name":[{"use":"nickname","given":["Ani"]},
                    {"use":"official","family":"García","given":["Ana","María"]}],
            "identifier":[{"value":"1"},{"type":{"coding":[{"code":"MR"}]},"value":"M-7"}],
            "address":[{"city":"Lima","line":["Calle 1","Piso 2"]}],
            "telecom":[{"system":"email","value":"a@b.example"}],
            "deceasedBoolean":false}"#,
        )
        .unwrap();
        let found = found(&patient).unwrap();
        assert_eq!(found.name, "Ana María García");
        assert_eq!((found.identifier.as_str(), found.place.as_str()), ("M-7", "Lima"));
        assert_eq!((found.sex, found.deceased), (Sex::Female, false));
        assert_eq!(name_part(patient.root(), "given"), "Ana María");
        assert_eq!(address_part(patient.root(), "line"), "Calle 1, Piso 2");
        assert_eq!(contact(patient.root(), "email"), "a@b.example");
        assert_eq!(contact(patient.root(), "phone"), "");
    }
}
