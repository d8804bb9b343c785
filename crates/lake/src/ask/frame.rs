//! Answers: named columns.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use datafusion::error::DataFusionError;

/// The values of a column, one for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// True or false.
    Booleans(Vec<Option<bool>>),
    /// Whole numbers.
    Integers(Vec<Option<i64>>),
    /// Numbers.
    Numbers(Vec<Option<f64>>),
    /// Text; dates and times as RFC 3339 writes them, intervals as ISO 8601 does.
    Texts(Vec<Option<String>>),
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedColumn {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Values,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The columns in their order.
    pub columns: Vec<NamedColumn>,
    /// How many rows.
    pub rows: usize,
}

impl Frame {
    /// Puts batches together.
    pub(crate) fn of(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self, DataFusionError> {
        let mut columns = Vec::new();
        for (at, field) in schema.fields().iter().enumerate() {
            let mut values = empty(field.data_type());
            for batch in batches {
                if let Some(column) = batch.columns().get(at) {
                    push(column.as_ref(), &mut values)?;
                }
            }
            columns.push(NamedColumn { name: field.name().clone(), values });
        }
        Ok(Self { columns, rows: batches.iter().map(RecordBatch::num_rows).sum() })
    }

    /// The same with numbers in place of whole numbers, and 1 and 0 in place of true and false: what
    /// the statistics engine takes.
    pub fn as_numbers(mut self) -> Self {
        for column in &mut self.columns {
            column.values = match std::mem::replace(&mut column.values, Values::Texts(Vec::new())) {
                Values::Booleans(values) => {
                    let number = |value: Option<bool>| value.map(|v| f64::from(u8::from(v)));
                    Values::Numbers(values.into_iter().map(number).collect())
                }
                Values::Integers(values) => {
                    Values::Numbers(values.into_iter().map(|v| v.map(|v| v as f64)).collect())
                }
                other => other,
            };
        }
        self
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&Values> {
        self.columns.iter().find(|column| column.name == name).map(|column| &column.values)
    }
}

fn empty(data_type: &DataType) -> Values {
    match data_type {
        DataType::Boolean => Values::Booleans(Vec::new()),
        DataType::UInt64 | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            Values::Numbers(Vec::new())
        }
        other if other.is_integer() => Values::Integers(Vec::new()),
        other if other.is_floating() => Values::Numbers(Vec::new()),
        _ => Values::Texts(Vec::new()),
    }
}

fn push(column: &dyn Array, to: &mut Values) -> Result<(), DataFusionError> {
    match to {
        Values::Booleans(to) => to.extend(column.as_boolean().iter()),
        Values::Integers(to) => {
            to.extend(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().iter());
        }
        Values::Numbers(to) => {
            to.extend(cast(column, &DataType::Float64)?.as_primitive::<Float64Type>().iter());
        }
        Values::Texts(to) => {
            let texts = cast(column, &DataType::Utf8)?;
            to.extend(texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)));
        }
    }
    Ok(())
}
