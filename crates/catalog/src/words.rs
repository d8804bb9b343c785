//! The words of descriptions, checked when they come in: languages, texts, addresses, dates, names.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Most bytes of an address.
pub const MOST_IRI: usize = 2_000;
/// Most characters of one text.
pub const MOST_TEXT: usize = 20_000;
/// Most characters of a name.
pub const MOST_NAME: usize = 200;

/// A word that is none. Says the rule, never the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub(crate) &'static str);

/// Declares a checked text.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $rule:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text.
            ///
            /// # Errors
            /// The rule, if the text is none.
            pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
                let text = text.into();
                let fits: fn(&str) -> bool = $fits;
                if fits(&text) { Ok(Self(text)) } else { Err(Invalid($rule)) }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> String {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked!(
    /// A language, as BCP 47 writes it: `en`, `de-CH`.
    Language,
    "a language is a tag of BCP 47 of at most 35 characters",
    |text| {
        let mut parts = text.split('-');
        let first = parts.next().unwrap_or_default();
        let is_first =
            (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
        let rest = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        text.len() <= 35 && is_first && parts.all(rest)
    }
);

checked!(
    /// An absolute IRI (RFC 3987) with a scheme that may be published: `http`, `https`, `urn`, `mailto`.
    Iri,
    "an address is an absolute IRI of scheme http, https, urn or mailto, of at most 2000 bytes",
    |text| {
        let known = ["http://", "https://", "urn:", "mailto:"];
        let has_rest = known.iter().any(|k| text.strip_prefix(k).is_some_and(|r| !r.is_empty()));
        let is_plain =
            |c: char| c > ' ' && !c.is_control() && !c.is_whitespace() && !"<>\"{}|\\^`".contains(c);
        text.len() <= MOST_IRI && has_rest && text.chars().all(is_plain)
    }
);

checked!(
    /// An address for electronic mail.
    Email,
    "an address for mail has a name, an @ and a host, and at most 254 characters",
    |text| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
        text.len() <= 254
            && text.split_once('@').is_some_and(|(name, host)| {
                !name.is_empty()
                    && name.chars().all(is_plain)
                    && !host.is_empty()
                    && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
            })
    }
);

checked!(
    /// A name for programs: a letter or digit, then letters, digits, `-`, `_` and `.`, at most 100.
    Slug,
    "a name for programs has 1 to 100 letters, digits, hyphens, underscores and dots, and opens with a letter or digit",
    |text| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        (1..=100).contains(&text.len())
            && text.chars().all(is_plain)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
    }
);

checked!(
    /// A day of the proleptic Gregorian calendar, `2026-11-23` (ISO 8601). Dates compare as texts.
    Date,
    "a date is a day of the calendar, written 2026-11-23",
    is_day
);

checked!(
    /// An instant in UTC to the second, `2026-11-23T04:20:39Z` (RFC 3339).
    Instant,
    "an instant is written 2026-11-23T04:20:39Z",
    |text| {
        let is_clock = |clock: &str| {
            let fields: Vec<&str> = clock.split(':').collect();
            let below = |field: &str, most: u32| {
                field.len() == 2
                    && field.bytes().all(|b| b.is_ascii_digit())
                    && field.parse::<u32>().is_ok_and(|value| value < most)
            };
            matches!(fields[..], [h, m, s] if below(h, 24) && below(m, 60) && below(s, 60))
        };
        text.strip_suffix('Z')
            .and_then(|rest| rest.split_once('T'))
            .is_some_and(|(day, clock)| is_day(day) && is_clock(clock))
    }
);

checked!(
    /// The SHA-256 of a file, in 64 lower-case hexadecimal digits (FIPS 180-4).
    Sha256,
    "a SHA-256 has 64 lower-case hexadecimal digits",
    |text| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

fn is_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let number = |from: usize, to: usize| -> Option<u32> {
        let field = text.get(from..to)?;
        field.bytes().all(|b| b.is_ascii_digit()).then(|| field.parse().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(0, 4), number(5, 7), number(8, 10)) else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    year > 0 && (1..=days).contains(&day)
}

/// One text in several languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Texts(BTreeMap<Language, String>);

impl Texts {
    /// No text yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One text in one language.
    #[must_use]
    pub fn of(language: Language, text: impl Into<String>) -> Self {
        Self::new().and(language, text)
    }

    /// The same with a text in another language; one in the same language is replaced.
    #[must_use]
    pub fn and(mut self, language: Language, text: impl Into<String>) -> Self {
        self.0.insert(language, text.into());
        self
    }

    /// Whether there is no text that says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|text| text.trim().is_empty())
    }

    /// The texts that say something, by language.
    pub fn iter(&self) -> impl Iterator<Item = (&Language, &str)> {
        self.0.iter().map(|(l, t)| (l, t.as_str())).filter(|(_, text)| !text.trim().is_empty())
    }

    /// The text in this language; else in a language of the same first part, else the English one, else
    /// the first; empty if there is none.
    #[must_use]
    pub fn best(&self, language: &str) -> &str {
        let first = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let wanted = first(language);
        let exact = self.iter().find(|(l, _)| l.as_str().eq_ignore_ascii_case(language));
        let near = || self.iter().find(|(l, _)| first(l.as_str()) == wanted);
        let english = || self.iter().find(|(l, _)| first(l.as_str()) == "en");
        exact.or_else(near).or_else(english).or_else(|| self.iter().next()).map_or("", |(_, t)| t)
    }

    /// The most characters that one of the texts has.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.0.values().map(|text| text.chars().count()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_their_rules_say() {
        for day in ["2024-02-29", "2000-02-29", "2026-11-23"] {
            assert!(Date::new(day).is_ok(), "{day}");
        }
        for day in
            ["2023-02-29", "1900-02-29", "2026-13-01", "2026-1-01", "+026-01-01", "2026-00-10"]
        {
            assert!(Date::new(day).is_err(), "{day}");
        }
        for iri in [
            "javascript:alert(1)",
            "https://",
            "https://a b",
            "https://a>b",
            "http://a\u{2028}",
            "x",
        ] {
            assert!(Iri::new(iri).is_err(), "{iri}");
        }
        assert!(Iri::new("https://é.example/ü#a").is_ok());
        assert!(Instant::new("2026-11-23T23:59:59Z").is_ok());
        assert!(Instant::new("2026-11-23T24:00:00Z").is_err());
        assert!(Instant::new("2026-11-23T23:59:59+01:00").is_err());
        assert!(Language::new("de-CH").is_ok() && Language::new("e").is_err());
        assert!(
            Slug::new("-a").is_err() && Slug::new("a/b").is_err() && Slug::new("lung-2").is_ok()
        );
        assert!(Email::new("a@b").is_ok() && Email::new("a b@c").is_err());
    }

    #[test]
    fn the_best_text_is_near_the_language_asked_for() {
        let l = |tag: &str| Language::new(tag).unwrap();
        let texts = Texts::of(l("de"), "Lunge").and(l("en"), "Lung").and(l("fr"), " ");
        assert_eq!(texts.best("de-AT"), "Lunge");
        assert_eq!(texts.best("fr"), "Lung");
        assert_eq!(Texts::new().best("en"), "");
    }

    #[test]
    fn an_error_does_not_repeat_the_value() {
        let error = Iri::new("secret value").unwrap_err().to_string();
        assert!(!error.contains("secret"));
    }
}
