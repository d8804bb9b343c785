//! The catalogue: which data sets the institutions of the network hold, and one of them.

use askama::Template;

use super::apply::People;
use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Field;
use crate::words::Words;

/// What a reader looks for.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct FindQuery {
    /// Words in titles, descriptions, keywords and variables.
    #[serde(default)]
    pub q: String,
    /// An institution, by id.
    #[serde(default)]
    pub holder: String,
    /// A variable, by the beginning of its name.
    #[serde(default)]
    pub variable: String,
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct CatalogView {
    /// Words that are looked for.
    pub q: Field,
    /// The institution that is looked for.
    pub holder: Field,
    /// The variable that is looked for.
    pub variable: Field,
    /// The institutions: id and name.
    pub institutions: Vec<(String, String)>,
    /// What was found.
    pub cards: Vec<Card>,
    /// How many more there are than are shown.
    pub more: usize,
    /// Members that have not told, or cannot be reached.
    pub silent: Vec<Silent>,
    /// Whether the reader may apply for a project.
    pub may_apply: bool,
}

/// A data set and who holds it.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its name in projects.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What it is.
    pub description: String,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// How many variables it has.
    pub variables: u64,
    /// Who holds it.
    pub holders: Vec<Holder>,
}

/// A holder of a data set.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Its name.
    pub institution: String,
    /// How many people.
    pub people: People,
    /// In what share of all cells there is a value, in percent.
    pub complete: Option<u8>,
    /// When it told so, in Unix epoch milliseconds; nothing where that is this institution.
    pub heard_ms: Option<i64>,
    /// Whether it cannot be reached at the moment.
    pub unreached: bool,
}

/// A member of which there is less than there could be.
#[derive(Clone, Debug)]
pub struct Silent {
    /// Its name.
    pub institution: String,
    /// When it told last.
    pub heard_ms: Option<i64>,
}

/// One data set.
#[derive(Clone, Debug, Default)]
pub struct SetView {
    /// Its name in projects.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// What it is.
    pub description: String,
    /// Who holds it.
    pub holders: Vec<HolderFacts>,
    /// Its variables.
    pub variables: Vec<VariableRow>,
    /// How many more there are than are shown.
    pub more: usize,
    /// The first rows of this institution's synthetic twin, where there is one.
    pub twin: Option<TwinRows>,
    /// Whether the reader may apply for a project.
    pub may_apply: bool,
}

impl SetView {
    /// Whether somebody offers a synthetic twin.
    fn has_twins(&self) -> bool {
        self.holders.iter().any(|one| one.twin.is_some())
    }
}

/// What a holder tells of its synthetic twin.
#[derive(Clone, Debug)]
pub struct TwinFacts {
    /// ε that it cost, as it is written.
    pub epsilon: String,
    /// How many rows it has.
    pub rows: u64,
    /// When it was drawn, Unix epoch milliseconds.
    pub drawn_ms: i64,
}

/// The first rows of a synthetic twin.
#[derive(Clone, Debug, Default)]
pub struct TwinRows {
    /// The names of the variables.
    pub variables: Vec<String>,
    /// The rows, value by value.
    pub rows: Vec<Vec<String>>,
    /// The pairs of variables whose relation it keeps.
    pub pairs: Vec<(String, String)>,
}

/// What one holder tells of it.
#[derive(Clone, Debug)]
pub struct HolderFacts {
    /// The holder and its numbers.
    pub holder: Holder,
    /// From when to when, as it says.
    pub period: String,
    /// Code systems in it.
    pub coding_systems: Vec<String>,
    /// Under which conditions it can be asked.
    pub conditions: String,
    /// Fewest rows behind an answer.
    pub min_rows: u64,
    /// Whom to ask.
    pub contact: String,
    /// The address for mail.
    pub mail: String,
    /// Its version.
    pub version: String,
    /// When it last changed, Unix epoch milliseconds.
    pub modified_ms: i64,
    /// Its synthetic twin, where it offers one.
    pub twin: Option<TwinFacts>,
    /// Where its node answers people, without a slash at the end; `None` for this one.
    pub base: Option<String>,
}

/// A variable, at every holder.
#[derive(Clone, Debug)]
pub struct VariableRow {
    /// Its name in questions.
    pub name: String,
    /// What it means.
    pub description: String,
    /// What its values are: bounds with unit, or levels.
    pub values: String,
    /// In what share of the rows it has a value, holder by holder, in percent.
    pub complete: Vec<Option<u8>>,
}

#[derive(Template)]
#[template(path = "research/catalog.html")]
struct CatalogPage<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a CatalogView,
}

#[derive(Template)]
#[template(path = "research/dataset.html")]
struct SetPage<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a SetView,
}

/// The page of all data sets.
pub fn render(v: &CatalogView, c: &Chrome) -> Result<String, WebError> {
    Ok(CatalogPage { c, w: c.words(), v }.render()?)
}

/// The page of one.
pub fn render_set(v: &SetView, c: &Chrome) -> Result<String, WebError> {
    Ok(SetPage { c, w: c.words(), v }.render()?)
}
