//! Committing: what is in memory becomes parts on disk, and parts become fewer and larger.
//!
//! Parts stand in the order of their age, and rows of a younger part replace those of the same
//! resource in an older one. So only neighbours are put together, and what a part says to be gone
//! has to be kept until no older part is left.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::parquet::schema::types::ColumnPath;

use super::disk::Folder;
use super::index::{Place, runs};
use super::manifest::{self, Listed, Manifest};
use super::open::Writer;
use super::part::{Part, Stop};
use super::state::{Held, TableState};
use crate::Fault;
use crate::definition::KEY;

/// Rows of a table in memory that make a part on disk worth while.
pub const FLUSH_ROWS: usize = 65_536;
/// A part is put together with what is younger unless it has more than this many times its rows.
/// So a row is written anew about log₂(rows of a part / rows of a commit) times at most.
pub const GROW: usize = 4;
/// The most rows of a part that is put together of others: one commit writes no more at once.
pub const MAX_PART_ROWS: usize = 1_000_000;
/// Rows of a row group.
const GROUP_ROWS: usize = 131_072;

/// Rows of one key, one behind the other: key, first row, how many.
pub(super) type Run = (u128, u32, u32);

/// Adds the runs of a batch behind `rows` rows; a run may go on over the end of a batch.
pub(super) fn push_run(
    batch: &RecordBatch,
    to: &mut Vec<Run>,
    rows: &mut u32,
) -> Result<(), Fault> {
    let base = *rows;
    runs(batch, |key, first, count| match to.last_mut() {
        Some((known, start, length)) if *known == key && *start + *length == base + first => {
            *length += count;
        }
        _ => to.push((key, base + first, count)),
    })?;
    let more = u32::try_from(batch.num_rows()).map_err(|_| Fault::Limit("rows of a part"))?;
    *rows = base.checked_add(more).ok_or(Fault::Limit("rows of a part"))?;
    Ok(())
}

/// What becomes of a table by a commit: its parts from `start` on, and those in memory, become one.
struct Step {
    start: usize,
    /// Where the parts end that are replaced; those in memory are, where this is the end.
    end: usize,
    made: Option<(Listed, Vec<Run>)>,
}

impl Writer {
    /// Commits everything that was taken in. After an error nothing has changed but that it took
    /// room on the disk.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        let mut steps = Vec::new();
        for table in &self.tables {
            let number = self.next;
            self.next += 1;
            steps.push(step(&self.folder, table, number)?);
        }
        let tables = self.tables.iter().zip(&steps).map(|(table, step)| {
            let mut parts: Vec<Listed> =
                table.disk.iter().filter_map(|held| held.part.listed().cloned()).collect();
            let made = step.made.iter().map(|(listed, _)| listed.clone());
            parts.splice(step.start..step.end, made);
            let hash = crypto::hash::hex(table.definition.hash());
            let name = table.definition.name().to_owned();
            manifest::Table { name, hash, position: table.applied, parts }
        });
        let manifest = Manifest { form: manifest::FORM, next: self.next, tables: tables.collect() };
        let text = serde_json::to_vec(&manifest).map_err(|_| Fault::Broken("the manifest"))?;
        let mut opened = Vec::new();
        for step in &steps {
            let part = step.made.as_ref().map(|(listed, _)| listed.clone());
            opened.push(part.map(|part| Part::open(Arc::clone(&self.folder), part)).transpose()?);
        }
        self.folder.put(manifest::FILE, &text).map_err(Fault::disk("the manifest"))?;
        for ((table, step), part) in self.tables.iter_mut().zip(steps).zip(opened) {
            commit(table, step, part);
        }
        Ok(())
    }
}

/// Takes over what is committed now.
fn commit(table: &mut TableState, step: Step, part: Option<Part>) {
    let runs = step.made.map(|(_, runs)| runs).unwrap_or_default();
    let number = part.as_ref().map_or(0, |part| part.number);
    for (key, first, count) in runs {
        table.index.insert(key, Place { part: number, first, count });
    }
    let with_memory = step.end == table.disk.len();
    let held = part.map(|part| Held { part: Arc::new(part), dead: Arc::default() });
    for old in table.disk.splice(step.start..step.end, held) {
        old.part.forget();
    }
    if with_memory {
        table.memory.clear();
        table.gone.clear();
    }
    table.committed = table.applied;
}

/// Chooses what is put together, and writes it.
fn step(folder: &Folder, table: &TableState, number: u64) -> Result<Step, Fault> {
    let end = table.disk.len();
    let fresh = !table.memory.is_empty() || !table.gone.is_empty();
    if !fresh {
        return Ok(Step { start: end, end, made: None });
    }
    let (mut start, mut rows) = (end, table.memory.iter().map(Held::alive).sum::<usize>());
    while let Some(held) = start.checked_sub(1).and_then(|at| table.disk.get(at)) {
        let alive = held.alive();
        // A part most of whose rows are gone is not worth keeping as it is.
        let thin = alive * 2 < held.part.rows;
        if !(thin || alive <= rows.saturating_mul(GROW)) || alive + rows > MAX_PART_ROWS {
            break;
        }
        (start, rows) = (start - 1, rows + alive);
    }
    let made = write(folder, table, start, number)?;
    Ok(Step { start, end, made })
}

/// Writes the parts from `start` on, and those in memory, as one part; nothing where no row is
/// left and nothing older has to be hidden.
fn write(
    folder: &Folder,
    table: &TableState,
    start: usize,
    number: u64,
) -> Result<Option<(Listed, Vec<Run>)>, Fault> {
    let replaced = table.disk.get(start..).unwrap_or_default();
    // What is gone must stay gone as long as there are older parts.
    let mut gone: BTreeSet<u128> = BTreeSet::new();
    if start > 0 {
        gone.extend(&table.gone);
        for listed in replaced.iter().filter_map(|held| held.part.listed()) {
            gone.extend(read_gone(folder, listed)?);
        }
        gone.retain(|key| !table.index.contains_key(key));
    }
    let mut listed = Listed { number, rows: 0, gone: gone.len() };
    let place = Fault::disk("a part");
    let out = folder.create(&listed.file()).map_err(&place)?;
    let schema = table.definition.kept();
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let mut writer =
        ArrowWriter::try_new(out, schema, Some(properties())).map_err(Fault::parquet("a part"))?;
    let (mut found, mut rows) = (Vec::new(), 0);
    for held in replaced.iter().chain(&table.memory) {
        let mut failed = None;
        held.part.read(&all, &held.dead, &mut |batch| {
            let written = push_run(&batch, &mut found, &mut rows)
                .and_then(|()| writer.write(&batch).map_err(Fault::parquet("a part")));
            written.map_err(|fault| {
                failed = Some(fault);
                Stop
            })
        })?;
        if let Some(fault) = failed {
            return Err(fault);
        }
    }
    listed.rows = rows as usize;
    let out = writer.into_inner().map_err(Fault::parquet("a part"))?;
    folder.finish(out).map_err(&place)?;
    if listed.rows == 0 && gone.is_empty() {
        folder.remove(&listed.file());
        return Ok(None);
    }
    if !gone.is_empty() {
        let bytes: Vec<u8> = gone.iter().flat_map(|key| key.to_be_bytes()).collect();
        folder.put(&listed.gone_file(), &bytes).map_err(&place)?;
    }
    Ok(Some((listed, found)))
}

/// The keys that a part says to be gone.
pub(super) fn read_gone(folder: &Folder, listed: &Listed) -> Result<Vec<u128>, Fault> {
    if listed.gone == 0 {
        return Ok(Vec::new());
    }
    let bytes = folder.get(&listed.gone_file()).map_err(Fault::disk("a part"))?;
    let keys: Vec<u128> = bytes
        .unwrap_or_default()
        .chunks_exact(16)
        .filter_map(|key| key.first_chunk::<16>().map(|key| u128::from_be_bytes(*key)))
        .collect();
    if keys.len() == listed.gone { Ok(keys) } else { Err(Fault::Broken("a part")) }
}

fn properties() -> WriterProperties {
    let key = ColumnPath::from(KEY);
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by(concat!("consilium ", env!("CARGO_PKG_VERSION")).to_owned())
        // Hashes are neither alike nor compressible.
        .set_column_dictionary_enabled(key.clone(), false)
        .set_column_compression(key, Compression::UNCOMPRESSED)
        .build()
}
