//! A new proposal.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::Words;

/// What the form sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct NewForm {
    /// The token of the session.
    pub csrf: Secret,
    /// In whose name; empty for this institution.
    #[serde(default)]
    pub seat: String,
    /// The motion's word.
    #[serde(default)]
    pub motion: String,
    /// Which member.
    #[serde(default)]
    pub organisation: String,
    /// An application, as `consilium network apply` prints it.
    #[serde(default)]
    pub application: String,
    /// The ids of the members with a seat.
    #[serde(default)]
    pub seats: String,
    /// The advisory boards, one a line: short id, member, `votes` or `comments`, name.
    #[serde(default)]
    pub advisers: String,
    /// What it is about.
    #[serde(default)]
    pub title: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// For how many days votes count.
    #[serde(default)]
    pub days: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct NewView {
    /// What was wrong, in words.
    pub fault: Option<String>,
    /// In whose name: id and name.
    pub speakers: Vec<(String, String)>,
    /// The members: id and name.
    pub members: Vec<(String, String)>,
    /// The field of the speaker.
    pub seat: Field,
    /// The field of the motion.
    pub motion: Field,
    /// The field of the member.
    pub organisation: Field,
    /// The field of the application.
    pub application: Field,
    /// The field of the seats.
    pub seats: Field,
    /// The field of the advisory boards.
    pub advisers: Field,
    /// The field of the title.
    pub title: Field,
    /// The field of the reason.
    pub reason: Field,
    /// The field of the days.
    pub days: Field,
}

#[derive(Template)]
#[template(path = "council/new.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a NewView,
}

impl Page<'_> {
    fn motions(&self) -> Vec<(String, String)> {
        let words =
            ["general", "admit", "suspend", "reinstate", "expel", "recover", "council", "renew"];
        let said = |word: &str| self.w.say(super::motion_key(word)).to_string();
        words.map(|word| (word.to_owned(), said(word))).to_vec()
    }
}

/// The page.
pub fn render(v: &NewView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
