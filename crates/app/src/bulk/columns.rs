//! Resources as a table: what every reader wants to know of one, and the whole of it.

use std::borrow::Cow;
use std::io::{BufRead as _, BufReader};

use fhir::Document;
use fhirpath::views::{Cell, Column, ColumnType};
use lake::Table;

use super::files::{Part, place};
use crate::Error;
use crate::jobs::folder::Output;
use crate::jobs::{Outcome, Run, failed};

/// Makes the table of one file of lines; durable on return.
pub(super) fn convert(run: &Run, part: &Part) -> Outcome<Part> {
    let name = format!("{}.parquet", part.name.trim_end_matches(".ndjson"));
    let input = run.folder().open(&part.place()).map_err(|e| failed("read", &e))?;
    let out = run.folder().replace(&place(&name)).map_err(|e| failed("made", &e))?;
    let mut table = Table::new(out, &columns()).map_err(fault)?;
    for (at, line) in BufReader::new(input).lines().enumerate() {
        if at % 1000 == 0 {
            run.check()?;
        }
        let line = line.map_err(|e| failed("read", &e))?;
        row(&mut table, line)?;
    }
    let out = table.finish().map_err(fault)?;
    let bytes = out.finish().map_err(|e| failed("written", &e))?;
    Ok(Part { name, count: part.count, bytes })
}

fn columns() -> [Column; 5] {
    let column =
        |name: &str, column_type| Column { name: name.into(), column_type, collection: false };
    [
        column("resourceType", ColumnType::Text),
        column("id", ColumnType::Text),
        column("versionId", ColumnType::Text),
        column("lastUpdated", ColumnType::Instant),
        column("resource", ColumnType::Complex),
    ]
}

fn row(table: &mut Table<Output>, line: String) -> Outcome<()> {
    let document = Document::parse(line)
        .map_err(|e| Error::internal(format!("a line of an export cannot be read: {e}")))?;
    let root = document.root();
    let text = |path: &[&str]| {
        let found = root.path(path).and_then(|value| value.as_str());
        found.map_or(Cell::Null, Cell::Text)
    };
    let row = [
        text(&["resourceType"]),
        text(&["id"]),
        text(&["meta", "versionId"]),
        text(&["meta", "lastUpdated"]),
        Cell::Text(Cow::Borrowed(document.text())),
    ];
    Ok(table.row(&row).map_err(fault)?)
}

pub(crate) fn fault(error: lake::LakeError) -> Error {
    match error {
        lake::LakeError::Value(_) => Error::invalid("value", error.to_string()),
        lake::LakeError::Write(_) => Error::internal(error.to_string()),
    }
}
