//! Textual edits: the only way a stored resource is changed, so that nothing else about it moves.

use std::ops::Range;

use crate::json::{Document, Kind, Value, quote};

/// A set of replacements of byte ranges in one text. Ranges must not overlap.
#[derive(Debug, Default)]
pub struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// Replaces `range` by `with`.
    pub fn replace(&mut self, range: Range<usize>, with: impl Into<String>) {
        self.0.push((range, with.into()));
    }

    /// Sets member `name` of `object` to the JSON text `value`, adding it where it is missing:
    /// right behind member `after`, or first.
    pub fn set(&mut self, object: Value<'_>, name: &str, value: &str, after: &str) {
        if let Some(old) = object.get(name) {
            return self.replace(old.range(), value);
        }
        let member = format!("{}:{value}", quote(name));
        match object.members().find(|member| member.is_named(after)) {
            Some(previous) => {
                let end = previous.range().end;
                self.replace(end..end, format!(",{member}"));
            }
            None => {
                let start = object.range().start + 1;
                let comma = if object.members().next().is_some() { "," } else { "" };
                self.replace(start..start, format!("{member}{comma}"));
            }
        }
    }

    /// Removes member `name` of `object` where present.
    pub fn remove(&mut self, object: Value<'_>, name: &str) {
        let members: Vec<_> = object.members().collect();
        let Some(at) = members.iter().position(|member| member.is_named(name)) else { return };
        let range = match (at.checked_sub(1), members.get(at + 1)) {
            (Some(previous), _) => members[previous].range().end..members[at].range().end,
            (None, Some(next)) => members[at].range().start..next.range().start,
            (None, None) => members[at].range(),
        };
        self.replace(range, "");
    }

    /// The text with every replacement made.
    pub fn apply(mut self, text: &str) -> String {
        self.0.sort_by_key(|(range, _)| range.start);
        let grown: usize = self.0.iter().map(|(_, with)| with.len()).sum();
        let mut out = String::with_capacity(text.len() + grown);
        let mut at = 0;
        for (range, with) in &self.0 {
            out.push_str(&text[at..range.start.max(at)]);
            out.push_str(with);
            at = range.end.max(at);
        }
        out.push_str(&text[at..]);
        out
    }
}

/// Sets `id`, `meta.versionId` and `meta.lastUpdated`; everything else of `meta` stays.
pub fn stamp(resource: &Document, id: &str, version: u64, last_updated: &str) -> String {
    stamp_as(resource, id, &version_stamp(version, last_updated))
}

/// `versionId` and `lastUpdated` (a FHIR `instant`) as members of `meta`.
pub fn version_stamp(version: u64, last_updated: &str) -> String {
    format!("\"versionId\":\"{version}\",\"lastUpdated\":\"{last_updated}\"")
}

/// The same as [`stamp`] with `stamp` where [`version_stamp`] would stand.
pub fn stamp_as(resource: &Document, id: &str, stamp: &str) -> String {
    let root = resource.root();
    let mut edits = Edits::default();
    let mut meta = format!("{{{stamp}");
    if let Some(old) = root.get("meta") {
        for member in old.members() {
            if !member.is_named("versionId") && !member.is_named("lastUpdated") {
                meta.push(',');
                meta.push_str(&resource.text()[member.range()]);
            }
        }
    }
    meta.push('}');
    match (root.get("id"), root.get("meta")) {
        (None, None) => {
            let both = format!("{},\"meta\":{meta}", quote(id));
            edits.set(root, "id", &both, "resourceType");
        }
        (old_id, _) => {
            if old_id.is_none() {
                edits.set(root, "id", &quote(id), "resourceType");
            } else if let Some(old) = old_id.filter(|old| !old.is_str(id)) {
                edits.replace(old.range(), quote(id));
            }
            edits.set(root, "meta", &meta, "id");
        }
    }
    edits.apply(resource.text())
}

/// Offers every `reference` string of the resource to `rewrite` and replaces those for which it
/// returns a new value. Contained resources are included. Returns `None` when nothing changed.
pub fn rewrite_references(
    resource: &Document,
    rewrite: &mut dyn FnMut(&str) -> Option<String>,
) -> Option<String> {
    let mut edits = Edits::default();
    walk_references(resource.root(), &mut |reference| {
        if let Some(new) = reference.as_str().and_then(|old| rewrite(&old)) {
            edits.replace(reference.range(), quote(&new));
        }
    });
    if edits.0.is_empty() { None } else { Some(edits.apply(resource.text())) }
}

/// Calls `visit` with the value of every `Reference.reference` in `value`.
pub fn walk_references<'a>(value: Value<'a>, visit: &mut dyn FnMut(Value<'a>)) {
    match value.kind() {
        Kind::Object => {
            for member in value.members() {
                if member.is_named("reference") && member.value.kind() == Kind::String {
                    visit(member.value);
                } else {
                    walk_references(member.value, visit);
                }
            }
        }
        Kind::Array => value.items().for_each(|item| walk_references(item, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(text: &str) -> String {
        stamp(&Document::parse(text).unwrap(), "p1", 3, "2026-01-01T00:00:00.000Z")
    }

    #[test]
    fn stamps_whatever_was_there_before() {
        let meta = r#""meta":{"versionId":"3","lastUpdated":"2026-01-01T00:00:00.000Z""#;
        for (before, after) in [
            (
                r#"{"resourceType":"Patient"}"#.to_string(),
                format!(r#"{{"resourceType":"Patient","id":"p1",{meta}}}}}"#),
            ),
            (
                r#"{"active":true,"resourceType":"Patient","id":"x"}"#.to_string(),
                format!(r#"{{"active":true,"resourceType":"Patient","id":"p1",{meta}}}}}"#),
            ),
            (
                r#"{"resourceType":"Patient","meta":{"source":"s","versionId":"9"}}"#.to_string(),
                format!(r#"{{"resourceType":"Patient","id":"p1",{meta},"source":"s"}}}}"#),
            ),
        ] {
            assert_eq!(stamped(&before), after);
        }
    }

    #[test]
    fn removes_members_without_leaving_commas() {
        for (before, after) in [
            (r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1,"c":3}"#),
            (r#"{"b":2,"c":3}"#, r#"{"c":3}"#),
            (r#"{"a":1,"b":2}"#, r#"{"a":1}"#),
            (r#"{"b":2}"#, "{}"),
        ] {
            let doc = Document::parse(before).unwrap();
            let mut edits = Edits::default();
            edits.remove(doc.root(), "b");
            assert_eq!(edits.apply(before), after);
        }
    }

    #[test]
    fn rewrites_references_and_nothing_else() {
        let text = r#"{"subject":{"reference":"urn:uuid:1","display":"urn:uuid:1"},"n":1.50}"#;
        let doc = Document::parse(text).unwrap();
        let new =
            rewrite_references(&doc, &mut |r| (r == "urn:uuid:1").then(|| "Patient/1".into()));
        assert_eq!(
            new.unwrap(),
            r#"{"subject":{"reference":"Patient/1","display":"urn:uuid:1"},"n":1.50}"#
        );
    }
}
