//! Stored ViewDefinitions: each a `Library` of type `view-definition` that holds it as it came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::{Document, Id, Resource};
use serde_json::{Map, json};
use store::{Key, Stored};

use super::subject::compile;
use crate::records::condition::Standing;
use crate::records::write::{self, Written};
use crate::records::{parse, search};
use crate::{App, Caller, Error, Result};

/// Code system of our kinds of Library.
pub const SYSTEM: &str = "https://consilium.health/fhir/CodeSystem/library-type";
const CODE: &str = "view-definition";

/// A stored view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its id, and that of its Library.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// When it was stored, milliseconds since the Unix epoch.
    pub last_updated_ms: i64,
    /// The ViewDefinition with `id` and `meta`.
    pub text: String,
}

/// Stores a view, under `id` where one is given. A view that does not compile is refused.
pub fn store(
    app: &App,
    caller: &Caller,
    id: Option<Id>,
    text: &str,
    standing: &Standing,
) -> Result<Written> {
    compile(text)?;
    let document = Document::parse(text)
        .map_err(|e| Error::invalid("structure", format!("the body is not valid JSON: {e}")))?;
    let root = document.root();
    if !root.get("resourceType").is_some_and(|kind| kind.is_str("ViewDefinition")) {
        return Err(Error::invalid("invalid", "send a ViewDefinition"));
    }
    let mut library = Map::new();
    library.insert("resourceType".into(), json!("Library"));
    if let Some(id) = &id {
        let own = root.get("id").is_some_and(|own| own.is_str(id.as_str()));
        if !own {
            let message = "the `id` in the body is not the one in the address";
            return Err(Error::invalid("value", message));
        }
        library.insert("id".into(), json!(id.as_str()));
    }
    for name in ["url", "version", "name", "title"] {
        if let Some(value) = root.str_at(name) {
            library.insert(name.into(), json!(value));
        }
    }
    let status = root.str_at("status").unwrap_or("unknown".into());
    library.insert("status".into(), json!(status));
    library.insert("type".into(), json!({"coding": [{"system": SYSTEM, "code": CODE}]}));
    let data = STANDARD.encode(text.as_bytes());
    library
        .insert("content".into(), json!([{"contentType": "application/fhir+json", "data": data}]));
    let library = Resource::parse(json!(library).to_string())
        .map_err(|e| Error::internal(format!("a library is not valid: {e}")))?;
    match id {
        None => write::create(app, caller, "Library", library, None),
        Some(id) => {
            let key = Key { resource_type: "Library", id };
            let current = app.store().snapshot()?.read(&key)?;
            if current.is_some_and(|s| !s.text.is_empty() && decode(&s).is_err()) {
                return Err(Error::invalid("duplicate", "this id belongs to another Library"));
            }
            write::update(app, caller, key, library, standing)
        }
    }
}

/// A stored view.
pub fn read(app: &App, caller: &Caller, id: &Id) -> Result<Definition> {
    let key = Key { resource_type: "Library", id: id.clone() };
    decode(&crate::records::read::read(app, caller, &key, None)?)
}

/// The stored views that match a search of Library (`url`, `name`, `_id` and so on), at most one
/// page of them.
pub fn find(app: &App, caller: &Caller, params: &[(String, String)]) -> Result<Vec<Definition>> {
    let mut params = params.to_vec();
    params.push(("type".into(), format!("{SYSTEM}|{CODE}")));
    let page = search::search(app, caller, "Library", &params, "ViewDefinition")?;
    page.matches.iter().map(decode).collect()
}

/// The newest stored view with an address, of a version where one is given.
pub(super) fn by_url(
    app: &App,
    caller: &Caller,
    url: &str,
    version: Option<&str>,
) -> Result<Option<String>> {
    let mut params = vec![("url".to_owned(), url.to_owned())];
    params.extend(version.map(|version| ("version".to_owned(), version.to_owned())));
    let mut found = find(app, caller, &params)?;
    found.sort_by_key(|view| view.last_updated_ms);
    Ok(found.pop().map(|view| view.text))
}

fn decode(stored: &Stored) -> Result<Definition> {
    let library = parse(stored)?;
    let codings = library.root().path(&["type", "coding"]);
    let is_view = codings.into_iter().flat_map(|list| list.items()).any(|coding| {
        coding.get("system").is_some_and(|system| system.is_str(SYSTEM))
            && coding.get("code").is_some_and(|code| code.is_str(CODE))
    });
    let data = library.get("content").and_then(|content| content.items().next()?.str_at("data"));
    let (true, Some(data)) = (is_view, data) else { return Err(Error::not_found()) };
    let text =
        STANDARD.decode(data.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let document = text.and_then(|text| Document::parse(text).ok()).ok_or_else(Error::not_found)?;
    let updated = fhir::time::instant(stored.last_updated_ms);
    let text = fhir::edit::stamp(&document, stored.key.id.as_str(), stored.version, &updated);
    Ok(Definition {
        id: stored.key.id.clone(),
        version: stored.version,
        last_updated_ms: stored.last_updated_ms,
        text,
    })
}
