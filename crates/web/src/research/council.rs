//! For the patient council: the projects that ask this institution's data, in plain words, and a member's
//! word about one of them.

use askama::Template;

use super::ProjectState;
use super::project::{ChangeRow, ProgramRow, kind_name};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::{Message, Words};

/// The kind of analysis that is a program.
const PROGRAM: &str = "program";

/// What giving a word sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct WordForm {
    /// The token of the session.
    pub csrf: Secret,
    /// `agree` or `object`.
    #[serde(default)]
    pub say: String,
    /// On what conditions, or why not.
    #[serde(default)]
    pub conditions: String,
}

/// How a patient council stands to a project, as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouncilShown {
    /// Fewest who have to agree; 0 where their word is advice.
    pub needed: u64,
    /// Members who agree.
    pub agree: u64,
    /// Members who object.
    pub object: u64,
    /// Their conditions and reasons.
    pub conditions: Vec<String>,
}

impl CouncilShown {
    /// How it stands, in a sentence.
    pub fn say(&self, w: &Words<'_>) -> Message {
        let key = match (self.object, self.agree) {
            (1.., _) => "patient-council-objects",
            (_, 1..) if self.agree >= self.needed => "patient-council-agrees",
            _ => "patient-council-open",
        };
        w.say(key).n("agree", self.agree).n("object", self.object).n("needed", self.needed)
    }
}

/// The list.
#[derive(Clone, Debug, Default)]
pub struct CouncilView {
    /// Fewest who have to agree; 0 where their word is advice.
    pub needed: u64,
    /// The projects, the latest first.
    pub projects: Vec<CouncilRow>,
}

/// A project in the list.
#[derive(Clone, Debug)]
pub struct CouncilRow {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// Who asks.
    pub by: String,
    /// Where it stands.
    pub state: ProjectState,
    /// What the reader has said, as a key.
    pub said: &'static str,
    /// Until when it lasts, Unix epoch milliseconds.
    pub until_ms: i64,
}

/// A project as a member of the council reads it.
#[derive(Clone, Debug)]
pub struct ApplicationView {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub purpose: String,
    /// Who asks.
    pub by: String,
    /// The people who ask.
    pub researchers: Vec<String>,
    /// Whose data are asked.
    pub holders: Vec<String>,
    /// Who adds.
    pub aggregators: Vec<String>,
    /// The data set.
    pub dataset: String,
    /// Kinds of analysis over many people.
    pub analyses: Vec<String>,
    /// Whether it asks for records of single people, too.
    pub extracts: bool,
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
    /// The project that it amends: id and title, where that asks this institution's data too.
    pub amends: Option<(String, String)>,
    /// What it changes in that.
    pub changes: Vec<ChangeRow>,
    /// Where it stands.
    pub state: ProjectState,
    /// How the council stands.
    pub council: CouncilShown,
    /// What the reader has said, as a key.
    pub said: &'static str,
    /// Whether a word can be given.
    pub may_speak: bool,
    /// What went wrong, in words.
    pub fault: Option<String>,
    /// What was typed.
    pub conditions: Field,
}

#[derive(Template)]
#[template(path = "research/patient-council.html")]
struct ListPage<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a CouncilView,
}

#[derive(Template)]
#[template(path = "research/patient-council-project.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ApplicationView,
}

impl Page<'_> {
    /// The kinds of analysis in the reader's words, programs aside, which are told of one by one; a kind that
    /// has no words as it is written.
    fn kinds(&self) -> Vec<String> {
        let kinds =
            self.v.analyses.iter().filter(|kind| *kind != PROGRAM || self.v.programs.is_empty());
        kinds.map(|kind| kind_name(&self.w, kind)).collect()
    }
}

/// The list.
pub fn render_list(v: &CouncilView, c: &Chrome) -> Result<String, WebError> {
    Ok(ListPage { c, w: c.words(), v }.render()?)
}

/// One project.
pub fn render(v: &ApplicationView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
