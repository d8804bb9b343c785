//! Rows of a view on their way into columns in memory.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, FixedSizeBinaryBuilder, Float64Builder, Int64Builder,
    RecordBatch, StringViewBuilder, TimestampMicrosecondBuilder, UInt64Builder,
};
use fhir::Resource;
use fhirpath::views::Cell;

use crate::Fault;
use crate::definition::{Definition, Kind};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Columns in the making.
pub(super) struct Rows {
    columns: Vec<Making>,
    person: UInt64Builder,
    key: FixedSizeBinaryBuilder,
    count: u32,
    /// Values that do not have the type of their column; they are missing in the table.
    odd: u64,
}

enum Making {
    Boolean(BooleanBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
    Text(StringViewBuilder),
    Date(Date32Builder),
    Moment(TimestampMicrosecondBuilder),
}

impl Making {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Integer => Self::Integer(Int64Builder::new()),
            Kind::Number => Self::Number(Float64Builder::new()),
            Kind::Text => Self::Text(StringViewBuilder::new()),
            Kind::Date => Self::Date(Date32Builder::new()),
            Kind::Moment => Self::Moment(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
        }
    }

    /// Adds a cell; whether its value has the column's type.
    fn push(&mut self, cell: &Cell<'_>) -> bool {
        let there = *cell != Cell::Null;
        let text = match (&mut *self, cell) {
            (Self::Boolean(to), Cell::Boolean(value)) => {
                to.append_value(*value);
                return true;
            }
            (_, Cell::Null) => None,
            (_, cell) => Some(cell.to_text()),
        };
        let text = text.as_deref();
        let found = match self {
            Self::Boolean(to) => {
                to.append_null();
                false
            }
            Self::Integer(to) => append(text.and_then(|t| t.parse().ok()), |v| to.append_option(v)),
            Self::Number(to) => {
                let number = text.and_then(|t| t.parse().ok()).filter(|n: &f64| n.is_finite());
                append(number, |v| to.append_option(v))
            }
            Self::Text(to) => append(text, |v| to.append_option(v)),
            Self::Date(to) => {
                let start = text.and_then(fhir::time::parse).map(|range| range.start_ms);
                let day = start.and_then(|ms| i32::try_from(ms.div_euclid(DAY_MS)).ok());
                append(day, |v| to.append_option(v))
            }
            Self::Moment(to) => {
                let start = text.and_then(fhir::time::parse).map(|range| range.start_ms);
                append(start.and_then(|ms| ms.checked_mul(1000)), |v| to.append_option(v))
            }
        };
        found || !there
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Integer(column) => Arc::new(column.finish()),
            Self::Number(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Date(column) => Arc::new(column.finish()),
            Self::Moment(column) => Arc::new(column.finish()),
        }
    }
}

fn append<T>(value: Option<T>, to: impl FnOnce(Option<T>)) -> bool {
    let there = value.is_some();
    to(value);
    there
}

/// What became of one resource.
pub(super) struct Pushed {
    /// The rows that it made.
    pub rows: u32,
    /// Whether it made all of its rows; otherwise those that were made are to be left out.
    pub whole: bool,
}

impl Rows {
    pub(super) fn new(definition: &Definition) -> Self {
        Self {
            columns: definition.columns().iter().map(|c| Making::new(c.kind)).collect(),
            person: UInt64Builder::new(),
            key: FixedSizeBinaryBuilder::new(16),
            count: 0,
            odd: 0,
        }
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// How many values did not have the type of their column.
    pub(super) fn odd(&self) -> u64 {
        self.odd
    }

    /// Adds the rows of a resource about a person. `at_ms` is the time for `now()` in paths.
    pub(super) fn push(
        &mut self,
        definition: &Definition,
        resource: &Resource,
        key: u128,
        person: Option<u64>,
        at_ms: i64,
    ) -> Result<Pushed, Fault> {
        let before = self.count;
        let mut fault = None;
        let made = definition.view().rows(resource, at_ms, &mut |row| {
            for (column, cell) in self.columns.iter_mut().zip(row) {
                self.odd += u64::from(!column.push(cell));
            }
            self.person.append_option(person);
            if let Err(error) = self.key.append_value(key.to_be_bytes()) {
                fault = Some(Fault::arrow("rows")(error));
                return ControlFlow::Break(());
            }
            self.count += 1;
            ControlFlow::Continue(())
        });
        match fault {
            Some(fault) => Err(fault),
            None => Ok(Pushed { rows: self.count - before, whole: made.is_ok() }),
        }
    }

    /// The rows as one batch, of which the visible columns come first.
    pub(super) fn finish(mut self, definition: &Definition) -> Result<RecordBatch, Fault> {
        let mut columns: Vec<ArrayRef> = self.columns.iter_mut().map(Making::finish).collect();
        columns.push(Arc::new(self.person.finish()));
        columns.push(Arc::new(self.key.finish()));
        RecordBatch::try_new(definition.kept(), columns).map_err(Fault::arrow("rows"))
    }
}
