//! A hospital's own Patient out of Synthea's.

use fhir::Value;

use super::bundle::rewritten;
use super::hospitals::Splitter;
use crate::chance::Chance;
use crate::demographics::{Demographics, Extras, patient};
use crate::noise;
use crate::sites::Site;

/// Members that are written anew, or would tell that two copies are the same person.
const NOT_KEPT: [&str; 13] = [
    "resourceType",
    "id",
    "text",
    "identifier",
    "active",
    "name",
    "telecom",
    "gender",
    "birthDate",
    "address",
    "managingOrganization",
    "photo",
    "link",
];

/// Extensions that no two hospitals would record alike unless they copied them.
fn gives_away(url: &str) -> bool {
    url.starts_with("http://synthetichealth.github.io/")
        || url == "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"
}

/// The Patient text of `site`. Demographics come out of [`noise::register`]; of the rest stays what
/// gives nobody away.
pub(super) fn copy(
    source: Value<'_>,
    patient_id: &str,
    site: &Site,
    split: &Splitter,
    seed: u64,
    label: &str,
    rewrite: &dyn Fn(&str) -> Option<String>,
) -> String {
    let mut truth = Demographics::from_patient(source);
    noise::invent_past(&mut truth, seed, label);
    let copy = noise::register(&truth, &split.rates, &split.population, &site.org, label, seed);
    let mut extras: Extras = Vec::new();
    for member in source.members() {
        let name = member.name();
        if NOT_KEPT.contains(&&*name) || name.starts_with('_') {
            continue;
        }
        let kept = match &*name {
            "extension" => extensions(member.value),
            // The second of death is as good as a name; hospitals note the day.
            "deceasedDateTime" => day(member.value),
            _ => Some(rewritten(member.value, rewrite).apply(member.value.raw())),
        };
        extras.extend(kept.map(|text| (name.into_owned(), text)));
    }
    let mrn = Chance::new(seed, &["record number", &site.org, label]).between(1_000_000, 9_999_999);
    patient(&copy, &site.org, patient_id, &mrn.to_string(), &extras)
}

fn extensions(all: Value<'_>) -> Option<String> {
    let kept: Vec<&str> = all
        .items()
        .filter(|extension| extension.str_at("url").is_none_or(|url| !gives_away(&url)))
        .map(|extension| extension.raw())
        .collect();
    (!kept.is_empty()).then(|| format!("[{}]", kept.join(",")))
}

fn day(value: Value<'_>) -> Option<String> {
    let text = value.as_str()?;
    Some(fhir::json::quote(text.get(..10).unwrap_or(&text)))
}
