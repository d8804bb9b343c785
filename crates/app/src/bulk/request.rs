//! What an export is asked for, and its acceptance.

use fhir::Id;
use fhir::subset::Elements;
use fhirpath::search::Registry;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::query::parse;
use store::{Key, Method, Snapshot};

use super::{Associated, EXPORT};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, INSUFFICIENT_SCOPE, Scope, authorise};
use crate::jobs::{self, Job};
use crate::records::bundle::query_pairs;
use crate::records::search::refused;
use crate::{App, Caller, Error, Kind, Result};

/// Most patients that one request may name.
const MAX_PATIENTS: usize = 10_000;
/// Most filters that one request may name.
const MAX_FILTERS: usize = 200;

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Everything.
    System,
    /// What belongs to patients.
    Patient,
    /// What belongs to the members of a Group, by its id.
    Group(String),
}

/// The form of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// One resource a line.
    Ndjson,
    /// A table of resources.
    Parquet,
}

/// An export as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    /// What is exported.
    pub level: Level,
    /// The types wanted; all where there are none.
    pub types: Vec<String>,
    /// Only what changed later than this, milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// Only what changed before this.
    pub until_ms: Option<i64>,
    /// Searches that resources of a type must match one of: type and query.
    pub filters: Vec<(String, String)>,
    /// Only these patients, by id.
    pub patients: Vec<String>,
    /// The elements wanted, as `_elements` has them.
    pub elements: Option<String>,
    /// Which Provenance resources come along with what is exported.
    #[serde(default)]
    pub associated: Option<Associated>,
    /// The form of the files.
    pub format: Format,
    /// The address of the request.
    pub url: String,
    /// What was not understood and tolerated, for the client to read.
    pub ignored: Vec<String>,
}

/// The types that may be exported: all but the audit, which has doors of its own.
pub(super) fn exportable(name: &str) -> Option<&'static str> {
    fhir::resource_type(name).filter(|kind| *kind != "AuditEvent")
}

impl ExportRequest {
    /// Reads the parameters of a request, in the order given; comma lists are taken apart.
    /// Parameters and types that are not known are refused, or with `lenient` left out and listed
    /// in [`ExportRequest::ignored`]. `registry` holds the parameters of `_typeFilter`.
    pub fn read(
        registry: &Registry,
        level: Level,
        params: &[(String, String)],
        lenient: bool,
        url: &str,
    ) -> Result<Self> {
        let mut request = Self {
            level,
            types: Vec::new(),
            since_ms: None,
            until_ms: None,
            filters: Vec::new(),
            patients: Vec::new(),
            elements: None,
            associated: None,
            format: Format::Ndjson,
            url: url.to_owned(),
            ignored: Vec::new(),
        };
        for (name, value) in params {
            if let Err(error) = request.take(registry, name, value) {
                let unknown = error.kind == Kind::Invalid("not-supported");
                if !(lenient && unknown) {
                    return Err(error);
                }
                request.ignored.push(error.message);
            }
        }
        Ok(request)
    }

    fn take(&mut self, registry: &Registry, name: &str, value: &str) -> Result<()> {
        let bad = || Error::invalid("value", format!("`{name}` has a value that cannot be read"));
        let unsupported = |what: &str| Error::invalid("not-supported", what.to_owned());
        match name {
            "_outputFormat" | "_format" => self.format = format(name, value)?,
            "_since" => {
                self.since_ms = Some(fhir::time::parse(value).ok_or_else(bad)?.start_ms);
            }
            "_until" => {
                self.until_ms = Some(fhir::time::parse(value).ok_or_else(bad)?.start_ms);
            }
            "_type" => {
                for kind in value.split(',').map(str::trim).filter(|kind| !kind.is_empty()) {
                    let known = exportable(kind).ok_or_else(|| {
                        let kind: String = kind.chars().take(40).collect();
                        unsupported(&format!("`_type`: `{kind}` is not exported by this node"))
                    })?;
                    self.types.push(known.to_owned());
                }
            }
            "_typeFilter" => self.take_filters(registry, value)?,
            "_elements" => {
                let all = self.elements.take().map(|old| format!("{old},")).unwrap_or_default();
                self.elements = Some(all + value);
            }
            "patient" => {
                if self.level == Level::System {
                    let message = "`patient` is for exports of patients and groups";
                    return Err(Error::invalid("invalid", message));
                }
                for reference in value.split(',') {
                    let id = reference.trim().rsplit_once("Patient/").map_or(reference, |p| p.1);
                    let id = Id::new(id.trim()).map_err(|_| bad())?;
                    self.patients.push(id.to_string());
                }
                if self.patients.len() > MAX_PATIENTS {
                    let message =
                        format!("`patient`: at most {MAX_PATIENTS} can be named; use a Group");
                    return Err(Error::invalid("too-costly", message));
                }
            }
            "includeAssociatedData" => {
                for wanted in value.split(',').map(str::trim) {
                    let known = Associated::read(wanted).ok_or_else(|| {
                        let wanted: String = wanted.chars().take(40).collect();
                        unsupported(&format!(
                            "`includeAssociatedData`: `{wanted}` is not known here; use \
                             `LatestProvenanceResources` or `RelevantProvenanceResources`"
                        ))
                    })?;
                    // Of several the widest counts.
                    self.associated = self.associated.max(Some(known));
                }
            }
            // Leave to answer in parts; one whole manifest is always allowed.
            "allowPartialManifests" => {}
            "_pretty" => {}
            _ => {
                let name: String = name.chars().take(40).collect();
                return Err(unsupported(&format!(
                    "an export does not know the parameter `{name}`"
                )));
            }
        }
        Ok(())
    }

    /// A filter, or several separated by commas: a comma ends a filter where a type follows it.
    fn take_filters(&mut self, registry: &Registry, value: &str) -> Result<()> {
        let mut filters: Vec<String> = Vec::new();
        for part in value.split(',') {
            let begins = part.split_once('?').is_some_and(|(kind, _)| exportable(kind).is_some());
            match filters.last_mut().filter(|_| !begins) {
                Some(last) => {
                    last.push(',');
                    last.push_str(part);
                }
                None => filters.push(part.to_owned()),
            }
        }
        for filter in filters {
            let (kind, query) = filter
                .split_once('?')
                .ok_or_else(|| Error::invalid("value", "`_typeFilter` is `[type]?[search]`"))?;
            let kind = exportable(kind).ok_or_else(|| {
                Error::invalid("not-supported", "`_typeFilter` names a type that is not exported")
            })?;
            search_of(registry, kind, query)?;
            self.filters.push((kind.to_owned(), query.to_owned()));
        }
        if self.filters.len() > MAX_FILTERS {
            return Err(Error::invalid("too-costly", "`_typeFilter` is given too often"));
        }
        Ok(())
    }

    /// Whether a type is wanted.
    pub(super) fn wants(&self, resource_type: &str) -> bool {
        exportable(resource_type).is_some()
            && (self.types.is_empty() || self.types.iter().any(|kind| kind == resource_type))
    }
}

/// The search of a filter. What is about pages, order and form has no place in it.
pub(super) fn search_of(
    registry: &Registry,
    kind: &'static str,
    query: &str,
) -> Result<store::query::Query> {
    let pairs = query_pairs(query);
    const FORM: [&str; 9] = [
        "_sort",
        "_count",
        "_include",
        "_revinclude",
        "_elements",
        "_summary",
        "_total",
        "_format",
        "_contained",
    ];
    if let Some((name, _)) =
        pairs.iter().find(|(name, _)| FORM.contains(&name.split(':').next().unwrap_or_default()))
    {
        let name: String = name.chars().take(40).collect();
        return Err(Error::invalid("not-supported", format!("`_typeFilter` cannot hold `{name}`")));
    }
    Ok(parse(registry, kind, &pairs).map_err(|e| refused(&e))?.query)
}

fn format(name: &str, value: &str) -> Result<Format> {
    // A `+` in an address arrives as a space.
    match value.trim().replace(' ', "+").as_str() {
        "application/fhir+ndjson" | "application/ndjson" | "application/x-ndjson" | "ndjson" => {
            Ok(Format::Ndjson)
        }
        super::OUTPUT_PARQUET | "parquet" => Ok(Format::Parquet),
        _ => Err(Error::invalid(
            "not-supported",
            format!("`{name}` is `application/fhir+ndjson` or `{}`", super::OUTPUT_PARQUET),
        )),
    }
}

/// Accepts an export as a job. Staff need leave to export; a patient may export what is their own
/// at the level of patients.
///
/// Errors: [`Kind::NotFound`] for an unknown Group, an invalid value for an unknown patient.
pub fn kick_off(app: &App, caller: &Caller, mut request: ExportRequest) -> Result<Job> {
    let permit = authorise(app, caller, Action::exporting())?;
    if let Some(own) = permit.scope().own() {
        if request.level != Level::Patient {
            let message = "you may export your own record: use `Patient/$export`";
            return Err(Error::new(Kind::Forbidden, message).by_rule("own-record"));
        }
        if request.patients.iter().any(|id| id != own.as_str()) {
            return Err(Error::not_found());
        }
        request.patients = vec![own.to_string()];
    }
    confine(app, permit.scope(), &mut request)?;
    let snapshot = app.store().snapshot()?;
    if let Level::Group(id) = &request.level {
        super::selection::members(&*snapshot, id)?;
    }
    for id in &request.patients {
        if !is_current(&*snapshot, "Patient", id)? {
            return Err(Error::invalid("not-found", "`patient` names one that is not known here"));
        }
    }
    drop(snapshot);
    if let Some(elements) = &request.elements {
        let types: Vec<&str> = request.types.iter().map(String::as_str).collect();
        Elements::parse(elements, &types).map_err(|e| Error::invalid("value", e.to_string()))?;
    }
    let patients = request.patients.iter().filter_map(|id| Id::new(id).ok());
    let event = Event::by(caller, Pattern::Disclose).patients(patients).query(&*request.url);
    let title = match &request.level {
        Level::System => "Bulk export of the system",
        Level::Patient => "Bulk export of patients",
        Level::Group(_) => "Bulk export of a group",
    };
    jobs::submit(app, caller, EXPORT, title, json!(request), event)
}

/// Keeps an app's export to the types that it may read in full; an export does not test each
/// resource, so a type of which a part was granted is not among them.
fn confine(app: &App, scope: &Scope, request: &mut ExportRequest) -> Result<()> {
    let refused =
        |message: String| Err(Error::new(Kind::Forbidden, message).by_rule(INSUFFICIENT_SCOPE));
    if scope.is_by_item() && looks_elsewhere(app, request)? {
        return refused("`_typeFilter` cannot look at other resources here".into());
    }
    if !scope.is_an_apps() {
        return Ok(());
    }
    if request.types.is_empty() {
        let all = fhir::resource_types().iter().filter_map(|kind| exportable(kind));
        request.types = all.filter(|kind| scope.gives_all_of(kind)).map(str::to_owned).collect();
    }
    let filtered = request.filters.iter().map(|(kind, _)| kind);
    let mut wanted: Vec<&str> = request.types.iter().chain(filtered).map(String::as_str).collect();
    if matches!(request.level, Level::Group(_)) {
        wanted.push("Group");
    }
    if request.associated.is_some() {
        wanted.push("Provenance");
    }
    if let Some(kind) = wanted.iter().find(|kind| !scope.gives_all_of(kind)) {
        return refused(format!("the app may not export all resources of type `{kind}`"));
    }
    Ok(())
}

/// Whether a filter goes by way of other resources, of which it would tell.
fn looks_elsewhere(app: &App, request: &ExportRequest) -> Result<bool> {
    let registry = app.store().registry();
    for (kind, query) in &request.filters {
        let Some(kind) = fhir::resource_type(kind) else { continue };
        if search_of(&registry, kind, query)?.filters.iter().any(store::query::Filter::has_links) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a resource stands and is not deleted.
pub(crate) fn is_current(snapshot: &dyn Snapshot, kind: &'static str, id: &str) -> Result<bool> {
    let Ok(id) = Id::new(id) else { return Ok(false) };
    let found = snapshot.read(&Key { resource_type: kind, id })?;
    Ok(found.is_some_and(|stored| stored.method != Method::Delete))
}
