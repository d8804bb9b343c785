//! A part of a table: rows that are written once, in memory or in one sealed Parquet file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use crypto::frames::Reader;
use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::filter_record_batch;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::reader::{ChunkReader, Length};
use parking_lot::Mutex;

use super::disk::Folder;
use super::manifest::Listed;
use crate::Fault;

/// Rows of a batch that is read.
const BATCH: usize = 8192;

/// An early end of reading: whoever takes the rows wants no more.
pub(crate) struct Stop;

/// Which rows of a part are no longer there.
#[derive(Clone, Default)]
pub(crate) struct Dead {
    words: Vec<u64>,
    count: usize,
}

impl Dead {
    /// Marks rows.
    pub(crate) fn mark(&mut self, first: u32, count: u32) {
        let end = first as usize + count as usize;
        if self.words.len() * 64 < end {
            self.words.resize(end.div_ceil(64), 0);
        }
        for row in first as usize..end {
            if let Some(word) = self.words.get_mut(row / 64) {
                self.count += usize::from(*word & (1 << (row % 64)) == 0);
                *word |= 1 << (row % 64);
            }
        }
    }

    /// How many rows are marked.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    fn is_alive(&self, row: usize) -> bool {
        self.words.get(row / 64).is_none_or(|word| word & (1 << (row % 64)) == 0)
    }

    /// Leaves the rows that are there out of a batch that begins at `first`.
    fn apply(&self, first: usize, batch: RecordBatch) -> Result<RecordBatch, Fault> {
        if self.count == 0 {
            return Ok(batch);
        }
        let mask = BooleanBuffer::collect_bool(batch.num_rows(), |at| self.is_alive(first + at));
        filter_record_batch(&batch, &BooleanArray::new(mask, None)).map_err(Fault::arrow("rows"))
    }
}

/// A part. A file that no manifest lists any more is removed when nobody reads it any more.
pub(crate) struct Part {
    pub(crate) number: u64,
    pub(crate) rows: usize,
    body: Body,
}

enum Body {
    Memory(RecordBatch),
    Disk { folder: Arc<Folder>, listed: Listed, known: ArrowReaderMetadata, obsolete: AtomicBool },
}

impl Part {
    /// A part in memory.
    pub(crate) fn memory(number: u64, batch: RecordBatch) -> Self {
        Self { number, rows: batch.num_rows(), body: Body::Memory(batch) }
    }

    /// A part on disk, of which only the end is read now.
    pub(crate) fn open(folder: Arc<Folder>, listed: Listed) -> Result<Self, Fault> {
        let input = Sealed::open(&folder, &listed.file()).map_err(Fault::disk("a part"))?;
        let known = ArrowReaderMetadata::load(&input, ArrowReaderOptions::new())
            .map_err(Fault::parquet("a part"))?;
        let rows = usize::try_from(known.metadata().file_metadata().num_rows()).unwrap_or(0);
        if rows != listed.rows {
            return Err(Fault::Broken("a part"));
        }
        let body = Body::Disk { folder, listed: listed.clone(), known, obsolete: false.into() };
        Ok(Self { number: listed.number, rows, body })
    }

    /// As the manifest lists it; `None` in memory.
    pub(crate) fn listed(&self) -> Option<&Listed> {
        match &self.body {
            Body::Memory(_) => None,
            Body::Disk { listed, .. } => Some(listed),
        }
    }

    /// Bytes: in memory, or of the file.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.body {
            Body::Memory(batch) => batch.get_array_memory_size() as u64,
            Body::Disk { folder, listed, .. } => folder.length(&listed.file()).unwrap_or(0),
        }
    }

    /// The file is removed as soon as nobody reads it any more.
    pub(crate) fn forget(&self) {
        if let Body::Disk { obsolete, .. } = &self.body {
            obsolete.store(true, Ordering::SeqCst);
        }
    }

    /// Hands the rows that are there to `take`, some thousands at a time: the columns with these
    /// numbers, in the order of the table.
    pub(crate) fn read(
        &self,
        columns: &[usize],
        dead: &Dead,
        take: &mut dyn FnMut(RecordBatch) -> Result<(), Stop>,
    ) -> Result<(), Fault> {
        let (folder, listed, known) = match &self.body {
            Body::Memory(batch) => {
                let part = batch.project(columns).map_err(Fault::arrow("rows"))?;
                let mut first = 0;
                while first < part.num_rows() {
                    let piece = part.slice(first, BATCH.min(part.num_rows() - first));
                    if take(dead.apply(first, piece)?).is_err() {
                        return Ok(());
                    }
                    first += BATCH;
                }
                return Ok(());
            }
            Body::Disk { folder, listed, known, .. } => (folder, listed, known),
        };
        let input = Sealed::open(folder, &listed.file()).map_err(Fault::disk("a part"))?;
        let schema = known.metadata().file_metadata().schema_descr_ptr();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(input, known.clone())
            .with_projection(ProjectionMask::roots(&schema, columns.iter().copied()))
            .with_batch_size(BATCH)
            .build()
            .map_err(Fault::parquet("a part"))?;
        let mut first = 0;
        for batch in reader {
            let batch = batch.map_err(Fault::arrow("a part"))?;
            let rows = batch.num_rows();
            if take(dead.apply(first, batch)?).is_err() {
                return Ok(());
            }
            first += rows;
        }
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Body::Disk { folder, listed, obsolete, .. } = &self.body
            && obsolete.load(Ordering::SeqCst)
        {
            folder.remove(&listed.file());
            if listed.gone > 0 {
                folder.remove(&listed.gone_file());
            }
        }
    }
}

/// A sealed file for the reader of Parquet.
struct Sealed {
    input: Arc<Mutex<Reader<File>>>,
    length: u64,
}

impl Sealed {
    fn open(folder: &Folder, name: &str) -> io::Result<Self> {
        let input = folder.read(name)?;
        let length = input.length();
        Ok(Self { input: Arc::new(Mutex::new(input)), length })
    }
}

impl Length for Sealed {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Sealed {
    type T = SealedFrom;

    fn get_read(&self, start: u64) -> Result<SealedFrom, ParquetError> {
        Ok(SealedFrom { input: Arc::clone(&self.input), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        if start.saturating_add(length as u64) > self.length {
            return Err(ParquetError::EOF("a part is cut short".into()));
        }
        let mut input = self.input.lock();
        input.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; length];
        input.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// A sealed file from a place on.
struct SealedFrom {
    input: Arc<Mutex<Reader<File>>>,
    at: u64,
}

impl Read for SealedFrom {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut input = self.input.lock();
        input.seek(SeekFrom::Start(self.at))?;
        let taken = input.read(into)?;
        self.at += taken as u64;
        Ok(taken)
    }
}
