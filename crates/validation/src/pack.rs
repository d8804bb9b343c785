//! Profiles as rows of text: the form of the committed pack and of packages read at run time.
//!
//! The first line of a pack is a table of rules in FHIRPath, `[key, severity, human, expression]`
//! each. Every other line is one profile or extension, by address, with only what it says beyond
//! the type it constrains (see `slim.rs`). A row is parsed when the profile is first used.

use std::collections::BTreeMap;
use std::ops::Range;

use fhir::{Document, Value};

use crate::slim;

/// Profiles in compact form.
#[derive(Clone, Debug)]
pub struct Pack {
    text: String,
    /// Address, and where its row is.
    rows: BTreeMap<String, Range<usize>>,
    rules: Document,
}

/// Why a text is not a pack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pack of profiles is damaged: {0}")]
pub struct InvalidPack(pub(crate) String);

impl Pack {
    /// Makes a pack of StructureDefinitions; those that are no constraint of a published type are
    /// left out.
    pub fn of<'a>(definitions: impl Iterator<Item = Value<'a>>) -> Result<Self, InvalidPack> {
        let mut rules = slim::Rules::default();
        let mut rows = BTreeMap::new();
        for definition in definitions {
            if let Some(row) = slim::row(definition, &mut rules) {
                let url = definition.str_at("url").unwrap_or_default().into_owned();
                rows.insert(url, row);
            }
        }
        let mut text = rules.text();
        for row in rows.values() {
            text.push('\n');
            text.push_str(row);
        }
        text.push('\n');
        Self::read(text)
    }

    /// Reads the text of a pack.
    pub fn read(text: String) -> Result<Self, InvalidPack> {
        let end = text.find('\n').ok_or_else(|| InvalidPack("no table of rules".into()))?;
        let table = text.get(..end).unwrap_or_default();
        let rules = Document::parse(table).map_err(|e| InvalidPack(e.to_string()))?;
        let mut rows = BTreeMap::new();
        let mut at = end + 1;
        for line in text.get(at..).unwrap_or_default().lines() {
            let range = at..at + line.len();
            at = range.end + 1;
            let url = line
                .strip_prefix("{\"url\":\"")
                .and_then(|rest| rest.split_once('"'))
                .ok_or_else(|| InvalidPack("a row without address".into()))?;
            rows.insert(url.0.to_owned(), range);
        }
        Ok(Self { text, rows, rules })
    }

    /// The text, as [`Pack::read`] takes it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The addresses of the profiles in it.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// The row of a profile.
    pub(crate) fn row(&self, url: &str) -> Option<&str> {
        self.text.get(self.rows.get(url)?.clone())
    }

    /// A rule of the table: key, severity, human, expression.
    pub(crate) fn rules(&self) -> Vec<[String; 4]> {
        let cell = |row: Value<'_>, at: usize| {
            row.items().nth(at).and_then(Value::as_str).unwrap_or_default().into_owned()
        };
        let row = |row| [cell(row, 0), cell(row, 1), cell(row, 2), cell(row, 3)];
        self.rules.root().items().map(row).collect()
    }
}
