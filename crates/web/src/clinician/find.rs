//! Find a patient among those of this hospital.

use askama::Template;
use jiff::civil::Date;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::{Field, FieldFault};
use crate::terms::Sex;
use crate::when::{Age, When};
use crate::words::Words;

/// What the search form sends, in the query of the address.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct FindForm {
    /// Anything: a name, a date, an identifier.
    #[serde(default)]
    pub q: String,
    /// Part of a name.
    #[serde(default)]
    pub name: String,
    /// Birth date, `1961-02-28` or `28.2.1961`.
    #[serde(default)]
    pub birth_date: String,
    /// An identifier.
    #[serde(default)]
    pub identifier: String,
}

/// A search that can be asked of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Anything, empty when not given.
    pub q: String,
    /// Part of a name, empty when not given.
    pub name: String,
    /// Birth date.
    pub birth_date: Option<Date>,
    /// An identifier, empty when not given.
    pub identifier: String,
}

impl FindForm {
    /// The search, `None` when nothing is looked for or a field has a fault, and the page with
    /// what was typed.
    pub fn read(&self) -> (Option<Search>, FindView) {
        let typed_date = Field::optional(&self.birth_date, 10);
        let birth_date = read_date(&typed_date.value);
        let view = FindView {
            q: Field::optional(&self.q, 200),
            name: Field::optional(&self.name, 200),
            birth_date: match (typed_date.value.is_empty(), birth_date) {
                (false, None) => typed_date.with(FieldFault::NotADate),
                _ => typed_date,
            },
            identifier: Field::optional(&self.identifier, 100),
            results: None,
            more: false,
        };
        let fields = [&view.q, &view.name, &view.birth_date, &view.identifier];
        let sound = fields.iter().all(|field| field.is_sound());
        let given = fields.iter().any(|field| !field.value.is_empty());
        let search = (sound && given).then(|| Search {
            q: view.q.value.clone(),
            name: view.name.value.clone(),
            birth_date,
            identifier: view.identifier.value.clone(),
        });
        (search, view)
    }
}

/// A date as `1961-02-28`, or with dots as `28.2.1961`, where no country reads the month first.
fn read_date(text: &str) -> Option<Date> {
    let mut dotted = text.splitn(3, '.').map(str::parse::<i16>);
    match (dotted.next(), dotted.next(), dotted.next()) {
        (Some(Ok(day)), Some(Ok(month)), Some(Ok(year @ 1000..))) => {
            Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
        }
        _ => text.parse().ok(),
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct FindView {
    /// Anything.
    pub q: Field,
    /// Part of a name.
    pub name: Field,
    /// Birth date.
    pub birth_date: Field,
    /// An identifier.
    pub identifier: Field,
    /// Who was found, best first; `None` before a search.
    pub results: Option<Vec<Found>>,
    /// Whether more were found than are shown.
    pub more: bool,
}

/// A patient who was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The patient's id at this node.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Birth date.
    pub birth: Option<When>,
    /// Administrative gender.
    pub sex: Sex,
    /// The identifier people know, such as a medical record number; empty when there is none.
    pub identifier: String,
    /// Place of residence, empty when unknown.
    pub place: String,
    /// Whether the patient has died.
    pub deceased: bool,
}

impl Found {
    /// The age of the living.
    fn age(&self, c: &Chrome) -> Option<Age> {
        if self.deceased { None } else { self.birth.as_ref()?.age(c.now_ms) }
    }
}

#[derive(Template)]
#[template(path = "clinician/find.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a FindView,
}

/// The page.
pub fn render(v: &FindView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_needs_something_and_a_date_that_is_one() {
        let form = |q: &str, birth_date: &str| FindForm {
            q: q.into(),
            birth_date: birth_date.into(),
            ..FindForm::default()
        };
        assert_eq!(form("", "").read().0, None);
        let (search, _) = form(" garcía ", "1961-02-28").read();
        let search = search.unwrap();
        assert_eq!((search.q.as_str(), search.birth_date.is_some()), ("garcía", true));
        let (search, view) = form("garcía", "28/2/61").read();
        assert_eq!(search, None);
        assert_eq!(view.birth_date, Field::new("28/2/61").with(FieldFault::NotADate));
        assert_eq!(view.q.value, "garcía");
        let dotted = form("", "28.2.1961").read().0.unwrap();
        assert_eq!(dotted.birth_date, Some(jiff::civil::date(1961, 2, 28)));
        assert_eq!(form("", "31.2.1961").read().0, None);
    }
}
