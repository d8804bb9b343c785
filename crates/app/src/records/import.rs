//! Takes resources in from files: Bundles, single resources, or lines of them.
//!
//! Unlike a transaction, an import keeps the ids that the resources bring, so that importing the
//! same file again updates instead of doubling; and an entry that cannot be stored is reported
//! and leaves the rest alone.

use std::collections::HashMap;

use fhir::json::Kind as JsonKind;
use fhir::{Document, Resource, Value};
use parking_lot::Mutex;
use store::rules::PARAMETER_TYPE;
use store::{Expect, Key, Method, Pending, Transaction, Write};

use super::bundle::conditional_reference;
use super::parameters::Newcomers;
use super::references::Known;
use super::{patients_of, references, validate};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::operate::reindex;
use crate::terminology::Lists;
use crate::{App, Error, Result, consent};

/// Resources that share one store transaction.
const CHUNK: usize = 400;
/// Most resolved conditional references that are remembered.
const MAX_REMEMBERED: usize = 200_000;

/// An import of any number of files into one node.
pub struct Import<'a> {
    app: &'a App,
    found: Mutex<HashMap<String, String>>,
    parameters: Mutex<Newcomers>,
}

/// What became of one file, or one line of one.
#[derive(Debug, Default)]
pub struct Report {
    /// Resources stored and durable.
    pub stored: usize,
    /// Entries that were not stored, with the reason.
    pub refused: Vec<(usize, String)>,
    /// Conditional references that match nothing here; they were kept as they are.
    pub unresolved: usize,
}

impl<'a> Import<'a> {
    /// Starts an import.
    pub fn new(app: &'a App) -> Self {
        Self { app, found: Mutex::default(), parameters: Mutex::default() }
    }

    /// Stores everything in `text`: one Bundle of any type, or one resource. `label` names the
    /// file in the audit. Returns when everything reported as stored is durable.
    pub fn take(&self, label: &str, text: Vec<u8>) -> Result<Report> {
        let document = Document::parse_bytes(text)
            .map_err(|e| Error::invalid("structure", format!("not valid JSON: {e}")))?;
        let root = document.root();
        let mut report = Report::default();
        let entries: Vec<(usize, Value<'_>)> = match root.str_at("resourceType").as_deref() {
            Some("Bundle") => {
                let list = root.get("entry");
                list.iter().flat_map(|list| list.items()).enumerate().collect()
            }
            _ => vec![(0, root)],
        };
        let is_bundle = root.get("resourceType").is_some_and(|kind| kind.is_str("Bundle"));
        let known = if is_bundle { temporary_ids(&entries) } else { Known::default() };
        let mut writes = Vec::new();
        for (at, entry) in entries {
            let resource = if is_bundle { entry.get("resource") } else { Some(entry) };
            match self.write(resource, &known, &mut report.unresolved) {
                Ok(write) => writes.push((at, write)),
                Err(error) => report.refused.push((at, error.message)),
            }
        }
        self.commit(label, writes, &mut report)?;
        report.refused.sort_by_key(|(at, _)| *at);
        Ok(report)
    }

    /// Stores lines of NDJSON, each one resource; lines without content are passed over. A line
    /// that cannot be stored is reported by its place in `lines`.
    pub fn take_lines(&self, label: &str, lines: Vec<Vec<u8>>) -> Result<Report> {
        let mut report = Report::default();
        let mut writes = Vec::new();
        let known = Known::default();
        for (at, line) in lines.into_iter().enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let write = Document::parse_bytes(line)
                .map_err(|e| Error::invalid("structure", format!("not valid JSON: {e}")))
                .and_then(|line| self.write(Some(line.root()), &known, &mut report.unresolved));
            match write {
                Ok(write) => writes.push((at, write)),
                Err(error) => report.refused.push((at, error.message)),
            }
        }
        self.commit(label, writes, &mut report)?;
        report.refused.sort_by_key(|(at, _)| *at);
        Ok(report)
    }

    fn write(
        &self,
        resource: Option<Value<'_>>,
        known: &Known,
        unresolved: &mut usize,
    ) -> Result<Write> {
        let value = resource.ok_or_else(|| Error::invalid("required", "`resource` is missing"))?;
        if value.kind() != JsonKind::Object {
            return Err(Error::invalid("structure", "a resource is a JSON object"));
        }
        let name = value.str_at("resourceType").unwrap_or_default();
        let known_type = fhir::definitions::resource_type(&name);
        if known_type == Some("AuditEvent") {
            return Err(Error::invalid("not-supported", "audit entries are not imported"));
        }
        let rewritten = references::rewrite(value, known, None, &mut |reference| {
            let found = self.resolve(reference)?;
            *unresolved += usize::from(found.is_none());
            Ok(found)
        })?;
        let text = rewritten.unwrap_or_else(|| value.raw().to_owned());
        let resource =
            Resource::parse(text).map_err(|e| Error::invalid("structure", e.to_string()))?;
        let resource_type = known_type
            .ok_or_else(|| Error::invalid("not-supported", "not a resource type of FHIR R4"))?;
        let id = match resource.id() {
            Some(id) => id,
            None => self.app.new_id(),
        };
        // A file is nobody's word on what the members have signed, who acts for whom, or who works here.
        crate::governance::publish::check_free(resource_type, id.as_str())?;
        crate::accounts::kept::check_removable(resource_type, id.as_str())?;
        validate::enforce_imported(self.app, &resource)?;
        let key = Key { resource_type, id };
        let write = Write::Put { key, resource, expect: Expect::Any, method: Method::Put };
        if resource_type == PARAMETER_TYPE {
            self.parameters.lock().admit(self.app, &write)?;
        }
        Ok(write)
    }

    /// What a conditional reference stands for here. Several matches are no match: guessing one
    /// would put words into the author's mouth.
    fn resolve(&self, reference: &str) -> Result<Option<String>> {
        if let Some(found) = self.found.lock().get(reference) {
            return Ok(Some(found.clone()));
        }
        let snapshot = self.app.store().snapshot()?;
        let lists = Lists::of_node(self.app);
        let found = conditional_reference(self.app, &lists, &*snapshot, reference);
        let Ok((_, key)) = found else { return Ok(None) };
        let found = format!("{}/{}", key.resource_type, key.id);
        let mut cache = self.found.lock();
        if cache.len() >= MAX_REMEMBERED {
            cache.clear();
        }
        cache.insert(reference.to_owned(), found.clone());
        Ok(Some(found))
    }

    fn commit(&self, label: &str, writes: Vec<(usize, Write)>, report: &mut Report) -> Result<()> {
        let mut pending: Vec<(Vec<usize>, Pending)> = Vec::new();
        let mut writes = writes.into_iter().peekable();
        while writes.peek().is_some() {
            let (places, writes): (Vec<usize>, Vec<Write>) = writes.by_ref().take(CHUNK).unzip();
            let mut side = Vec::new();
            let mut patients = Vec::new();
            for write in &writes {
                side.extend(consent::deliver::after_write(self.app, write)?);
                if let Write::Put { resource, .. } = write
                    && resource.type_name() == "Patient"
                {
                    patients.extend(patients_of(resource));
                }
            }
            let event = Event::by_node(Pattern::Import)
                .patients(patients)
                .note(format!("{} resources from `{label}`", writes.len()));
            let tasks = reindex::ordered(self.app, None, &writes)?;
            let mut writes = writes;
            writes.push(event.write(self.app)?);
            writes.extend(tasks);
            let transaction = Transaction { guards: Vec::new(), writes, side };
            pending.push((places, self.app.store().submit(transaction)));
        }
        for (places, pending) in pending {
            match pending.wait() {
                Ok(_) => report.stored += places.len(),
                Err(error) => {
                    report.refused.extend(places.into_iter().map(|at| (at, error.to_string())));
                }
            }
        }
        Ok(())
    }
}

/// What the temporary ids (`fullUrl`) of a Bundle stand for.
fn temporary_ids(entries: &[(usize, Value<'_>)]) -> Known {
    let one = |entry: &Value<'_>| {
        let url = entry.str_at("fullUrl")?;
        let resource = entry.get("resource")?;
        let (kind, id) = (resource.str_at("resourceType")?, resource.str_at("id")?);
        url.starts_with("urn:").then(|| (url.into_owned(), format!("{kind}/{id}")))
    };
    Known { by_url: entries.iter().filter_map(|(_, entry)| one(entry)).collect() }
}
