//! Patches a resource: one by its key, or the one that a search finds (FHIR R4 http, patch).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::{Document, Resource};
use store::{Guard, Key, Method, Write};

use super::condition::{Standing, at_most_one, visible};
use super::write::{Written, check_content, commit_one, retry, stated, told};
use super::{in_scope, integrity, parse as parse_stored, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise};
use crate::{App, Caller, Error, Kind, Result, notify};

/// Media type of JSON Patch (RFC 6902).
pub const JSON_PATCH: &str = "application/json-patch+json";

/// Media type of XML Patch (RFC 5261), as FHIR R4 http names it.
pub const XML_PATCH: &str = "application/xml-patch+xml";

/// The refusal of other patches in a Binary.
pub const IN_BINARY: &str = "a patch in a Binary has the `contentType` \
                             `application/json-patch+json` or `application/xml-patch+xml`";

/// What to change.
#[derive(Clone, Debug)]
pub enum Patch {
    /// JSON Patch (RFC 6902).
    Json(Document),
    /// XML Patch (RFC 5261).
    Xml(String),
    /// FHIRPath Patch: a Parameters resource (FHIR R4 fhirpatch).
    FhirPath(Resource),
}

impl Patch {
    /// Reads a JSON Patch.
    pub fn json(bytes: Vec<u8>) -> Result<Self> {
        let document = Document::parse_bytes(bytes).map_err(|e| {
            Error::invalid("structure", format!("the patch is not valid JSON: {e}"))
        })?;
        Ok(Self::Json(document))
    }

    /// Reads an XML Patch.
    pub fn xml(bytes: Vec<u8>) -> Result<Self> {
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::invalid("structure", "the patch is not valid UTF-8"))?;
        fhir::patch::xml::check(&text).map_err(|e| Error::invalid("structure", e.to_string()))?;
        Ok(Self::Xml(text))
    }

    /// Takes a Parameters resource as a FHIRPath Patch.
    pub fn fhirpath(resource: Resource) -> Result<Self> {
        if resource.type_name() != "Parameters" {
            return Err(Error::invalid(
                "invalid",
                "a patch in FHIR format is a Parameters resource",
            ));
        }
        Ok(Self::FhirPath(resource))
    }

    /// The patch in an entry of a Bundle: a Binary with a JSON Patch or an XML Patch, or Parameters.
    pub fn of_entry(resource: &Resource) -> Result<Self> {
        if resource.type_name() != "Binary" {
            return Self::fhirpath(resource.clone());
        }
        let kind = resource.root().str_at("contentType").unwrap_or_default();
        let read = match kind.split(';').next().map(str::trim) {
            Some(JSON_PATCH) => Self::json,
            Some(XML_PATCH) => Self::xml,
            _ => return Err(Error::invalid("not-supported", IN_BINARY)),
        };
        let data = resource.root().str_at("data").unwrap_or_default();
        let bytes = STANDARD
            .decode(data.as_bytes())
            .map_err(|_| Error::invalid("value", "`Binary.data` is not valid base64"))?;
        read(bytes)
    }

    /// The resource as the patch leaves it. What was well-formed stays so: type and id do not
    /// change, and a patch that would break the structure of the resource is refused. `now_ms`
    /// (milliseconds since the Unix epoch) is the time for FHIRPath.
    ///
    /// Errors: [`Kind::Unprocessable`] when the patch does not go with the resource.
    pub fn apply(&self, resource: &Resource, now_ms: i64) -> Result<Resource> {
        let refused = |reason: String| Error::new(Kind::Unprocessable, reason);
        let text = match self {
            Self::Json(patch) => fhir::patch::json::apply(resource.document(), patch)
                .map_err(|e| refused(e.to_string()))?,
            Self::Xml(patch) => fhir::patch::xml::apply(resource.root(), patch)
                .map_err(|e| refused(e.to_string()))?,
            Self::FhirPath(patch) => fhirpath::patch::apply(resource, patch, now_ms)
                .map_err(|e| refused(e.to_string()))?,
        };
        let new = Resource::parse(text)
            .map_err(|e| refused(format!("the patch leaves no resource behind: {e}")))?;
        if new.type_name() != resource.type_name() || new.id() != resource.id() {
            return Err(refused("a patch cannot change `resourceType` or `id`".into()));
        }
        let shape =
            |resource: &Resource| fhir::xml::write(resource.root(), fhir::xml::Layout::default());
        // Content that R4 does not know is kept where it came by a create or update; a patch may
        // work around it but not bring it in.
        if let (Err(fault), Ok(_)) = (shape(&new), shape(resource)) {
            return Err(refused(format!("the patch would break the resource: {fault}")));
        }
        Ok(new)
    }
}

/// Patches a resource. Without a stated version it is tried again when another write comes in
/// between. Errors: [`Kind::NotFound`], [`Kind::Gone`] where there is nothing to patch.
pub fn patch(
    app: &App,
    caller: &Caller,
    key: &Key,
    patch: &Patch,
    standing: &Standing,
) -> Result<Written> {
    let permit = authorise(app, caller, Action::updating(key.resource_type))?;
    retry(|| apply(app, caller, &permit, key, patch, standing, Vec::new()))
}

/// Patches the one resource that matches `params` and that the caller may search. Errors: [`Kind::NotFound`] when none does,
/// [`Kind::MultipleMatches`].
pub fn patch_matching(
    app: &App,
    caller: &Caller,
    resource_type: &'static str,
    params: &[(String, String)],
    patch: &Patch,
    standing: &Standing,
) -> Result<Written> {
    let permit = authorise(app, caller, Action::updating(resource_type))?;
    let query = visible(app, caller, &permit, resource_type, params)?;
    retry(|| {
        let found = at_most_one(&*app.store().snapshot()?, query.clone());
        let (found, guard) = found.map_err(|error| told(app, caller, resource_type, error))?;
        let key = found.ok_or_else(Error::not_found)?;
        apply(app, caller, &permit, &key, patch, standing, vec![guard])
    })
}

fn apply(
    app: &App,
    caller: &Caller,
    permit: &Permit,
    key: &Key,
    patch: &Patch,
    standing: &Standing,
    mut guards: Vec<Guard>,
) -> Result<Written> {
    let stored = app.store().snapshot()?.read(key)?.ok_or_else(Error::not_found)?;
    if stored.method == Method::Delete {
        return Err(match permit.is_unlimited() {
            true => Error::new(Kind::Gone, "the resource has been deleted"),
            false => Error::not_found(),
        });
    }
    let old = parse_stored(&stored)?;
    if !in_scope(&old, permit.scope()) {
        return Err(Error::not_found());
    }
    standing.expect(Some(stored.version))?;
    let new = notify::accept::accept(app, caller, patch.apply(&old, app.now_ms())?)?;
    check_content(&new, key.resource_type, permit)?;
    guards.extend(integrity::of_new(app, caller, &new)?);
    let mut patients = patients_of(&new);
    patients.extend(patients_of(&old));
    let reference = format!("{}/{}", key.resource_type, key.id);
    let event = Event::by(caller, Pattern::Update).patients(patients).data(reference);
    let expect = store::Expect::Version(stored.version);
    let write = Write::Put { key: key.clone(), resource: new, expect, method: Method::Put };
    commit_one(app, write, guards, event).map_err(|error| stated(error, standing))
}
