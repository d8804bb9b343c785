//! References on their way into the store: temporary ids of a Bundle and conditional references.

use std::collections::HashMap;

use fhir::Value;
use fhir::definitions::{Type, definitions};
use fhir::edit::Edits;
use fhir::json::{Kind as JsonKind, quote};

use crate::{Error, Result};

/// Types whose values may be a temporary id (FHIR R4 http, transaction processing: "Reference,
/// uri, url, oid, uuid"; canonical is not among them).
const URI_TYPES: [&str; 4] = ["uri", "url", "oid", "uuid"];

/// What the temporary ids of a Bundle stand for.
#[derive(Debug, Default)]
pub struct Known {
    /// `fullUrl` to `Type/id`.
    pub by_url: HashMap<String, String>,
}

impl Known {
    /// What a text becomes, seen from an entry whose `fullUrl` starts with `base`: the text itself
    /// may be a `fullUrl`, or be relative to the base that it shares with one (FHIR R4
    /// bundle, resolving references). A fragment is kept.
    fn find(&self, text: &str, base: Option<&str>) -> Option<String> {
        let (bare, fragment) = match text.split_once('#') {
            Some((bare, _)) => (bare, &text[bare.len()..]),
            None => (text, ""),
        };
        let known = self.by_url.get(bare).or_else(|| {
            let relative = !bare.is_empty() && !bare.contains(':');
            base.filter(|_| relative).and_then(|base| self.by_url.get(&format!("{base}{bare}")))
        });
        known.map(|found| format!("{found}{fragment}"))
    }
}

/// The part of a RESTful `fullUrl` before `Type/id`, with its last slash; `None` for others.
pub fn base_of(full_url: &str) -> Option<&str> {
    let (rest, id) = full_url.rsplit_once('/')?;
    let (base, kind) = rest.rsplit_once('/')?;
    fhir::Id::new(id).ok()?;
    fhir::definitions::resource_type(kind)?;
    full_url.get(..base.len() + 1)
}

/// What a rewriting knows.
struct Rewriting<'a> {
    known: &'a Known,
    base: Option<&'a str>,
    /// Where the resource starts in its document.
    start: usize,
    find: &'a mut dyn FnMut(&str) -> Result<Option<String>>,
    edits: Edits,
    changed: bool,
    failure: Option<Error>,
}

/// Rewrites temporary ids by `known`, seen from an entry with this `fullUrl`, and asks `find` for
/// each conditional reference (`Type?query`). The rest of the text stays as it is. `find` returns
/// what to put there, or `None` to leave it. `resource` may be part of a larger document. Returns
/// the new text, or `None` where nothing changes.
pub fn rewrite(
    resource: Value<'_>,
    known: &Known,
    full_url: Option<&str>,
    find: &mut dyn FnMut(&str) -> Result<Option<String>>,
) -> Result<Option<String>> {
    let (base, start) = (full_url.and_then(base_of), resource.range().start);
    let edits = Edits::default();
    let mut all = Rewriting { known, base, start, find, edits, changed: false, failure: None };
    all.object(resource, None);
    match all.failure {
        Some(error) => Err(error),
        None => Ok(all.changed.then(|| all.edits.apply(resource.raw()))),
    }
}

/// Whether a reference names its target by a search: `Type?parameters`.
pub fn is_conditional(reference: &str) -> bool {
    reference.split_once('?').is_some_and(|(kind, query)| {
        !query.is_empty() && fhir::definitions::resource_type(kind).is_some()
    })
}

impl Rewriting<'_> {
    /// Walks one object. Members that the definitions do not know are walked for references only.
    fn object(&mut self, object: Value<'_>, of: Option<&'static Type>) {
        let of = match object.get("resourceType").and_then(|name| name.as_str()) {
            Some(name) => definitions().get(&name).or(of),
            None => of,
        };
        for member in object.members() {
            let name = member.name();
            let choice = of.and_then(|of| of.member(&name)).map(|(_, choice)| choice.type_of());
            for value in member.value.each() {
                match value.kind() {
                    JsonKind::Object => self.object(value, choice),
                    JsonKind::Array => value.items().for_each(|item| self.object(item, None)),
                    JsonKind::String => self.text(value, &name, of, choice),
                    _ => {}
                }
            }
        }
    }

    fn text(&mut self, value: Value<'_>, name: &str, of: Option<&Type>, is: Option<&Type>) {
        let is_reference = name == "reference" && of.is_none_or(|of| of.name == "Reference");
        let kind = is.map_or("", |is| is.name);
        if !is_reference && kind != "xhtml" && !URI_TYPES.contains(&kind) {
            return;
        }
        let Some(text) = value.as_str() else { return };
        let new = match kind {
            "xhtml" => self.narrative(&text),
            _ => self.known.find(&text, self.base),
        };
        let new = match new {
            None if is_reference && is_conditional(&text) => match (self.find)(&text) {
                Ok(new) => new,
                Err(error) => {
                    self.failure.get_or_insert(error);
                    None
                }
            },
            new => new,
        };
        if let Some(new) = new {
            let range = value.range();
            self.edits.replace(range.start - self.start..range.end - self.start, quote(&new));
            self.changed = true;
        }
    }

    /// A narrative with the addresses of links and images rewritten; `None` where none is known.
    fn narrative(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((at, quote)) = next_address(rest) {
            let (before, from) = rest.split_at(at);
            let end = from.find(quote).unwrap_or(from.len());
            let (address, after) = from.split_at(end);
            out.push_str(before);
            let plain = address.replace("&amp;", "&");
            match self.known.find(&plain, self.base) {
                Some(new) => out.push_str(&new),
                None => out.push_str(address),
            }
            rest = after;
        }
        out.push_str(rest);
        (out != text).then_some(out)
    }
}

/// Where the value of the next `href` or `src` starts, and the quote that ends it.
fn next_address(text: &str) -> Option<(usize, char)> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let (at, name) = ["href", "src"]
            .into_iter()
            .filter_map(|name| rest.find(name).map(|at| (at, name)))
            .min()?;
        let start = from + at + name.len();
        let value = text.get(start..)?.trim_start().strip_prefix('=').map(str::trim_start);
        let quote = value.and_then(|value| value.chars().next());
        if let (Some(value), Some(quote @ ('"' | '\''))) = (value, quote) {
            return Some((text.len() - value.len() + 1, quote));
        }
        from = start;
    }
}

#[cfg(test)]
mod tests {
    use fhir::Document;

    use super::*;

    fn rewritten(text: &str, full_url: Option<&str>) -> String {
        let mut known = Known::default();
        for (url, is) in [
            ("urn:uuid:1", "Patient/p"),
            ("urn:oid:1.2", "Binary/b"),
            ("http://other.org/fhir/Patient/9", "Patient/n"),
        ] {
            known.by_url.insert(url.into(), is.into());
        }
        let mut find =
            |reference: &str| Ok(reference.ends_with("=known").then(|| "Patient/k".to_owned()));
        // As part of a larger document, which is how it mostly comes.
        let bundle = Document::parse(format!(r#"{{"entry":[ {text} ]}}"#)).unwrap();
        let resource = bundle.root().get("entry").unwrap().items().next().unwrap();
        let new = rewrite(resource, &known, full_url, &mut find).unwrap();
        new.unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn temporary_ids_are_rewritten_where_they_may_stand() {
        for (before, after) in [
            (
                r#"{"resourceType":"Observation","subject":{"reference":"urn:uuid:1"}}"#,
                r#"{"resourceType":"Observation","subject":{"reference":"Patient/p"}}"#,
            ),
            (
                r#"{"resourceType":"DocumentReference","content":[{"attachment":{"url":"urn:oid:1.2"}}]}"#,
                r#"{"resourceType":"DocumentReference","content":[{"attachment":{"url":"Binary/b"}}]}"#,
            ),
            (
                r#"{"resourceType":"Basic","extension":[{"url":"urn:x","valueUri":"urn:uuid:1"}]}"#,
                r#"{"resourceType":"Basic","extension":[{"url":"urn:x","valueUri":"Patient/p"}]}"#,
            ),
            (
                r##"{"resourceType":"Basic","subject":{"reference":"urn:uuid:1#part"}}"##,
                r##"{"resourceType":"Basic","subject":{"reference":"Patient/p#part"}}"##,
            ),
            (
                r#"{"resourceType":"List","contained":[{"resourceType":"List","subject":{"reference":"urn:uuid:1"}}]}"#,
                r#"{"resourceType":"List","contained":[{"resourceType":"List","subject":{"reference":"Patient/p"}}]}"#,
            ),
            (
                r#"{"resourceType":"Basic","subject":{"reference":"Patient?identifier=known"}}"#,
                r#"{"resourceType":"Basic","subject":{"reference":"Patient/k"}}"#,
            ),
            (
                r#"{"resourceType":"Basic","text":{"status":"generated","div":"<div><a href=\"urn:uuid:1\">x</a><img src='urn:oid:1.2'/> href=urn:uuid:1</div>"}}"#,
                r#"{"resourceType":"Basic","text":{"status":"generated","div":"<div><a href=\"Patient/p\">x</a><img src='Binary/b'/> href=urn:uuid:1</div>"}}"#,
            ),
        ] {
            assert_eq!(rewritten(before, None), after);
        }
    }

    #[test]
    fn everything_else_stays() {
        for text in [
            r#"{"resourceType":"ValueSet","compose":{"include":[{"valueSet":["urn:uuid:1"]}]}}"#,
            r#"{"resourceType":"Basic","extension":[{"url":"x","valueCanonical":"urn:uuid:1"}]}"#,
            r#"{"resourceType":"Basic","code":{"text":"urn:uuid:1"}}"#,
            r#"{"resourceType":"Basic","subject":{"display":"urn:uuid:1"}}"#,
            r#"{"resourceType":"Basic","subject":{"reference":"urn:uuid:2"}}"#,
            r#"{"resourceType":"Basic","subject":{"reference":"Patient/9"}}"#,
        ] {
            assert_eq!(rewritten(text, Some("urn:uuid:7")), text);
        }
    }

    #[test]
    fn a_relative_reference_is_seen_from_its_own_entry() {
        let text = r#"{"resourceType":"Basic","subject":{"reference":"Patient/9"}}"#;
        let own = rewritten(text, Some("http://other.org/fhir/Basic/1"));
        assert!(own.contains("Patient/n"), "{own}");
        let other = rewritten(text, Some("http://third.org/fhir/Basic/1"));
        assert!(other.contains("Patient/9"), "{other}");
    }
}
