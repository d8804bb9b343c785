//! The privacy officer's page: who acts for a patient, and a new one on evidence.

use askama::Template;

use super::mine::{Basis, Proxy, relationships};
use super::relationship::Relationship;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::privacy::whom::Whom;
use crate::words::{Message, Words};

/// What asking for a patient sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct FindForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The patient's number.
    #[serde(default)]
    pub number: String,
    /// The date of birth.
    #[serde(default)]
    pub born: String,
}

/// What recording somebody sends.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct AppointForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The patient's id.
    #[serde(default)]
    pub patient: String,
    /// Username of whoever will act.
    #[serde(default)]
    pub username: String,
    /// A code of v3-RoleCode.
    #[serde(default)]
    pub relationship: String,
    /// `parent`, `court` or `attorney`.
    #[serde(default)]
    pub basis: String,
    /// What was shown.
    #[serde(default)]
    pub evidence: String,
    /// The last day, empty without an end.
    #[serde(default)]
    pub last_day: String,
    /// `yes` where they decide who else sees the record.
    #[serde(default)]
    pub consents: String,
}

/// What ending one sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct EndForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The patient's id.
    #[serde(default)]
    pub patient: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct OfficeView {
    /// The number and date of birth by which a patient was asked for.
    pub whom: Whom,
    /// Id of the patient; empty before one was found.
    pub patient: String,
    /// Those who act for them; `None` before anybody was asked for.
    pub proxies: Option<Vec<Proxy>>,
    /// What is to be recorded, as it was typed.
    pub form: AppointForm,
    /// Why it could not be done.
    pub fault: Option<OfficeFault>,
}

/// Why somebody could not be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfficeFault {
    /// No evidence, too much of it, or a document that is not there.
    Evidence,
    /// There is no such account, or it is the patient's own.
    Account,
    /// The birth date of a child is not known.
    BirthDate,
    /// It would have ended already.
    Over,
    /// They act for the patient already.
    Twice,
    /// Something else on the form.
    Other,
}

impl OfficeFault {
    /// Its sentence.
    pub fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Evidence => "proxies-fault-evidence",
            Self::Account => "proxies-fault-account",
            Self::BirthDate => "proxies-fault-birth-date",
            Self::Over => "proxies-fault-over",
            Self::Twice => "proxies-fault-twice",
            Self::Other => "proxies-fault",
        })
    }
}

/// The fields of the form as they were typed.
struct Typed {
    username: Field,
    relationship: Field,
    basis: Field,
    evidence: Field,
    last_day: Field,
}

impl Typed {
    fn of(form: &AppointForm) -> Self {
        Self {
            username: Field::new(&form.username),
            relationship: Field::new(&form.relationship),
            basis: Field::new(&form.basis),
            evidence: Field::new(&form.evidence),
            last_day: Field::new(&form.last_day),
        }
    }
}

impl Page<'_> {
    fn relationships(&self) -> Vec<(String, String)> {
        let said = |one: Relationship| {
            let words = one.say(&self.w).to_string();
            (one.0, words)
        };
        relationships().into_iter().map(said).collect()
    }

    fn bases(&self) -> Vec<(String, String)> {
        let all =
            [("parent", Basis::Parent), ("court", Basis::Court), ("attorney", Basis::Attorney)];
        all.map(|(code, basis)| (code.to_owned(), basis.say(&self.w).to_string())).into()
    }
}

#[derive(Template)]
#[template(path = "proxies/office.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a OfficeView,
    f: &'a Typed,
}

/// The page.
pub fn render(v: &OfficeView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v, f: &Typed::of(&v.form) }.render()?)
}
