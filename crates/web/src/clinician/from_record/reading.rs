//! What single resources say, in the words of their source.

use fhir::Value;

/// Where an item says as of when it holds, in order of preference.
pub(super) const STATED_AT: [&[&str]; 14] = [
    &["onsetDateTime"],
    &["onsetPeriod", "start"],
    &["effectiveDateTime"],
    &["effectivePeriod", "start"],
    &["effectiveInstant"],
    &["authoredOn"],
    &["occurrenceDateTime"],
    &["performedDateTime"],
    &["performedPeriod", "start"],
    &["period", "start"],
    &["recordedDate"],
    &["dateAsserted"],
    &["date"],
    &["issued"],
];

/// What an item states, in its own words: name or value, dose, status.
pub(super) fn statement(root: Value<'_>) -> String {
    let code = |path: &[&str]| {
        let found = root.path(path)?;
        let coding = found.get("coding").and_then(|codings| codings.each().next());
        coding.and_then(|coding| text(coding.get("code")?)).or_else(|| text(found))
    };
    if root.str_at("resourceType").as_deref() == Some("Patient") {
        let name = root.get("name").and_then(|names| names.each().next()).and_then(human_name);
        let rest = ["birthDate", "gender"].iter().filter_map(|member| text(root.get(member)?));
        return name.into_iter().chain(rest).collect::<Vec<_>>().join(", ");
    }
    let dose = root
        .get("dosageInstruction")
        .or_else(|| root.get("dosage"))
        .and_then(|doses| doses.each().next())
        .and_then(|dose| text(dose.get("text")?));
    // A status that is only the usual one says nothing in a comparison of wordings.
    let status = code(&["verificationStatus"])
        .filter(|status| matches!(status.as_str(), "refuted" | "entered-in-error"))
        .or_else(|| code(&["clinicalStatus"]))
        .or_else(|| text(root.get("status")?))
        .filter(|status| !matches!(status.as_str(), "final" | "completed" | "current"));
    [concept(root), quantity(root), dose, status]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

/// What an item is about.
pub(super) fn concept(root: Value<'_>) -> Option<String> {
    if root.str_at("resourceType").as_deref() == Some("Patient") {
        return root.get("name").and_then(|names| names.each().next()).and_then(human_name);
    }
    let found = ["code", "medicationCodeableConcept", "vaccineCode", "type"]
        .iter()
        .find_map(|member| root.get(member))?
        .each()
        .next()?;
    text(found.get("text").unwrap_or(found)).or_else(|| {
        let coding = found.get("coding")?.each().next()?;
        text(coding.get("display")?).or_else(|| text(coding.get("code")?))
    })
}

fn quantity(root: Value<'_>) -> Option<String> {
    let quantity = root.get("valueQuantity");
    let number = quantity.and_then(|q| q.get("value")).and_then(Value::as_number);
    match (number, quantity.and_then(|q| text(q.get("unit")?))) {
        (Some(number), Some(unit)) => Some(format!("{number} {unit}")),
        (Some(number), None) => Some(number.to_owned()),
        (None, _) => {
            let value = root.get("valueCodeableConcept")?;
            text(value.get("text")?)
                .or_else(|| text(value.get("coding")?.each().next()?.get("display")?))
        }
    }
}

pub(super) fn text(value: Value<'_>) -> Option<String> {
    let text = value.as_str()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().take(300).collect())
}

fn human_name(name: Value<'_>) -> Option<String> {
    if let Some(whole) = name.get("text").and_then(text) {
        return Some(whole);
    }
    let given = name.get("given").into_iter().flat_map(Value::each).filter_map(text);
    let parts: Vec<String> = given.chain(name.get("family").and_then(text)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Identifiers shown of a person.
const IDENTIFIERS_MAX: usize = 2;

/// Medical record numbers (HL7 v2 table 0203, `MR`), the only identifiers that a clinician
/// compares on sight.
pub(super) fn identifiers(root: Value<'_>) -> Vec<(String, String)> {
    let all = root.get("identifier").into_iter().flat_map(Value::each);
    all.filter_map(|identifier| {
        let codings = identifier.path(&["type", "coding"])?;
        let is_record = codings.each().any(|c| c.str_at("code").as_deref() == Some("MR"));
        is_record.then(|| Some(("MRN".to_owned(), text(identifier.get("value")?)?)))?
    })
    .take(IDENTIFIERS_MAX)
    .collect()
}

pub(super) fn address(root: Value<'_>) -> Option<String> {
    let address = root.get("address")?.each().next()?;
    let lines = address.get("line").into_iter().flat_map(Value::each).filter_map(text);
    let rest = ["postalCode", "city"].iter().filter_map(|member| text(address.get(member)?));
    let parts: Vec<String> = lines.chain([rest.collect::<Vec<_>>().join(" ")]).collect();
    let joined = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    (!joined.is_empty()).then_some(joined)
}

pub(super) fn phone(root: Value<'_>) -> Option<String> {
    let all = root.get("telecom")?;
    let found = all.each().find(|t| t.str_at("system").as_deref() == Some("phone"))?;
    text(found.get("value")?)
}
