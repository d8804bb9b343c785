//! The `Library` that shows a data set to those who read FHIR.

use fhir::{Id, Resource};
use serde_json::json;
use store::{Expect, Key, Method, Write};

use super::Dataset;
use crate::records::kept::{GOVERNANCE, KIND_SYSTEM};
use crate::{App, Error, Result};

const PREFIX: &str = "dataset-";
const LIBRARY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/library-type";

/// Whether an id of a Library is one that stands for a data set.
pub(crate) fn is_reserved(id: &Id) -> bool {
    id.as_str().starts_with(PREFIX)
}

/// The description as a resource.
pub(super) fn put(app: &App, set: &Dataset) -> Result<Write> {
    use base64::Engine as _;
    let text = serde_json::to_vec(&set.dictionary).map_err(|e| Error::internal(e.to_string()))?;
    let library = json!({
        "resourceType": "Library",
        "id": format!("{PREFIX}{}", set.name),
        "meta": {"tag": [{"system": KIND_SYSTEM, "code": GOVERNANCE}]},
        "status": "active",
        "type": {"coding": [{"system": LIBRARY_TYPE, "code": "asset-collection"}]},
        "name": set.name,
        "title": set.title,
        "date": fhir::time::instant(set.since_ms),
        "publisher": app.org().name,
        "content": [{
            "contentType": "application/json",
            "title": "variables",
            "data": base64::engine::general_purpose::STANDARD.encode(text),
        }],
    });
    let resource =
        Resource::parse(library.to_string()).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Write::Put { key: key(&set.name)?, resource, expect: Expect::Any, method: Method::Put })
}

/// Takes the description away.
pub(super) fn delete(set: &Dataset) -> Result<Write> {
    Ok(Write::Delete { key: key(&set.name)?, expect: Expect::Any })
}

fn key(name: &str) -> Result<Key> {
    let id = Id::new(format!("{PREFIX}{name}")).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Key { resource_type: "Library", id })
}
