//! Whether a resource in a longitudinal record is the resource of the source bundle: the same
//! text of every value, decimals digit by digit, apart from what the split must change.

use fhir::Value;
use fhir::json::Kind;

/// The first difference between `original` (from the source bundle) and `ours` (from a record),
/// as a path; `None` when they are the same. Allowed to differ: `meta.versionId`,
/// `meta.lastUpdated`, `meta.source`, and the spelling of references. `patients` are the ids that
/// the person has at the hospitals.
pub fn difference(original: Value<'_>, ours: Value<'_>, patients: &[String]) -> Option<String> {
    compare(original, ours, patients, "")
}

fn compare(
    original: Value<'_>,
    ours: Value<'_>,
    patients: &[String],
    path: &str,
) -> Option<String> {
    if original.kind() != ours.kind() {
        return Some(path.to_owned());
    }
    match original.kind() {
        Kind::Object => object(original, ours, patients, path),
        Kind::Array => {
            if original.items().count() != ours.items().count() {
                return Some(format!("{path} (number of items)"));
            }
            original
                .items()
                .zip(ours.items())
                .enumerate()
                .find_map(|(i, (a, b))| compare(a, b, patients, &format!("{path}[{i}]")))
        }
        Kind::String => (original.as_str() != ours.as_str()).then(|| path.to_owned()),
        Kind::Number | Kind::Bool | Kind::Null => {
            (original.raw() != ours.raw()).then(|| path.to_owned())
        }
    }
}

fn object(original: Value<'_>, ours: Value<'_>, patients: &[String], path: &str) -> Option<String> {
    for member in original.members() {
        let name = member.name();
        let path = format!("{path}.{name}");
        let Some(value) = ours.get(&name) else { return Some(format!("{path} (missing)")) };
        let differs = match name.as_ref() {
            "meta" => meta(member.value, value, patients, &path),
            "reference" if member.value.kind() == Kind::String => {
                reference(member.value, value, patients).then(|| path.clone())
            }
            _ => compare(member.value, value, patients, &path),
        };
        if differs.is_some() {
            return differs;
        }
    }
    ours.members().find_map(|member| {
        let name = member.name();
        let added = original.get(&name).is_none() && name != "meta";
        added.then(|| format!("{path}.{name} (added)"))
    })
}

fn meta(original: Value<'_>, ours: Value<'_>, patients: &[String], path: &str) -> Option<String> {
    original.members().filter(|m| !m.is_named("versionId") && !m.is_named("lastUpdated")).find_map(
        |member| match ours.get(&member.name()) {
            Some(value) => compare(member.value, value, patients, path),
            None => Some(format!("{path}.{} (missing)", member.name())),
        },
    )
}

/// Whether two spellings of a reference mean different things.
fn reference(original: Value<'_>, ours: Value<'_>, patients: &[String]) -> bool {
    let (Some(original), Some(ours)) = (original.as_str(), ours.as_str()) else { return true };
    if original == ours {
        return false;
    }
    if let Some(id) = original.strip_prefix("urn:uuid:") {
        let ends = ours.rsplit_once('/').map(|(_, end)| end);
        let patient =
            ours.strip_prefix("Patient/").is_some_and(|p| patients.iter().any(|q| q == p));
        return ends != Some(id) && !patient;
    }
    match original.split_once('?') {
        Some((kind, _)) => !ours.starts_with(&format!("{kind}/")),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::Document;

    fn check(original: &str, ours: &str) -> Option<String> {
        let (a, b) = (Document::parse(original).unwrap(), Document::parse(ours).unwrap());
        difference(a.root(), b.root(), &["p9".into()])
    }

    #[test]
    fn forgives_references_and_stamps_only() {
        let original = r#"{"id":"o","meta":{"profile":["x"]},"subject":{"reference":"urn:uuid:p"},
            "encounter":{"reference":"urn:uuid:e"},"performer":{"reference":"Practitioner?identifier=a|b"},
            "value":1.50}"#;
        let ours = r#"{"id":"o","meta":{"versionId":"1","profile":["x"],"source":"s"},"value":1.50,
            "subject":{"reference":"Patient/p9"},"encounter":{"reference":"Encounter/e"},
            "performer":{"reference":"Practitioner/z"}}"#;
        assert_eq!(check(original, ours), None);
        for (from, to, path) in [
            ("1.50,", "1.5,", ".value"),
            ("Encounter/e", "Encounter/f", ".encounter.reference"),
            ("Patient/p9", "Patient/p8", ".subject.reference"),
            ("Practitioner/z", "Organization/z", ".performer.reference"),
            ("[\"x\"]", "[]", ".meta (number of items)"),
            ("\"id\":\"o\",", "\"id\":\"o\",\"more\":1,", ".more (added)"),
        ] {
            let changed = ours.replacen(from, to, 1);
            assert_ne!(changed, ours);
            assert!(
                check(original, &changed)
                    .is_some_and(|p| p.starts_with(path.split(' ').next().unwrap())),
                "{path}"
            );
        }
    }
}
