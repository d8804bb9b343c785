//! One column of a row group in the making: values apart from where they are missing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use datafusion::parquet::column::writer::ColumnWriter;
use datafusion::parquet::data_type::ByteArray;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::schema::types::{Type, TypePtr};
use fhirpath::views::{Cell, Column, ColumnType};

use crate::table::LakeError;

/// Values of one column with their levels (Parquet format, "nested encoding").
pub(crate) struct Buffer {
    column: Column,
    values: Values,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

enum Values {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Bytes(Vec<ByteArray>),
}

impl Buffer {
    pub(crate) fn new(column: &Column) -> Self {
        let values = match column.column_type {
            ColumnType::Boolean => Values::Boolean(Vec::new()),
            ColumnType::Integer => Values::Int32(Vec::new()),
            ColumnType::Integer64 | ColumnType::Instant => Values::Int64(Vec::new()),
            _ => Values::Bytes(Vec::new()),
        };
        let (definitions, repetitions) = (Vec::new(), Vec::new());
        Self { column: column.clone(), values, definitions, repetitions }
    }

    /// The column's part of the schema: optional, and in three levels where it holds lists.
    pub(crate) fn schema(&self) -> Result<TypePtr, ParquetError> {
        let name = if self.column.collection { "element" } else { &self.column.name };
        let (physical, logical) = match self.column.column_type {
            ColumnType::Boolean => (Physical::BOOLEAN, None),
            ColumnType::Integer => (Physical::INT32, None),
            ColumnType::Integer64 => (Physical::INT64, None),
            ColumnType::Instant => {
                (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
            }
            ColumnType::Binary => (Physical::BYTE_ARRAY, None),
            ColumnType::Complex => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
            ColumnType::Decimal | ColumnType::Date | ColumnType::Text => {
                (Physical::BYTE_ARRAY, Some(LogicalType::String))
            }
        };
        let element = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()?;
        if !self.column.collection {
            return Ok(element.into());
        }
        let list = Type::group_type_builder("list")
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![element.into()])
            .build()?;
        let outer = Type::group_type_builder(&self.column.name)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(LogicalType::List))
            .with_fields(vec![list.into()])
            .build()?;
        Ok(outer.into())
    }

    /// Adds the cell of one row and returns about how many bytes it takes.
    pub(crate) fn push(&mut self, cell: &Cell<'_>) -> Result<usize, LakeError> {
        if !self.column.collection {
            let (level, size) = self.value(cell)?;
            self.definitions.push(level);
            return Ok(size);
        }
        let Cell::List(cells) = cell else {
            // A list that is missing altogether.
            self.definitions.push(0);
            self.repetitions.push(0);
            return Ok(4);
        };
        if cells.is_empty() {
            self.definitions.push(1);
            self.repetitions.push(0);
        }
        let mut bytes = 4;
        for (at, cell) in cells.iter().enumerate() {
            let (level, size) = self.value(cell)?;
            self.definitions.push(level + 2);
            self.repetitions.push(i16::from(at > 0));
            bytes += size;
        }
        Ok(bytes)
    }

    /// Adds a value that is there; the level is 0 for a missing one and 1 otherwise.
    fn value(&mut self, cell: &Cell<'_>) -> Result<(i16, usize), LakeError> {
        if *cell == Cell::Null {
            return Ok((0, 4));
        }
        let wrong = || LakeError::Value(self.column.name.clone());
        let text = cell.to_text();
        let mut size = 12;
        match (&mut self.values, self.column.column_type) {
            (Values::Boolean(values), _) => values.push(text.parse().map_err(|_| wrong())?),
            (Values::Int32(values), _) => values.push(text.parse().map_err(|_| wrong())?),
            (Values::Int64(values), ColumnType::Instant) => {
                values.push(micros(&text).ok_or_else(wrong)?);
            }
            (Values::Int64(values), _) => values.push(text.parse().map_err(|_| wrong())?),
            (Values::Bytes(values), ColumnType::Binary) => {
                let bytes = STANDARD.decode(text.as_bytes()).map_err(|_| wrong())?;
                size += bytes.len();
                values.push(bytes.into());
            }
            (Values::Bytes(values), _) => {
                size += text.len();
                values.push(text.as_bytes().to_vec().into());
            }
        }
        Ok((1, size))
    }

    /// Writes everything into one column chunk and empties the buffer.
    pub(crate) fn write(&mut self, writer: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = Some(self.definitions.as_slice());
        let repetitions = self.column.collection.then_some(self.repetitions.as_slice());
        match (writer, &mut self.values) {
            (ColumnWriter::BoolColumnWriter(w), Values::Boolean(v)) => {
                w.write_batch(v, levels, repetitions)?;
                v.clear();
            }
            (ColumnWriter::Int32ColumnWriter(w), Values::Int32(v)) => {
                w.write_batch(v, levels, repetitions)?;
                v.clear();
            }
            (ColumnWriter::Int64ColumnWriter(w), Values::Int64(v)) => {
                w.write_batch(v, levels, repetitions)?;
                v.clear();
            }
            (ColumnWriter::ByteArrayColumnWriter(w), Values::Bytes(v)) => {
                w.write_batch(v, levels, repetitions)?;
                v.clear();
            }
            _ => return Err(ParquetError::General("a column has changed its type".into())),
        }
        self.definitions.clear();
        self.repetitions.clear();
        Ok(())
    }
}

/// An instant in microseconds since the Unix epoch.
fn micros(text: &str) -> Option<i64> {
    let range = fhir::time::parse(text)?;
    let exact = text.contains('T');
    exact.then(|| range.start_ms.checked_mul(1000)).flatten()
}
