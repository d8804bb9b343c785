//! The affairs of the network at a glance.

use askama::Template;

use super::Outcome;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::{Message, Words};

/// What cutting off or restoring sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct CutForm {
    /// The token of the session.
    pub csrf: Secret,
    /// `cut` or `restore`.
    pub order: String,
    /// Whom; `*` for everybody.
    #[serde(default)]
    pub organisation: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// An application that was handed in here.
#[derive(Clone, Debug)]
pub struct Applicant {
    /// Id of the application.
    pub id: String,
    /// Name and short id of the institution, as it calls itself.
    pub name: String,
    /// Whom to reach.
    pub contact: String,
    /// Why, in its own words.
    pub reason: String,
    /// Whether it is a member that asks for new keys.
    pub recovers: bool,
    /// When it was handed in, Unix epoch milliseconds.
    pub at_ms: i64,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct AffairsView {
    /// The network's name.
    pub network: String,
    /// Serial number of the list in force.
    pub serial: u64,
    /// Until when it is valid, Unix epoch milliseconds.
    pub expires_ms: i64,
    /// Whether the network has a council.
    pub governed: bool,
    /// The members.
    pub members: Vec<Member>,
    /// Advisory boards: name, the member at whose node they are at home, and whether they vote.
    pub advisers: Vec<(String, String, bool)>,
    /// How many votes it takes: translation key of a motion, and the number.
    pub thresholds: Vec<(&'static str, u64)>,
    /// Translation keys of the motions that cannot be carried against a member with a seat.
    pub unreachable: Vec<&'static str>,
    /// Applications that were handed in here and wait.
    pub applications: Vec<Applicant>,
    /// Proposals, the newest first.
    pub proposals: Vec<Line>,
    /// Members that have signed what excludes each other: name, whether two lists, the number.
    pub misconduct: Vec<(String, bool, u64)>,
    /// Unusual questions.
    pub flags: Vec<Flag>,
    /// Whom this node does not talk to.
    pub cuts: Vec<Cut>,
    /// Whether the reader may propose.
    pub may_propose: bool,
    /// Whether the reader may cut off and restore.
    pub may_cut: bool,
    /// The organisation chosen in a form that had a fault, and its reason.
    pub form: (Field, Field),
}

/// A member.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Whether it has a seat.
    pub seat: bool,
    /// Whom to reach.
    pub contact: String,
}

/// A proposal in the list.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Translation key of its motion.
    pub motion: &'static str,
    /// Who proposes.
    pub proposer: String,
    /// When it was made, Unix epoch milliseconds.
    pub made_ms: i64,
    /// Until when votes count.
    pub closes_ms: i64,
    /// How it stands.
    pub outcome: Outcome,
    /// Votes for it, against it, and how many it takes.
    pub votes: (u64, u64, u64),
    /// Whether this institution or one of its advisers has not voted yet.
    pub waits: bool,
}

/// Something unusual in somebody's questions.
#[derive(Clone, Debug)]
pub struct Flag {
    /// What, as the wire has it.
    pub kind: &'static str,
    /// Whose questions.
    pub asker: String,
    /// Who noticed.
    pub noticed_by: String,
    /// The account, where it is about one.
    pub user: String,
    /// What was counted.
    pub count: u64,
    /// The limit.
    pub limit: u64,
    /// When it was noticed, Unix epoch milliseconds.
    pub at_ms: i64,
}

impl Flag {
    fn say(&self, w: &Words<'_>) -> Message {
        let key = match self.kind {
            "bulk-treatment" => "flag-bulk-treatment",
            "many-patients" => "flag-many-patients",
            "no-evidence" => "flag-no-evidence",
            _ => "flag-night-burst",
        };
        let said = w.say(key).s("asker", self.asker.clone());
        said.n("count", self.count).n("limit", self.limit)
    }
}

/// A cut.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Whom, by id; `*` for everybody.
    pub id: String,
    /// Its name; empty for everybody.
    pub name: String,
    /// Who made it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
}

#[derive(Template)]
#[template(path = "council/affairs.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a AffairsView,
}

impl Page<'_> {
    /// Everybody, and the other members.
    fn others(&self) -> Vec<(String, String)> {
        let all = ("*".to_owned(), self.w.say("cut-everybody").to_string());
        let members = self.v.members.iter().map(|member| (member.id.clone(), member.name.clone()));
        [all].into_iter().chain(members).collect()
    }
}

/// The page.
pub fn render(v: &AffairsView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
