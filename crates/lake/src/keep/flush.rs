//! Committing: what is in memory becomes parts on disk, and parts become fewer and larger.
//!
//! Parts stand in the order of their age, and rows of a younger part replace those of the same
//! resource in an older one. So only neighbours are put together, and what a part says to be gone
//! has to be kept until no older part is left. What is gone for good is taken out of each part where it stands
//! ([`Lake::scrub`]).

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
use super::open::{Lake, Writer};
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

/// What becomes of a table by a commit: these of its parts on disk, and those in memory where they are
/// named, become one.
struct Step {
    start: usize,
    end: usize,
    with_memory: bool,
    made: Option<(Listed, Vec<Run>)>,
}

impl Step {
    /// Which parts are replaced; nothing is made of them yet.
    fn of(start: usize, end: usize, with_memory: bool) -> Self {
        Self { start, end, with_memory, made: None }
    }
}

impl Lake {
    /// Takes rows that are gone out of the files: in each table the oldest part that has such rows is
    /// written anew without them. Everything that was taken in is committed first. Returns whether there
    /// are more such parts; each call holds the lake for one part of each table, so that changes come
    /// between.
    ///
    /// Errors: those of the disk; the last committed state stays.
    pub fn scrub(&self) -> Result<bool, Fault> {
        let mut writer = self.writer.lock();
        if writer.tables.iter().any(|table| table.applied != table.committed) {
            let flushed = writer.flush();
            self.show(&writer);
            flushed?;
        }
        let scrubbed = writer.scrub();
        self.show(&writer);
        scrubbed
    }
}

impl Writer {
    /// Commits everything that was taken in. After an error nothing has changed but that it took
    /// room on the disk.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        let steps: Vec<Step> = self.tables.iter().map(chosen).collect();
        self.carry_out(steps)
    }

    fn scrub(&mut self) -> Result<bool, Fault> {
        let first = |table: &TableState| table.disk.iter().position(|held| held.dead.count() > 0);
        if self.tables.iter().all(|table| first(table).is_none()) {
            return Ok(false);
        }
        let step = |table: &TableState| {
            let end = table.disk.len();
            first(table).map_or(Step::of(end, end, false), |at| Step::of(at, at + 1, false))
        };
        let steps: Vec<Step> = self.tables.iter().map(step).collect();
        self.carry_out(steps)?;
        Ok(self.tables.iter().any(|table| first(table).is_some()))
    }

    /// Writes what the steps name, commits it, and takes it over. After an error nothing has changed but
    /// that it took room on the disk.
    fn carry_out(&mut self, mut steps: Vec<Step>) -> Result<(), Fault> {
        for (table, step) in self.tables.iter().zip(&mut steps) {
            let number = self.next;
            self.next += 1;
            step.made = write(&self.folder, table, step, number)?;
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
    let held = part.map(|part| Held { part: Arc::new(part), dead: Arc::default() });
    for old in table.disk.splice(step.start..step.end, held) {
        old.part.forget();
    }
    if step.with_memory {
        table.memory.clear();
        table.gone.clear();
        table.committed = table.applied;
    }
}

/// Chooses what is put together.
fn chosen(table: &TableState) -> Step {
    let end = table.disk.len();
    let (mut start, mut rows) = (end, table.memory.iter().map(Held::alive).sum::<usize>());
    if table.memory.is_empty() && table.gone.is_empty() {
        return Step::of(start, end, true);
    }
    while let Some(held) = start.checked_sub(1).and_then(|at| table.disk.get(at)) {
        let alive = held.alive();
        // A part most of whose rows are gone is not worth keeping as it is.
        let thin = alive * 2 < held.part.rows;
        if !(thin || alive <= rows.saturating_mul(GROW)) || alive + rows > MAX_PART_ROWS {
            break;
        }
        (start, rows) = (start - 1, rows + alive);
    }
    Step::of(start, end, true)
}

/// Writes the parts that a step names as one; nothing where no row is left and nothing older has to be
/// hidden, or where nothing is named.
fn write(
    folder: &Folder,
    table: &TableState,
    step: &Step,
    number: u64,
) -> Result<Option<(Listed, Vec<Run>)>, Fault> {
    let replaced = table.disk.get(step.start..step.end).unwrap_or_default();
    let memory = if step.with_memory { table.memory.as_slice() } else { &[] };
    let fresh = step.with_memory && !table.gone.is_empty();
    if replaced.is_empty() && memory.is_empty() && !fresh {
        return Ok(None);
    }
    // What is gone must stay gone as long as there are older parts.
    let mut gone: BTreeSet<u128> = BTreeSet::new();
    if step.start > 0 {
        if step.with_memory {
            gone.extend(&table.gone);
        }
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
    for held in replaced.iter().chain(memory) {
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
