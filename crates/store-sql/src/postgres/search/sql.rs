//! A statement in the making: its text and the values bound to it.

use tokio_postgres::types::{ToSql, Type};

use super::super::conn::Typed;

/// A value of a statement.
#[derive(Debug)]
pub(super) enum Value {
    Small(i16),
    Int(i32),
    Big(i64),
    Real(f64),
    Text(String),
    Ints(Vec<i32>),
    Texts(Vec<String>),
}

impl Value {
    fn typed(&self) -> Typed<'_> {
        fn of<T: ToSql + Sync>(value: &T, kind: Type) -> Typed<'_> {
            (value, kind)
        }
        match self {
            Self::Small(value) => of(value, Type::INT2),
            Self::Int(value) => of(value, Type::INT4),
            Self::Big(value) => of(value, Type::INT8),
            Self::Real(value) => of(value, Type::FLOAT8),
            Self::Text(value) => of(value, Type::TEXT),
            Self::Ints(value) => of(value, Type::INT4_ARRAY),
            Self::Texts(value) => of(value, Type::TEXT_ARRAY),
        }
    }
}

/// The values of a statement and the names of its tables.
#[derive(Debug, Default)]
pub(super) struct Sql {
    values: Vec<Value>,
    tables: usize,
}

impl Sql {
    /// Binds a value and returns how the statement names it.
    pub(super) fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    pub(super) fn text(&mut self, text: impl Into<String>) -> String {
        self.bind(Value::Text(text.into()))
    }

    pub(super) fn big(&mut self, number: i64) -> String {
        self.bind(Value::Big(number))
    }

    /// A name for one more table.
    pub(super) fn table(&mut self) -> String {
        self.tables += 1;
        format!("t{}", self.tables)
    }

    /// The values, for [`super::super::conn::Conn::ask`].
    pub(super) fn values(&self) -> Vec<Typed<'_>> {
        self.values.iter().map(Value::typed).collect()
    }
}

/// A pattern for LIKE that matches what starts with `text`.
pub(super) fn starting_with(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
