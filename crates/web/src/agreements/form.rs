//! The form of a draft: clauses in plain choices. What a clause says beyond them, because it came
//! by the API, is named and stays as it is.

use askama::Template;

use super::wording::{self, COMMON};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::Words;

/// Purposes that the form offers.
pub const PURPOSES: [&str; 7] =
    ["TREAT", "ETREAT", "COC", "HPAYMT", "HQUALIMP", "PUBHLTH", "HRESCH"];
/// Resource types that the form offers beside all; the patient goes with any of them.
pub const KINDS: [&str; 12] = [
    "AllergyIntolerance",
    "CarePlan",
    "Condition",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "ImagingStudy",
    "Immunization",
    "MedicationRequest",
    "Observation",
    "Procedure",
    "ServiceRequest",
];
/// Degrees of confidentiality that the form offers.
pub const CEILINGS: [&str; 3] = ["N", "R", "V"];

/// Most clauses that the form takes.
pub const MOST_CLAUSES: usize = 20;

/// What the form sends: names and values, some names more than once.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(from = "Vec<(String, String)>")]
pub struct DraftForm {
    /// The token of the session.
    pub csrf: Secret,
    pairs: Vec<(String, String)>,
}

impl From<Vec<(String, String)>> for DraftForm {
    fn from(mut pairs: Vec<(String, String)>) -> Self {
        let csrf = pairs.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.clone());
        pairs.retain(|(name, _)| name != "csrf");
        Self { csrf: Secret(csrf.unwrap_or_default()), pairs }
    }
}

impl DraftForm {
    /// The first value under a name; empty without one.
    pub fn text(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Every value under a name.
    pub fn all(&self, name: &str) -> Vec<String> {
        let found = self.pairs.iter().filter(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).collect()
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct DraftView {
    /// Agreement and hash of the version that is changed; `None` for a new agreement.
    pub changes: Option<(String, String)>,
    /// The members who can be parties: id and name. Empty where the parties are given.
    pub members: Vec<(String, String)>,
    /// What is chosen.
    pub chosen: Chosen,
    /// What is wrong, in words.
    pub fault: Option<String>,
}

/// What is chosen in the form.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// What it is called.
    pub title: Field,
    /// The other parties, by id.
    pub parties: Vec<String>,
    /// The first day.
    pub from: Field,
    /// The last day.
    pub until: Field,
    /// Days of notice.
    pub notice: Field,
    /// What is permitted.
    pub clauses: Vec<ChosenClause>,
}

/// What is chosen for one clause.
#[derive(Clone, Debug, Default)]
pub struct ChosenClause {
    /// Which clause of the changed version it was, from 1; 0 for a new one.
    pub base: usize,
    /// Codes of purposes.
    pub purposes: Vec<String>,
    /// Resource types; `*` for all.
    pub kinds: Vec<String>,
    /// Code of the highest degree of confidentiality.
    pub ceiling: String,
    /// Codes of obligations.
    pub obligations: Vec<String>,
    /// What the form has no choices for, in words; it stays as it is.
    pub kept: Vec<String>,
}

impl ChosenClause {
    /// What a new clause begins with: all data for treatment, not to be passed on.
    pub fn fresh() -> Self {
        Self {
            purposes: vec!["TREAT".into()],
            kinds: vec!["*".into()],
            ceiling: "R".into(),
            obligations: vec!["NORDSCLCD".into()],
            ..Self::default()
        }
    }
}

impl DraftForm {
    /// The clauses that it names, without those that are to be left out.
    pub fn clauses(&self) -> Vec<ChosenClause> {
        let out = self.all("without");
        let numbers = self.all("clause").into_iter().filter(|number| !out.contains(number));
        let clause = |n: String| ChosenClause {
            base: self.text(&format!("base-{n}")).parse().unwrap_or(0),
            purposes: self.all(&format!("purpose-{n}")),
            kinds: self.all(&format!("kind-{n}")),
            ceiling: self.text(&format!("ceiling-{n}")).to_owned(),
            obligations: self.all(&format!("obligation-{n}")),
            kept: Vec::new(),
        };
        numbers.take(MOST_CLAUSES).map(clause).collect()
    }
}

#[derive(Template)]
#[template(path = "agreements/form.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a DraftView,
}

impl Page<'_> {
    fn purposes(&self, clause: &ChosenClause) -> Vec<(&'static str, String, bool)> {
        let chosen = |code: &&str| clause.purposes.iter().any(|one| one == code);
        PURPOSES.iter().map(|code| (*code, wording::purpose(&self.w, code), chosen(code))).collect()
    }

    fn kinds(&self, clause: &ChosenClause) -> Vec<(&'static str, String, bool)> {
        let chosen = |name: &&str| clause.kinds.iter().any(|one| one == name);
        let all = std::iter::once(&"*").chain(&KINDS);
        all.map(|name| (*name, wording::kind(&self.w, name), chosen(name))).collect()
    }

    fn obligations(&self, clause: &ChosenClause) -> Vec<(&'static str, String, bool)> {
        let chosen = |code: &str| clause.obligations.iter().any(|one| one == code);
        let known = COMMON.iter();
        known.map(|(code, key)| (*code, self.w.say(key).to_string(), chosen(code))).collect()
    }

    fn ceilings(&self, clause: &ChosenClause) -> Vec<(&'static str, String, bool)> {
        let degree = |code: &'static str| {
            let degree = policy::label::Confidentiality::find(code)?;
            let text = wording::ceiling(&self.w, degree).to_string();
            Some((code, text, clause.ceiling == code))
        };
        CEILINGS.into_iter().filter_map(degree).collect()
    }

    fn is_party(&self, org: &str) -> bool {
        self.v.chosen.parties.iter().any(|party| party == org)
    }

    fn action(&self) -> String {
        match &self.v.changes {
            Some((agreement, text)) => {
                crate::paths::ChangeAgreement { agreement, text }.to_string()
            }
            None => crate::paths::NewAgreement.to_string(),
        }
    }
}

/// The page.
pub fn render(v: &DraftView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
