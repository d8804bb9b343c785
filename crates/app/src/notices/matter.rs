//! A matter between institutions that somebody must bring to an end: an objection, a recall.
//!
//! It is a `Task` whose `for` is the patient here, tagged as governance so that it is no part of the
//! clinical record. The institution where it began gives it an id that both sides use.

use fhir::{Id, Resource};
use fhirpath::search::Registry;
use serde_json::{Value, json};
use store::query::parse;
use store::{Expect, Key, Method, Snapshot, Stored, Write};

use crate::consent::break_glass::governance;
use crate::records::kept::TASK_SYSTEM;
use crate::records::parse as parse_stored;
use crate::{App, Error, Result};

/// How the id of a matter begins that another institution has opened.
pub(crate) const PREFIX: &str = "matter-";
const STATE_SYSTEM: &str = "https://consilium.health/fhir/CodeSystem/matter-state";
/// Most matters that one list holds.
pub const MAX_LISTED: usize = 500;

/// What a matter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A patient objects to an access.
    Objection,
    /// What was disclosed was another person's.
    Recall,
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Self::Objection => "access-objection",
            Self::Recall => "recall",
        }
    }
}

/// How a matter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is on its way to the other institution.
    Sent,
    /// Whoever must act on it has it.
    Received,
    /// The end of an objection: the access was wrong. Of a recall: it was carried out.
    Upheld,
    /// The end of an objection: the access was right.
    Rejected,
    /// The other institution's node does not take such word.
    NotTaken,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Sent, Self::Received, Self::Upheld, Self::Rejected, Self::NotTaken];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Upheld => "upheld",
            Self::Rejected => "rejected",
            Self::NotTaken => "not-taken",
        }
    }

    /// Whether somebody must still act.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Sent | Self::Received)
    }

    /// The status of the Task (FHIR task-status).
    fn status(self) -> &'static str {
        match self {
            Self::Sent => "requested",
            Self::Received => "received",
            Self::Upheld | Self::Rejected => "completed",
            Self::NotTaken => "failed",
        }
    }
}

/// A matter as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matter {
    /// Id of the Task.
    pub task: Id,
    /// Its version; 0 for one that is not stored yet.
    pub version: u64,
    /// What it is about.
    pub kind: Kind,
    /// How it stands.
    pub state: State,
    /// Whether its deadline passed while it was open; it stays so.
    pub overdue: bool,
    /// Where it began: an institution, and the id there.
    pub origin: (String, String),
    /// The institution that must act; this one where it has to.
    pub owner: String,
    /// The patient here.
    pub patient: Id,
    /// The AuditEvent at the owner; empty for a recall.
    pub entry: String,
    /// Why, in the words of whoever began it.
    pub reason: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub opened_ms: i64,
    /// Until when it should end.
    pub due_ms: i64,
    /// The answer, or what was done.
    pub answer: String,
    /// When the Task was last written.
    pub changed_ms: i64,
}

impl Matter {
    /// The Task's id for a matter that began elsewhere, the same however often word of it arrives.
    pub fn received_id(origin: &str, id: &str) -> Result<Id> {
        let hash = crypto::hash::sha256_of_parts(&[origin.as_bytes(), b"\0", id.as_bytes()]);
        let hex = crypto::hash::hex(&hash);
        Id::new(format!("{PREFIX}{}", &hex[..40])).map_err(|e| Error::internal(e.to_string()))
    }

    /// The write that stores it; it fails if somebody changed it since it was read.
    pub fn write(&self) -> Result<Write> {
        let resource = Resource::parse(self.json().to_string())
            .map_err(|e| Error::internal(format!("a task made here is not valid: {e}")))?;
        let expect = match self.version {
            0 => Expect::Absent,
            version => Expect::Version(version),
        };
        Ok(Write::Put { key: key(&self.task), resource, expect, method: Method::Put })
    }

    fn json(&self) -> Value {
        let mut task = json!({
            "resourceType": "Task",
            "meta": {"tag": [governance()]},
            "identifier": [{"system": format!("urn:consilium:org:{}:matter", self.origin.0),
                            "value": self.origin.1}],
            "status": self.state.status(),
            "businessStatus": {"coding": [{"system": STATE_SYSTEM, "code": self.state.word()}]},
            "intent": "order",
            "priority": if self.overdue { "urgent" } else { "routine" },
            "code": {"coding": [{"system": TASK_SYSTEM, "code": self.kind.code()}]},
            "description": self.reason,
            "for": {"reference": format!("Patient/{}", self.patient)},
            "authoredOn": fhir::time::instant(self.opened_ms),
            "owner": {"reference": format!("Organization/{}", self.owner)},
            "restriction": {"period": {"end": fhir::time::instant(self.due_ms)}},
        });
        let audit = format!("urn:consilium:org:{}:audit", self.owner);
        if !self.entry.is_empty() {
            task["focus"] = json!({"type": "AuditEvent",
                                   "identifier": {"system": audit, "value": self.entry}});
        }
        if !self.answer.is_empty() {
            task["output"] = json!([{"type": {"text": "answer"}, "valueString": self.answer}]);
        }
        task
    }

    fn view(task: &Resource, stored: &Stored) -> Option<Self> {
        let text =
            |path: &[&str]| Some(task.root().path(path).and_then(|v| v.as_str())?.into_owned());
        let time = |path: &[&str]| Some(fhir::time::parse(&text(path)?)?.start_ms);
        let coded = |name: &str| {
            let code = task.root().path(&[name, "coding"])?.items().next()?.str_at("code")?;
            Some(code.into_owned())
        };
        let kind = [Kind::Objection, Kind::Recall];
        let kind = kind.into_iter().find(|kind| coded("code").as_deref() == Some(kind.code()))?;
        let state = coded("businessStatus")?;
        let identifier = task.get("identifier")?.items().next()?;
        let origin = identifier.str_at("system")?;
        let origin = origin.strip_prefix("urn:consilium:org:")?.strip_suffix(":matter")?;
        Some(Self {
            task: stored.key.id.clone(),
            version: stored.version,
            kind,
            state: State::ALL.into_iter().find(|known| known.word() == state)?,
            overdue: text(&["priority"]).as_deref() == Some("urgent"),
            origin: (origin.to_owned(), identifier.str_at("value")?.into_owned()),
            owner: text(&["owner", "reference"])?.strip_prefix("Organization/")?.to_owned(),
            patient: Id::new(text(&["for", "reference"])?.strip_prefix("Patient/")?).ok()?,
            entry: text(&["focus", "identifier", "value"]).unwrap_or_default(),
            reason: text(&["description"]).unwrap_or_default(),
            opened_ms: time(&["authoredOn"])?,
            due_ms: time(&["restriction", "period", "end"])?,
            answer: task
                .get("output")
                .and_then(|list| list.items().next()?.str_at("valueString").map(|t| t.into_owned()))
                .unwrap_or_default(),
            changed_ms: stored.last_updated_ms,
        })
    }
}

fn key(task: &Id) -> Key {
    Key { resource_type: "Task", id: task.clone() }
}

/// A matter by the id of its Task.
///
/// Errors: [`crate::Kind::NotFound`] where there is no such matter.
pub fn read(snapshot: &dyn Snapshot, task: &Id) -> Result<Matter> {
    find_one(snapshot, task)?.ok_or_else(Error::not_found)
}

/// The same; `None` where there is none.
pub fn find_one(snapshot: &dyn Snapshot, task: &Id) -> Result<Option<Matter>> {
    let stored = snapshot.read(&key(task))?.filter(|stored| stored.method != Method::Delete);
    let Some(stored) = stored else { return Ok(None) };
    Ok(Matter::view(&parse_stored(&stored)?, &stored))
}

/// The matter that another institution names by its id; `None` where there is none.
pub fn named(app: &App, id: &str) -> Result<Option<Matter>> {
    let Ok(task) = Id::new(id) else { return Ok(None) };
    find_one(&*app.store().snapshot()?, &task)
}

/// Matters of a kind, the newest first: those of one patient, or of all; all, or only open ones.
pub fn list(
    snapshot: &dyn Snapshot,
    kind: Kind,
    patient: Option<&Id>,
    open: bool,
) -> Result<Vec<Matter>> {
    let mut params = vec![
        ("code".to_owned(), format!("{TASK_SYSTEM}|{}", kind.code())),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    params.extend(patient.map(|patient| ("patient".to_owned(), format!("Patient/{patient}"))));
    if open {
        params.push(("status".to_owned(), "requested,received".to_owned()));
    }
    let search =
        parse(Registry::r4(), "Task", &params).map_err(|e| Error::internal(e.to_string()))?;
    let found = snapshot.find(&search.query, MAX_LISTED, false)?;
    let mut list = Vec::new();
    for stored in snapshot.load(&found)? {
        list.extend(Matter::view(&parse_stored(&stored)?, &stored));
    }
    Ok(list)
}

/// Who must act on matters that began here: whether the owner is this node.
pub fn is_ours(app: &App, matter: &Matter) -> bool {
    matter.owner == app.org().id
}
