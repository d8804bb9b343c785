//! References on their way into the store: temporary ids of a Bundle and conditional references.

use std::collections::HashMap;

use fhir::edit::Edits;
use fhir::json::{Kind as JsonKind, quote};
use fhir::{Resource, Value};

use crate::{Error, Kind, Result};

/// Members whose FHIR type is uri, url, oid or uuid and which may therefore carry a temporary id
/// (FHIR R4 http, transaction processing: "Reference, uri, url, oid, uuid").
const URI_MEMBERS: [&str; 6] =
    ["reference", "url", "valueUri", "valueUrl", "valueOid", "valueUuid"];

/// Rewrites temporary ids by `known` and asks `find` for each conditional reference
/// (`Type?query`). The rest of the text stays as it is. `find` returns what to put there, or
/// `None` to leave it.
pub fn rewrite(
    resource: Resource,
    known: &HashMap<String, String>,
    find: &mut dyn FnMut(&str) -> Result<Option<String>>,
) -> Result<Resource> {
    let mut edits = Edits::default();
    let mut changed = false;
    let mut failure = None;
    walk(resource.root(), &mut |value, is_reference| {
        let Some(text) = value.as_str() else { return };
        let new = match known.get(text.as_ref()) {
            Some(new) => Some(new.clone()),
            None if is_reference && is_conditional(&text) => match find(&text) {
                Ok(new) => new,
                Err(error) => {
                    failure.get_or_insert(error);
                    None
                }
            },
            None => None,
        };
        if let Some(new) = new {
            edits.replace(value.range(), quote(&new));
            changed = true;
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    if !changed {
        return Ok(resource);
    }
    let text = edits.apply(resource.text());
    Resource::parse(text).map_err(|e| Error::new(Kind::Internal, e.to_string()))
}

/// Whether a reference names its target by a search: `Type?parameters`.
pub fn is_conditional(reference: &str) -> bool {
    reference.split_once('?').is_some_and(|(kind, query)| {
        !query.is_empty() && fhir::definitions::resource_type(kind).is_some()
    })
}

fn walk<'a>(value: Value<'a>, visit: &mut dyn FnMut(Value<'a>, bool)) {
    match value.kind() {
        JsonKind::Object => {
            for member in value.members() {
                let name = member.name();
                if member.value.kind() == JsonKind::String && URI_MEMBERS.contains(&name.as_ref()) {
                    visit(member.value, name == "reference");
                } else {
                    walk(member.value, visit);
                }
            }
        }
        JsonKind::Array => value.items().for_each(|item| walk(item, visit)),
        _ => {}
    }
}
