//! `$sqlquery-run`: SQL over views (SQL on FHIR 2.1.0-pre, `SQLQuery`). A Library names views and
//! holds one query; the rows of the views, as far as the caller may see them, become tables in
//! memory that live as long as the question.

use std::io::{self, Write};
use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir::{Document, Id, Kind as JsonKind, Resource, Value};
use fhirpath::views::{Cell, Column, ColumnType};
use store::Key;
use store_sql::tables::{Datum, Tables, TablesError};

use super::rows::{Format, Rows, read_row};
use super::run::{RunRequest, run};
use super::subject::{Subject, compile};
use crate::records::{parse, read};
use crate::{App, Caller, Error, Kind, Result};

/// Most views of one query.
const MAX_VIEWS: usize = 20;
/// Longest time that the query may take once its tables are filled, in milliseconds.
const MAX_MS: i64 = 20_000;
/// Most rows of an answer.
const MAX_ROWS: u64 = 1_000_000;

/// Which query is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuerySubject {
    /// The Library itself, as JSON.
    Inline(String),
    /// `Library/[id]` of this node.
    Reference(String),
}

/// A query as it is asked for.
#[derive(Clone, Debug)]
pub struct QueryRequest {
    /// The query.
    pub subject: QuerySubject,
    /// Values of its parameters: name, and JSON.
    pub parameters: Vec<(String, String)>,
    /// The form of the rows; no Parquet, because the columns of a query have no types.
    pub format: Format,
    /// Whether comma-separated values begin with their names.
    pub header: bool,
    /// Most rows.
    pub limit: Option<u64>,
}

/// Runs a query and writes its rows to `out` as they come. What it reads is read, and recorded, as
/// `$sql-run` reads each of its views.
///
/// Errors: [`Kind::NotFound`] for an unknown Library or view, [`Kind::Unprocessable`] for one that
/// is no query or whose SQL is not valid, [`Kind::TooCostly`] beyond a limit.
pub fn query<W: Write + Send>(
    app: &App,
    caller: &Caller,
    request: &QueryRequest,
    out: W,
) -> Result<W> {
    if request.format == Format::Parquet {
        let message = "the columns of a query have no types, which `parquet` needs; use another \
                       `_format`";
        return Err(Error::invalid("not-supported", message));
    }
    let library = library(app, caller, &request.subject)?;
    let query = Query::read(&library)?;
    let parameters = query.bind(&request.parameters)?;
    let mut tables = Tables::new().map_err(refused)?;
    for (label, subject) in &query.views {
        fill(app, caller, &mut tables, label, subject)?;
    }
    let end_ms = app.now_ms() + MAX_MS;
    let clock = app.clone();
    let most = request.limit.unwrap_or(MAX_ROWS).min(MAX_ROWS);
    let mut out = Some(out);
    let mut rows: Option<Rows<W>> = None;
    let (format, header) = (request.format, request.header);
    let asked = {
        let cell = std::cell::RefCell::new(&mut rows);
        tables.ask::<Fault>(
            &query.sql,
            &parameters,
            move || clock.now_ms() <= end_ms,
            |names| {
                let columns = columns(names)?;
                let out = out.take().ok_or_else(|| Error::internal("a table began twice"))?;
                **cell.borrow_mut() = Some(Rows::new(format, header, &columns, out)?);
                Ok(())
            },
            &mut |row| {
                let mut rows = cell.borrow_mut();
                let Some(rows) = rows.as_mut() else { return Ok(ControlFlow::Break(())) };
                if rows.count() >= most {
                    return match request.limit {
                        Some(limit) if limit <= MAX_ROWS => Ok(ControlFlow::Break(())),
                        _ => Err(too_many().into()),
                    };
                }
                let cells: Vec<Cell<'_>> = row.iter().map(cell_of).collect();
                rows.row(&cells)?;
                Ok(ControlFlow::Continue(()))
            },
        )
    };
    asked.map_err(|Fault(error)| error)?;
    rows.ok_or_else(|| Error::internal("a table did not begin"))?.finish()
}

fn too_many() -> Error {
    Error::new(Kind::TooCostly, format!("the answer has more than {MAX_ROWS} rows; narrow it"))
}

/// An error of either side.
struct Fault(Error);

impl From<TablesError> for Fault {
    fn from(error: TablesError) -> Self {
        Self(refused(error))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

fn refused(error: TablesError) -> Error {
    let kind = match &error {
        TablesError::TooLarge | TablesError::TooLong | TablesError::TimedOut => Kind::TooCostly,
        TablesError::Failed(_) => Kind::Internal,
        TablesError::Forbidden | TablesError::Invalid(_) => Kind::Unprocessable,
    };
    Error::new(kind, error.to_string())
}

fn library(app: &App, caller: &Caller, subject: &QuerySubject) -> Result<Resource> {
    match subject {
        QuerySubject::Inline(text) => Resource::parse(text.as_str())
            .map_err(|e| Error::invalid("structure", format!("`queryResource`: {e}"))),
        QuerySubject::Reference(reference) => {
            let own = format!("{}/fhir/", app.org().base_url);
            let local = reference.strip_prefix(&own).unwrap_or(reference);
            let id = local.strip_prefix("Library/").and_then(|id| Id::new(id).ok());
            let id = id.ok_or_else(|| Error::new(Kind::NotFound, "there is no such query"))?;
            let key = Key { resource_type: "Library", id };
            parse(&read::read(app, caller, &key, None)?)
        }
    }
}

/// What a Library says.
#[derive(Debug)]
struct Query {
    sql: String,
    /// Name of the table, and the view that fills it.
    views: Vec<(String, Subject)>,
    /// Name and type.
    parameters: Vec<(String, String)>,
}

impl Query {
    fn read(library: &Resource) -> Result<Self> {
        let bad = |message: &str| Error::new(Kind::Unprocessable, format!("the query: {message}"));
        let codings = library.get("type").and_then(|kind| kind.get("coding"));
        let mut codings = codings.into_iter().flat_map(Value::items);
        let is_query =
            |coding: Value<'_>| coding.get("code").is_some_and(|c| c.is_str("sql-query"));
        if library.type_name() != "Library" || !codings.any(is_query) {
            return Err(bad("send a Library of type `sql-query`"));
        }
        let mut views: Vec<(String, Subject)> = Vec::new();
        for one in library.get("relatedArtifact").into_iter().flat_map(Value::items) {
            if !one.get("type").is_some_and(|kind| kind.is_str("depends-on")) {
                continue;
            }
            let label = one.str_at("label").unwrap_or_default().into_owned();
            let resource = one.str_at("resource").unwrap_or_default().into_owned();
            if !is_name(&label) || views.iter().any(|(known, _)| known.eq_ignore_ascii_case(&label))
            {
                let message = "each `relatedArtifact.label` is a name of letters, digits and `_`, \
                               and stands once";
                return Err(bad(message));
            }
            let subject = match resource.starts_with("ViewDefinition/") {
                true => Subject::Reference(resource),
                false => Subject::Canonical(resource),
            };
            views.push((label, subject));
        }
        if views.len() > MAX_VIEWS {
            return Err(bad(&format!("it names more than {MAX_VIEWS} views")));
        }
        let mut parameters = Vec::new();
        for one in library.get("parameter").into_iter().flat_map(Value::items) {
            let text = |name: &str| one.str_at(name).unwrap_or_default().into_owned();
            if !is_name(&text("name")) || text("use") != "in" {
                return Err(bad("each `parameter` has a name and the use `in`"));
            }
            parameters.push((text("name"), text("type")));
        }
        Ok(Self { sql: sql(library).ok_or_else(|| bad(NO_SQL))??, views, parameters })
    }

    /// The values of the parameters in the types that they are declared with.
    fn bind(&self, given: &[(String, String)]) -> Result<Vec<(String, Datum)>> {
        if let Some((name, _)) =
            given.iter().find(|(name, _)| !self.parameters.iter().any(|(known, _)| known == name))
        {
            let name: String = name.chars().take(40).collect();
            let message = format!("the query has no parameter `{name}`");
            return Err(Error::invalid("not-supported", message));
        }
        let bind = |(name, kind): &(String, String)| {
            let mut values = given.iter().filter(|(known, _)| known == name);
            let (Some((_, text)), None) = (values.next(), values.next()) else {
                let message = format!("the query needs the parameter `{name}` once");
                return Err(Error::invalid("required", message));
            };
            let datum = typed(text, kind).ok_or_else(|| {
                Error::invalid("value", format!("the parameter `{name}` is not of type `{kind}`"))
            })?;
            Ok((name.clone(), datum))
        };
        self.parameters.iter().map(bind).collect()
    }
}

const NO_SQL: &str = "it needs `content` of the type `application/sql`, without a dialect or with \
                      `dialect=sqlite`, and with `data`";

/// The text of the query: in SQLite's dialect, or in none.
fn sql(library: &Resource) -> Option<Result<String>> {
    let dialect = |content: &Value<'_>| {
        let kind = content.str_at("contentType")?.to_ascii_lowercase().replace([' ', '"'], "");
        match kind.as_str() {
            "application/sql;dialect=sqlite" => Some(0),
            "application/sql" => Some(1),
            "application/sql;dialect=ansi" => Some(2),
            _ => None,
        }
    };
    let contents = library.get("content").into_iter().flat_map(Value::items);
    let known = contents.filter_map(|content| Some((dialect(&content)?, content)));
    let (_, content) = known.min_by_key(|(rank, _)| *rank)?;
    let data = content.str_at("data")?;
    let bytes = STANDARD.decode(data.as_bytes()).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    Some(text.ok_or_else(|| {
        Error::new(Kind::Unprocessable, "the `data` of the query is not text in base64")
    }))
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=100).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.to_ascii_lowercase().starts_with("sqlite_")
        && name.chars().all(plain)
}

/// A value of a parameter of a FHIR type.
fn typed(json: &str, kind: &str) -> Option<Datum> {
    let document = Document::parse(json).ok()?;
    let value = document.root();
    Some(match (kind, value.kind()) {
        ("integer" | "positiveInt" | "unsignedInt" | "integer64", JsonKind::Number) => {
            Datum::Integer(value.raw().parse().ok()?)
        }
        ("integer64", JsonKind::String) => Datum::Integer(value.as_str()?.parse().ok()?),
        ("decimal", JsonKind::Number) => Datum::Real(value.raw().parse().ok()?),
        ("boolean", JsonKind::Bool) => Datum::Integer(i64::from(value.as_bool()?)),
        ("integer" | "positiveInt" | "unsignedInt" | "decimal" | "boolean", _) => return None,
        (_, JsonKind::String) => Datum::Text(value.as_str()?.into_owned()),
        _ => return None,
    })
}

/// Fills the table of one view.
fn fill(
    app: &App,
    caller: &Caller,
    tables: &mut Tables,
    label: &str,
    subject: &Subject,
) -> Result<()> {
    let text = subject.text(app, caller)?;
    let view = compile(&text)?;
    let names: Vec<String> = view.columns().iter().map(|column| column.name.clone()).collect();
    tables.table(label, &names).map_err(refused)?;
    let request = RunRequest {
        subject: Subject::Inline(text),
        resources: None,
        format: Format::Ndjson,
        header: false,
        patients: Vec::new(),
        groups: Vec::new(),
        since: None,
        limit: None,
    };
    let columns = view.columns();
    let mut lines = Lines { columns, tables, label, line: Vec::new(), fault: None };
    let done = run(app, caller, &request, &mut lines).map(|_| ());
    match lines.fault {
        // The fault of the table says more than that nothing could be written.
        Some(fault) => Err(refused(fault)),
        None => done,
    }
}

/// Takes the lines of a view and puts them into a table.
struct Lines<'a> {
    columns: &'a [Column],
    tables: &'a mut Tables,
    label: &'a str,
    line: Vec<u8>,
    fault: Option<TablesError>,
}

impl Lines<'_> {
    fn take(&mut self) -> std::result::Result<(), TablesError> {
        let document = Document::parse_bytes(std::mem::take(&mut self.line))
            .map_err(|e| TablesError::Failed(e.to_string()))?;
        let row: Vec<Datum> =
            read_row(self.columns, document.root()).iter().map(datum_of).collect();
        self.tables.add(self.label, &row)
    }
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n")
                && let Err(fault) = self.take()
            {
                self.fault = Some(fault);
                return Err(io::Error::other("a table takes no more"));
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A cell of a view as SQLite has it: truth values are 0 and 1, lists and structures JSON.
fn datum_of(cell: &Cell<'_>) -> Datum {
    match cell {
        Cell::Null => Datum::Null,
        Cell::Boolean(truth) => Datum::Integer(i64::from(*truth)),
        Cell::Number(digits) => match (digits.parse::<i64>(), digits.parse::<f64>()) {
            (Ok(number), _) => Datum::Integer(number),
            (_, Ok(number)) => Datum::Real(number),
            _ => Datum::Text(digits.to_string()),
        },
        Cell::Text(text) => Datum::Text(text.to_string()),
        Cell::Json(_) | Cell::List(_) => Datum::Text(cell.to_text().into_owned()),
    }
}

fn cell_of(datum: &Datum) -> Cell<'_> {
    match datum {
        Datum::Null => Cell::Null,
        Datum::Integer(number) => Cell::Number(number.to_string().into()),
        // JSON has no infinity.
        Datum::Real(number) if number.is_finite() => Cell::Number(number.to_string().into()),
        Datum::Real(_) => Cell::Null,
        Datum::Text(text) => Cell::Text(text.as_str().into()),
    }
}

/// The columns of an answer, which have no types of their own.
fn columns(names: &[String]) -> Result<Vec<Column>> {
    for (at, name) in names.iter().enumerate() {
        if !is_name(name) || names.iter().take(at).any(|known| known == name) {
            let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
            let message = format!(
                "the column `{shown}` needs a name of its own: letters, digits and `_`, by `AS`"
            );
            return Err(Error::new(Kind::Unprocessable, message));
        }
    }
    let column = |name: &String| Column {
        name: name.clone(),
        column_type: ColumnType::Text,
        collection: false,
    };
    Ok(names.iter().map(column).collect())
}
