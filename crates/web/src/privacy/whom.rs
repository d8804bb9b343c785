//! The patient whom a privacy officer means: the number and the date of birth that a paper states.
//! Officers do not look people up; both have to be one patient's.

use crate::form::{Field, FieldFault};

/// The two fields as they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    /// The patient's number.
    pub number: Field,
    /// The date of birth.
    pub born: Field,
}

impl Whom {
    /// The fields with what is wrong with each that can be told from the form alone.
    pub fn typed(number: &str, born: &str) -> Self {
        Self { number: Field::required(number, 80), born: date(born) }
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.number.is_sound() && self.born.is_sound()
    }

    /// The same where nobody, or more than one, is known by them.
    #[must_use]
    pub fn unknown(self) -> Self {
        Self { number: self.number.with(FieldFault::NobodyKnown), ..self }
    }
}

/// A day that has to be typed.
pub fn date(text: &str) -> Field {
    let field = Field::required(text, 10);
    match field.is_sound() && field.value.parse::<jiff::civil::Date>().is_err() {
        true => field.with(FieldFault::NotADate),
        false => field,
    }
}
