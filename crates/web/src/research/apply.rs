//! Applying for a project.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::words::Words;

/// The kinds of analysis that can be chosen, in the words of questions.
pub const KINDS: [&str; 13] = [
    "regression",
    "summary",
    "crosstab",
    "histogram",
    "quantiles",
    "t-test",
    "anova",
    "chi-squared",
    "correlation",
    "survival",
    "mixed",
    "weighting",
    "sql",
];

/// What the form sends. Repeated names are read from the pairs.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct ApplyForm {
    /// The token of the session.
    pub csrf: Secret,
    /// In one line.
    #[serde(default)]
    pub title: String,
    /// What is to be found out and why.
    #[serde(default)]
    pub purpose: String,
    /// The data set.
    #[serde(default)]
    pub dataset: String,
    /// The institutions, their ids with commas.
    #[serde(default)]
    pub holders: String,
    /// The two that add, with a comma.
    #[serde(default)]
    pub aggregators: String,
    /// Kinds of analysis, with commas.
    #[serde(default)]
    pub analyses: String,
    /// Fewest institutions in an answer.
    #[serde(default)]
    pub sites: String,
    /// Fewest rows behind an answer.
    #[serde(default)]
    pub rows: String,
    /// For how many days.
    #[serde(default)]
    pub days: String,
    /// Whether two people look at every answer.
    #[serde(default)]
    pub checked: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct ApplyView {
    /// Members of the network: id and name.
    pub members: Vec<(String, String)>,
    /// What went wrong, in words.
    pub fault: Option<String>,
    /// What was typed.
    pub title: Field,
    /// What was typed.
    pub purpose: Field,
    /// What was typed.
    pub dataset: Field,
    /// What was typed.
    pub holders: Field,
    /// What was typed.
    pub aggregators: Field,
    /// What was typed.
    pub analyses: Field,
    /// What was typed.
    pub sites: Field,
    /// What was typed.
    pub rows: Field,
    /// What was typed.
    pub days: Field,
    /// Whether two people look at every answer.
    pub checked: bool,
}

impl ApplyView {
    /// The page with what was typed, each field with its fault.
    pub fn of(form: &ApplyForm) -> Self {
        let number = |text: &str, most: u32| {
            let field = Field::required(text, 10);
            match text.trim().parse::<u32>() {
                Ok(number) if (1..=most).contains(&number) => field,
                _ if field.is_sound() => field.with(FieldFault::NotANumber),
                _ => field,
            }
        };
        Self {
            members: Vec::new(),
            fault: None,
            title: Field::required(&form.title, 200),
            purpose: Field::required(&form.purpose, 8_000),
            dataset: Field::required(&form.dataset, 50),
            holders: Field::required(&form.holders, 4_000),
            aggregators: Field::required(&form.aggregators, 200),
            analyses: Field::required(&form.analyses, 1_000),
            sites: number(&form.sites, 1_000),
            rows: number(&form.rows, 100_000_000),
            days: number(&form.days, 1_830),
            checked: !form.checked.is_empty(),
        }
    }

    /// Whether every field can be taken.
    pub fn is_sound(&self) -> bool {
        [
            &self.title,
            &self.purpose,
            &self.dataset,
            &self.holders,
            &self.aggregators,
            &self.analyses,
            &self.sites,
            &self.rows,
            &self.days,
        ]
        .iter()
        .all(|field| field.is_sound())
    }
}

#[derive(Template)]
#[template(path = "research/apply.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ApplyView,
    kinds: String,
}

/// The page.
pub fn render(v: &ApplyView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v, kinds: KINDS.join(", ") }.render()?)
}
