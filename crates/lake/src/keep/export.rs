//! A table as an ordinary Parquet file, for engines of others.

use std::io::Write;
use std::sync::Arc;

use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;

use super::part::Stop;
use super::snapshot::Snapshot;
use crate::Fault;

impl Snapshot {
    /// Writes a table to `out` as one Parquet file that is not sealed: its visible columns, and the
    /// rows of everybody but those left out. Returns how many rows. Who may have such a file, and
    /// where it may lie, is the caller's to decide.
    ///
    /// Errors: [`Fault::View`] where there is no such table, and those of reading and writing.
    pub fn export<W: Write + Send>(&self, table: &str, out: W) -> Result<usize, Fault> {
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
            .set_created_by(concat!("consilium ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let mut writer = ArrowWriter::try_new(out, schema, Some(properties))
            .map_err(Fault::parquet("the export"))?;
        let mut rows = 0;
        for part in 0..table.parts.len() {
            let mut failed = None;
            table.read(part, &columns, &self.seen, &mut |batch| {
                rows += batch.num_rows();
                writer.write(&batch).map_err(|error| {
                    failed = Some(Fault::parquet("the export")(error));
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
