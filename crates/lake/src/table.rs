//! A Parquet file that is written row by row.

use std::io::Write;
use std::sync::Arc;

use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::parquet::file::writer::SerializedFileWriter;
use datafusion::parquet::schema::types::Type;
use fhirpath::views::{Cell, Column};

use crate::column::Buffer;

/// Most rows of a row group.
pub const ROW_GROUP_ROWS: usize = 50_000;
/// About the most bytes of a row group before compression, which is what is held in memory.
pub const ROW_GROUP_BYTES: usize = 32 * 1024 * 1024;

/// Why a table could not be written. Messages never hold content.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// A value that does not have the type its column declares.
    #[error("a value of the column `{0}` does not have the type that the view declares")]
    Value(String),
    /// The file could not be written.
    #[error("the file cannot be written: {0}")]
    Write(#[from] ParquetError),
}

/// A table in the making.
pub struct Table<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Buffer>,
    rows: usize,
    bytes: usize,
}

impl<W: Write + Send> Table<W> {
    /// Starts a table with these columns.
    pub fn new(out: W, columns: &[Column]) -> Result<Self, LakeError> {
        let columns: Vec<Buffer> = columns.iter().map(Buffer::new).collect();
        let fields = columns.iter().map(Buffer::schema).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("consilium ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer, columns, rows: 0, bytes: 0 })
    }

    /// Adds a row, which must have a cell for every column.
    pub fn row(&mut self, row: &[Cell<'_>]) -> Result<(), LakeError> {
        for (at, column) in self.columns.iter_mut().enumerate() {
            self.bytes += column.push(row.get(at).unwrap_or(&Cell::Null))?;
        }
        self.rows += 1;
        if self.rows >= ROW_GROUP_ROWS || self.bytes >= ROW_GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is held as one row group.
    fn flush(&mut self) -> Result<(), LakeError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            if let Some(mut chunk) = group.next_column()? {
                column.write(chunk.untyped())?;
                chunk.close()?;
            }
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// Ends the file and hands back where it was written to.
    pub fn finish(mut self) -> Result<W, LakeError> {
        self.flush()?;
        Ok(self.writer.into_inner()?)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::parquet::file::reader::{FileReader, SerializedFileReader};
    use fhirpath::views::ColumnType;

    use super::*;

    fn column(name: &str, column_type: ColumnType, collection: bool) -> Column {
        Column { name: name.into(), column_type, collection }
    }

    /// What a reader makes of rows that were written.
    fn read_back(columns: &[Column], rows: &[Vec<Cell<'_>>]) -> Vec<String> {
        let mut table = Table::new(Vec::new(), columns).unwrap();
        for row in rows {
            table.row(row).unwrap();
        }
        let file = parquet_bytes(table.finish().unwrap());
        let reader = SerializedFileReader::new(file).unwrap();
        reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
    }

    fn parquet_bytes(bytes: Vec<u8>) -> bytes::Bytes {
        bytes.into()
    }

    #[test]
    fn rows_come_back_with_types_nulls_and_lists() {
        let columns = [
            column("id", ColumnType::Text, false),
            column("active", ColumnType::Boolean, false),
            column("count", ColumnType::Integer, false),
            column("big", ColumnType::Integer64, false),
            column("amount", ColumnType::Decimal, false),
            column("names", ColumnType::Text, true),
        ];
        let text = |text: &'static str| Cell::Text(text.into());
        let number = |digits: &'static str| Cell::Number(digits.into());
        let rows = [
            vec![
                text("a"),
                Cell::Boolean(true),
                number("7"),
                number("5000000000"),
                number("1.50"),
                Cell::List(vec![text("x"), Cell::Null, text("y")]),
            ],
            vec![text("b"), Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::List(vec![])],
            vec![text("c"), Cell::Boolean(false), number("-1"), Cell::Null, Cell::Null, Cell::Null],
        ];
        assert_eq!(
            read_back(&columns, &rows),
            [
                r#"{id: "a", active: true, count: 7, big: 5000000000, amount: "1.50", names: ["x", null, "y"]}"#,
                r#"{id: "b", active: null, count: null, big: null, amount: null, names: []}"#,
                r#"{id: "c", active: false, count: -1, big: null, amount: null, names: null}"#,
            ]
        );
    }

    #[test]
    fn a_value_of_another_type_is_named_by_its_column() {
        let columns = [column("count", ColumnType::Integer, false)];
        let mut table = Table::new(Vec::new(), &columns).unwrap();
        let error = table.row(&[Cell::Text("many".into())]).unwrap_err();
        assert!(error.to_string().contains("`count`"), "{error}");
    }

    #[test]
    fn an_instant_is_a_moment_and_bytes_are_bytes() {
        let columns =
            [column("at", ColumnType::Instant, false), column("raw", ColumnType::Binary, false)];
        let row = vec![Cell::Text("1970-01-01T00:00:01.5Z".into()), Cell::Text("AQI=".into())];
        let back = read_back(&columns, &[row]);
        assert_eq!(back, [r#"{at: 1970-01-01 00:00:01.500000 +00:00, raw: [1, 2]}"#]);
    }
}
