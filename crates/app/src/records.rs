//! Records: the resources of this institution, and one patient's record across institutions.

pub mod answer;
pub mod bundle;
pub mod condition;
mod confine;
mod continuing;
pub mod decide_link;
pub mod delete;
pub mod everything;
pub mod graphql;
pub mod history;
pub mod holdings;
pub mod import;
mod integrity;
pub(crate) mod kept;
pub mod link;
pub mod longitudinal;
pub mod matching;
pub mod meta;
pub mod observations;
pub mod page;
mod parameters;
pub mod patch;
pub mod read;
pub mod recall;
pub mod references;
pub mod search;
pub(crate) mod selection;
pub mod validate;
pub mod write;

use fhir::{Id, Resource};
use fhirpath::search::{IndexValue, Registry};
use store::Stored;

use crate::audit::redact;
use crate::authorise::Scope;
use crate::{App, Error, Result};

/// Parses a stored version; a failure is the node's fault, since it parsed when it was written.
pub(crate) fn parse(stored: &Stored) -> Result<Resource> {
    Resource::parse(stored.text.clone())
        .map_err(|e| Error::internal(format!("stored version {} cannot be read: {e}", stored.seq)))
}

/// The patients whose compartments `resource` is in (FHIR R4 CompartmentDefinition/patient), a
/// Patient being in its own, and a Subscription of a patient's account in the patient's.
pub fn patients_of(resource: &Resource) -> Vec<Id> {
    let registry = Registry::r4();
    let mut patients = Vec::new();
    if resource.type_name() == "Patient" {
        patients.extend(resource.id());
    }
    if resource.type_name() == "Subscription" {
        patients.extend(crate::notify::subscriber(resource));
    }
    for entry in registry.extract_compartment(resource) {
        let IndexValue::Reference { resource_type, id, .. } = entry.value else { continue };
        if resource_type.as_deref() == Some("Patient") {
            let id = id.and_then(|id| Id::new(id).ok());
            patients.extend(id.filter(|id| !patients.contains(id)));
        }
    }
    patients
}

/// A stored version as the caller reads it; `None` where it is outside of what the caller may see.
/// Patients read entries of the audit without what is hidden from them in these.
pub(crate) fn admit(
    app: &App,
    stored: Stored,
    scope: &Scope,
) -> Result<Option<(Stored, Resource)>> {
    let resource = parse(&stored)?;
    if !in_scope(&resource, scope) {
        return Ok(None);
    }
    shown(app, stored, resource, scope)
}

/// What of a version that is in scope the caller reads; `None` for nothing.
pub(crate) fn shown(
    app: &App,
    stored: Stored,
    resource: Resource,
    scope: &Scope,
) -> Result<Option<(Stored, Resource)>> {
    match scope.own() {
        Some(own) if stored.key.resource_type == "AuditEvent" => redact::shown(app, stored, own),
        _ => Ok(Some((stored, resource))),
    }
}

/// Whether `resource` is inside what the caller may touch.
pub(crate) fn in_scope(resource: &Resource, scope: &Scope) -> bool {
    scope.holds(resource)
}
