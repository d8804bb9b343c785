//! `$sql-run`: the rows of a view, now.

use std::collections::HashSet;
use std::io::Write;
use std::ops::ControlFlow;

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use fhirpath::views::{RowError, View};
use store::query::parse;
use store::{Seq, Snapshot};

use super::rows::{Format, Rows};
use super::subject::{Subject, compile};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::bulk::{is_current, members};
use crate::records::search::refused;
use crate::records::{in_scope, parse as parse_stored};
use crate::{App, Caller, Error, Kind, Result};

/// Most resources that one run looks at; for more there is `$sql-export`.
pub const MAX_RESOURCES: usize = 1_000_000;
/// Longest time that one run may take, in milliseconds.
const MAX_MS: i64 = 120_000;
/// Resources that are loaded at once.
const PAGE: usize = 500;
/// Most patients and groups that one run may name.
const MAX_NAMED: usize = 1_000;

/// A run as it is asked for.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// The view.
    pub subject: Subject,
    /// Resources to work on instead of those of the node, as JSON; a Bundle stands for what it
    /// holds.
    pub resources: Option<Vec<String>>,
    /// The form of the rows.
    pub format: Format,
    /// Whether comma-separated values begin with their names.
    pub header: bool,
    /// Only what belongs to these patients, by id.
    pub patients: Vec<String>,
    /// Only what belongs to members of these Groups, by id.
    pub groups: Vec<String>,
    /// Only what changed later than this instant.
    pub since: Option<String>,
    /// Most rows.
    pub limit: Option<u64>,
}

/// Runs a view and writes its rows to `out` as they come. The audit entry is committed before the
/// first of them.
///
/// Errors: [`Kind::NotFound`] for an unknown view, [`Kind::Unprocessable`] for one that is not
/// valid or does not fit the data, an invalid value for unknown patients and groups.
pub fn run<W: Write + Send>(app: &App, caller: &Caller, request: &RunRequest, out: W) -> Result<W> {
    let view = compile(&request.subject.text(app, caller)?)?;
    let rows = Rows::new(request.format, request.header, view.columns(), out)?;
    let end_ms = app.now_ms() + MAX_MS;
    let mut running = Running { app, view: &view, limit: request.limit, end_ms, rows };
    match &request.resources {
        Some(resources) => given(resources, &mut running)?,
        None => stored(caller, request, &mut running)?,
    }
    running.rows.finish()
}

/// A run that goes on.
struct Running<'a, W: Write + Send> {
    app: &'a App,
    view: &'a View,
    limit: Option<u64>,
    end_ms: i64,
    rows: Rows<W>,
}

/// Rows of resources that came along.
fn given<W: Write + Send>(resources: &[String], running: &mut Running<'_, W>) -> Result<()> {
    for text in resources {
        let resource = Resource::parse(text.as_str())
            .map_err(|e| Error::invalid("structure", format!("`resource`: {e}")))?;
        if resource.type_name() != "Bundle" {
            if !running.add(&resource)? {
                return Ok(());
            }
            continue;
        }
        for entry in resource.get("entry").into_iter().flat_map(|list| list.items()) {
            let Some(inner) = entry.get("resource") else { continue };
            let inner = Resource::parse(inner.raw())
                .map_err(|e| Error::invalid("structure", format!("`resource`: {e}")))?;
            if !running.add(&inner)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Rows of what the node holds.
fn stored<W: Write + Send>(
    caller: &Caller,
    request: &RunRequest,
    running: &mut Running<'_, W>,
) -> Result<()> {
    let (app, kind) = (running.app, running.view.resource_type());
    if kind == "AuditEvent" {
        let message = "the audit is not shown in tables; use its own doors";
        return Err(Error::invalid("not-supported", message));
    }
    let permit = authorise(app, caller, Action::searching(kind))?;
    let snapshot = app.store().snapshot()?;
    let mut named = patients(&*snapshot, &request.patients, &request.groups)?;
    if let Some(own) = permit.scope().own() {
        if named.as_ref().is_some_and(|named| named.iter().any(|id| id != own)) {
            return Err(Error::not_found());
        }
        named = Some(HashSet::from([own.clone()]));
    }
    let versions = versions(&*snapshot, kind, request.since.as_deref(), named.as_ref())?;
    drop(snapshot);
    let note = format!("a view over {} resources", versions.len());
    let event = Event::by(caller, Pattern::Query).note(note);
    let event = event.patients(named.into_iter().flatten()).query(format!("{kind}?view"));
    app.audit(event)?;
    for page in versions.chunks(PAGE) {
        for stored in app.store().snapshot()?.load(page)? {
            let resource = parse_stored(&stored)?;
            if in_scope(&resource, permit.scope()) && !running.add(&resource)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The patients that are named and the members of the groups; `None` where none are named.
pub(super) fn patients(
    snapshot: &dyn Snapshot,
    patients: &[String],
    groups: &[String],
) -> Result<Option<HashSet<Id>>> {
    if patients.is_empty() && groups.is_empty() {
        return Ok(None);
    }
    if patients.len() + groups.len() > MAX_NAMED {
        let message = format!("at most {MAX_NAMED} patients and groups can be named");
        return Err(Error::invalid("too-costly", message));
    }
    let mut found = HashSet::new();
    for id in patients {
        if !is_current(snapshot, "Patient", id)? {
            return Err(Error::invalid("not-found", "`patient` names one that is not known here"));
        }
        found.extend(Id::new(id).ok());
    }
    for id in groups {
        let members = members(snapshot, id).map_err(|error| match error.kind {
            Kind::NotFound => {
                Error::invalid("not-found", "`group` names one that is not known here")
            }
            _ => error,
        })?;
        found.extend(members);
    }
    Ok(Some(found))
}

/// The versions of a type that are asked for.
fn versions(
    snapshot: &dyn Snapshot,
    kind: &'static str,
    since: Option<&str>,
    patients: Option<&HashSet<Id>>,
) -> Result<Vec<Seq>> {
    let since = since.map(|since| ("_lastUpdated".to_owned(), format!("gt{since}")));
    let params: Vec<(String, String)> = since.into_iter().collect();
    let search = parse(Registry::r4(), kind, &params).map_err(|e| refused(&e))?;
    let mut found =
        snapshot.find(&search.query, MAX_RESOURCES, true).map_err(|error| match error {
            store::StoreError::TooCostly { limit } => Error::new(
                Kind::TooCostly,
                format!("the view covers more than {limit} resources; use `$sql-export`"),
            ),
            other => other.into(),
        })?;
    if let Some(patients) = patients {
        let mut owned = HashSet::new();
        for patient in patients {
            owned.extend(snapshot.compartment(patient, &|one| one == kind)?);
        }
        found.retain(|seq| owned.contains(seq));
    }
    Ok(found)
}

impl<W: Write + Send> Running<'_, W> {
    fn is_enough(&self) -> bool {
        self.limit.is_some_and(|limit| self.rows.count() >= limit)
    }

    /// Adds the rows of one resource; false once there are enough.
    fn add(&mut self, resource: &Resource) -> Result<bool> {
        if self.is_enough() {
            return Ok(false);
        }
        let now_ms = self.app.now_ms();
        if now_ms > self.end_ms {
            let message = "the view takes too long to be answered at once; use `$sql-export`";
            return Err(Error::new(Kind::TooCostly, message));
        }
        let (view, mut fault) = (self.view, None);
        let made = view.rows(resource, now_ms, &mut |row| {
            fault = self.rows.row(row).err();
            if fault.is_some() || self.is_enough() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        made.map_err(unfit)?;
        match fault {
            Some(error) => Err(error),
            None => Ok(!self.is_enough()),
        }
    }
}

/// A view that does not fit the data.
pub(super) fn unfit(error: RowError) -> Error {
    Error::new(Kind::Unprocessable, format!("the view does not fit the data: {error}"))
}
