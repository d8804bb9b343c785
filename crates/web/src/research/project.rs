//! One project: what it is for, what everybody decides, and its questions.

use askama::Template;
use statistics::Analysis;

use super::apply::KINDS;
use super::council::CouncilShown;
use super::{ProjectState, QuestionRow};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::Words;

/// What deciding sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct DecideForm {
    /// The token of the session.
    pub csrf: Secret,
    /// `approve`, `refuse` or `withdraw`.
    #[serde(default)]
    pub choice: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// For how many days answers are kept back.
    #[serde(default)]
    pub embargo: String,
}

/// What taking a project back sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct EndForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Why.
    #[serde(default)]
    pub why: String,
}

/// What asking sends.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct AskForm {
    /// The token of the session.
    pub csrf: Secret,
    /// One of [`ASKED`].
    #[serde(default)]
    pub kind: String,
    /// A formula or names of variables, by the kind.
    #[serde(default)]
    pub text: String,
    /// ε of the question, in a project whose answers have noise.
    #[serde(default)]
    pub epsilon: String,
    /// `dry` to be told what it would cost.
    #[serde(default)]
    pub choice: String,
}

/// The questions that the page can ask; programs can ask all.
pub const ASKED: [(&str, &str); 6] = [
    ("regression", "ask-regression"),
    ("summary", "ask-summary"),
    ("crosstab", "ask-crosstab"),
    ("histogram", "ask-histogram"),
    ("survival", "ask-survival"),
    ("program", "ask-program"),
];

/// The page.
#[derive(Clone, Debug)]
pub struct ProjectView {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub purpose: String,
    /// Who applies.
    pub by: String,
    /// Who asks.
    pub researchers: Vec<String>,
    /// Whose data are asked.
    pub holders: Vec<String>,
    /// Who adds.
    pub aggregators: Vec<String>,
    /// The data set.
    pub dataset: String,
    /// Kinds of analysis.
    pub analyses: Vec<String>,
    /// Programs of the researchers' own.
    pub programs: Vec<ProgramRow>,
    /// Fewest institutions and rows in an answer.
    pub least: (u64, u64),
    /// From when to when, Unix epoch milliseconds.
    pub term: (i64, i64),
    /// Whether two people look at every answer.
    pub checked: bool,
    /// ε in millionths of all its questions together, where they are answered with noise.
    pub privacy: Option<u64>,
    /// Where it stands.
    pub state: ProjectState,
    /// What was decided.
    pub decisions: Vec<DecisionRow>,
    /// Who has not decided.
    pub open: Vec<String>,
    /// The project that it amends: id and title, where it is known here.
    pub amends: Option<(String, String)>,
    /// What it changes in that.
    pub changes: Vec<ChangeRow>,
    /// Id of the project that has taken its place.
    pub amended_by: Option<String>,
    /// How this institution's patient council stands to it, where it has a word.
    pub council: Option<CouncilShown>,
    /// Its questions, the latest first.
    pub questions: Vec<QuestionRow>,
    /// Variables of the data set as it is here, with what they hold.
    pub variables: Vec<(String, String)>,
    /// Whether the reader may decide for this institution.
    pub may_decide: bool,
    /// Whether the reader may ask.
    pub may_ask: bool,
    /// Whether the reader may amend it, or take it back.
    pub may_change: bool,
    /// What went wrong, in words.
    pub fault: Option<String>,
    /// What was typed as a reason.
    pub reason: Field,
    /// What was typed as days of embargo.
    pub embargo: Field,
    /// What was typed as a reason for taking it back.
    pub why: Field,
    /// What was typed as a question: the kind and the text.
    pub asked: (String, Field),
    /// What was typed as ε of a question.
    pub epsilon: Field,
    /// What the question would cost, where that was asked for.
    pub plan: Option<AskPlan>,
}

impl ProjectView {
    /// Whether a kind of question is offered: with noise only what can be answered so.
    fn offers(&self, kind: &str) -> bool {
        self.privacy.is_none() || Analysis::WITH_NOISE.contains(&kind)
    }
}

/// What a question would cost: each ε in millionths.
#[derive(Clone, Copy, Debug)]
pub struct AskPlan {
    /// The question's, at every holder.
    pub cost: u64,
    /// Within how many of the truth a count is in 95 of 100 cases.
    pub within: u64,
    /// What the project has left, and of how much.
    pub project: (u64, u64),
    /// What the account has left at this institution, and of how much.
    pub here: Option<(u64, u64)>,
}

/// A field in which an amendment differs.
#[derive(Clone, Debug)]
pub struct ChangeRow {
    /// What it is called, as a key.
    pub label: &'static str,
    /// What stands there.
    pub before: String,
    /// What is to stand there.
    pub after: String,
}

/// A program, as it is approved with the project.
#[derive(Clone, Debug)]
pub struct ProgramRow {
    /// SHA-256 of its bytes.
    pub hash: String,
    /// Its name and version.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// What it reads.
    pub variables: Vec<String>,
    /// Most rows of a site.
    pub rows: u64,
    /// What it may ask for: name, the most that one site gives, whether it counts.
    pub outputs: Vec<(String, String, bool)>,
    /// Most rounds.
    pub rounds: u64,
    /// Most instructions in a round.
    pub fuel: u64,
    /// Most memory, in mebibytes.
    pub memory: u64,
}

/// What a party has decided.
#[derive(Clone, Debug)]
pub struct DecisionRow {
    /// Who.
    pub party: String,
    /// What, as a key.
    pub choice: &'static str,
    /// The class of its mark.
    pub class: &'static str,
    /// Why.
    pub reason: String,
    /// The steward.
    pub steward: String,
    /// For how many days answers are kept back.
    pub embargo: u64,
    /// How its patient council stood.
    pub council: Option<CouncilShown>,
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
}

#[derive(Template)]
#[template(path = "research/project.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ProjectView,
}

impl Page<'_> {
    /// The kinds of analysis in the reader's words.
    fn analyses(&self) -> String {
        let name = |kind: &String| kind_name(&self.w, kind);
        self.v.analyses.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

/// A kind of analysis in the reader's words; a kind that has none as it is written.
pub(super) fn kind_name(w: &Words<'_>, kind: &str) -> String {
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    known.map_or_else(|| kind.to_owned(), |(_, key)| w.say(key).to_string())
}

/// The page.
pub fn render(v: &ProjectView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
