//! Cohorts: criteria put together by a form, and the noisy numbers that answer them.

use askama::Template;

use super::criterion::{ABOUT, COMPARES, OCCURS, PLACES, SEXES, WHEN};
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, Secret};
use crate::words::Words;

/// Width of the longest bar.
const WIDTH: u64 = 100;

/// What the form sends: the criteria so far, and what is to be done.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct CohortForm {
    /// The token of the session.
    pub csrf: Secret,
    /// The criteria so far, in JSON.
    #[serde(default)]
    pub cohort: String,
    /// `add`, `remove-index`, `remove-3`, `check` or `ask`.
    #[serde(default)]
    pub act: String,
    /// `own` or `network`.
    #[serde(default)]
    pub scope: String,
    /// ε of the question.
    #[serde(default)]
    pub epsilon: String,
    /// What the new criterion is about.
    #[serde(default)]
    pub about: String,
    /// As what it is added.
    #[serde(default)]
    pub place: String,
    /// What the step is called.
    #[serde(default)]
    pub label: String,
    /// A kind and a code of those that are there.
    #[serde(default)]
    pub choice: String,
    /// Codes as `system|code`, with commas.
    #[serde(default)]
    pub codes: String,
    /// A sex.
    #[serde(default)]
    pub sex: String,
    /// How often.
    #[serde(default)]
    pub occurs: String,
    /// How many times at least.
    #[serde(default)]
    pub times: String,
    /// How the value stands to the number.
    #[serde(default)]
    pub compare: String,
    /// A number that values are compared with.
    #[serde(default)]
    pub number: String,
    /// Its unit.
    #[serde(default)]
    pub unit: String,
    /// The relation to the index event.
    #[serde(default)]
    pub when: String,
    /// Least years or days.
    #[serde(default)]
    pub least: String,
    /// Most years or days.
    #[serde(default)]
    pub most: String,
}

/// What was typed for a new criterion.
#[derive(Clone, Debug, Default)]
pub struct CriterionFields {
    /// What it is about.
    pub about: Field,
    /// As what it is added.
    pub place: Field,
    /// What it is called.
    pub label: Field,
    /// A code of those that are there.
    pub choice: Field,
    /// Codes.
    pub codes: Field,
    /// A sex.
    pub sex: Field,
    /// How often.
    pub occurs: Field,
    /// How many times.
    pub times: Field,
    /// How the value stands to the number.
    pub compare: Field,
    /// A number.
    pub number: Field,
    /// Its unit.
    pub unit: Field,
    /// The relation to the index event.
    pub when: Field,
    /// Least years or days.
    pub least: Field,
    /// Most years or days.
    pub most: Field,
}

impl CriterionFields {
    /// As they were sent.
    pub fn of(form: &CohortForm) -> Self {
        let field = |text: &str, most| Field::optional(text, most);
        Self {
            about: field(&form.about, 20),
            place: field(&form.place, 20),
            label: field(&form.label, 200),
            choice: field(&form.choice, 400),
            codes: field(&form.codes, 20_000),
            sex: field(&form.sex, 20),
            occurs: field(&form.occurs, 20),
            times: field(&form.times, 6),
            compare: field(&form.compare, 20),
            number: field(&form.number, 30),
            unit: field(&form.unit, 50),
            when: field(&form.when, 20),
            least: field(&form.least, 6),
            most: field(&form.most, 6),
        }
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        [
            &self.label,
            &self.choice,
            &self.codes,
            &self.times,
            &self.number,
            &self.unit,
            &self.least,
            &self.most,
        ]
        .iter()
        .all(|field| field.is_sound())
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct CohortView {
    /// The criteria so far, in JSON.
    pub cohort: String,
    /// The index event in a sentence, where there is one.
    pub index: Option<String>,
    /// The steps, each in a sentence.
    pub steps: Vec<String>,
    /// Codes of those that are there: what the form sends, and its name.
    pub choices: Vec<(String, String)>,
    /// What was typed for a new criterion.
    pub new: CriterionFields,
    /// Whether the whole network is asked.
    pub network: bool,
    /// What was typed as ε.
    pub epsilon: Field,
    /// What went wrong, in words.
    pub fault: Option<String>,
    /// What of the budget is left, of how much, until when (Unix epoch milliseconds).
    pub budget: (f64, f64, i64),
    /// What the question would cost, where that was asked.
    pub plan: Option<PlanView>,
    /// The answer.
    pub answer: Option<AnswerView>,
}

/// What a question would cost.
#[derive(Clone, Debug)]
pub struct PlanView {
    /// Institutions that would be asked.
    pub sites: u64,
    /// ε at each.
    pub epsilon: f64,
    /// The lines and how far off each would be.
    pub lines: Vec<(Label, u64)>,
    /// How far off the number of different people would be.
    pub distinct_error: Option<u64>,
}

/// What a line of the attrition is called.
#[derive(Clone, Debug)]
pub enum Label {
    /// A key.
    Key(&'static str),
    /// What somebody has written.
    Text(String),
}

impl Label {
    /// The words.
    pub fn say(&self, w: &Words<'_>) -> String {
        match self {
            Self::Key(key) => w.say(key).to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A number of people, `None` where it is too small to tell.
pub type People = Option<u64>;

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct AnswerView {
    /// The attrition: what the line is called, people, error.
    pub lines: Vec<(Label, People, u64)>,
    /// Different people, where they were asked for.
    pub distinct: Option<DistinctView>,
    /// The institutions.
    pub institutions: Vec<InstitutionRow>,
}

impl AnswerView {
    /// The length of the bar of a line, in hundredths of the longest.
    pub fn bar(&self, people: &People) -> u64 {
        let most = self.lines.iter().filter_map(|(_, people, _)| *people).max().unwrap_or(1).max(1);
        (people.unwrap_or(0) * WIDTH).div_ceil(most)
    }
}

/// The number of different people.
#[derive(Clone, Debug)]
pub enum DistinctView {
    /// Too few to tell.
    Few(u64),
    /// About so many.
    About {
        /// The estimate.
        people: u64,
        /// The 95 % interval.
        range: (u64, u64),
        /// What adding up the institutions gives.
        sum: u64,
    },
}

/// One institution.
#[derive(Clone, Debug)]
pub struct InstitutionRow {
    /// Its name.
    pub name: String,
    /// How it stands, as a key.
    pub state: &'static str,
    /// The class of its mark.
    pub class: &'static str,
    /// Why not better.
    pub reason: String,
    /// As of when it counted, Unix epoch milliseconds.
    pub counted_ms: Option<i64>,
    /// Whether it repeated what it answered before.
    pub again: bool,
    /// Those who meet everything there; the outer `None` where it did not answer.
    pub people: Option<People>,
}

#[derive(Template)]
#[template(path = "research/cohort.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a CohortView,
}

impl Page<'_> {
    /// A list of choices in the reader's words.
    fn options(&self, list: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
        list.iter().map(|(word, key)| ((*word).to_owned(), self.w.say(key).to_string())).collect()
    }

    fn about(&self) -> Vec<(String, String)> {
        self.options(&ABOUT)
    }

    fn places(&self) -> Vec<(String, String)> {
        self.options(&PLACES)
    }

    fn occurs(&self) -> Vec<(String, String)> {
        self.options(&OCCURS)
    }

    fn compares(&self) -> Vec<(String, String)> {
        self.options(&COMPARES)
    }

    fn when(&self) -> Vec<(String, String)> {
        self.options(&WHEN)
    }

    fn sexes(&self) -> Vec<(String, String)> {
        self.options(&SEXES)
    }

    /// ε with at most three decimals.
    fn epsilon(&self, value: &f64) -> String {
        let text = format!("{value:.3}");
        self.w.number(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// The page.
pub fn render(v: &CohortView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
