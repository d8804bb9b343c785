//! Tables in memory that somebody's own SQL may ask: made for one question, dropped after it.
//!
//! SQLite answers, and is held by its own means: an authorizer lets nothing pass but reading and
//! plain functions, the pages of the database and the length of a value are limited, sorting goes
//! to temporary files, and a handler that is called while a statement runs ends it when its time
//! is over. Nothing of the node's own database is reachable.

use std::ops::ControlFlow;

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::hooks::{AuthAction, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ErrorCode, Statement, params_from_iter};

/// Most bytes of all tables together.
pub const MAX_BYTES: u64 = 256 << 20;
/// Longest value, row and statement, in bytes.
pub const MAX_LENGTH: i32 = 1 << 20;
/// Most columns of a table and of an answer.
pub const MAX_COLUMNS: i32 = 500;
/// Steps of SQLite's machine between two looks at the time.
const STEPS: i32 = 10_000;
const PAGE: u64 = 4096;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// Nothing.
    Null,
    /// A whole number; truth values are 0 and 1.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// Text.
    Text(String),
}

/// Why a question was not answered. The messages are about the question only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TablesError {
    /// The tables are larger than [`MAX_BYTES`].
    #[error("the tables are too large: narrow the views")]
    TooLarge,
    /// A value is longer than [`MAX_LENGTH`].
    #[error("a value has more than {MAX_LENGTH} bytes")]
    TooLong,
    /// Something but reading was asked for.
    #[error("only one `SELECT` over the named views is allowed")]
    Forbidden,
    /// The time is over.
    #[error("the query takes too long")]
    TimedOut,
    /// The SQL is not valid, or does not go with the tables.
    #[error("the query is not valid: {0}")]
    Invalid(String),
    /// SQLite failed.
    #[error("the tables failed: {0}")]
    Failed(String),
}

/// What is given each row of an answer and says whether to go on.
pub type Take<'t, E> = dyn FnMut(&[Datum]) -> Result<ControlFlow<()>, E> + 't;

/// Tables for one question.
pub struct Tables {
    connection: Connection,
}

impl Tables {
    /// No tables yet.
    pub fn new() -> Result<Self, TablesError> {
        let connection = Connection::open_in_memory().map_err(failed)?;
        let pages = MAX_BYTES / PAGE;
        let settings = format!(
            "PRAGMA page_size={PAGE}; PRAGMA max_page_count={pages}; PRAGMA journal_mode=OFF; \
             PRAGMA temp_store=FILE; PRAGMA cache_size=-16384; PRAGMA trusted_schema=OFF; \
             BEGIN;"
        );
        connection.execute_batch(&settings).map_err(failed)?;
        for (limit, most) in [
            (Limit::SQLITE_LIMIT_LENGTH, MAX_LENGTH),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, MAX_LENGTH),
            (Limit::SQLITE_LIMIT_COLUMN, MAX_COLUMNS),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 500),
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 500),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, most).map_err(failed)?;
        }
        Ok(Self { connection })
    }

    /// Makes a table. Names are letters, digits and `_`; they may be words of SQL.
    pub fn table(&self, name: &str, columns: &[String]) -> Result<(), TablesError> {
        let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let sql = format!("CREATE TABLE {} ({})", quoted(name), columns.join(","));
        self.connection.execute_batch(&sql).map_err(|e| fault(&e))
    }

    /// Adds a row to a table.
    pub fn add(&mut self, name: &str, row: &[Datum]) -> Result<(), TablesError> {
        let places = vec!["?"; row.len()].join(",");
        let sql = format!("INSERT INTO {} VALUES ({places})", quoted(name));
        let mut statement = self.connection.prepare_cached(&sql).map_err(|e| fault(&e))?;
        statement.execute(params_from_iter(row.iter().map(value))).map_err(|e| fault(&e))?;
        Ok(())
    }

    /// Asks one question. `heading` is given the names of the columns, then `take` each row until
    /// it says enough. `goes_on` is asked while the statement runs; false ends it.
    pub fn ask<E: From<TablesError>>(
        &mut self,
        sql: &str,
        parameters: &[(String, Datum)],
        goes_on: impl Fn() -> bool + Send + 'static,
        heading: impl FnOnce(&[String]) -> Result<(), E>,
        take: &mut Take<'_, E>,
    ) -> Result<(), E> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("COMMIT").map_err(|e| fault(&e))?;
        }
        self.connection.authorizer(Some(allowed)).map_err(failed)?;
        self.connection.progress_handler(STEPS, Some(move || !goes_on())).map_err(failed)?;
        let connection = &self.connection;
        let mut batch = rusqlite::Batch::new(connection, sql);
        let first = batch.next().map_err(|e| fault(&e))?;
        let mut statement = first.ok_or(TablesError::Forbidden)?;
        if batch.next().map_err(|e| fault(&e))?.is_some() || !statement.readonly() {
            return Err(TablesError::Forbidden.into());
        }
        bind(&mut statement, parameters)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        heading(&names)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|e| fault(&e))? {
            let mut found = Vec::with_capacity(names.len());
            for at in 0..names.len() {
                found.push(datum(row.get_ref(at).map_err(|e| fault(&e))?)?);
            }
            if take(&found)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// What a statement may do. Everything else is refused when it is prepared.
fn allowed(context: rusqlite::hooks::AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select => Authorization::Allow,
        // The catalogue is not data.
        AuthAction::Read { table_name, .. } if !table_name.starts_with("sqlite_") => {
            Authorization::Allow
        }
        AuthAction::Function { function_name } if is_plain(function_name) => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

/// Functions that look at their arguments only, and cost no more than these are long.
fn is_plain(name: &str) -> bool {
    const REFUSED: [&str; 9] = [
        "load_extension",
        "sqlite_version",
        "sqlite_source_id",
        "sqlite_compileoption_get",
        "sqlite_compileoption_used",
        "sqlite_offset",
        "random",
        "randomblob",
        "fts3_tokenizer",
    ];
    !REFUSED.iter().any(|refused| name.eq_ignore_ascii_case(refused))
}

fn bind(statement: &mut Statement<'_>, parameters: &[(String, Datum)]) -> Result<(), TablesError> {
    for place in 1..=statement.parameter_count() {
        let name = statement.parameter_name(place).unwrap_or("?").to_owned();
        let given = parameters
            .iter()
            .find(|(known, _)| name.strip_prefix(':').is_some_and(|name| name == known));
        let Some((_, datum)) = given else {
            let name: String = name.chars().take(40).collect();
            return Err(TablesError::Invalid(format!("the parameter `{name}` is not declared")));
        };
        statement.raw_bind_parameter(place, value(datum)).map_err(|e| fault(&e))?;
    }
    Ok(())
}

fn value(datum: &Datum) -> Value {
    match datum {
        Datum::Null => Value::Null,
        Datum::Integer(number) => Value::Integer(*number),
        Datum::Real(number) => Value::Real(*number),
        Datum::Text(text) => Value::Text(text.clone()),
    }
}

fn datum(value: ValueRef<'_>) -> Result<Datum, TablesError> {
    Ok(match value {
        ValueRef::Null => Datum::Null,
        ValueRef::Integer(number) => Datum::Integer(number),
        ValueRef::Real(number) => Datum::Real(number),
        ValueRef::Text(text) => Datum::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(_) => {
            return Err(TablesError::Invalid("a column holds bytes; use `hex()`".into()));
        }
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(error: rusqlite::Error) -> TablesError {
    TablesError::Failed(error.to_string())
}

fn fault(error: &rusqlite::Error) -> TablesError {
    match error.sqlite_error_code() {
        Some(ErrorCode::AuthorizationForStatementDenied) => TablesError::Forbidden,
        Some(ErrorCode::OperationInterrupted) => TablesError::TimedOut,
        Some(ErrorCode::DiskFull | ErrorCode::OutOfMemory) => TablesError::TooLarge,
        Some(ErrorCode::TooBig) => TablesError::TooLong,
        _ => {
            // It quotes the question, never the data.
            let message = match error {
                rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
                rusqlite::Error::SqliteFailure(_, Some(msg)) => msg.clone(),
                other => other.to_string(),
            };
            TablesError::Invalid(message.chars().take(200).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Tables {
        let mut tables = Tables::new().unwrap();
        for (name, rows) in [("one", 3), ("order", 200)] {
            let columns = ["id".to_owned(), "n".to_owned()];
            tables.table(name, &columns).unwrap();
            for n in 0..rows {
                let row = [Datum::Text(format!("{name}{n}")), Datum::Integer(n)];
                tables.add(name, &row).unwrap();
            }
        }
        tables
    }

    fn ask(sql: &str, goes_on: bool) -> Result<Vec<Vec<Datum>>, TablesError> {
        let mut found = Vec::new();
        let parameters = [("least".to_owned(), Datum::Integer(1))];
        tables().ask::<TablesError>(sql, &parameters, move || goes_on, |_| Ok(()), &mut |row| {
            found.push(row.to_vec());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    #[test]
    fn questions_are_answered() {
        let count = |sql: &str| ask(sql, true).unwrap().len();
        assert_eq!(count("SELECT id FROM one WHERE n >= :least"), 2);
        assert_eq!(count("SELECT o.id, p.n FROM one o JOIN \"order\" p USING (n) -- all"), 3);
        assert_eq!(count("WITH x AS (SELECT n FROM one) SELECT sum(n), upper('a') FROM x;"), 1);
        assert_eq!(
            ask("SELECT n/2.0, NULL, id FROM one ORDER BY n DESC LIMIT 1", true).unwrap(),
            [[Datum::Real(1.0), Datum::Null, Datum::Text("one2".into())]]
        );
    }

    #[test]
    fn nothing_but_reading_is_done() {
        for sql in [
            "DELETE FROM one",
            "INSERT INTO one VALUES (1, 2)",
            "CREATE TABLE x (y)",
            "CREATE TEMP TABLE x AS SELECT 1",
            "ATTACH '/etc/passwd' AS x",
            "PRAGMA temp_store",
            "SELECT * FROM sqlite_master",
            "SELECT * FROM pragma_table_list",
            "VACUUM INTO '/tmp/consilium-tables-test'",
            "SELECT load_extension('x')",
            "SELECT randomblob(9)",
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT * FROM r",
            "SELECT 1; SELECT 2",
            "SELECT 1; DELETE FROM one",
            "BEGIN",
            "",
            "-- nothing",
        ] {
            let refused = ask(sql, true).unwrap_err();
            assert!(
                matches!(refused, TablesError::Forbidden | TablesError::Invalid(_)),
                "{sql}: {refused}"
            );
        }
    }

    #[test]
    fn faults_and_limits_are_named() {
        for (sql, message) in [
            ("SELEC", "syntax error"),
            ("SELECT * FROM three", "no such table: three"),
            ("SELECT :most", "`:most` is not declared"),
            ("SELECT ?", "is not declared"),
            ("SELECT x'00'", "bytes"),
            ("SELECT replace(hex(zeroblob(1000000)), '0', 'aaaaaaaaaa')", "bytes"),
        ] {
            let refused = ask(sql, true).unwrap_err().to_string();
            assert!(refused.contains(message), "{sql}: {refused}");
        }
        let long =
            "SELECT count(*) FROM \"order\" a, \"order\" b, \"order\" c WHERE a.n+b.n+c.n > 1";
        assert_eq!(ask(long, false).unwrap_err(), TablesError::TimedOut);
    }

    #[test]
    fn tables_are_bounded() {
        let mut tables = Tables::new().unwrap();
        tables.table("t", &["x".to_owned()]).unwrap();
        let text = [Datum::Text("x".repeat(1_000_000))];
        let filled = (0..1000).try_for_each(|_| tables.add("t", &text));
        assert_eq!(filled.unwrap_err(), TablesError::TooLarge);
    }
}
