//! Rows in the forms that clients ask for, written as they come.

use std::io::{self, Write};

use fhir::Value;
use fhir::json::quote;
use fhirpath::views::{Cell, Column, ColumnType, View};
use lake::Table;
use serde::{Deserialize, Serialize};

use crate::bulk::lake_fault;
use crate::{Error, Result};

/// The form of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// An array of objects.
    Json,
    /// One object a line.
    Ndjson,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// Apache Parquet.
    Parquet,
    /// A FHIR Parameters resource.
    Fhir,
}

impl Format {
    /// Reads the value of `_format`: a code or a media type.
    pub fn read(text: &str) -> Option<Self> {
        let plain = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match plain.as_str() {
            "json" | "application/json" => Self::Json,
            "ndjson" | "application/x-ndjson" | "application/ndjson" => Self::Ndjson,
            "csv" | "text/csv" => Self::Csv,
            "parquet" | crate::bulk::OUTPUT_PARQUET => Self::Parquet,
            "fhir" | "application/fhir+json" | "application/fhir json" => Self::Fhir,
            _ => return None,
        })
    }

    /// The code in `_format`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Fhir => "fhir",
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => crate::bulk::OUTPUT_PARQUET,
            Self::Fhir => "application/fhir+json; charset=utf-8",
        }
    }
}

/// A table in the making.
pub struct Rows<W: Write + Send> {
    form: Form<W>,
    columns: Vec<Column>,
    count: u64,
    line: String,
}

enum Form<W: Write + Send> {
    Text(Format, W, Vec<String>),
    Table(Table<W>),
}

impl<W: Write + Send> Rows<W> {
    /// Starts a table; `header` tells whether comma-separated values begin with their names.
    pub fn new(format: Format, header: bool, columns: &[Column], mut out: W) -> Result<Self> {
        let names: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
        let start = match format {
            Format::Parquet => {
                let table = Table::new(out, columns).map_err(lake_fault)?;
                let (columns, line) = (columns.to_vec(), String::new());
                return Ok(Self { form: Form::Table(table), columns, count: 0, line });
            }
            Format::Json => "[".to_owned(),
            Format::Fhir => "{\"resourceType\":\"Parameters\"".to_owned(),
            Format::Csv if header => csv_names(columns) + "\r\n",
            Format::Csv | Format::Ndjson => String::new(),
        };
        out.write_all(start.as_bytes()).map_err(|e| written(&e))?;
        let (form, line) = (Form::Text(format, out, names), String::new());
        Ok(Self { form, columns: columns.to_vec(), count: 0, line })
    }

    /// How many rows it has.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a row.
    pub fn row(&mut self, row: &[Cell<'_>]) -> Result<()> {
        let first = self.count == 0;
        self.count += 1;
        let (format, out, names) = match &mut self.form {
            Form::Table(table) => return table.row(row).map_err(lake_fault),
            Form::Text(format, out, names) => (*format, out, names),
        };
        let line = &mut self.line;
        line.clear();
        match format {
            Format::Json => {
                line.push_str(if first { "" } else { "," });
                View::write_row(names, row, line);
            }
            Format::Fhir => {
                line.push_str(if first { ",\"parameter\":[" } else { "," });
                fhir_row(&self.columns, names, row, line);
            }
            Format::Csv => {
                csv_row(row, line);
                line.push_str("\r\n");
            }
            Format::Ndjson | Format::Parquet => {
                View::write_row(names, row, line);
                line.push('\n');
            }
        }
        out.write_all(line.as_bytes()).map_err(|e| written(&e))
    }

    /// Ends the table and hands back where it was written to.
    pub fn finish(self) -> Result<W> {
        let (format, mut out) = match self.form {
            Form::Table(table) => return table.finish().map_err(lake_fault),
            Form::Text(format, out, _) => (format, out),
        };
        let end = match format {
            Format::Json => "]",
            Format::Fhir if self.count > 0 => "]}",
            Format::Fhir => "}",
            _ => "",
        };
        out.write_all(end.as_bytes()).map_err(|e| written(&e))?;
        Ok(out)
    }
}

/// Whoever takes the rows has gone, or the disk has failed.
fn written(error: &io::Error) -> Error {
    Error::internal(format!("rows cannot be written: {error}"))
}

/// The names of columns as comma-separated values.
pub(super) fn csv_names(columns: &[Column]) -> String {
    // Names hold letters, digits and `_` only.
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    names.join(",")
}

/// One row of comma-separated values, without an end of line: nothing for null, and quotes around
/// the empty text so that the two differ.
pub(super) fn csv_row(row: &[Cell<'_>], line: &mut String) {
    for (at, cell) in row.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        let text = cell.to_text();
        let quoted =
            text.contains([',', '"', '\n', '\r']) || (text.is_empty() && *cell != Cell::Null);
        if quoted {
            line.push('"');
            line.push_str(&text.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&text);
        }
    }
}

/// One `row` parameter: a part for every value that is there.
fn fhir_row(columns: &[Column], names: &[String], row: &[Cell<'_>], line: &mut String) {
    line.push_str("{\"name\":\"row\",\"part\":[");
    let mut first = true;
    for ((column, name), cell) in columns.iter().zip(names).zip(row) {
        if *cell == Cell::Null {
            continue;
        }
        line.push_str(if first { "{\"name\":" } else { ",{\"name\":" });
        first = false;
        line.push_str(name);
        let kind = match (column.column_type, cell) {
            (_, Cell::Boolean(_)) => "valueBoolean",
            (ColumnType::Integer, Cell::Number(_)) => "valueInteger",
            (_, Cell::Number(_)) => "valueDecimal",
            (ColumnType::Instant, Cell::Text(_)) => "valueInstant",
            (ColumnType::Date, Cell::Text(_)) => "valueDate",
            (ColumnType::Binary, Cell::Text(_)) => "valueBase64Binary",
            _ => "valueString",
        };
        line.push_str(&format!(",\"{kind}\":"));
        match cell {
            Cell::Json(_) | Cell::List(_) => line.push_str(&quote(&cell.to_text())),
            _ => cell.write_json(line),
        }
        line.push('}');
    }
    line.push_str("]}");
}

/// The cells of a row that was written as a JSON object.
pub(super) fn read_row<'a>(columns: &[Column], row: Value<'a>) -> Vec<Cell<'a>> {
    columns.iter().map(|column| row.get(&column.name).map_or(Cell::Null, cell)).collect()
}

fn cell(value: Value<'_>) -> Cell<'_> {
    match value.kind() {
        fhir::Kind::Null => Cell::Null,
        fhir::Kind::Bool => Cell::Boolean(value.as_bool().unwrap_or_default()),
        fhir::Kind::Number => Cell::Number(value.raw().into()),
        fhir::Kind::String => Cell::Text(value.as_str().unwrap_or_default()),
        fhir::Kind::Array => Cell::List(value.items().map(cell).collect()),
        fhir::Kind::Object => Cell::Json(value.raw()),
    }
}
