//! The sentence of a finding: a key and its parts for translations, and the English one.

use std::collections::BTreeMap;

use super::{Check, Finding, Outcome};

/// The English sentences by key; `{…}` stands for a part.
pub const ENGLISH: [(&str, &str); 8] = [
    (
        "catalog-check-present",
        "About {share} % of records have {first}; at least {wanted} % are expected.",
    ),
    (
        "catalog-check-bounds",
        "About {share} % of the values of {first} are within their bounds or among their levels; at least {wanted} % are expected.",
    ),
    (
        "catalog-check-readable",
        "About {share} % of the values of {first} are of the declared form; at least {wanted} % are expected.",
    ),
    (
        "catalog-check-future",
        "About {share} % of the dates of {first} are not in the future; at least {wanted} % are expected.",
    ),
    (
        "catalog-check-order",
        "About {share} % of records with both have {second} not before {first}; at least {wanted} % are expected.",
    ),
    (
        "catalog-check-keys",
        "About {share} % of the keys of {first} are there only once; at least {wanted} % are expected.",
    ),
    ("catalog-check-recent", "The newest record should be at most {wanted} days old: {outcome}."),
    ("catalog-check-too-few", "There are too few records to say anything about {first}."),
];

impl Finding {
    /// The key of its sentence in a file of translations.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self.outcome {
            Outcome::TooFew => "catalog-check-too-few",
            Outcome::Passed | Outcome::Failed => self.check.key(),
        }
    }

    /// The parts of its sentence by name: `share`, `wanted`, `first`, `second`, `outcome`.
    #[must_use]
    pub fn parts(&self) -> BTreeMap<&'static str, String> {
        let mut parts = BTreeMap::new();
        parts.insert("wanted", self.wanted.to_string());
        if let Some(share) = &self.share {
            parts.insert("share", share.value().to_string());
        }
        let first = self.variables.first().map_or("the table", String::as_str);
        parts.insert("first", first.to_owned());
        if let Some(second) = self.variables.get(1) {
            parts.insert("second", second.clone());
        }
        let outcome = match self.outcome {
            Outcome::Passed => "it is",
            Outcome::Failed => "it is not",
            Outcome::TooFew => "unknown",
        };
        parts.insert("outcome", outcome.to_owned());
        parts
    }

    /// Its sentence in English.
    #[must_use]
    pub fn english(&self) -> String {
        let key = self.key();
        let text = ENGLISH.iter().find(|(k, _)| *k == key).map_or("", |(_, text)| *text);
        filled(text, &self.parts())
    }
}

/// Puts the parts in their places, in one pass, so that a name that looks like a place stays a name.
fn filled(text: &str, parts: &BTreeMap<&'static str, String>) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(parts.get(name).map_or("", String::as_str));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Every check has its sentence.
const _: () = assert!(ENGLISH.len() == Check::ALL.len() + 1);

impl Check {
    /// All checks.
    pub const ALL: [Self; 7] = [
        Self::Present,
        Self::WithinBounds,
        Self::Readable,
        Self::NotInFuture,
        Self::Order,
        Self::KeysOnce,
        Self::Recent,
    ];
}
