//! Rows that wait to be written, column by column: a few go as arrays in one statement, many by
//! PostgreSQL's binary COPY.

use std::pin::pin;

use futures_util::future::try_join_all;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::conn::Conn;
use super::fault::Fault;
use super::wait::wait;

/// From this number of rows on COPY is faster.
const MANY: usize = 200;

/// The values of one column.
#[derive(Debug)]
pub(super) enum Column {
    Small(Vec<Option<i16>>),
    Int(Vec<i32>),
    Big(Vec<i64>),
    Real(Vec<f64>),
    Flag(Vec<bool>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Vec<u8>>),
}

impl Column {
    fn types(&self) -> (Type, &'static str) {
        match self {
            Self::Small(_) => (Type::INT2, "int2"),
            Self::Int(_) => (Type::INT4, "int4"),
            Self::Big(_) => (Type::INT8, "int8"),
            Self::Real(_) => (Type::FLOAT8, "float8"),
            Self::Flag(_) => (Type::BOOL, "bool"),
            Self::Text(_) => (Type::TEXT, "text"),
            Self::Bytes(_) => (Type::BYTEA, "bytea"),
        }
    }

    fn array(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Small(values) => values,
            Self::Int(values) => values,
            Self::Big(values) => values,
            Self::Real(values) => values,
            Self::Flag(values) => values,
            Self::Text(values) => values,
            Self::Bytes(values) => values,
        }
    }

    fn cell(&self, row: usize) -> Option<&(dyn ToSql + Sync)> {
        fn of<T: ToSql + Sync>(values: &[T], row: usize) -> Option<&(dyn ToSql + Sync)> {
            values.get(row).map(|value| value as &(dyn ToSql + Sync))
        }
        match self {
            Self::Small(values) => of(values, row),
            Self::Int(values) => of(values, row),
            Self::Big(values) => of(values, row),
            Self::Real(values) => of(values, row),
            Self::Flag(values) => of(values, row),
            Self::Text(values) => of(values, row),
            Self::Bytes(values) => of(values, row),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Small(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Big(values) => values.len(),
            Self::Real(values) => values.len(),
            Self::Flag(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }
}

/// Rows of one table.
pub(super) trait Rows {
    /// The table's name and its columns.
    const TABLE: &'static str;
    /// The names of the columns, in the order of [`Rows::into_columns`].
    const COLUMNS: &'static [&'static str];

    /// The rows, column by column.
    fn into_columns(self) -> Vec<Column>;
}

/// A statement with its values, ready to be sent together with others.
pub(super) struct Ready {
    sql: String,
    columns: Vec<Column>,
}

impl Ready {
    /// A statement over arrays; `$n` is the n-th column.
    pub(super) fn new(sql: impl Into<String>, columns: Vec<Column>) -> Self {
        Self { sql: sql.into(), columns }
    }
}

/// Adds rows: at once where they are many, with the others (`ready`) where they are few.
pub(super) fn insert<R: Rows>(conn: &Conn, rows: R, ready: &mut Vec<Ready>) -> Result<(), Fault> {
    let columns = rows.into_columns();
    let count = columns.first().map_or(0, Column::len);
    let names = R::COLUMNS.join(", ");
    if count == 0 {
        return Ok(());
    }
    if count >= MANY {
        return copy(conn, R::TABLE, &names, &columns, count);
    }
    let arrays: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| format!("${}::{}[]", at + 1, column.types().1))
        .collect();
    let table = R::TABLE;
    let sql = format!("INSERT INTO {table}({names}) SELECT * FROM unnest({})", arrays.join(", "));
    ready.push(Ready { sql, columns });
    Ok(())
}

fn copy(
    conn: &Conn,
    table: &str,
    names: &str,
    columns: &[Column],
    count: usize,
) -> Result<(), Fault> {
    let types: Vec<Type> = columns.iter().map(|column| column.types().0).collect();
    let sql = format!("COPY {table}({names}) FROM STDIN (FORMAT binary)");
    wait(async {
        let sink = conn.client.copy_in(&*sql).await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        let mut cells = Vec::with_capacity(columns.len());
        for row in 0..count {
            cells.clear();
            cells.extend(columns.iter().filter_map(|column| column.cell(row)));
            if cells.len() != types.len() {
                return Err(Fault::Corrupt("a column is shorter than another"));
            }
            writer.as_mut().write(&cells).await?;
        }
        writer.finish().await?;
        Ok(())
    })
}

/// Sends all statements without waiting in between, and `last` behind them.
pub(super) fn send(conn: &Conn, ready: &[Ready], last: Option<&str>) -> Result<(), Fault> {
    let array = |column: &Column| match column.types().0 {
        Type::INT2 => Type::INT2_ARRAY,
        Type::INT4 => Type::INT4_ARRAY,
        Type::INT8 => Type::INT8_ARRAY,
        Type::FLOAT8 => Type::FLOAT8_ARRAY,
        Type::BOOL => Type::BOOL_ARRAY,
        Type::TEXT => Type::TEXT_ARRAY,
        _ => Type::BYTEA_ARRAY,
    };
    let values: Vec<Vec<(&(dyn ToSql + Sync), Type)>> = ready
        .iter()
        .map(|ready| ready.columns.iter().map(|c| (c.array(), array(c))).collect())
        .collect();
    wait(async {
        // A promise sends its message when it is first looked at, and they are looked at in order.
        let all = ready.iter().zip(&values).map(|(ready, values)| async move {
            conn.client.execute_typed(&ready.sql, values).await.map(|_| ())
        });
        let mut all: Vec<
            futures_util::future::LocalBoxFuture<'_, Result<(), tokio_postgres::Error>>,
        > = all.map(|one| Box::pin(one) as _).collect();
        if let Some(last) = last {
            all.push(Box::pin(conn.client.batch_execute(last)));
        }
        let mut done = Vec::with_capacity(all.len());
        // More than thirty promises at once would be looked at in any order.
        while !all.is_empty() {
            let rest = all.split_off(all.len().min(24));
            done.push(try_join_all(std::mem::replace(&mut all, rest)).await?);
        }
        Ok(())
    })
}
