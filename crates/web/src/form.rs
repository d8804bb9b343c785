//! What forms send and how a page gives it back with the faults marked.

use crate::words::{Message, Words};

/// A field as it was typed, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// What was typed. Empty for secrets, which are never sent back.
    pub value: String,
    /// What is wrong, `None` when nothing is.
    pub fault: Option<FieldFault>,
}

impl Field {
    /// A field holding `value`, without fault.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), fault: None }
    }

    /// The same field with a fault.
    #[must_use]
    pub fn with(mut self, fault: FieldFault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// A text that must hold something and at most `max_chars` characters, surrounding space
    /// taken away.
    pub fn required(text: &str, max_chars: usize) -> Self {
        let field = Self::optional(text, max_chars);
        if field.value.is_empty() { field.with(FieldFault::Required) } else { field }
    }

    /// A text that may be empty and holds at most `max_chars` characters, surrounding space taken
    /// away.
    pub fn optional(text: &str, max_chars: usize) -> Self {
        let value = text.trim();
        if value.chars().count() > max_chars {
            let kept: String = value.chars().take(max_chars).collect();
            return Self::new(kept).with(FieldFault::TooLong);
        }
        Self::new(value)
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.fault.is_none()
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldFault {
    /// Nothing was typed.
    Required,
    /// More was typed than is taken.
    TooLong,
    /// Too little was typed to be of use to a reviewer.
    TooShort,
    /// Not a date of the form year-month-day.
    NotADate,
    /// Not one of the choices.
    NotAChoice,
    /// Not six digits.
    NotACode,
    /// The code is not right or no longer right.
    WrongCode,
    /// Nobody is known by it, or several are.
    NobodyKnown,
    /// Not a whole number, or out of bounds.
    NotANumber,
    /// Not a PDF or a picture, or too large.
    NotAScan,
}

impl FieldFault {
    /// Its sentence.
    pub fn say(&self, words: &Words<'_>) -> Message {
        words.say(match self {
            Self::Required => "fault-required",
            Self::TooLong => "fault-too-long",
            Self::TooShort => "fault-too-short",
            Self::NotADate => "fault-not-a-date",
            Self::NotAChoice => "fault-not-a-choice",
            Self::NotACode => "fault-not-a-code",
            Self::WrongCode => "fault-wrong-code",
            Self::NobodyKnown => "fault-nobody-known",
            Self::NotANumber => "fault-not-a-number",
            Self::NotAScan => "fault-not-a-scan",
        })
    }
}

/// A text a form sent that must not be printed: a password or code. Its `Debug` shows nothing.
#[derive(Clone, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(
    /// The text, for the check only.
    pub String,
);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// A form of nothing but its token.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Bare {
    /// The token of the session.
    pub csrf: Secret,
}

/// The choice of language and colours at the foot of every page.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Preferences {
    /// The token of the session.
    pub csrf: Secret,
    /// A tag for [`crate::Lang::from_tag`].
    pub lang: String,
    /// A code for [`crate::Theme::from_code`].
    pub theme: String,
    /// Where the reader was; pass it through [`crate::paths::local`].
    #[serde(default)]
    pub next: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_what_was_typed_and_mark_what_is_wrong() {
        for (text, value, fault) in [
            ("  ana ", "ana", None),
            ("   ", "", Some(FieldFault::Required)),
            ("abcdef", "abcde", Some(FieldFault::TooLong)),
            ("äöüßé", "äöüßé", None),
        ] {
            assert_eq!(Field::required(text, 5), Field { value: value.into(), fault }, "{text}");
        }
        assert!(Field::optional("  ", 5).is_sound());
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "Secret");
    }
}
