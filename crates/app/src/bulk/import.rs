//! Taking lines of resources in, as a job: uploaded with the request, stored as Binary before, or
//! fetched from elsewhere.
//!
//! The ids that the resources bring are kept, so that a line which is read a second time, after a
//! restart or because the file is sent again, updates and does not double. A line that cannot be
//! stored is told in a file of OperationOutcomes and leaves the rest alone.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::{Id, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Key, Method};

use super::files::{Part, Rolls};
use super::{IMPORT, Manifest, fetch};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise};
use crate::jobs::{self, Ended, Job, Outcome, Progress, Reserved, Run, failed};
use crate::records::import::Import;
use crate::records::kept;
use crate::records::write::check_content;
use crate::{App, Caller, Error, Kind, Result};

/// Most inputs of one import.
const MAX_INPUTS: usize = 1_000;
/// Longest line, in bytes.
const MAX_LINE: u64 = 16 * 1024 * 1024;
/// Lines that are stored together.
const PAGE: usize = 400;
/// Name of an uploaded file in the folder of its job.
pub const UPLOAD: &str = "upload.ndjson";
const OUTCOME: &str = "outcome";

/// Where lines come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The file that came with the request.
    Upload,
    /// A Binary of this node, by its id.
    Binary(String),
    /// A file elsewhere, to be fetched from the address of the input.
    Fetch,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Where its lines come from.
    pub source: Source,
    /// The type that every line must have, where one is stated.
    pub kind: Option<String>,
    /// What the client called it.
    pub url: String,
}

/// An import as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRequest {
    /// The manifest that names the inputs, where they are not named here.
    #[serde(default)]
    pub manifest: Option<Manifest>,
    /// Its inputs.
    pub inputs: Vec<Input>,
    /// The address of the request.
    pub url: String,
}

/// What an import has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// When it ended, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// The inputs.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Resources stored, by input and type.
    pub stored: Vec<BTreeMap<String, u64>>,
    /// Lines that were not stored, by input.
    pub refused: Vec<u64>,
    /// Files of OperationOutcomes that say why, with their lines.
    pub problems: Vec<(String, u64)>,
}

/// Whether a caller may import at all; asked before a file is taken.
pub fn check_caller(app: &App, caller: &Caller) -> Result<()> {
    let permit = authorise(app, caller, Action::storing("*"))?;
    if permit.is_unlimited() {
        return Ok(());
    }
    Err(Error::new(Kind::Forbidden, "an import is for staff of the institution"))
}

/// Accepts an import as a job; `reserved` holds the uploaded file where there is one.
pub fn kick_off(
    app: &App,
    caller: &Caller,
    request: &ImportRequest,
    reserved: Reserved,
) -> Result<Job> {
    check_caller(app, caller)?;
    if let Some(manifest) = &request.manifest {
        fetch::check(app, &manifest.url, &manifest.headers)?;
    } else if request.inputs.is_empty() || request.inputs.len() > MAX_INPUTS {
        let message = format!("an import has between 1 and {MAX_INPUTS} inputs");
        return Err(Error::invalid("required", message));
    }
    for input in &request.inputs {
        if let Some(kind) = &input.kind
            && super::request::exportable(kind).is_none()
        {
            let kind: String = kind.chars().take(40).collect();
            return Err(Error::invalid("not-supported", format!("`{kind}` is not imported")));
        }
        if let Source::Binary(id) = &input.source {
            let id = Id::new(id).map_err(|_| Error::not_found())?;
            crate::records::read::read(app, caller, &Key { resource_type: "Binary", id }, None)?;
        }
        if input.source == Source::Fetch {
            fetch::check(app, &input.url, &[])?;
        }
    }
    let event = Event::by(caller, Pattern::Import).note("an import was ordered");
    jobs::submit_reserved(app, caller, reserved, IMPORT, "Bulk import", json!(request), event)
}

/// Where to go on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Checkpoint {
    /// What a manifest has named.
    #[serde(default)]
    listed: Option<Vec<Input>>,
    input: usize,
    /// Bytes of the input that are done.
    offset: u64,
    line: u64,
    imported: Imported,
    parts: BTreeMap<String, Vec<Part>>,
}

/// Does one import, or goes on with it.
pub(super) fn run(app: &App, run: &Run) -> Outcome<Value> {
    let request: ImportRequest = serde_json::from_value(run.request().clone())
        .map_err(|e| Error::internal(format!("the request of an import cannot be read: {e}")))?;
    let at: Checkpoint = match run.checkpoint()? {
        Some(saved) => serde_json::from_value(saved)
            .map_err(|e| Error::internal(format!("a checkpoint cannot be read: {e}")))?,
        None => Checkpoint::default(),
    };
    let rows = app.jobs().options().file_rows;
    let rolls = Rolls::resume(run.folder(), rows, at.parts.clone(), &BTreeMap::new())?;
    crate::session::check_standing(app, run.caller())?;
    let headers = request.manifest.as_ref().map(|m| m.headers.clone()).unwrap_or_default();
    let mut taking = Taking { app, run, at, rolls, headers, permits: HashMap::new() };
    if let Some(manifest) = request.manifest.as_ref().filter(|_| taking.at.listed.is_none()) {
        taking.list(manifest)?;
    }
    let inputs = taking.at.listed.clone().unwrap_or(request.inputs);
    while let Some(input) = inputs.get(taking.at.input) {
        taking.take(input)?;
        taking.at.input += 1;
        (taking.at.offset, taking.at.line) = (0, 0);
        taking.save()?;
    }
    taking.rolls.finish()?;
    let mut imported = taking.at.imported.clone();
    imported.time_ms = app.now_ms();
    imported.urls = inputs.into_iter().map(|input| input.url).collect();
    let parts = taking.rolls.parts().values().flatten();
    imported.problems = parts.map(|part| (part.name.clone(), part.count)).collect();
    Ok(json!(imported))
}

struct Taking<'a> {
    app: &'a App,
    run: &'a Run,
    at: Checkpoint,
    rolls: Rolls,
    /// Headers for what is fetched.
    headers: Vec<(String, String)>,
    permits: HashMap<&'static str, Result<Permit>>,
}

impl Taking<'_> {
    fn save(&mut self) -> Outcome<()> {
        self.rolls.sync()?;
        self.at.parts = self.rolls.parts().clone();
        self.run.save(&json!(self.at))
    }

    /// Finds out what a manifest names, once.
    fn list(&mut self, manifest: &Manifest) -> Outcome<()> {
        let listed = match fetch::manifest(self.app, self.run, manifest)? {
            Ok(listed) if listed.files.len() > MAX_INPUTS => {
                let message = format!("an import has at most {MAX_INPUTS} inputs");
                return Err(Error::new(Kind::TooCostly, message).into());
            }
            Ok(listed) => listed,
            Err(message) => return Err(Error::invalid("processing", message).into()),
        };
        for message in &listed.left_out {
            self.rolls.line(OUTCOME, "ndjson", &outcome("warning", message))?;
        }
        let input = |(kind, url)| Input { source: Source::Fetch, kind, url };
        self.at.listed = Some(listed.files.into_iter().map(input).collect());
        self.save()
    }

    fn take(&mut self, input: &Input) -> Outcome<()> {
        self.at.imported.stored.resize(self.at.input + 1, BTreeMap::new());
        self.at.imported.refused.resize(self.at.input + 1, 0);
        let fetched = format!("input-{}.ndjson", self.at.input);
        if input.source == Source::Fetch {
            let fetch = fetch::file(self.app, self.run, &input.url, &self.headers, &fetched)?;
            if let Err(error) = fetch {
                return self.refuse_input(&error.to_string());
            }
        }
        self.read(input, &fetched)?;
        if input.source == Source::Fetch {
            // Whatever stays behind goes with the folder.
            let _ = self.run.folder().remove(&fetched);
        }
        Ok(())
    }

    /// Takes the lines of an input.
    fn read(&mut self, input: &Input, fetched: &str) -> Outcome<()> {
        let mut source: Box<dyn std::io::BufRead> = match &input.source {
            Source::Upload | Source::Fetch => {
                let of_upload = input.source == Source::Upload;
                let file = self.run.folder().open(if of_upload { UPLOAD } else { fetched });
                let mut file = file.map_err(|e| failed("read", &e))?;
                let seek = SeekFrom::Start(self.at.offset);
                file.seek(seek).map_err(|e| failed("read", &e))?;
                Box::new(BufReader::new(file))
            }
            Source::Binary(id) => {
                let data = binary(self.app, id)?;
                let done = usize::try_from(self.at.offset).unwrap_or(usize::MAX);
                Box::new(std::io::Cursor::new(data.get(done..).unwrap_or_default().to_vec()))
            }
        };
        loop {
            self.run.check()?;
            let (mut lines, mut read) = (Vec::new(), 0);
            while lines.len() < PAGE {
                let mut line = Vec::new();
                let most = source.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
                let bytes = most.map_err(|e| failed("read", &e))? as u64;
                if bytes == MAX_LINE && !line.ends_with(b"\n") {
                    let message = format!("a line of an import has at most {MAX_LINE} bytes");
                    return Err(Error::invalid("too-costly", message).into());
                }
                if bytes == 0 {
                    break;
                }
                read += bytes;
                lines.push(line);
            }
            if lines.is_empty() {
                return Ok(());
            }
            let first = self.at.line;
            self.at.line += lines.len() as u64;
            self.store(input, lines, first)?;
            self.at.offset += read;
            self.run.progress(Progress { done: self.at.line, total: 0 });
            self.save()?;
        }
    }

    /// Stores the lines that can be, and tells of the others.
    fn store(&mut self, input: &Input, lines: Vec<Vec<u8>>, first: u64) -> Outcome<()> {
        let (mut good, mut places) = (Vec::new(), Vec::new());
        for (at, line) in lines.into_iter().enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match self.check(input, &line) {
                Ok(kind) => {
                    good.push(line);
                    places.push((at, kind));
                }
                Err(error) => self.refuse(first + at as u64, &error.message)?,
            }
        }
        let report = Import::new(self.app).take_lines(&input.url, good)?;
        let mut refused = report.refused.into_iter().peekable();
        for (number, (at, kind)) in places.into_iter().enumerate() {
            match refused.next_if(|(place, _)| *place == number) {
                Some((_, why)) => self.refuse(first + at as u64, &why)?,
                None => {
                    if let Some(stored) = self.at.imported.stored.get_mut(self.at.input) {
                        *stored.entry(kind.to_owned()).or_default() += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks one line and returns the type of its resource.
    fn check(&mut self, input: &Input, line: &[u8]) -> Result<&'static str> {
        let text = std::str::from_utf8(line)
            .map_err(|_| Error::invalid("structure", "the line is not UTF-8"))?;
        let resource =
            Resource::parse(text).map_err(|e| Error::invalid("structure", e.to_string()))?;
        let kind = fhir::resource_type(resource.type_name())
            .ok_or_else(|| Error::invalid("not-supported", "not a resource type of FHIR R4"))?;
        if input.kind.as_ref().is_some_and(|stated| stated != kind) {
            return Err(Error::invalid("invalid", "the line is not of the type of its input"));
        }
        if resource.id().is_none() {
            let message = "the line needs an `id`, so that importing it twice does not double it";
            return Err(Error::invalid("required", message));
        }
        let (app, caller) = (self.app, self.run.caller());
        let permit = self
            .permits
            .entry(kind)
            .or_insert_with(|| authorise(app, caller, Action::storing(kind)));
        let permit = permit.as_ref().map_err(Clone::clone)?;
        check_content(&resource, kind, permit)?;
        if let Some(id) = resource.id() {
            let key = Key { resource_type: kind, id };
            kept::check_replaced(app, std::iter::once(&key))?;
        }
        Ok(kind)
    }

    fn refuse(&mut self, line: u64, why: &str) -> Outcome<()> {
        if let Some(refused) = self.at.imported.refused.get_mut(self.at.input) {
            *refused += 1;
        }
        let diagnostics = format!("input {}, line {}: {why}", self.at.input + 1, line + 1);
        self.rolls.line(OUTCOME, "ndjson", &outcome("error", &diagnostics))
    }

    /// Tells that an input could not be had at all.
    fn refuse_input(&mut self, why: &str) -> Outcome<()> {
        if let Some(refused) = self.at.imported.refused.get_mut(self.at.input) {
            *refused += 1;
        }
        let diagnostics = format!("input {} was not taken: {why}", self.at.input + 1);
        self.rolls.line(OUTCOME, "ndjson", &outcome("error", &diagnostics))
    }
}

/// An OperationOutcome of one issue, on one line.
fn outcome(severity: &str, diagnostics: &str) -> String {
    let issue = json!({"severity": severity, "code": "processing", "diagnostics": diagnostics});
    json!({"resourceType": "OperationOutcome", "issue": [issue]}).to_string()
}

/// The content of a Binary.
fn binary(app: &App, id: &str) -> Outcome<Vec<u8>> {
    let id = Id::new(id).map_err(|_| Error::not_found())?;
    let stored = app.store().snapshot()?.read(&Key { resource_type: "Binary", id })?;
    let stored = stored.filter(|s| s.method != Method::Delete).ok_or_else(Error::not_found)?;
    let resource = crate::records::parse(&stored)?;
    let data = resource.root().str_at("data").unwrap_or_default();
    let bytes = STANDARD.decode(data.as_bytes()).map_err(|_| {
        Ended::Failed(Error::invalid("value", "the data of a Binary is not base64"))
    })?;
    Ok(bytes)
}
