//! Form controls: each with its label, its hint and its fault, tied together for screen readers.

use askama::Template;

use super::html_part;
use crate::form::Field;
use crate::words::{Message, Words};

/// A one-line text control or a text area.
#[derive(Template)]
#[template(path = "parts/input.html")]
pub struct Input<'a> {
    w: Words<'a>,
    id: String,
    name: &'static str,
    label: Message,
    field: &'a Field,
    kind: &'static str,
    area: bool,
    hint: Option<Message>,
    autocomplete: &'static str,
    numeric: bool,
    required: bool,
    max_chars: usize,
}

impl Input<'_> {
    /// An id of its own, where a page repeats the form.
    #[must_use]
    pub fn id(mut self, id: impl std::fmt::Display) -> Self {
        self.id = id.to_string();
        self
    }

    /// The `type` attribute, `text` unless said otherwise.
    #[must_use]
    pub fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// The `autocomplete` attribute.
    #[must_use]
    pub fn autocomplete(mut self, purpose: &'static str) -> Self {
        self.autocomplete = purpose;
        self
    }

    /// The control must not be left empty.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Asks devices for a keyboard of digits.
    #[must_use]
    pub fn numeric(mut self) -> Self {
        self.numeric = true;
        self
    }

    /// A sentence of help below the label.
    #[must_use]
    pub fn hint(mut self, key: &'static str) -> Self {
        self.hint = Some(self.w.say(key));
        self
    }

    /// The longest text that is taken, in characters.
    #[must_use]
    pub fn max(mut self, chars: usize) -> Self {
        self.max_chars = chars;
        self
    }
}

/// A one-line control named `name` with the label of a translation key. Its id is its name.
pub fn input<'a>(
    w: &Words<'a>,
    name: &'static str,
    label: &'static str,
    field: &'a Field,
) -> Input<'a> {
    Input {
        w: *w,
        id: name.to_string(),
        name,
        label: w.say(label),
        field,
        kind: "text",
        area: false,
        hint: None,
        autocomplete: "off",
        numeric: false,
        required: false,
        max_chars: 200,
    }
}

/// A control of several lines.
pub fn text_area<'a>(
    w: &Words<'a>,
    name: &'static str,
    label: &'static str,
    field: &'a Field,
) -> Input<'a> {
    Input { area: true, max_chars: 1000, ..input(w, name, label, field) }
}

/// A choice of one among several.
#[derive(Template)]
#[template(path = "parts/choice.html")]
pub struct Choice<'a> {
    w: Words<'a>,
    id: String,
    name: &'static str,
    label: Message,
    field: &'a Field,
    options: Vec<(String, String)>,
    empty: Option<Message>,
}

impl Choice<'_> {
    /// An id of its own, where a page repeats the form.
    #[must_use]
    pub fn id(mut self, id: impl std::fmt::Display) -> Self {
        self.id = id.to_string();
        self
    }

    /// Offers an empty first choice with the text of a translation key.
    #[must_use]
    pub fn or_none(mut self, key: &'static str) -> Self {
        self.empty = Some(self.w.say(key));
        self
    }
}

/// A select element over `(value, text)` pairs, the field's value selected.
pub fn choice<'a>(
    w: &Words<'a>,
    name: &'static str,
    label: &'static str,
    field: &'a Field,
    options: Vec<(String, String)>,
) -> Choice<'a> {
    Choice { w: *w, id: name.to_string(), name, label: w.say(label), field, options, empty: None }
}

/// The hidden field with the session's token.
#[derive(Template)]
#[template(source = "<input type=\"hidden\" name=\"csrf\" value=\"{{ csrf }}\">", ext = "html")]
pub struct Token<'a> {
    csrf: &'a str,
}

/// The hidden field with the session's token, for every form that changes something.
pub fn token(csrf: &str) -> Token<'_> {
    Token { csrf }
}

html_part!(Input, Choice, Token);
