//! Sets `meta.source` in the text of a resource and leaves every other byte alone.

use fhir::json::quote;
use fhir::{Kind, Value};

/// Extension of `meta` that keeps what the author wrote as `meta.source`.
pub(crate) const ORIGINAL_SOURCE: &str =
    "https://consilium.health/fhir/StructureDefinition/original-source";

/// The text of `root`, an object, with `meta.source` set to `uri`. A `meta` that is not an object,
/// or an `extension` of it that is not an array, is not FHIR; such a resource is left as it is.
pub(crate) fn with_source(root: Value<'_>, uri: &str) -> String {
    let text = root.document().text();
    let mut edits = fhir::edit::Edits::default();
    let source = quote(uri);
    match root.get("meta") {
        None => edits.set(root, "meta", &format!("{{\"source\":{source}}}"), "id"),
        Some(meta) if meta.kind() != Kind::Object => {}
        Some(meta) => match meta.get("source") {
            None => edits.set(meta, "source", &source, "lastUpdated"),
            Some(old) if old.is_str(uri) => {}
            Some(old) => {
                // A string keeps its own spelling; anything else is kept as the text it was.
                let (member, value) = match old.kind() {
                    Kind::String => ("valueUri", old.raw().to_owned()),
                    _ => ("valueString", quote(old.raw())),
                };
                let kept = format!("{{\"url\":{},\"{member}\":{value}}}", quote(ORIGINAL_SOURCE));
                match meta.get("extension") {
                    None => {
                        edits.replace(old.range(), format!("{source},\"extension\":[{kept}]"));
                    }
                    Some(list) if list.kind() == Kind::Array => {
                        let end = list.range().end - 1;
                        let comma = if list.items().next().is_some() { "," } else { "" };
                        edits.replace(end..end, format!("{comma}{kept}"));
                        edits.replace(old.range(), source);
                    }
                    Some(_) => {}
                }
            }
        },
    }
    edits.apply(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::Document;

    #[test]
    fn source_is_set_and_nothing_else_moves() {
        let kept = format!(r#"{{"url":"{ORIGINAL_SOURCE}","valueUri":"urn:old"}}"#);
        for (before, after) in [
            (
                r#"{"id":"1", "n": 1.50}"#,
                r#"{"id":"1","meta":{"source":"urn:x"}, "n": 1.50}"#.into(),
            ),
            (r#"{"meta":{}}"#, r#"{"meta":{"source":"urn:x"}}"#.into()),
            (
                r#"{"meta":{"versionId":"1","lastUpdated":"t"}}"#,
                r#"{"meta":{"versionId":"1","lastUpdated":"t","source":"urn:x"}}"#.to_owned(),
            ),
            (
                r#"{"meta":{"source":"urn:old","tag":[]}}"#,
                format!(r#"{{"meta":{{"source":"urn:x","extension":[{kept}],"tag":[]}}}}"#),
            ),
            (
                r#"{"meta":{"extension":[ {"url":"u"} ],"source":"urn:old"}}"#,
                format!(r#"{{"meta":{{"extension":[ {{"url":"u"}} ,{kept}],"source":"urn:x"}}}}"#),
            ),
            (r#"{"meta":{"source":"urn:x"}}"#, r#"{"meta":{"source":"urn:x"}}"#.into()),
            (r#" {"meta":5} "#, r#"{"meta":5}"#.into()),
        ] {
            let doc = Document::parse(before).unwrap();
            let spliced = with_source(doc.root(), "urn:x");
            assert_eq!(spliced, after, "{before}");
            assert!(Document::parse(spliced).is_ok());
        }
    }
}
