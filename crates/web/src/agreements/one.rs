//! One agreement: what it says, clause by clause, who has signed, what differs between versions,
//! and what a steward can do about it.

use askama::Template;
use policy::agreement::State;

use super::wording::{self, ClauseView, DifferenceView};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::parts::PasskeyFault;
use crate::paths::{AgreementChallenge, ChangeAgreement};
use crate::words::Words;

/// What signing sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct SignForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Hash of the text.
    pub text: String,
    /// The name of the ceremony; empty where no script ran.
    #[serde(default)]
    pub ceremony: String,
    /// What the browser gave, as JSON.
    #[serde(default)]
    pub credential: Secret,
}

/// What ending, declaring a breach and settling one send.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct SayForm {
    /// The token of the session.
    pub csrf: Secret,
    /// Why or how.
    #[serde(default)]
    pub reason: String,
    /// The breach that is settled.
    #[serde(default)]
    pub breach: String,
}

impl SayForm {
    /// The reason, or the field with what was typed and its fault.
    pub fn read(&self) -> Result<String, Field> {
        let reason = Field::required(&self.reason, 1000);
        if reason.is_sound() { Ok(reason.value) } else { Err(reason) }
    }
}

/// The page.
#[derive(Clone, Debug)]
pub struct AgreementView {
    /// Id of the agreement.
    pub id: String,
    /// How it stands.
    pub state: State,
    /// When it ends because a party has said so, Unix epoch milliseconds.
    pub ends_ms: Option<i64>,
    /// The versions, the one that counts first.
    pub versions: Vec<VersionView>,
    /// Breaches that were declared.
    pub breaches: Vec<BreachView>,
    /// Why it ends: who, when, why.
    pub endings: Vec<(String, i64, String)>,
    /// Whether the reader may act.
    pub may_act: bool,
    /// What went wrong with a passkey.
    pub passkey_fault: Option<PasskeyFault>,
    /// What went wrong otherwise, in words.
    pub fault: Option<String>,
    /// The reason as typed in a form that had a fault.
    pub reason: Field,
}

/// A version of the text.
#[derive(Clone, Debug)]
pub struct VersionView {
    /// Hash of its text.
    pub hash: String,
    /// Its number.
    pub number: u32,
    /// What it is called.
    pub title: String,
    /// Who proposed it.
    pub proposed_by: String,
    /// When, Unix epoch milliseconds.
    pub issued_ms: i64,
    /// Who agrees.
    pub parties: Vec<String>,
    /// The term, Unix epoch milliseconds.
    pub term: (i64, i64),
    /// Days of notice.
    pub notice_days: u32,
    /// The clauses.
    pub clauses: Vec<ClauseView>,
    /// Who has signed: party, steward, when.
    pub signatures: Vec<(String, String, i64)>,
    /// Who has not.
    pub missing: Vec<String>,
    /// From when on it is in force, where all have signed.
    pub since_ms: Option<i64>,
    /// What it says other than the version it changes.
    pub differences: Vec<DifferenceView>,
    /// Whether this institution may sign it now; else why not, where that is worth telling.
    pub signable: bool,
}

/// A declared breach.
#[derive(Clone, Debug)]
pub struct BreachView {
    /// Its hash.
    pub id: String,
    /// Who declared it.
    pub by: String,
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
    /// How.
    pub reason: String,
    /// When it was settled.
    pub settled_ms: Option<i64>,
    /// Whether this institution declared it and may settle it.
    pub ours: bool,
}

#[derive(Template)]
#[template(path = "agreements/one.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a AgreementView,
}

impl Page<'_> {
    fn is_open(&self) -> bool {
        !matches!(self.v.state, State::Ended | State::Expired)
    }

    fn challenge(&self, version: &VersionView) -> String {
        AgreementChallenge { agreement: &self.v.id, text: &version.hash }.to_string()
    }

    fn change(&self, version: &VersionView) -> String {
        ChangeAgreement { agreement: &self.v.id, text: &version.hash }.to_string()
    }

    fn title(&self) -> &str {
        self.v.versions.first().map_or("", |version| &version.title)
    }
}

/// The page.
pub fn render(v: &AgreementView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
