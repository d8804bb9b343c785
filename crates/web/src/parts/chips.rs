//! Source chips: where an item comes from, in a word or two.

use askama::Template;

use super::html_part;
use crate::words::Words;

/// A source, as short as it can be told from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceChip {
    /// A short name, such as the organisation's id `north`.
    pub short: String,
    /// The organisation's display name.
    pub name: String,
    /// Which of the eight colours of sources it has; the same wherever the source is named.
    pub hue: u8,
}

/// The chips of an item.
#[derive(Template)]
#[template(path = "parts/chips.html")]
pub struct Chips<'a> {
    w: Words<'a>,
    sources: &'a [SourceChip],
}

/// The chips of the sources an item comes from.
pub fn chips<'a>(w: &Words<'a>, sources: &'a [SourceChip]) -> Chips<'a> {
    Chips { w: *w, sources }
}

html_part!(Chips);
