//! A table as an ordinary Parquet file, for engines of others.

use std::io::Write;
use std::sync::Arc;

use crypto::MacKey;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringViewArray, new_null_array,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;

use super::part::Stop;
use super::snapshot::Snapshot;
use crate::Fault;
use crate::definition::TableColumn;

/// Rows of a row group: what engines deal out to those who work side by side.
const GROUP_ROWS: usize = 131_072;

impl Snapshot {
    /// Writes a table to `out` as one Parquet file that is not sealed: its visible columns, and the
    /// rows of everybody but those left out. Returns how many rows. Who may have such a file, and
    /// where it may lie, is the caller's to decide.
    ///
    /// What tells who or which one something is has another value under `key`: the first 128 bits of
    /// HMAC-SHA256 over it, in hexadecimal digits. So tables that are written under one key can be
    /// joined, and nobody without it finds the records again. Such columns that hold no text are empty.
    ///
    /// Errors: [`Fault::View`] where there is no such table, and those of reading and writing.
    pub fn export<W: Write + Send>(
        &self,
        table: &str,
        key: &MacKey,
        out: W,
    ) -> Result<usize, Fault> {
        let Some(table) = self.table(table) else {
            return Err(Fault::View {
                name: table.into(),
                reason: "there is no such table".into(),
            });
        };
        let schema = Arc::clone(table.definition.visible());
        let columns: Vec<usize> = (0..schema.fields().len()).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by(concat!("consilium ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let mut writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))
            .map_err(Fault::parquet("the export"))?;
        let mut rows = 0;
        for part in 0..table.parts.len() {
            let mut failed = None;
            table.read(part, &columns, &self.seen, &mut |batch| {
                rows += batch.num_rows();
                let keyed = keyed(&schema, table.definition.columns(), &batch, key);
                let written = keyed
                    .and_then(|batch| writer.write(&batch).map_err(Fault::parquet("the export")));
                written.map_err(|fault| {
                    failed = Some(fault);
                    Stop
                })
            })?;
            if let Some(fault) = failed {
                return Err(fault);
            }
        }
        writer.close().map_err(Fault::parquet("the export"))?;
        Ok(rows)
    }
}

/// The same rows with other values in the columns that tell who or which one.
fn keyed(
    schema: &SchemaRef,
    columns: &[TableColumn],
    batch: &RecordBatch,
    key: &MacKey,
) -> Result<RecordBatch, Fault> {
    let arrays = columns.iter().zip(batch.columns());
    let arrays = arrays.map(|(column, array)| match column.identifier {
        true => renamed(array, key),
        false => Arc::clone(array),
    });
    RecordBatch::try_new(Arc::clone(schema), arrays.collect()).map_err(Fault::arrow("the export"))
}

fn renamed(array: &ArrayRef, key: &MacKey) -> ArrayRef {
    let Some(values) = array.as_string_view_opt() else {
        return new_null_array(array.data_type(), array.len());
    };
    let name = |value: &str| {
        let whole = key.sign(&[value.as_bytes()]);
        crypto::hash::hex(whole.first_chunk::<16>().unwrap_or(&[0; 16]))
    };
    let named: StringViewArray = values.iter().map(|value| value.map(&name)).collect();
    Arc::new(named)
}
