//! Applying for a project: first which data set, then who is asked and for what.

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, FieldFault, Secret};
use crate::words::{Message, Words};

/// The kinds of analysis that can be chosen, in the words of questions, and the keys of their names. `sql` and
/// `extract` are asked by doors of their own, not by questions.
pub const KINDS: [(&str, &str); 23] = [
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
    (EXTRACT, "analysis-extract"),
];

/// The kind that asks for records of single people, which is said by itself wherever it is decided.
pub const EXTRACT: &str = "extract";

/// What the address says.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct ApplyQuery {
    /// The data set, where it is chosen already.
    #[serde(default)]
    pub dataset: String,
    /// The project that is amended.
    #[serde(default)]
    pub amends: String,
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
    /// Id of the project that is amended; empty for a new one.
    pub amends: String,
    /// Programs that the amended project names and that stay in it, by name.
    pub kept: Vec<String>,
    /// What was typed as the hash of a program.
    pub program: Field,
    /// What was typed as the variables that it reads, where it does not say so itself.
    pub program_variables: Field,
    /// What was typed as the most rows that it sees.
    pub program_rows: Field,
    /// What was typed as the sums that it gives.
    pub program_sums: Field,
    /// What was typed: ε of the project; nothing where its answers have no noise.
    pub epsilon: Field,
}

/// A sum of a program, as it is typed in a line: `count` or `sum`, its name, how many numbers where there are
/// several, and the most that one institution gives.
#[derive(Clone, Debug, PartialEq)]
pub struct SumLine {
    /// What it is called.
    pub name: String,
    /// How many numbers.
    pub length: u32,
    /// Whether they are counts.
    pub is_count: bool,
    /// The most that one institution gives.
    pub bound: f64,
}

/// The sums of a program, as they were typed; none where a line cannot be read.
pub fn sums(text: &str) -> Option<Vec<SumLine>> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (kind, name, length, bound) = match words.as_slice() {
            [kind, name, bound] => (*kind, *name, 1, *bound),
            [kind, name, length, bound] => (*kind, *name, length.parse().ok()?, *bound),
            _ => return None,
        };
        let is_count = match kind {
            "count" => true,
            "sum" => false,
            _ => return None,
        };
        let bound: f64 = bound.parse().ok()?;
        let name = name.to_owned();
        (bound.is_finite() && bound > 0.0).then_some(SumLine { name, length, is_count, bound })
    };
    text.lines().filter(|text| !text.trim().is_empty()).map(line).collect()
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
        let analyses_fault = match analyses.is_empty() && form.text("program").trim().is_empty() {
            true => Some(FieldFault::Required),
            false => (!analyses.iter().all(is_kind)).then_some(FieldFault::NotAChoice),
        };
        let program = Field::optional(form.text("program"), 64);
        let program_variables = Field::optional(form.text("program-variables"), 4_000);
        let (mut program_rows, mut program_sums) = (Field::default(), Field::default());
        if !program.value.is_empty() {
            program_rows = number("program-rows", 100_000_000);
            program_sums = Field::required(form.text("program-sums"), 4_000);
            if program_sums.is_sound() && sums(&program_sums.value).is_none() {
                program_sums.fault = Some(FieldFault::NotAChoice);
            }
        }
        let mut epsilon = Field::optional(form.text("epsilon"), 10);
        if !epsilon.value.is_empty() && super::micro_epsilon(&epsilon.value).is_none() {
            epsilon.fault = Some(FieldFault::NotANumber);
        }
        Self {
            amends: form.text("amends").to_owned(),
            kept: Vec::new(),
            program,
            program_variables,
            program_rows,
            program_sums,
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
            &self.program,
            &self.program_variables,
            &self.program_rows,
            &self.program_sums,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_a_program_are_read_line_by_line() {
        let read = sums("count n 1000\n\nsum coefficients 12 5e3\n").unwrap();
        assert_eq!((read.len(), read[0].is_count, read[0].length), (2, true, 1));
        assert_eq!(
            (read[1].name.as_str(), read[1].length, read[1].bound),
            ("coefficients", 12, 5e3)
        );
        for wrong in ["n 1000", "count n", "sum n x 3", "count n -1", "count n inf", "much n 3"] {
            assert_eq!(sums(wrong), None, "{wrong}");
        }
    }
}
