//! A data set of several sites out of one table of comma-separated values.

use std::collections::{BTreeMap, BTreeSet};

use crate::dictionary::{Dictionary, Kind, Variable};
use crate::frame::{Column, Frame, FrameError};

/// Longest text.
pub const MOST_BYTES: usize = 256 << 20;
/// Most columns.
pub const MOST_COLUMNS: usize = 1_000;
/// Most rows.
pub const MOST_ROWS: usize = 2_000_000;
/// Most sites.
pub const MOST_SITES: usize = 1_000;
/// Most levels of a column of texts that can be a variable; a column with more of them, such as a
/// column of names, is left out.
pub const MOST_LEVELS: usize = 500;

/// A table, taken apart by site.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its variables, without the site. Numbers are bounded by the least and the greatest value of
    /// the whole table; levels are in alphabetical order.
    pub dictionary: Dictionary,
    /// Names and rows of the sites, in alphabetical order.
    pub sites: Vec<(String, Frame)>,
    /// Rows left out because they name no site.
    pub dropped: usize,
    /// Columns left out because they hold more than [`MOST_LEVELS`] different texts.
    pub left_out: Vec<String>,
}

/// Why a text is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Not well-formed.
    #[error("the text is no table of comma-separated values: {0}")]
    Csv(#[from] ::csv::Error),
    /// The column of sites is missing.
    #[error("there is no column `{0}` to tell the sites apart")]
    NoSite(String),
    /// A variable of the dictionary has no column.
    #[error("there is no column `{0}`, which the dictionary declares")]
    NoColumn(String),
    /// A column holds what the dictionary does not list.
    #[error("the column `{0}` holds a value that its variable's declaration does not allow")]
    Undeclared(String),
    /// More than a limit of this module.
    #[error("there are more than {most} {what}")]
    TooMany {
        /// The limit.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// Columns that are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Reads a table with a header line. Fields may be quoted (RFC 4180); an empty field, `NA`, `NaN`,
/// `null` and `.` are missing values. A column is numeric if every value in it is a number.
///
/// # Errors
/// If the text is not well-formed, lacks the column `site_column`, or exceeds a limit.
pub fn read(text: &str, site_column: &str) -> Result<Table, TableError> {
    limit(text.len(), MOST_BYTES, "bytes")?;
    let mut reader = ::csv::ReaderBuilder::new()
        .trim(::csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = reader.headers()?.clone();
    limit(header.len(), MOST_COLUMNS, "columns")?;
    let site = header
        .iter()
        .position(|name| name == site_column)
        .ok_or_else(|| TableError::NoSite(site_column.to_owned()))?;
    let mut names: Vec<String> = Vec::new();
    let mut columns: Vec<Texts> = vec![Texts::default(); header.len()];
    let mut dropped = 0;
    let mut record = ::csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        let Some(name) = record.get(site).and_then(present) else {
            dropped += 1;
            continue;
        };
        names.push(site_name(name));
        limit(names.len(), MOST_ROWS, "rows")?;
        columns.iter_mut().zip(&record).for_each(|(column, field)| column.push(field));
    }
    let named = header.iter().zip(columns).enumerate().filter(|(at, _)| *at != site);
    let mut left_out = Vec::new();
    let mut variables = Vec::new();
    let mut read = Vec::new();
    for (_, (name, texts)) in named {
        let Some((kind, column)) = column(&texts) else {
            left_out.push(name.to_owned());
            continue;
        };
        variables.push(Variable { name: name.to_owned(), kind, description: String::new() });
        read.push((name.to_owned(), column));
    }
    let sites = split(&names, &read)?;
    Ok(Table { dictionary: Dictionary { variables }, sites, dropped, left_out })
}

/// Reads a table with a header line whose variables `dictionary` declares, or all of its columns by what
/// they hold where there is none. Missing values as in [`read`].
///
/// # Errors
/// If the text is not well-formed, lacks a variable of the dictionary, holds for one what the dictionary
/// does not list, or exceeds a limit. Without a dictionary, a column of too many texts is left out.
pub fn read_as(
    text: &str,
    dictionary: Option<&Dictionary>,
) -> Result<(Dictionary, Frame), TableError> {
    limit(text.len(), MOST_BYTES, "bytes")?;
    let mut reader = ::csv::ReaderBuilder::new()
        .trim(::csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = reader.headers()?.clone();
    limit(header.len(), MOST_COLUMNS, "columns")?;
    let mut texts: Vec<Texts> = vec![Texts::default(); header.len()];
    let mut record = ::csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        texts.iter_mut().zip(&record).for_each(|(column, field)| column.push(field));
        limit(texts.first().map_or(0, Texts::len), MOST_ROWS, "rows")?;
    }
    let (mut variables, mut columns) = (Vec::new(), Vec::new());
    match dictionary {
        Some(dictionary) => {
            for variable in &dictionary.variables {
                let place = header.iter().position(|name| name == variable.name);
                let texts = place.and_then(|place| texts.get(place));
                let texts = texts.ok_or_else(|| TableError::NoColumn(variable.name.clone()))?;
                let column = declared(&variable.kind, texts)
                    .ok_or_else(|| TableError::Undeclared(variable.name.clone()))?;
                variables.push(variable.clone());
                columns.push((variable.name.clone(), column));
            }
        }
        None => {
            for (name, texts) in header.iter().zip(&texts) {
                let Some((kind, values)) = column(texts) else { continue };
                let description = String::new();
                variables.push(Variable { name: name.to_owned(), kind, description });
                columns.push((name.to_owned(), values));
            }
        }
    }
    Ok((Dictionary { variables }, Frame::new(columns)?))
}

/// The fields of a column, one behind the other: no text of its own for each of them.
#[derive(Clone, Default)]
struct Texts {
    all: String,
    /// Where each field ends in `all`; the whole table is shorter than four gigabytes.
    ends: Vec<u32>,
}

impl Texts {
    /// A field; a missing value is an empty text, which no other value is.
    fn push(&mut self, field: &str) {
        self.all.push_str(present(field).unwrap_or_default());
        self.ends.push(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Each field that is not missing.
    fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            let field = self.all.get(from..end).filter(|field| !field.is_empty());
            from = end;
            field
        })
    }
}

/// A column as a dictionary declares it; `None` where a value is none of its.
fn declared(kind: &Kind, texts: &Texts) -> Option<Column> {
    Some(match kind {
        Kind::Number { min, max } => {
            let read = |text: Option<&str>| match text.map(number) {
                None => Some(None),
                Some(found) => {
                    let value = found?;
                    let fits = min.is_none_or(|m| m <= value) && max.is_none_or(|m| value <= m);
                    fits.then_some(Some(value))
                }
            };
            Column::Number(texts.iter().map(read).collect::<Option<_>>()?)
        }
        Kind::Category { levels } => {
            let places: BTreeMap<&str, u32> = levels.iter().map(String::as_str).zip(0..).collect();
            let read = |text: Option<&str>| match text {
                None => Some(None),
                Some(text) => places.get(text).copied().map(Some),
            };
            Column::Category(texts.iter().map(read).collect::<Option<_>>()?)
        }
    })
}

fn limit(found: usize, most: usize, what: &'static str) -> Result<(), TableError> {
    if found > most { Err(TableError::TooMany { most, what }) } else { Ok(()) }
}

/// A field that is not missing.
fn present(field: &str) -> Option<&str> {
    Some(field).filter(|field| !["", "NA", "NaN", "nan", "null", "."].contains(field))
}

/// Numbers that are written in two ways name one site: `3` and `3.0`.
fn site_name(text: &str) -> String {
    number(text).map_or_else(|| text.to_owned(), |number| number.to_string())
}

fn number(text: &str) -> Option<f64> {
    // Rust also reads `inf` and `infinity`, which are no numbers of a table.
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A column of numbers if all are, else of levels; `None` where there are too many levels.
fn column(texts: &Texts) -> Option<(Kind, Column)> {
    let numbers: Option<Vec<Option<f64>>> =
        texts.iter().map(|text| text.map(number).map_or(Some(None), |n| n.map(Some))).collect();
    if let Some(numbers) = numbers {
        let bounds = |pick: fn(f64, f64) -> f64| numbers.iter().flatten().copied().reduce(pick);
        let kind = Kind::Number { min: bounds(f64::min), max: bounds(f64::max) };
        return Some((kind, Column::Number(numbers)));
    }
    let mut levels: BTreeSet<&str> = BTreeSet::new();
    for text in texts.iter().flatten() {
        if !levels.contains(text) && levels.len() == MOST_LEVELS {
            return None;
        }
        levels.insert(text);
    }
    let places: BTreeMap<&str, u32> = levels.iter().copied().zip(0..).collect();
    let values = texts.iter().map(|text| text.and_then(|text| places.get(text).copied())).collect();
    let levels = levels.into_iter().map(str::to_owned).collect();
    Some((Kind::Category { levels }, Column::Category(values)))
}

fn split(
    names: &[String],
    columns: &[(String, Column)],
) -> Result<Vec<(String, Frame)>, TableError> {
    let mut rows: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, name) in names.iter().enumerate() {
        rows.entry(name).or_default().push(row);
    }
    limit(rows.len(), MOST_SITES, "sites")?;
    let mut sites = Vec::with_capacity(rows.len());
    for (name, rows) in rows {
        let own = columns.iter().map(|(name, column)| (name.clone(), column.rows(&rows)));
        sites.push((name.to_owned(), Frame::new(own.collect())?));
    }
    Ok(sites)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_data_set_is_read_by_the_dictionary_of_the_whole() {
        let (whole, _) = read_as("age,arm\n70,treated\n40,placebo\n,NA\n", None).unwrap();
        let (same, part) = read_as("arm,age\ntreated,55\n", Some(&whole)).unwrap();
        assert_eq!(same, whole);
        assert_eq!(part.column("arm"), Some(&Column::Category(vec![Some(1)])));
        assert_eq!(part.column("age"), Some(&Column::Number(vec![Some(55.0)])));
        for (text, why) in [
            ("arm\ntreated\n", "there is no column `age`, which the dictionary declares"),
            ("arm,age\nother,50\n", "`arm` holds a value"),
            ("arm,age\ntreated,71\n", "`age` holds a value"),
            ("arm,age\ntreated,old\n", "`age` holds a value"),
        ] {
            let error = read_as(text, Some(&whole)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
