//! Applying for a project: first which data set, then who is asked and for what.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::words::{Message, Words};

/// The kinds of analysis that can be chosen, in the words of questions, and the keys of their names.
pub const KINDS: [(&str, &str); 22] = [
    ("regression", "analysis-regression"),
    ("summary", "analysis-summary"),
    ("crosstab", "analysis-crosstab"),
    ("histogram", "analysis-histogram"),
    ("quantiles", "analysis-quantiles"),
    ("t-test", "analysis-t-test"),
    ("paired-t", "analysis-paired-t"),
    ("anova", "analysis-anova"),
    ("chi-squared", "analysis-chi-squared"),
    ("correlation", "analysis-correlation"),
    ("rank-sum", "analysis-rank-sum"),
    ("survival", "analysis-survival"),
    ("mixed", "analysis-mixed"),
    ("weighting", "analysis-weighting"),
    ("pca", "analysis-pca"),
    ("k-means", "analysis-k-means"),
    ("validation", "analysis-validation"),
    ("boosting", "analysis-boosting"),
    ("perceptron", "analysis-perceptron"),
    ("meta-analysis", "analysis-meta-analysis"),
    ("two-stage", "analysis-two-stage"),
    ("sql", "analysis-sql"),
];

/// What the address says.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct ApplyQuery {
    /// The data set, where it is chosen already.
    #[serde(default)]
    pub dataset: String,
}

/// What the form sends. Holders and kinds of analysis stand several times.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(from = "Vec<(String, String)>")]
pub struct ApplyForm {
    /// The token of the session.
    pub csrf: Secret,
    pairs: Vec<(String, String)>,
}

impl From<Vec<(String, String)>> for ApplyForm {
    fn from(mut pairs: Vec<(String, String)>) -> Self {
        let csrf = pairs.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.clone());
        pairs.retain(|(name, _)| name != "csrf");
        Self { csrf: Secret(csrf.unwrap_or_default()), pairs }
    }
}

impl ApplyForm {
    fn text(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> Vec<String> {
        let found = self.pairs.iter().filter(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).collect()
    }
}

/// An institution that can be asked.
#[derive(Clone, Debug)]
pub struct HolderChoice {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// About how many people it holds data of; `None` where the catalogue does not know.
    pub people: Option<People>,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// How many people, as far as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum People {
    /// About so many, within so many with probability 0.95.
    About(u64, u64),
    /// Fewer than so many.
    FewerThan(u64),
}

impl People {
    /// In words.
    pub fn say(&self, w: &Words<'_>) -> Message {
        match self {
            Self::About(about, margin) => w
                .say("catalog-people-about")
                .s("count", w.count(about))
                .s("margin", w.count(margin)),
            Self::FewerThan(fewer) => w.say("catalog-people-fewer").s("count", w.count(fewer)),
        }
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct ApplyView {
    /// The data sets of the catalogue: name and title.
    pub datasets: Vec<(String, String)>,
    /// Who can be asked.
    pub holders: Vec<HolderChoice>,
    /// What is wrong with the choice of holders.
    pub holders_fault: Option<FieldFault>,
    /// Members of the network: id and name.
    pub members: Vec<(String, String)>,
    /// What went wrong, in words.
    pub fault: Option<String>,
    /// What was typed.
    pub title: Field,
    /// What was typed.
    pub purpose: Field,
    /// The data set; without one, the page asks for it first.
    pub dataset: Field,
    /// The one that adds.
    pub adder: Field,
    /// The other one that adds.
    pub other_adder: Field,
    /// The kinds of analysis that are chosen.
    pub analyses: Vec<String>,
    /// What is wrong with that choice.
    pub analyses_fault: Option<FieldFault>,
    /// What was typed.
    pub sites: Field,
    /// What was typed.
    pub rows: Field,
    /// What was typed.
    pub days: Field,
    /// Whether two people look at every answer.
    pub checked: bool,
    /// What was typed: ε of the project; nothing where its answers have no noise.
    pub epsilon: Field,
}

impl ApplyView {
    /// The page with what was typed, each field with its fault. `Self::holders` are those that were chosen.
    pub fn of(form: &ApplyForm) -> Self {
        let number = |name: &str, most: u32| {
            let text = form.text(name);
            let field = Field::required(text, 10);
            match text.trim().parse::<u32>() {
                Ok(number) if (1..=most).contains(&number) => field,
                _ if field.is_sound() => field.with(FieldFault::NotANumber),
                _ => field,
            }
        };
        let choice = |id: String| HolderChoice { name: id.clone(), id, people: None, chosen: true };
        let holders: Vec<HolderChoice> = form.all("holder").into_iter().map(choice).collect();
        let adder = Field::required(form.text("adder"), 100);
        let mut other_adder = Field::required(form.text("other-adder"), 100);
        if other_adder.is_sound() && other_adder.value == adder.value {
            other_adder.fault = Some(FieldFault::NotAChoice);
        }
        let analyses = form.all("analysis");
        let is_kind = |one: &String| KINDS.iter().any(|(kind, _)| kind == one);
        let analyses_fault = match analyses.is_empty() {
            true => Some(FieldFault::Required),
            false => (!analyses.iter().all(is_kind)).then_some(FieldFault::NotAChoice),
        };
        let mut epsilon = Field::optional(form.text("epsilon"), 10);
        if !epsilon.value.is_empty() && super::micro_epsilon(&epsilon.value).is_none() {
            epsilon.fault = Some(FieldFault::NotANumber);
        }
        Self {
            datasets: Vec::new(),
            holders_fault: holders.is_empty().then_some(FieldFault::Required),
            holders,
            members: Vec::new(),
            fault: None,
            title: Field::required(form.text("title"), 200),
            purpose: Field::required(form.text("purpose"), 8_000),
            dataset: Field::required(form.text("dataset"), 50),
            adder,
            other_adder,
            analyses,
            analyses_fault,
            sites: number("sites", 1_000),
            rows: number("rows", 100_000_000),
            days: number("days", 1_830),
            checked: !form.text("checked").is_empty(),
            epsilon,
        }
    }

    /// Whether every field can be taken.
    pub fn is_sound(&self) -> bool {
        let fields = [
            &self.title,
            &self.purpose,
            &self.dataset,
            &self.adder,
            &self.other_adder,
            &self.sites,
            &self.rows,
            &self.days,
            &self.epsilon,
        ];
        fields.iter().all(|field| field.is_sound())
            && self.holders_fault.is_none()
            && self.analyses_fault.is_none()
    }
}

#[derive(Template)]
#[template(path = "research/apply.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a ApplyView,
}

impl Page<'_> {
    /// The kinds of analysis: word, name, and whether each is chosen.
    fn kinds(&self) -> Vec<(&'static str, Message, bool)> {
        let chosen = |kind: &str| self.v.analyses.iter().any(|one| one == kind);
        KINDS.iter().map(|(kind, key)| (*kind, self.w.say(key), chosen(kind))).collect()
    }

    /// What the data set is called.
    fn called(&self) -> &str {
        let name = &self.v.dataset.value;
        let known = self.v.datasets.iter().find(|(known, _)| known == name);
        known.map_or(name.as_str(), |(_, title)| title.as_str())
    }
}

/// The page.
pub fn render(v: &ApplyView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}
