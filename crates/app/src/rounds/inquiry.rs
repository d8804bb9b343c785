//! What everybody who takes part checks of a question before anything is done for it.

use privacy::budget::Mechanism;
use statistics::Question;
use wire::research::{Inquiry, Project};
use wire::{OrgId, Sealed};

use super::{noise, withdraw};
use crate::projects::{self, Ended, Known};
use crate::{App, Error, Kind, programs};

/// How far the clock of the coordinator may be ahead, in milliseconds.
const AHEAD_MS: i64 = 5 * 60 * 1000;

/// A question that was checked.
pub(super) struct Checked {
    /// Its id.
    pub id: String,
    /// It.
    pub inquiry: Inquiry,
    /// What is asked.
    pub question: Question,
    /// The project that it belongs to.
    pub known: Known,
    /// The noise that each aggregator adds, where there is to be noise.
    pub noise: Option<Mechanism>,
}

/// A rule that stands against doing something, by its word and in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Against {
    /// The rule.
    pub rule: &'static str,
    /// In words, without any value.
    pub reason: String,
}

impl Against {
    pub fn new(rule: &'static str, reason: impl Into<String>) -> Self {
        Self { rule, reason: reason.into() }
    }
}

impl From<store::StoreError> for Against {
    fn from(error: store::StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for Against {
    fn from(error: Error) -> Self {
        let is_for_now = matches!(error.kind, Kind::Internal | Kind::Busy);
        let rule = if is_for_now { "unavailable" } else { "not-valid" };
        Self { rule, reason: error.message.to_string() }
    }
}

/// The word of an analysis in questions and projects.
pub(super) fn kind(question: &Question) -> String {
    let value = serde_json::to_value(&question.analysis).unwrap_or_default();
    value.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned()
}

/// Checks a question that `coordinator` has handed out: signed by it, in a project of its that this
/// node has approved and that allows it. What the node knows of the project decides, nothing that the
/// coordinator says of it now.
pub(super) fn check(
    app: &App,
    coordinator: &OrgId,
    sealed: &Sealed,
) -> std::result::Result<Checked, Against> {
    let inquiry: Inquiry = sealed.open().map_err(|e| Against::new("not-valid", e.to_string()))?;
    projects::check_signer(app, coordinator, sealed)?;
    let snapshot = app.store().snapshot()?;
    let known = projects::known(&*snapshot, &inquiry.project)
        .map_err(|_| Against::new("no-project", "the project is not known here"))?;
    let now = app.now_ms();
    if known.project.coordinator != *coordinator {
        return Err(Against::new("no-project", "the project is of another coordinator"));
    }
    if let Some(ended) = &known.ended {
        return Err(match ended {
            Ended::Withdrawn => Against::new("ended", ended.reason()),
            Ended::Amended(_) => Against::new("amended", ended.reason()),
        });
    }
    if !known.is_approved_by(app.network().own(), now) {
        return Err(Against::new("not-approved", "the project is not approved here, or is over"));
    }
    if inquiry.made > now + AHEAD_MS || inquiry.until <= now {
        return Err(Against::new("not-now", "the question is over, or from the future"));
    }
    let id = sealed.id();
    if withdraw::is_withdrawn(&*snapshot, &known.id, &id)? {
        return Err(Against::new("withdrawn", "the question was withdrawn"));
    }
    let question: Question = serde_json::from_str(&inquiry.question)
        .map_err(|_| Against::new("not-valid", "the question cannot be read"))?;
    allowed(&inquiry, &question, &known.project)?;
    let noise = noise::of(&inquiry, &question);
    Ok(Checked { id, inquiry, question, known, noise })
}

/// What a project allows; the coordinator asks the same before it signs.
pub(super) fn allowed(
    inquiry: &Inquiry,
    question: &Question,
    project: &Project,
) -> std::result::Result<(), Against> {
    let against = |rule, reason: &str| Err(Against::new(rule, reason));
    if !inquiry.sites.iter().all(|site| project.holders.contains(site)) {
        return against("sites", "the question goes to somebody who is no holder of the project");
    }
    if inquiry.aggregators != project.aggregators {
        return against("aggregators", "the aggregators are not those of the project");
    }
    if inquiry.min_sites < project.min_sites || inquiry.min_rows < project.min_rows {
        return against("minimum", "the question asks for fewer sites or rows than the project");
    }
    if !project.researchers.iter().any(|researcher| researcher.account == inquiry.asker) {
        return against("asker", "who asks is not named in the project");
    }
    let kind = kind(question);
    if !project.analyses.contains(&kind) {
        let reason = format!("the project does not allow the analysis `{kind}`");
        return Err(Against::new("analysis", reason));
    }
    programs::of(question, project).map_err(|why| Against::new(programs::RULE, why))?;
    noise::allowed(inquiry, question, project)
}
