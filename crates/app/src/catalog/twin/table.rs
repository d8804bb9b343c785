//! A data set as the table that a twin is made of, and the twin's rows as text.
//!
//! Cells come from the dictionary and from what the operator says alone. A number lies between the bounds of its
//! variable, in at most [`MOST_NUMBER_CELLS`] cells of one width; a category has a cell for each level; a missing value
//! is one cell more, whether or not there is any.

use privacy::twin::{Cells, Column, Counts, Table, TwinError, Value};
use statistics::{Column as Values, Dictionary, Frame, Kind, Variable};

use super::Offer;
use crate::catalog::Dataset;
use crate::catalog::document::field;
use crate::{Error, Result};

/// Most cells of a number.
const MOST_NUMBER_CELLS: u32 = 20;
/// The greatest number of which whole parts are told from others: 2^50.
const MOST_WHOLE: f64 = 1_125_899_906_842_624.0;
/// Rows that are counted at once.
const AT_ONCE: usize = 64 * 1024;
/// Most bytes of a twin.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// What a table of comma-separated values reads as a missing value ([`statistics::csv`]).
const MISSING: [&str; 6] = ["", "NA", "NaN", "nan", "null", "."];

/// The table of a data set.
///
/// Errors: [`crate::Kind::Invalid`] where its dictionary was made of its rows, makes no table, or has values that cannot be
/// told apart in a CSV.
pub(super) fn of(set: &Dataset, offer: &Offer) -> Result<Table> {
    if set.is_of_rows() {
        return Err(invalid(
            "the dictionary of the data set was made of its rows and tells of them; hand it in anew with a dictionary"
                .to_owned(),
        ));
    }
    table(&set.dictionary, offer)
}

fn table(dictionary: &Dictionary, offer: &Offer) -> Result<Table> {
    let is_unknown = |name: &&String| dictionary.variable(name).is_none();
    if let Some(name) = offer.whole.iter().flatten().find(is_unknown) {
        return Err(invalid(format!("there is no variable `{name}` to be whole")));
    }
    let columns: Result<Vec<Column>> = dictionary
        .variables
        .iter()
        .map(|variable| {
            let cells = cells(variable, offer.is_whole(&variable.name))?;
            Ok(Column { name: variable.name.clone(), cells, may_be_missing: true })
        })
        .collect();
    Table::new(columns?).map_err(|error| invalid(format!("no twin can be made: {error}")))
}

fn cells(variable: &Variable, is_whole: Option<bool>) -> Result<Cells> {
    let name = &variable.name;
    if name.trim() != name {
        return Err(invalid(format!("the name of `{name}` begins or ends with a space")));
    }
    match &variable.kind {
        Kind::Category { levels } => {
            let is_odd =
                |level: &&String| level.trim() != *level || MISSING.contains(&level.as_str());
            if let Some(level) = levels.iter().find(is_odd) {
                return Err(invalid(format!(
                    "the level `{level}` of `{name}` is no value in a table of comma-separated values"
                )));
            }
            Ok(Cells::Levels { levels: levels.clone() })
        }
        Kind::Number { min: Some(min), max: Some(max) }
            if min.is_finite() && max.is_finite() && min <= max =>
        {
            let is_small = min.abs() <= MOST_WHOLE && max.abs() <= MOST_WHOLE;
            let by_bounds = min.fract() == 0.0 && max.fract() == 0.0;
            let is_whole = is_small && is_whole.unwrap_or(by_bounds);
            let (least, most) = (min.ceil(), max.floor());
            match is_whole && least <= most {
                true => Ok(Cells::Numbers { edges: whole(least, most), is_whole: true }),
                false => Ok(Cells::Numbers { edges: even(*min, *max), is_whole: false }),
            }
        }
        Kind::Number { .. } => Err(invalid(format!(
            "a twin needs the least and the greatest value of `{name}` in the dictionary"
        ))),
    }
}

/// Edges of cells that hold equally many whole numbers, but for the last.
fn whole(least: f64, most: f64) -> Vec<f64> {
    let width = ((most - least + 1.0) / f64::from(MOST_NUMBER_CELLS)).ceil();
    let lower = (0..MOST_NUMBER_CELLS).map(|cell| f64::from(cell).mul_add(width, least));
    // The last cell includes both of its edges: no whole number may lie on its upper one.
    lower.take_while(|edge| *edge <= most).chain([most + 0.5]).collect()
}

/// Edges of cells of one width.
fn even(least: f64, most: f64) -> Vec<f64> {
    if least == most {
        // What is drawn between them is cut off at the greatest value.
        return vec![least, least + 1.0];
    }
    let width = (most - least) / f64::from(MOST_NUMBER_CELLS);
    let lower = (0..MOST_NUMBER_CELLS).map(|cell| f64::from(cell).mul_add(width, least));
    lower.chain([most]).collect()
}

/// The counts of the rows.
pub(super) fn counts(table: &Table, rows: &Frame) -> Result<Counts> {
    let columns: Vec<(&Cells, Option<&Values>)> =
        table.columns().iter().map(|one| (&one.cells, rows.column(&one.name))).collect();
    let mut sums = Counts::none(table).to_vector();
    let mut values: Vec<Value> = Vec::new();
    for start in (0..rows.rows()).step_by(AT_ONCE) {
        values.clear();
        for row in start..rows.rows().min(start + AT_ONCE) {
            values.extend(columns.iter().map(|(cells, column)| value(cells, *column, row)));
        }
        let some = Counts::of(table, values.chunks(columns.len().max(1))).map_err(faulty)?;
        sums.iter_mut().zip(some.to_vector()).for_each(|(sum, count)| *sum += count);
    }
    Counts::of_vector(table, &sums).map_err(faulty)
}

/// The value of a row, moved into the cells where it is beyond them or no whole number: whether there is a twin must
/// not depend on a value.
fn value(cells: &Cells, column: Option<&Values>, row: usize) -> Value {
    match (cells, column) {
        (Cells::Levels { .. }, Some(Values::Category(values))) => {
            values.get(row).copied().flatten().map_or(Value::Missing, Value::Level)
        }
        (Cells::Numbers { edges, is_whole }, Some(Values::Number(values))) => {
            let found = values.get(row).copied().flatten();
            let (Some(found), Some(low), Some(high)) = (found, edges.first(), edges.last()) else {
                return Value::Missing;
            };
            let number = match is_whole {
                true => found.round().max(*low).min(high.floor()),
                false => found.max(*low).min(*high),
            };
            Value::Number(number)
        }
        _ => Value::Missing,
    }
}

/// The rows of a twin, each field as it is written.
pub(super) fn written(
    dictionary: &Dictionary,
    table: &Table,
    rows: &[Vec<Value>],
) -> impl Iterator<Item = Vec<String>> {
    rows.iter().map(move |row| {
        let columns = dictionary.variables.iter().zip(table.columns());
        columns.zip(row).map(|((variable, column), value)| text(variable, column, *value)).collect()
    })
}

/// A table of comma-separated values (RFC 4180) with this first line, and how many rows fitted into it.
pub(super) fn csv(head: String, rows: impl Iterator<Item = Vec<String>>) -> (String, usize) {
    let (mut out, mut count) = (head, 0);
    for row in rows {
        let line: Vec<String> = row.iter().map(|text| field(text)).collect();
        let line = line.join(",");
        if out.len() + line.len() + 2 > MOST_BYTES {
            break;
        }
        out.push_str(&line);
        out.push_str("\r\n");
        count += 1;
    }
    (out, count)
}

fn text(variable: &Variable, column: &Column, value: Value) -> String {
    const NONE: &str = "NA";
    match (&column.cells, value, &variable.kind) {
        (Cells::Levels { levels }, Value::Level(level), _) => {
            let level = usize::try_from(level).ok().and_then(|level| levels.get(level));
            level.map_or(NONE, String::as_str).to_owned()
        }
        (
            Cells::Numbers { is_whole, .. },
            Value::Number(number),
            Kind::Number { min: Some(min), max: Some(max) },
        ) => {
            let grain = if *is_whole { 1.0 } else { grain(*min, *max) };
            let number = ((number * grain).round() / grain).max(*min).min(*max);
            match number.abs() < 1e15 {
                true => number.to_string(),
                false => format!("{number:e}"),
            }
        }
        _ => NONE.to_owned(),
    }
}

/// In what parts of one a number is told: about a hundredth of its cell, and never finer than twelve digits.
fn grain(min: f64, max: f64) -> f64 {
    let width = (max - min) / f64::from(MOST_NUMBER_CELLS);
    let digits = if width > 0.0 { 2.0 - width.log10().floor() } else { 12.0 };
    10_f64.powf(digits.clamp(0.0, 12.0))
}

fn invalid(message: String) -> Error {
    Error::invalid("value", message)
}

fn faulty(error: TwinError) -> Error {
    Error::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use statistics::csv::read_as;

    use super::*;

    fn number(name: &str, min: f64, max: f64) -> Variable {
        let kind = Kind::Number { min: Some(min), max: Some(max) };
        Variable { name: name.into(), kind, description: String::new() }
    }

    fn category(name: &str, levels: &[&str]) -> Variable {
        let levels = levels.iter().map(|level| (*level).to_owned()).collect();
        Variable { name: name.into(), kind: Kind::Category { levels }, description: String::new() }
    }

    fn edges(variable: Variable, whole: Option<&[&str]>) -> (Vec<f64>, bool) {
        let whole = whole.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let offer = Offer { whole, ..Offer::of(1.0) };
        let table = table(&Dictionary { variables: vec![variable] }, &offer).unwrap();
        match &table.columns()[0].cells {
            Cells::Numbers { edges, is_whole } => (edges.clone(), *is_whole),
            Cells::Levels { .. } => panic!("a number"),
        }
    }

    #[test]
    fn cells_are_those_of_the_dictionary() {
        assert_eq!(edges(number("died", 0.0, 1.0), None), (vec![0.0, 1.0, 1.5], true));
        let (ages, is_whole) = edges(number("age", 0.0, 90.0), None);
        assert!(is_whole);
        assert_eq!((ages.len(), ages[1], ages[18], ages[19]), (20, 5.0, 90.0, 90.5));
        assert_eq!(edges(number("one", 7.0, 7.0), None), (vec![7.0, 7.5], true));
        let (parts, is_whole) = edges(number("part", 0.0, 1.0), Some(&[]));
        assert_eq!((parts.len(), parts[20], is_whole), (21, 1.0, false));
        let (level, is_whole) = edges(number("level", 0.5, 9.5), Some(&["level"]));
        assert_eq!((level[0], level.len(), is_whole), (1.0, 10, true));
        assert_eq!(edges(number("half", 0.5, 0.5), None), (vec![0.5, 1.5], false));
    }

    #[test]
    fn what_makes_no_twin_is_said() {
        let refused = |variables: Vec<Variable>, offer: &Offer| {
            table(&Dictionary { variables }, offer).unwrap_err().message
        };
        let offer = Offer::of(1.0);
        let open = Kind::Number { min: Some(0.0), max: None };
        let open = Variable { name: "x".into(), kind: open, description: String::new() };
        assert!(refused(vec![open], &offer).contains("greatest value of `x`"));
        let many = (0..65).map(|at| number(&format!("x{at}"), 0.0, 1.0)).collect();
        assert!(refused(many, &offer).contains("1 to 64 columns"));
        let levels: Vec<String> = (0..256).map(|at| format!("l{at}")).collect();
        let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
        assert!(refused(vec![category("town", &levels)], &offer).contains("256 cells"));
        assert!(refused(vec![category("arm", &["NA"])], &offer).contains("level `NA`"));
        let offer = Offer { whole: Some(vec!["y".into()]), ..offer };
        assert!(refused(vec![number("x", 0.0, 1.0)], &offer).contains("no variable `y`"));
    }

    #[test]
    fn what_is_written_is_read_again_as_the_dictionary_says() {
        let variables = vec![
            number("age", 18.0, 100.0),
            number("share", 0.0, 0.7),
            number("huge", -1e300, 1e300),
            category("said", &["a, \"b\"", "two\r\nlines"]),
        ];
        let dictionary = Dictionary { variables };
        let table = table(&dictionary, &Offer::of(1.0)).unwrap();
        let rows = [
            vec![
                Value::Number(18.0),
                Value::Number(0.123_456),
                Value::Number(1e299),
                Value::Level(0),
            ],
            vec![Value::Number(100.0), Value::Number(0.7), Value::Number(-1e300), Value::Level(1)],
            vec![Value::Missing; 4],
        ];
        let head = "age,share,huge,said\r\n".to_owned();
        let (text, count) = csv(head, written(&dictionary, &table, &rows));
        assert_eq!(count, 3);
        let (again, frame) = read_as(&text, Some(&dictionary)).unwrap();
        assert_eq!((again, frame.rows()), (dictionary, 3), "{text}");
        let numbers = |values: &[Option<f64>]| Some(Values::Number(values.to_vec()));
        assert_eq!(frame.column("age").cloned(), numbers(&[Some(18.0), Some(100.0), None]));
        assert_eq!(frame.column("share").cloned(), numbers(&[Some(0.1235), Some(0.7), None]));
        let said = Values::Category(vec![Some(0), Some(1), None]);
        assert_eq!(frame.column("said"), Some(&said));
        let counted = counts(&table, &frame).unwrap();
        assert_eq!(Counts::of(&table, rows.iter().map(Vec::as_slice)).unwrap(), counted);
    }
}
