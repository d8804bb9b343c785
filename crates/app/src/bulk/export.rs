//! The work of an export: walk, then what is referred to, then the form that is asked for.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read as _, Write as _};

use fhir::json::quote;
use fhir::subset::{Elements, Subset};
use fhir::{Id, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Key, Method, Seq, Stored};

use super::associated::{Associated, Exported, Newest, PROVENANCE};
use super::columns::convert;
use super::files::{Part, Rolls};
use super::plan::Plan;
use super::request::{ExportRequest, Format, Level};
use super::scan::{Met, Scan, Window, stood};
use super::selection::members;
use crate::jobs::folder::Output;
use crate::jobs::{Ended, Outcome, Run, failed};
use crate::records::parse;
use crate::{App, Error};

/// Media type of Parquet files.
pub const OUTPUT_PARQUET: &str = "application/vnd.apache.parquet";
/// Types that belong to no patient and that an export of patients brings along where what it
/// exports refers to them (Bulk Data, "resources referenced").
const REFERENCED: [&str; 6] = [
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Location",
    "HealthcareService",
    "Medication",
];
/// Most of them that are brought along.
const MAX_REFERENCED: usize = 500_000;
/// Longest time between two checkpoints, in milliseconds.
const CHECKPOINT_MS: i64 = 1_000;

const DELETED: &str = "deleted";
const OUTCOME: &str = "outcome";
const FOUND: &str = "referenced.txt";

/// One file of a finished export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// `output`, `deleted` or `outcome`.
    pub list: String,
    /// Resource type of its lines.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Lines or rows.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What an export has produced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Produced {
    /// The moment that it shows, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Its files.
    pub files: Vec<OutputFile>,
}

/// Where to go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Checkpoint {
    plan: Plan,
    after: Seq,
    walked: bool,
    /// Bytes of the list of what is referred to, and how many of it have been brought along.
    found_bytes: u64,
    brought: usize,
    /// Bytes of the list of what was exported, kept where something comes along with it.
    #[serde(default)]
    exported_bytes: u64,
    /// How far the walk for what comes along is.
    #[serde(default)]
    associated_after: Seq,
    parts: BTreeMap<String, Vec<Part>>,
    tables: BTreeMap<String, Vec<Part>>,
}

/// Does one export, or goes on with it.
pub(super) fn run(app: &App, run: &Run) -> Outcome<Value> {
    let request: ExportRequest = serde_json::from_value(run.request().clone())
        .map_err(|e| Error::internal(format!("the request of an export cannot be read: {e}")))?;
    let mut export = Export::open(app, run, request)?;
    let done = export.work();
    if done == Err(Ended::Stopped) {
        export.save()?;
    }
    done
}

/// What is given each Provenance with the exported versions that it is about.
type Meet<'t, 'a> = dyn FnMut(&mut Export<'a>, &Stored, &Resource, Vec<Seq>) -> Outcome<()> + 't;

struct Export<'a> {
    app: &'a App,
    run: &'a Run,
    request: ExportRequest,
    window: Window,
    at: Checkpoint,
    rolls: Rolls,
    referenced: Referenced,
    exported: Exported,
    trim: Trim,
    saved_ms: i64,
}

impl<'a> Export<'a> {
    fn open(app: &'a App, run: &'a Run, request: ExportRequest) -> Outcome<Self> {
        let saved = run.checkpoint()?;
        // Who is asked for was written down at the first start; a Group may have changed since.
        let window = window(app, &request, saved.is_none())?;
        let at = match saved {
            Some(saved) => serde_json::from_value(saved)
                .map_err(|e| Error::internal(format!("a checkpoint cannot be read: {e}")))?,
            None => Checkpoint {
                plan: Plan::make(app, run.folder(), &window)?,
                after: 0,
                walked: false,
                found_bytes: 0,
                brought: 0,
                exported_bytes: 0,
                associated_after: 0,
                parts: BTreeMap::new(),
                tables: BTreeMap::new(),
            },
        };
        let rows = app.jobs().options().file_rows;
        let rolls = Rolls::resume(run.folder(), rows, at.parts.clone(), &at.tables)?;
        let referenced = Referenced::open(run, at.found_bytes)?;
        let exported = Exported::open(run.folder(), at.exported_bytes)?;
        let saved_ms = app.now_ms();
        let trim = Trim::new(request.elements.clone());
        let mut export =
            Self { app, run, request, window, at, rolls, referenced, exported, trim, saved_ms };
        // What was decided at the first start must not be decided otherwise at the next.
        export.save()?;
        Ok(export)
    }

    fn save(&mut self) -> Outcome<()> {
        self.rolls.sync()?;
        self.at.found_bytes = self.referenced.sync()?;
        self.at.exported_bytes = self.exported.sync()?;
        self.at.parts = self.rolls.parts().clone();
        self.saved_ms = self.app.now_ms();
        self.run.save(&json!(self.at))
    }

    fn save_sometimes(&mut self) -> Outcome<()> {
        if self.app.now_ms() - self.saved_ms >= CHECKPOINT_MS { self.save() } else { Ok(()) }
    }

    fn work(&mut self) -> Outcome<Value> {
        if !self.at.walked {
            self.walk()?;
            self.at.walked = true;
            self.save()?;
        }
        if self.request.level != Level::System {
            self.bring_along()?;
        }
        if let Some(associated) = self.request.associated {
            self.save()?;
            self.bring_associated(associated)?;
        }
        if !self.request.ignored.is_empty() && !self.rolls.parts().contains_key(OUTCOME) {
            for ignored in &self.request.ignored {
                self.rolls.line(OUTCOME, "ndjson", &outcome(ignored))?;
            }
        }
        self.save()?;
        self.rolls.finish()?;
        if self.request.format == Format::Parquet {
            self.tables()?;
        }
        Ok(json!(self.produced()))
    }

    fn walk(&mut self) -> Outcome<()> {
        let (plan, after) = (self.at.plan.clone(), self.at.after);
        let mut scan = Scan::open(self.run.folder(), plan, self.window.clone(), after)?;
        let page = usize::try_from(self.app.jobs().options().file_rows).unwrap_or(1000);
        let page = page.clamp(1, 1000);
        let along = self.request.level != Level::System;
        loop {
            self.run.progress(scan.progress());
            self.run.check()?;
            let (rolls, referenced) = (&mut self.rolls, &mut self.referenced);
            let exported = &mut self.exported;
            let (request, trim) = (&self.request, &mut self.trim);
            let mut deleted = Vec::new();
            let more = scan.page((self.app, self.run.caller()), page, &mut |met| match met {
                Met::Deleted(key) => {
                    deleted.push(key);
                    Ok(())
                }
                // It is brought along where it is about something else that is exported.
                Met::Resource(stored, _)
                    if request.associated.is_some() && stored.key.resource_type == PROVENANCE =>
                {
                    Ok(())
                }
                Met::Resource(stored, resource) => {
                    if request.associated.is_some() {
                        exported.note(stored.seq);
                    }
                    if along {
                        let resource = resource.map_or_else(|| parse(&stored), Ok)?;
                        referenced.collect(&resource, request)?;
                    }
                    let text = trim.of(&stored)?;
                    rolls.line(stored.key.resource_type, "ndjson", &one_line(&text))
                }
            })?;
            if !deleted.is_empty() {
                self.rolls.line(DELETED, "ndjson", &deletions(&deleted))?;
            }
            self.at.after = scan.after();
            if !more {
                return Ok(());
            }
            self.save_sometimes()?;
        }
    }

    /// Brings along what the exported resources refer to, as it stood at the same moment.
    fn bring_along(&mut self) -> Outcome<()> {
        while let Some(key) = self.referenced.list.get(self.at.brought).cloned() {
            if self.at.brought.is_multiple_of(100) {
                self.run.check()?;
                self.save_sometimes()?;
            }
            let snapshot = self.app.store().snapshot()?;
            let stored = stood(&*snapshot, &key, self.at.plan.seq)?;
            if let Some(stored) = stored.filter(|stored| stored.method != Method::Delete) {
                self.referenced.collect(&parse(&stored)?, &self.request)?;
                let text = self.trim.of(&stored)?;
                self.rolls.line(key.resource_type, "ndjson", &one_line(&text))?;
            }
            self.at.brought += 1;
        }
        if self.referenced.is_full() && !self.rolls.parts().contains_key(OUTCOME) {
            let message = format!(
                "more than {MAX_REFERENCED} resources are referred to; the rest was left out"
            );
            self.rolls.line(OUTCOME, "ndjson", &outcome(&message))?;
        }
        Ok(())
    }

    /// Brings along the Provenance resources of what was exported.
    fn bring_associated(&mut self, associated: Associated) -> Outcome<()> {
        let newest = match associated {
            Associated::Relevant => None,
            Associated::Latest => {
                let mut newest = Newest::default();
                self.walk_provenance(0, &mut |export, stored, resource, targets| {
                    for target in targets {
                        newest.meet(target, resource, stored.seq)?;
                    }
                    export.run.check()
                })?;
                Some(newest.into_versions())
            }
        };
        let after = self.at.associated_after;
        self.walk_provenance(after, &mut |export, stored, _, targets| {
            let wanted = newest.as_ref().map_or(!targets.is_empty(), |n| n.contains(&stored.seq));
            if wanted {
                let text = export.trim.of(stored)?;
                export.rolls.line(PROVENANCE, "ndjson", &one_line(&text))?;
            }
            export.at.associated_after = stored.seq;
            export.save_sometimes()
        })
    }

    /// Walks over the Provenance resources of the moment and hands out each with the exported
    /// versions that it is about. A patient meets those of the own record only.
    fn walk_provenance(&mut self, after: Seq, take: &mut Meet<'_, 'a>) -> Outcome<()> {
        let own = self.run.caller().user.patient.is_some();
        let plan = self.at.plan.for_associated(own);
        let window = Window { types: vec![PROVENANCE], ..Window::default() };
        let mut scan = Scan::open(self.run.folder(), plan, window, after)?;
        loop {
            self.run.check()?;
            let mut met = Vec::new();
            let more = scan.page((self.app, self.run.caller()), 1000, &mut |one| {
                if let Met::Resource(stored, resource) = one {
                    let resource = resource.map_or_else(|| parse(&stored), Ok)?;
                    met.push((stored, resource));
                }
                Ok(())
            })?;
            let snapshot = self.app.store().snapshot()?;
            for (stored, resource) in met {
                let brought = |key: &Key| self.referenced.seen.contains(key);
                let targets =
                    self.exported.targets(&*snapshot, &resource, self.at.plan.seq, brought)?;
                take(self, &stored, &resource, targets)?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Makes tables of the lines, one file after the other.
    fn tables(&mut self) -> Outcome<()> {
        let parts = self.at.parts.clone();
        for (key, parts) in parts.iter().filter(|(key, _)| *key != DELETED && *key != OUTCOME) {
            let done = self.at.tables.get(key).map_or(0, Vec::len);
            for part in parts.iter().skip(done) {
                let table = convert(self.run, part)?;
                self.at.tables.entry(key.clone()).or_default().push(table);
                self.run.save(&json!(self.at))?;
            }
        }
        self.at.parts.retain(|key, _| !self.at.tables.contains_key(key));
        self.run.save(&json!(self.at))?;
        for part in self.at.tables.keys().filter_map(|key| parts.get(key)).flatten() {
            // Whatever stays behind goes with the folder.
            let _ = self.run.folder().remove(&part.place());
        }
        Ok(())
    }

    fn produced(&self) -> Produced {
        let mut files = Vec::new();
        for (key, parts) in self.at.parts.iter().chain(&self.at.tables) {
            let (list, kind) = match key.as_str() {
                DELETED => (DELETED, "Bundle"),
                OUTCOME => (OUTCOME, "OperationOutcome"),
                kind => ("output", kind),
            };
            files.extend(parts.iter().map(|part| OutputFile {
                list: list.to_owned(),
                kind: kind.to_owned(),
                name: part.name.clone(),
                count: part.count,
                bytes: part.bytes,
            }));
        }
        Produced { time_ms: self.at.plan.time_ms, files }
    }
}

fn window(app: &App, request: &ExportRequest, first: bool) -> Outcome<Window> {
    let named: HashSet<Id> = request.patients.iter().filter_map(|id| Id::new(id).ok()).collect();
    let patients = match &request.level {
        _ if !first => None,
        Level::Group(id) => {
            let mut members = members(&*app.store().snapshot()?, id)?;
            if !named.is_empty() {
                members.retain(|member| named.contains(member));
            }
            Some(members)
        }
        _ if named.is_empty() => None,
        _ => Some(named),
    };
    Ok(Window {
        types: request.types.iter().filter_map(|kind| fhir::resource_type(kind)).collect(),
        since_ms: request.since_ms,
        until_ms: request.until_ms,
        filters: request.filters.clone(),
        patients,
        owned_only: request.level != Level::System,
    })
}

/// A resource on one line. Between the members of a text as it was received there may be line
/// breaks; inside strings JSON has none.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ").into() } else { text.into() }
}

/// Deletions as a Bundle that a client can run as a transaction.
fn deletions(keys: &[Key]) -> String {
    let entry = |key: &Key| {
        let url = quote(&format!("{}/{}", key.resource_type, key.id));
        format!("{{\"request\":{{\"method\":\"DELETE\",\"url\":{url}}}}}")
    };
    let entries: Vec<String> = keys.iter().map(entry).collect();
    format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{}]}}",
        entries.join(",")
    )
}

/// An OperationOutcome of one warning, on one line.
fn outcome(message: &str) -> String {
    json!({"resourceType": "OperationOutcome", "issue": [
        {"severity": "warning", "code": "not-supported", "diagnostics": message},
    ]})
    .to_string()
}

/// `_elements`, which may name elements of one type or of all: a type of which nothing is named
/// is exported whole.
struct Trim {
    elements: Option<String>,
    by_type: HashMap<&'static str, Subset>,
}

impl Trim {
    fn new(elements: Option<String>) -> Self {
        Self { elements, by_type: HashMap::new() }
    }

    /// The text of what is wanted of a resource.
    fn of<'s>(&mut self, stored: &'s Stored) -> Outcome<Cow<'s, str>> {
        let Some(elements) = &self.elements else { return Ok(Cow::Borrowed(&stored.text)) };
        let kind = stored.key.resource_type;
        let subset = self.by_type.entry(kind).or_insert_with(|| {
            let own = |name: &&str| name.split_once('.').is_none_or(|(of, _)| of.trim() == kind);
            let names: Vec<&str> = elements.split(',').filter(own).collect();
            Elements::parse(&names.join(","), &[]).map_or(Subset::Whole, Subset::Elements)
        });
        if subset.is_whole() {
            return Ok(Cow::Borrowed(&stored.text));
        }
        let part = subset.of(parse(stored)?.root());
        Ok(part.map_or(Cow::Borrowed(stored.text.as_str()), Cow::Owned))
    }
}

/// What exported resources refer to, each once, in the order it was met.
struct Referenced {
    list: Vec<Key>,
    seen: HashSet<Key>,
    file: Output,
    unsaved: String,
    bytes: u64,
}

impl Referenced {
    fn open(run: &Run, bytes: u64) -> Outcome<Self> {
        let folder = run.folder();
        let mut text = String::new();
        let file = if folder.has(FOUND) {
            let read = folder.open_part(FOUND, bytes).and_then(|mut f| f.read_to_string(&mut text));
            read.map_err(|e| failed("read", &e))?;
            folder.take_up(FOUND, bytes)
        } else {
            folder.create(FOUND)
        };
        let file = file.map_err(|e| failed("taken up again", &e))?;
        let key = |line: &str| {
            let (kind, id) = line.split_once('/')?;
            Some(Key { resource_type: fhir::resource_type(kind)?, id: Id::new(id).ok()? })
        };
        let list: Vec<Key> = text.lines().filter_map(key).collect();
        let seen = list.iter().cloned().collect();
        Ok(Self { list, seen, file, unsaved: String::new(), bytes })
    }

    fn is_full(&self) -> bool {
        self.list.len() >= MAX_REFERENCED
    }

    fn collect(&mut self, resource: &Resource, request: &ExportRequest) -> Outcome<()> {
        let mut found = Vec::new();
        fhir::edit::walk_references(resource.root(), &mut |reference| {
            if let Some(text) = reference.as_str() {
                found.push(text.into_owned());
            }
        });
        for text in found {
            let Some((kind, id)) = text.split_once('/') else { continue };
            let Some(kind) = REFERENCED.into_iter().find(|known| *known == kind) else { continue };
            let filtered = request.filters.iter().any(|(of, _)| of == kind);
            let Ok(id) = Id::new(id) else { continue };
            let key = Key { resource_type: kind, id };
            if !request.wants(kind) || filtered || self.is_full() || self.seen.contains(&key) {
                continue;
            }
            self.unsaved.push_str(&text);
            self.unsaved.push('\n');
            self.seen.insert(key.clone());
            self.list.push(key);
        }
        Ok(())
    }

    /// Brings the list to the disk and returns its length in bytes.
    fn sync(&mut self) -> Outcome<u64> {
        let mut save = || -> std::io::Result<()> {
            self.file.write_all(self.unsaved.as_bytes())?;
            self.file.sync()
        };
        save().map_err(|e| failed("written", &e))?;
        self.bytes += self.unsaved.len() as u64;
        self.unsaved.clear();
        Ok(self.bytes)
    }
}
