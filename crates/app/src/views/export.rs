//! `$sql-export`: the rows of several views at one moment, as files.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;

use fhir::{Document, Id, Resource};
use fhirpath::views::View;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Seq;

use super::EXPORT;
use super::rows::{Format, Rows, csv_names, csv_row, read_row};
use super::run::{patients, unfit};
use super::subject::{Subject, compile};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, INSUFFICIENT_SCOPE, authorise};
use crate::bulk::{Met, Part, Plan, Rolls, Scan, Window, place};
use crate::jobs::{self, Ended, Job, Outcome, Run, failed};
use crate::records::parse;
use crate::{App, Caller, Error, Kind, Result};

/// Most views of one export.
const MAX_VIEWS: usize = 50;
/// Longest time between two checkpoints, in milliseconds.
const CHECKPOINT_MS: i64 = 1_000;

/// One view that is ordered.
#[derive(Clone, Debug)]
pub struct ViewOrder {
    /// Name of its output, where the client gives one.
    pub name: Option<String>,
    /// The view.
    pub subject: Subject,
}

/// An export of views as it is asked for.
#[derive(Clone, Debug)]
pub struct TablesRequest {
    /// The views.
    pub views: Vec<ViewOrder>,
    /// The form of the files; not [`Format::Fhir`].
    pub format: Format,
    /// Whether comma-separated values begin with their names.
    pub header: bool,
    /// Only what belongs to these patients, by id.
    pub patients: Vec<String>,
    /// Only what belongs to members of these Groups, by id.
    pub groups: Vec<String>,
    /// Only what changed later than this, milliseconds since the Unix epoch.
    pub since_ms: Option<i64>,
    /// What the client calls the job.
    pub tracking_id: Option<String>,
}

/// What the work is given: every view by its name and text.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ordered {
    views: Vec<(String, String)>,
    format: Format,
    header: bool,
    patients: Option<Vec<String>>,
    since_ms: Option<i64>,
    tracking_id: Option<String>,
}

/// What an export of views has produced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tables {
    /// The form of the files.
    pub format: Format,
    /// What the client calls the job.
    pub tracking_id: Option<String>,
    /// Names of the views with the names of their files.
    pub outputs: Vec<(String, Vec<String>)>,
}

/// Accepts an export of views as a job. The views are looked up and compiled at once, and stay
/// what they were then.
///
/// Errors: as [`super::run()`], and an invalid value where two outputs would have one name.
pub fn kick_off(app: &App, caller: &Caller, request: TablesRequest) -> Result<Job> {
    let permit = authorise(app, caller, Action::exporting())?;
    if request.views.is_empty() {
        return Err(Error::invalid("required", "name at least one `subject`"));
    }
    if request.views.len() > MAX_VIEWS {
        let message = format!("at most {MAX_VIEWS} views can be exported at once");
        return Err(Error::invalid("too-costly", message));
    }
    let mut views: Vec<(String, String)> = Vec::new();
    for (at, order) in request.views.iter().enumerate() {
        let text = order.subject.text(app, caller)?;
        let view = compile(&text)?;
        if view.resource_type() == "AuditEvent" {
            let message = "the audit is not shown in tables; use its own doors";
            return Err(Error::invalid("not-supported", message));
        }
        if !permit.scope().gives_all_of(view.resource_type()) {
            let message = "the app may not export all resources of the view's type";
            return Err(Error::new(Kind::Forbidden, message).by_rule(INSUFFICIENT_SCOPE));
        }
        let name = order.name.clone().or_else(|| view.name().map(str::to_owned));
        let name = name.unwrap_or_else(|| format!("output{}", at + 1));
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
            let message = "`subject.name` is made of letters, digits, `_` and `-`";
            return Err(Error::invalid("value", message));
        }
        if views.iter().any(|(known, _)| *known == name) {
            let message =
                format!("`subject`: two outputs would be called `{name}`; name them apart");
            return Err(Error::invalid("invalid", message));
        }
        views.push((name, text));
    }
    let mut named = patients(&*app.store().snapshot()?, &request.patients, &request.groups)?;
    if let Some(own) = permit.scope().own() {
        if named.as_ref().is_some_and(|named| named.iter().any(|id| id != own)) {
            return Err(Error::not_found());
        }
        named = Some(HashSet::from([own.clone()]));
    }
    let names: Vec<&str> = views.iter().map(|(name, _)| name.as_str()).collect();
    let event = Event::by(caller, Pattern::Disclose)
        .patients(named.iter().flatten().cloned())
        .note(format!("export of the views {}", names.join(", ")));
    let ordered = Ordered {
        format: request.format,
        header: request.header,
        patients: named.map(|named| named.iter().map(ToString::to_string).collect()),
        since_ms: request.since_ms,
        tracking_id: request.tracking_id,
        views,
    };
    jobs::submit(app, caller, EXPORT, "Export of views", json!(ordered), event)
}

/// Where to go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Checkpoint {
    plan: Plan,
    after: Seq,
    walked: bool,
    parts: BTreeMap<String, Vec<Part>>,
    /// Files in the form that is asked for, where that is not the form of the walk.
    formed: BTreeMap<String, Vec<Part>>,
}

/// Does one export of views, or goes on with it.
pub(super) fn work(app: &App, run: &Run) -> Outcome<Value> {
    let ordered: Ordered = serde_json::from_value(run.request().clone())
        .map_err(|e| Error::internal(format!("the request of an export cannot be read: {e}")))?;
    let views = ordered.views.iter().map(|(_, text)| compile(text)).collect::<Result<Vec<_>>>()?;
    let patients = ordered
        .patients
        .as_ref()
        .map(|list| -> HashSet<Id> { list.iter().filter_map(|id| Id::new(id).ok()).collect() });
    let window = Window {
        types: views.iter().map(View::resource_type).collect(),
        since_ms: ordered.since_ms,
        patients,
        ..Window::default()
    };
    let at = match run.checkpoint()? {
        Some(saved) => serde_json::from_value(saved)
            .map_err(|e| Error::internal(format!("a checkpoint cannot be read: {e}")))?,
        None => {
            let plan = Plan::make(app, run.folder(), &window)?;
            let (parts, formed) = (BTreeMap::new(), BTreeMap::new());
            Checkpoint { plan, after: 0, walked: false, parts, formed }
        }
    };
    let rows = app.jobs().options().file_rows;
    let mut rolls = Rolls::resume(run.folder(), rows, at.parts.clone(), &at.formed)?;
    if ordered.format == Format::Csv && ordered.header {
        for ((name, _), view) in ordered.views.iter().zip(&views) {
            rolls.head(name, csv_names(view.columns()) + "\r\n");
        }
    }
    let mut export = Export { app, run, ordered: &ordered, views: &views, window, at, rolls };
    export.save()?;
    let done = export.walk();
    if done == Err(Ended::Stopped) {
        export.save()?;
    }
    done?;
    export.form()
}

struct Export<'a> {
    app: &'a App,
    run: &'a Run,
    ordered: &'a Ordered,
    views: &'a [View],
    window: Window,
    at: Checkpoint,
    rolls: Rolls,
}

impl Export<'_> {
    fn save(&mut self) -> Outcome<()> {
        self.rolls.sync()?;
        self.at.parts = self.rolls.parts().clone();
        self.run.save(&json!(self.at))
    }

    /// The form of the files while the walk goes on: one that grows line by line.
    fn extension(&self) -> &'static str {
        if self.ordered.format == Format::Csv { "csv" } else { "rows.ndjson" }
    }

    fn walk(&mut self) -> Outcome<()> {
        if self.at.walked {
            return Ok(());
        }
        let (plan, after) = (self.at.plan.clone(), self.at.after);
        let mut scan = Scan::open(self.run.folder(), plan, self.window.clone(), after)?;
        let rows = self.app.jobs().options().file_rows;
        // A view may make much of one resource, and a job must end soon after it is told to.
        let page = usize::try_from(rows).unwrap_or(100).clamp(1, 100);
        let mut saved_ms = self.app.now_ms();
        let mut more = true;
        while more {
            self.run.progress(scan.progress());
            self.run.check()?;
            more = scan.page((self.app, self.run.caller()), page, &mut |met| match met {
                Met::Deleted(_) => Ok(()),
                Met::Resource(stored, resource) => {
                    let resource = resource.map_or_else(|| parse(&stored), Ok)?;
                    self.rows_of(&resource)
                }
            })?;
            self.at.after = scan.after();
            if self.app.now_ms() - saved_ms >= CHECKPOINT_MS {
                self.save()?;
                saved_ms = self.app.now_ms();
            }
        }
        for (name, _) in &self.ordered.views {
            // A view without rows has a file all the same.
            if !self.rolls.parts().contains_key(name) {
                self.rolls.roll(
                    name,
                    if self.ordered.format == Format::Csv { "csv" } else { "rows.ndjson" },
                )?;
            }
        }
        self.at.walked = true;
        self.save()
    }

    fn rows_of(&mut self, resource: &Resource) -> Outcome<()> {
        let extension = self.extension();
        for ((name, _), view) in self.ordered.views.iter().zip(self.views) {
            let names = view.json_names();
            let mut line = String::new();
            let mut ended = Ok(());
            let rolls = &mut self.rolls;
            view.rows(resource, self.app.now_ms(), &mut |row| {
                line.clear();
                if extension == "csv" {
                    csv_row(row, &mut line);
                    line.push('\r');
                } else {
                    View::write_row(&names, row, &mut line);
                }
                ended = rolls.line(name, extension, &line);
                if ended.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .map_err(unfit)?;
            ended?;
        }
        Ok(())
    }

    /// Brings the rows into the form that is asked for, one file after the other.
    fn form(&mut self) -> Outcome<Value> {
        self.rolls.finish()?;
        if matches!(self.ordered.format, Format::Json | Format::Parquet) {
            let parts = self.at.parts.clone();
            for ((name, _), view) in self.ordered.views.iter().zip(self.views) {
                let parts = parts.get(name).map(Vec::as_slice).unwrap_or_default();
                let done = self.at.formed.get(name).map_or(0, Vec::len);
                for part in parts.iter().skip(done) {
                    let formed = self.convert(view, part)?;
                    self.at.formed.entry(name.clone()).or_default().push(formed);
                    self.run.save(&json!(self.at))?;
                }
            }
            self.at.parts.clear();
            self.run.save(&json!(self.at))?;
            for part in parts.values().flatten() {
                // Whatever stays behind goes with the folder.
                let _ = self.run.folder().remove(&part.place());
            }
        }
        let outputs = self.ordered.views.iter().map(|(name, _)| {
            let parts = self.at.formed.get(name).or_else(|| self.at.parts.get(name));
            let names = parts.into_iter().flatten().map(|part| part.name.clone()).collect();
            (name.clone(), names)
        });
        Ok(json!(Tables {
            format: self.ordered.format,
            tracking_id: self.ordered.tracking_id.clone(),
            outputs: outputs.collect(),
        }))
    }

    fn convert(&self, view: &View, part: &Part) -> Outcome<Part> {
        let folder = self.run.folder();
        let stem = part.name.trim_end_matches(".rows.ndjson");
        let name = format!("{stem}.{}", self.ordered.format.code());
        let input = folder.open(&part.place()).map_err(|e| failed("read", &e))?;
        let out = folder.replace(&place(&name)).map_err(|e| failed("made", &e))?;
        let mut rows = Rows::new(self.ordered.format, true, view.columns(), out)?;
        for (at, line) in BufReader::new(input).lines().enumerate() {
            if at % 1000 == 0 {
                self.run.check()?;
            }
            let line = line.map_err(|e| failed("read", &e))?;
            let line = Document::parse(line)
                .map_err(|e| Error::internal(format!("a row of an export cannot be read: {e}")))?;
            rows.row(&read_row(view.columns(), line.root()))?;
        }
        let bytes = rows.finish()?.finish().map_err(|e| failed("written", &e))?;
        Ok(Part { name, count: part.count, bytes })
    }
}
