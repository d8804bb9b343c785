//! Possible links: is a patient here the same person as a patient elsewhere?

use askama::Template;

use crate::chrome::Chrome;
use crate::error::WebError;
use crate::form::Secret;
use crate::terms::Tone;
use crate::words::{Message, Words};

/// What a decision sends.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct LinkForm {
    /// The token of the session.
    pub csrf: Secret,
    /// `same` or `different`.
    pub decision: String,
}

impl LinkForm {
    /// Whether both are the same person, `None` when the form does not say.
    pub fn read(&self) -> Option<bool> {
        match self.decision.as_str() {
            "same" => Some(true),
            "different" => Some(false),
            _ => None,
        }
    }
}

/// The page.
#[derive(Clone, Debug, Default)]
pub struct LinksView {
    /// Links that wait for a decision, most likely first.
    pub waiting: Vec<PossibleLink>,
    /// Decisions that can be undone, newest first.
    pub decided: Vec<DecidedLink>,
}

/// A link that waits for a decision.
#[derive(Clone, Debug)]
pub struct PossibleLink {
    /// Its id.
    pub id: String,
    /// The patient's name at this hospital.
    pub here_name: String,
    /// Display name of the other organisation.
    pub organisation: String,
    /// The score: sum of the weights.
    pub score: f64,
    /// From this score on a match is certain.
    pub certain_from: f64,
    /// Below this score there is no match.
    pub none_below: f64,
    /// The comparison, field by field.
    pub fields: Vec<FieldComparison>,
}

/// The comparison of one field.
#[derive(Clone, Debug)]
pub struct FieldComparison {
    /// Which field.
    pub field: PersonField,
    /// Its value here, empty when missing.
    pub here: String,
    /// Its value there, empty when missing.
    pub there: String,
    /// What the comparison found.
    pub agreement: Agreement,
    /// Its weight in the score, log2 of the likelihood ratio (Fellegi and Sunter 1969).
    pub weight: f64,
}

/// A field of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonField {
    /// Family name.
    Family,
    /// Given names.
    Given,
    /// Birth date.
    Birth,
    /// Administrative gender.
    Sex,
    /// Street and house.
    Address,
    /// Postal code.
    PostalCode,
    /// City.
    City,
    /// Telephone.
    Phone,
    /// E-mail.
    Email,
    /// National or social security number.
    NationalId,
    /// Another identifier.
    Identifier,
}

impl PersonField {
    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Family => "field-family",
            Self::Given => "field-given",
            Self::Birth => "field-birth",
            Self::Sex => "field-sex",
            Self::Address => "field-address",
            Self::PostalCode => "field-postal-code",
            Self::City => "field-city",
            Self::Phone => "field-phone",
            Self::Email => "field-email",
            Self::NationalId => "field-national-id",
            Self::Identifier => "field-identifier",
        })
    }
}

/// What the comparison of a field found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// The same.
    Same,
    /// Nearly the same.
    Close,
    /// Not the same.
    Different,
    /// One or both are missing.
    Missing,
}

impl Agreement {
    fn say(&self, w: &Words<'_>) -> Message {
        w.say(match self {
            Self::Same => "agreement-same",
            Self::Close => "agreement-close",
            Self::Different => "agreement-different",
            Self::Missing => "agreement-missing",
        })
    }

    fn tone(self) -> Tone {
        match self {
            Self::Same => Tone::Good,
            Self::Close => Tone::Note,
            Self::Different => Tone::Alert,
            Self::Missing => Tone::Plain,
        }
    }
}

/// A decision that can be undone.
#[derive(Clone, Debug)]
pub struct DecidedLink {
    /// Its id.
    pub id: String,
    /// The patient's name at this hospital.
    pub here_name: String,
    /// Display name of the other organisation.
    pub organisation: String,
    /// Whether both are the same person.
    pub same: bool,
    /// Who decided, empty for the matching itself.
    pub by: String,
    /// When, Unix epoch milliseconds.
    pub at_ms: i64,
}

#[derive(Template)]
#[template(path = "registrar/links.html")]
struct Page<'a> {
    c: &'a Chrome,
    w: Words<'a>,
    v: &'a LinksView,
}

impl Page<'_> {
    fn weight(&self, weight: &f64) -> String {
        let size = self.w.number(format!("{:.1}", weight.abs()));
        match weight.abs() < 0.05 {
            true => "0".to_string(),
            false if *weight < 0.0 => format!("−{size}"),
            false => format!("+{size}"),
        }
    }

    fn score(&self, score: &f64) -> String {
        let sign = if *score < 0.0 { "−" } else { "" };
        format!("{sign}{}", self.w.number(format!("{:.1}", score.abs())))
    }
}

/// The bar of a weight: start and length within a picture of 100 units, zero in its middle.
fn bar(link: &PossibleLink, weight: &f64) -> (String, String) {
    let largest = link.fields.iter().map(|field| field.weight.abs()).fold(1.0, f64::max);
    let length = (weight.abs() / largest * 50.0).clamp(0.0, 50.0);
    let start = if *weight < 0.0 { 50.0 - length } else { 50.0 };
    (format!("{start:.0}"), format!("{length:.0}"))
}

/// The page.
pub fn render(v: &LinksView, c: &Chrome) -> Result<String, WebError> {
    Ok(Page { c, w: c.words(), v }.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_same_or_different() {
        for (sent, expected) in [("same", Some(true)), ("different", Some(false)), ("?", None)] {
            let form = LinkForm { csrf: Secret::default(), decision: sent.into() };
            assert_eq!(form.read(), expected);
        }
    }

    #[test]
    fn bars_grow_from_the_middle() {
        let field = |weight| FieldComparison {
            field: PersonField::Family,
            here: String::new(),
            there: String::new(),
            agreement: Agreement::Same,
            weight,
        };
        let link = PossibleLink {
            id: "1".into(),
            here_name: String::new(),
            organisation: String::new(),
            score: 6.0,
            certain_from: 9.0,
            none_below: 3.0,
            fields: vec![field(8.0), field(-2.0)],
        };
        assert_eq!(bar(&link, &8.0), ("50".into(), "50".into()));
        assert_eq!(bar(&link, &-2.0), ("38".into(), "12".into()));
    }
}
