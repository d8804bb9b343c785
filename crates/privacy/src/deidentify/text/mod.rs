//! Free text: what identifies in it is found by patterns, by lists of names and places, by the
//! values that the record itself knows, and by what stands around a word; and is replaced by its
//! kind: `[NAME]`, `[DATE]`.
//!
//! The kinds are those of 45 CFR 164.514(b)(2). Years alone stay, as do states and ages up to 89.
//! No such search is complete: how much is found is measured on generated notes
//! (`tests/it/deidentify/notes`), and what matters more than that must be read by a person.

mod known;
mod lists;
mod names;
mod patterns;
mod places;
mod token;

pub use known::Known;

use lists::Lists;
use patterns::Patterns;

/// What kind of thing was found.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// An e-mail address.
    Email,
    /// A web address.
    Url,
    /// A number or code of a person, an account, a device or an event.
    Identifier,
    /// A telephone or fax number.
    Telephone,
    /// A date with more than the year.
    Date,
    /// An age over 89.
    Age,
    /// An institution, employer or school.
    Organisation,
    /// Geography below the state.
    Place,
    /// A name of a person.
    Name,
}

impl Category {
    /// All kinds; where two overlap, the earlier gives the name.
    pub const ALL: [Self; 9] = [
        Self::Email,
        Self::Url,
        Self::Identifier,
        Self::Telephone,
        Self::Date,
        Self::Age,
        Self::Organisation,
        Self::Place,
        Self::Name,
    ];

    /// What stands in place of what was found.
    pub fn surrogate(self) -> &'static str {
        match self {
            Self::Url => "[URL]",
            Self::Email => "[EMAIL]",
            Self::Identifier => "[ID]",
            Self::Telephone => "[PHONE]",
            Self::Date => "[DATE]",
            Self::Age => "[AGE 90 OR OLDER]",
            Self::Organisation => "[ORGANISATION]",
            Self::Place => "[PLACE]",
            Self::Name => "[NAME]",
        }
    }
}

/// A part of a text that identifies: a range of bytes on character bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// What it is.
    pub category: Category,
}

/// Finds what identifies. Its lists and patterns are made once for the program.
#[derive(Clone, Copy, Debug)]
pub struct Finder {
    lists: &'static Lists,
    patterns: &'static Patterns,
}

impl Default for Finder {
    fn default() -> Self {
        Self::new()
    }
}

impl Finder {
    /// The finder.
    pub fn new() -> Self {
        Self { lists: Lists::shared(), patterns: Patterns::shared() }
    }

    /// What identifies in `text`: spans in order that do not overlap. Takes time in proportion to
    /// the length of the text and the number of known values.
    pub fn find(&self, text: &str, known: &Known) -> Vec<Span> {
        let tokens = token::tokens(text);
        let mut spans = self.patterns.find(text);
        places::find(text, &tokens, self.lists, self.patterns, &mut spans);
        known.find(text, &tokens, self.lists, &mut spans);
        names::find(text, &tokens, self.lists, &mut spans);
        merged(spans)
    }

    /// The text with what was found replaced by its kind.
    pub fn scrubbed(&self, text: &str, known: &Known) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for span in self.find(text, known) {
            out.push_str(text.get(at..span.start).unwrap_or_default());
            out.push_str(span.category.surrogate());
            at = span.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out
    }

    /// The same for the XHTML of a narrative: texts are scrubbed, elements stay without their
    /// attributes, comments go.
    pub fn scrubbed_xhtml(&self, xhtml: &str, known: &Known) -> String {
        let mut out = String::with_capacity(xhtml.len());
        let mut rest = xhtml;
        while let Some(open) = rest.find('<') {
            let (text, tag) = rest.split_at(open);
            self.push_text(text, known, &mut out);
            let comment = tag.starts_with("<!--");
            let close = if comment { tag.find("-->").map(|at| at + 2) } else { tag.find('>') };
            // A tag that never ends is no tag, and what is in it could be anything.
            let Some(close) = close else { return out };
            if !comment {
                out.push_str(&bare(tag.get(..=close).unwrap_or_default()));
            }
            rest = tag.get(close + 1..).unwrap_or_default();
        }
        self.push_text(rest, known, &mut out);
        out
    }

    fn push_text(&self, text: &str, known: &Known, out: &mut String) {
        if text.trim().is_empty() {
            out.push_str(text);
            return;
        }
        let plain = [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&nbsp;", " "),
            ("&amp;", "&"),
        ]
        .iter()
        .fold(text.to_owned(), |text, (coded, plain)| text.replace(coded, plain));
        let scrubbed = self.scrubbed(&plain, known);
        out.push_str(&scrubbed.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
    }
}

/// A tag with its name alone.
fn bare(tag: &str) -> String {
    let inner = tag.trim_start_matches('<').trim_end_matches('>');
    let slash = inner.ends_with('/') && !inner.starts_with('/');
    let name: String =
        inner.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
    let name = name.trim_end_matches('/');
    let namespace = if name == "div" && inner.contains("http://www.w3.org/1999/xhtml") {
        " xmlns=\"http://www.w3.org/1999/xhtml\""
    } else {
        ""
    };
    format!("<{name}{namespace}{}>", if slash { "/" } else { "" })
}

/// Spans that overlap become one, called by the kind that comes first in [`Category::ALL`].
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans.into_iter().filter(|span| span.start < span.end) {
        match out.last_mut().filter(|last| span.start < last.end) {
            Some(last) => {
                last.end = last.end.max(span.end);
                last.category = last.category.min(span.category);
            }
            None => out.push(span),
        }
    }
    out
}
