//! Resources by which the node itself governs who sees what: reviews of emergencies and notices to
//! the patient, objections and recalls, links to records elsewhere. They are read as any other, and
//! changed by the use cases that they belong to and by nothing else. Whoever could write them would
//! grant themselves an emergency, end its review, or take somebody else's record for this patient's.

use fhir::{Id, Resource, Value};
use store::{Key, Method};

use super::{link, parse as parse_stored};
use crate::notices::matter;
use crate::{App, Error, Kind, Result};

/// The system of the kinds of resources; its code `governance` marks these.
pub(crate) const KIND_SYSTEM: &str = "https://consilium.health/fhir/CodeSystem/kind";
/// The code.
pub(crate) const GOVERNANCE: &str = "governance";
/// The system of the codes of such Tasks.
pub(crate) const TASK_SYSTEM: &str = "https://consilium.health/fhir/CodeSystem/task";
/// The system of the categories of such notices.
pub(crate) const NOTICE_SYSTEM: &str = "https://consilium.health/fhir/CodeSystem/notice";

/// The types that they are of.
const TYPES: [&str; 5] = ["Task", "Communication", "Linkage", "Library", "ResearchStudy"];

/// Whether a resource is tagged as one of these.
pub(crate) fn is_governance(resource: &Resource) -> bool {
    let tags = resource.root().path(&["meta", "tag"]);
    tags.iter().flat_map(|tags| tags.items()).any(|tag| {
        tag.get("code").is_some_and(|code| code.is_str(GOVERNANCE))
            && tag.get("system").is_some_and(|system| system.is_str(KIND_SYSTEM))
    })
}

/// Refuses content that is one of these, or would pass for one.
pub(crate) fn check(resource: &Resource) -> Result<()> {
    let reserved = resource.id().is_some_and(|id| is_reserved(resource.type_name(), &id));
    if reserved || is_kept(resource) { Err(refused()) } else { Ok(()) }
}

/// Refuses to write over, or to delete, one of these.
pub(crate) fn check_replaced<'a>(app: &App, keys: impl Iterator<Item = &'a Key>) -> Result<()> {
    for key in keys {
        if is_reserved(key.resource_type, &key.id) {
            return Err(refused());
        }
        if !TYPES.contains(&key.resource_type) {
            continue;
        }
        let stored = app.store().snapshot()?.read(key)?;
        if let Some(stored) = stored.filter(|stored| stored.method != Method::Delete) {
            check(&parse_stored(&stored)?)?;
        }
    }
    Ok(())
}

/// Whether an id is one that the node makes of what it stands for.
fn is_reserved(resource_type: &str, id: &Id) -> bool {
    match resource_type {
        "Task" => id.as_str().starts_with(matter::PREFIX),
        "Linkage" => id.as_str().starts_with(link::PREFIX),
        "Library" => crate::catalog::is_reserved(id),
        _ => false,
    }
}

fn is_kept(resource: &Resource) -> bool {
    let has_coding = |concept: Value<'_>, system: &str| {
        let codings = concept.get("coding");
        let mut codings = codings.iter().flat_map(|codings| codings.items());
        codings.any(|coding| coding.get("system").is_some_and(|found| found.is_str(system)))
    };
    is_governance(resource)
        || match resource.type_name() {
            "Task" => resource.get("code").is_some_and(|code| has_coding(code, TASK_SYSTEM)),
            "Communication" => {
                let categories = resource.get("category");
                let mut categories = categories.iter().flat_map(|list| list.items());
                categories.any(|category| has_coding(category, NOTICE_SYSTEM))
            }
            "Linkage" => link::is_one(resource),
            _ => false,
        }
}

fn refused() -> Error {
    let message = "this is kept by the node, which decides by it who sees what; change it on the \
                   page or by the operation that it belongs to";
    Error::new(Kind::Forbidden, message).by_rule("kept-by-the-node")
}
