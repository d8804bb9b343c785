//! Tables so many times as large: every copy has keys of its own, so that joins stay within a copy.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use serde_json::json;

use crate::{Fault, say, tables};

/// Rows of a row group, as in an export.
const GROUP_ROWS: usize = 131_072;

/// What to make.
#[derive(clap::Args)]
pub struct Arguments {
    /// The exported tables
    #[arg(long)]
    tables: PathBuf,
    /// The folder to make
    #[arg(long)]
    to: PathBuf,
    /// How many times as large
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    times: u32,
    /// Into how many files each table is dealt
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    files: u32,
}

/// Writes the tables and prints how many rows each has.
pub fn run(arguments: &Arguments) -> Result<(), Fault> {
    std::fs::create_dir(&arguments.to)
        .map_err(|error| format!("cannot make `{}`: {error}", arguments.to.display()))?;
    let mut rows = serde_json::Map::new();
    for (name, from) in tables::tables(&arguments.tables)? {
        let to = arguments.to.join(&name);
        std::fs::create_dir(&to)?;
        rows.insert(name, json!(enlarge(&from, &to, arguments)?));
    }
    say(&serde_json::Value::Object(rows).to_string());
    Ok(())
}

fn enlarge(from: &Path, to: &Path, arguments: &Arguments) -> Result<u64, Fault> {
    let files = arguments.files.min(arguments.times);
    let mut rows = 0;
    for file in 0..files {
        let mut writer = None;
        for copy in (file..arguments.times).step_by(files as usize) {
            for source in tables::files(from)? {
                let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(source)?)?;
                let schema = Arc::clone(reader.schema());
                let writer = match &mut writer {
                    Some(writer) => writer,
                    none => {
                        let path = to.join(format!("part-{file:03}.parquet"));
                        let file = BufWriter::new(File::create_new(path)?);
                        none.insert(ArrowWriter::try_new(file, schema, Some(properties()?))?)
                    }
                };
                for batch in reader.with_batch_size(8_192).build()? {
                    let batch = with_own_keys(&batch?, copy)?;
                    rows += batch.num_rows() as u64;
                    writer.write(&batch)?;
                }
            }
        }
        if let Some(writer) = writer {
            writer.close()?;
        }
    }
    Ok(rows)
}

fn properties() -> Result<WriterProperties, Fault> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build())
}

fn with_own_keys(batch: &RecordBatch, copy: u32) -> Result<RecordBatch, Fault> {
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let is_key = field.name().ends_with("_key") && field.data_type().is_string();
        columns.push(if is_key { own(array, copy)? } else { Arc::clone(array) });
    }
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn own(keys: &ArrayRef, copy: u32) -> Result<ArrayRef, Fault> {
    let texts = cast(keys, &DataType::Utf8View)?;
    let own: StringViewArray =
        texts.as_string_view().iter().map(|key| key.map(|key| format!("{key}-{copy}"))).collect();
    Ok(cast(&own, keys.data_type())?)
}
