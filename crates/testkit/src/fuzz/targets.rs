//! What reads input from outside, and what must hold of the result beside not panicking.

use fhir::subset::{Subset, Summary};
use fhir::{Document, Resource, pretty, xml};
use fhirpath::search::Registry;
use fhirpath::{Env, Expr};

use super::corpus::patient;
use crate::conformance::canonical;

/// Kinds of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Resources in JSON.
    Json,
    /// Resources in XML.
    Xml,
    /// Parameters of a search.
    Search,
    /// FHIRPath expressions.
    FhirPath,
    /// JSON Patches.
    JsonPatch,
    /// FHIRPath Patches.
    FhirPathPatch,
}

/// Something that reads input.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What it reads.
    pub kind: Kind,
    /// Reads an input: whether it was accepted, or what does not hold of the result.
    pub read: fn(&[u8]) -> Result<bool, String>,
}

/// All targets.
pub static ALL: [Target; 6] = [
    Target { name: "json", kind: Kind::Json, read: json },
    Target { name: "xml", kind: Kind::Xml, read: read_xml },
    Target { name: "search", kind: Kind::Search, read: search },
    Target { name: "fhirpath", kind: Kind::FhirPath, read: fhirpath },
    Target { name: "json-patch", kind: Kind::JsonPatch, read: json_patch },
    Target { name: "fhirpath-patch", kind: Kind::FhirPathPatch, read: fhirpath_patch },
];

type Verdict = Result<bool, String>;

/// Layout keeps the value; stamping and subsets of a resource parse; XML leads back.
fn json(input: &[u8]) -> Verdict {
    let Ok(document) = Document::parse_bytes(input.to_vec()) else { return Ok(false) };
    let before = canonical(document.root());
    let laid_out = Document::parse(pretty::pretty(document.root()))
        .map_err(|e| format!("what is laid out does not parse: {e}"))?;
    if canonical(laid_out.root()) != before {
        return Err("layout has changed the value".into());
    }
    let Ok(resource) = Resource::from_document(document) else { return Ok(false) };
    let stamped = fhir::edit::stamp(resource.document(), "x", 1, "2026-01-01T00:00:00Z");
    Resource::parse(stamped).map_err(|e| format!("what is stamped does not parse: {e}"))?;
    for summary in [Summary::True, Summary::Text, Summary::Data] {
        if let Some(part) = Subset::Summary(summary).of(resource.root()) {
            Resource::parse(part).map_err(|e| format!("a summary does not parse: {e}"))?;
        }
    }
    if let Ok(text) = xml::write(resource.root(), xml::Layout::Compact) {
        let back = xml::read(&text).map_err(|e| format!("what is written in XML: {e}"))?;
        let back = Document::parse(back).map_err(|e| format!("from XML: {e}"))?;
        // Narrative gains a namespace and loses names of HTML.
        if canonical(back.root()) != before && !before.contains("<div") {
            return Err(format!("XML does not lead back: {}", canonical(back.root())));
        }
    }
    Ok(true)
}

/// What is accepted can be written again, and reads the same.
fn read_xml(input: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(input) else { return Ok(false) };
    let Ok(json) = xml::read(text) else { return Ok(false) };
    let document = match Document::parse(json) {
        Ok(document) => document,
        Err(error) if error.reason.starts_with("nested") => return Ok(false),
        Err(error) => return Err(format!("what was read is no JSON: {error}")),
    };
    let again = xml::write(document.root(), xml::Layout::Compact)
        .map_err(|e| format!("what was read cannot be written: {e}"))?;
    let again = xml::read(&again).map_err(|e| format!("what was written cannot be read: {e}"))?;
    if again == document.text() { Ok(true) } else { Err(format!("reads differently: {again}")) }
}

fn search(input: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(input) else { return Ok(false) };
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.to_owned(), value.to_owned())
    };
    let params: Vec<_> = text.split('&').map(pair).collect();
    Ok(store::query::parse(Registry::r4(), "Patient", &params).is_ok())
}

fn fhirpath(input: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(input) else { return Ok(false) };
    let Ok(expr) = Expr::parse(text) else { return Ok(false) };
    let resource = Resource::parse(patient()).map_err(|e| e.to_string())?;
    let env = Env::new(0).with_resource(&resource);
    let found = expr.evaluate_resource(&env);
    let strict = Env::new(0).with_resource(&resource).strict();
    // What is accepted strictly means the same without.
    match (expr.evaluate_resource(&strict), found) {
        (Ok(_), Err(error)) => Err(format!("accepted strictly, but not without: {error}")),
        (_, found) => Ok(found.is_ok()),
    }
}

/// What comes out parses.
fn json_patch(input: &[u8]) -> Verdict {
    let Ok(patch) = Document::parse_bytes(input.to_vec()) else { return Ok(false) };
    let document = Document::parse(patient()).map_err(|e| e.to_string())?;
    let Ok(text) = fhir::patch::json::apply(&document, &patch) else { return Ok(false) };
    Document::parse(text).map_err(|e| format!("the result does not parse: {e}"))?;
    Ok(true)
}

/// What comes out is a resource of the same type whose members the definitions know.
fn fhirpath_patch(input: &[u8]) -> Verdict {
    let Ok(patch) = Document::parse_bytes(input.to_vec()) else { return Ok(false) };
    let Ok(patch) = Resource::from_document(patch) else { return Ok(false) };
    let resource = Resource::parse(patient()).map_err(|e| e.to_string())?;
    let Ok(text) = fhirpath::patch::apply(&resource, &patch, 0) else { return Ok(false) };
    let result = Document::parse(text).map_err(|e| format!("the result does not parse: {e}"))?;
    if !result.root().get("resourceType").is_some_and(|name| name.is_str("Patient")) {
        return Err("the result is of another type".into());
    }
    Ok(true)
}
