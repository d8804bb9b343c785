//! A lake from its folder.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crypto::Random;
use crypto::aead::AeadKey;
use parking_lot::{Mutex, RwLock};

use super::disk::Folder;
use super::flush::{Run, push_run, read_gone};
use super::index::{Keys, Place};
use super::manifest::{self, Manifest};
use super::part::{Dead, Part, Stop};
use super::snapshot::{Seen, Snapshot, TableView};
use super::state::{Held, TableState};
use crate::Fault;
use crate::definition::{Definition, person};

/// The most tables of a lake.
const MAX_TABLES: usize = 200;

/// Tables of views over the records of a node, kept current from the change feed.
///
/// One process at a time has a folder. Memory: [`super::FLUSH_ROWS`] rows of each table that are
/// not on disk yet, and about 50 bytes for each resource in each table that has rows of it.
pub struct Lake {
    pub(super) writer: Mutex<Writer>,
    current: RwLock<Arc<Snapshot>>,
}

/// What one change at a time works on.
pub(super) struct Writer {
    pub folder: Arc<Folder>,
    pub tables: Vec<TableState>,
    pub next: u64,
}

/// How large a lake is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Parts on disk.
    pub parts: usize,
    /// Bytes of them.
    pub disk_bytes: u64,
    /// Bytes of rows in memory.
    pub memory_bytes: u64,
    /// Rows that queries see, patients who are left out included.
    pub rows: usize,
    /// Rows that nobody sees any more, and that are in the files or in memory still.
    pub gone: usize,
}

impl Lake {
    /// Opens a lake, which is made where there is none; `without` are the ids of the patients whom
    /// no query sees. Tables of views that are new or have changed begin empty and bring the
    /// position back to 0; tables of views that are no longer among `definitions` are dropped with the
    /// next commit.
    ///
    /// Errors: [`Fault::View`] for two views with one name, [`Fault::Sealed`] for another key or
    /// changed files, [`Fault::Broken`] for files that say what they cannot, and those of the disk.
    pub fn open<'p>(
        folder: PathBuf,
        key: AeadKey,
        random: Arc<dyn Random>,
        definitions: Vec<Definition>,
        without: impl IntoIterator<Item = &'p str>,
    ) -> Result<Self, Fault> {
        let folder = Folder::open(folder, key, random).map_err(Fault::disk("opening"))?;
        Self::of(
            Arc::new(folder),
            definitions,
            Seen::AllBut(without.into_iter().map(person).collect()),
        )
    }

    pub(super) fn of(
        folder: Arc<Folder>,
        definitions: Vec<Definition>,
        seen: Seen,
    ) -> Result<Self, Fault> {
        check(&definitions)?;
        let text = folder.get(manifest::FILE).map_err(Fault::disk("the manifest"))?;
        let manifest = match text {
            None => Manifest { form: manifest::FORM, next: 0, tables: Vec::new() },
            Some(text) => {
                serde_json::from_slice(&text).map_err(|_| Fault::Broken("the manifest"))?
            }
        };
        if manifest.form != manifest::FORM {
            return Err(Fault::Broken("the manifest"));
        }
        sweep(&folder, &manifest)?;
        let mut tables = Vec::new();
        for definition in definitions {
            let hash = crypto::hash::hex(definition.hash());
            let known = manifest
                .tables
                .iter()
                .find(|table| table.name == definition.name() && table.hash == hash);
            let mut table = TableState::new(Arc::new(definition));
            if let Some(known) = known {
                load(&folder, &mut table, known)?;
            }
            tables.push(table);
        }
        let writer = Writer { folder, tables, next: manifest.next };
        let snapshot = RwLock::new(Arc::new(writer.snapshot(Arc::new(seen))));
        Ok(Self { writer: Mutex::new(writer), current: snapshot })
    }

    /// The last change of the feed that is on disk in every table: the feed is to be read from
    /// behind it when the lake is opened again. 0 where a view has to be built from the start.
    pub fn position(&self) -> u64 {
        self.writer.lock().tables.iter().map(|table| table.committed).min().unwrap_or(0)
    }

    /// The last change that queries see in every table.
    pub fn applied(&self) -> u64 {
        self.writer.lock().tables.iter().map(|table| table.applied).min().unwrap_or(0)
    }

    /// The names of the tables that are behind others and have to be built from the start: those
    /// of views that are new or have changed.
    pub fn rebuilding(&self) -> Vec<String> {
        let writer = self.writer.lock();
        let furthest = writer.tables.iter().map(|table| table.applied).max().unwrap_or(0);
        let behind = writer.tables.iter().filter(|table| table.applied < furthest);
        behind.map(|table| table.definition.name().to_owned()).collect()
    }

    /// Commits what is in memory. The caller does so when it has not been done for a while and
    /// before it stops.
    ///
    /// Errors: those of the disk; the last committed state stays.
    pub fn flush(&self) -> Result<(), Fault> {
        let mut writer = self.writer.lock();
        if writer.tables.iter().all(|table| table.applied == table.committed) {
            return Ok(());
        }
        let flushed = writer.flush();
        self.show(&writer);
        flushed
    }

    /// Names the patients whom no query sees from now on, in place of those named before. Rows that a
    /// query has read already stay with it.
    pub fn leave_out<'p>(&self, without: impl IntoIterator<Item = &'p str>) {
        self.see(Seen::AllBut(without.into_iter().map(person).collect()));
    }

    /// Names the patients whom alone queries see from now on, in place of what was said before. Rows that a
    /// query has read already stay with it.
    pub fn let_in<'p>(&self, people: impl IntoIterator<Item = &'p str>) {
        self.see(Seen::Only(people.into_iter().map(person).collect()));
    }

    fn see(&self, seen: Seen) {
        let writer = self.writer.lock();
        *self.current.write() = Arc::new(writer.snapshot(Arc::new(seen)));
    }

    /// What queries see now. It stays as it is while it is held.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read())
    }

    /// How large the lake is.
    pub fn size(&self) -> Size {
        let writer = self.writer.lock();
        let mut size = Size::default();
        for table in &writer.tables {
            size.parts += table.disk.len();
            size.disk_bytes += table.disk.iter().map(|held| held.part.bytes()).sum::<u64>();
            size.memory_bytes += table.memory.iter().map(|held| held.part.bytes()).sum::<u64>();
            for held in table.disk.iter().chain(&table.memory) {
                size.rows += held.alive();
                size.gone += held.dead.count();
            }
        }
        size
    }

    /// Shows queries what the writer has.
    pub(super) fn show(&self, writer: &Writer) {
        let seen = Arc::clone(&self.current.read().seen);
        *self.current.write() = Arc::new(writer.snapshot(seen));
    }
}

impl Writer {
    fn snapshot(&self, seen: Arc<Seen>) -> Snapshot {
        let table = |table: &TableState| TableView {
            definition: Arc::clone(&table.definition),
            parts: table
                .disk
                .iter()
                .chain(&table.memory)
                .map(|held| (Arc::clone(&held.part), Arc::clone(&held.dead)))
                .collect(),
        };
        Snapshot { tables: self.tables.iter().map(table).map(Arc::new).collect(), seen }
    }
}

fn check(definitions: &[Definition]) -> Result<(), Fault> {
    if definitions.len() > MAX_TABLES {
        return Err(Fault::Limit("tables"));
    }
    let mut names = HashSet::new();
    for definition in definitions {
        if !names.insert(definition.name()) {
            let reason = "another view has the same name".into();
            return Err(Fault::View { name: definition.name().into(), reason });
        }
    }
    Ok(())
}

/// Removes files that no manifest lists: what a crash has left.
fn sweep(folder: &Folder, manifest: &Manifest) -> Result<(), Fault> {
    let parts = manifest.tables.iter().flat_map(|table| &table.parts);
    let listed: HashSet<String> = parts.flat_map(|part| [part.file(), part.gone_file()]).collect();
    for name in folder.names().map_err(Fault::disk("opening"))? {
        let ours = [".rows", ".gone", ".new"].iter().any(|ending| name.ends_with(ending));
        if ours && !listed.contains(&name) {
            folder.remove(&name);
        }
    }
    Ok(())
}

/// Opens the parts of a table, and finds out which rows of them were replaced by younger ones.
fn load(
    folder: &Arc<Folder>,
    table: &mut TableState,
    known: &manifest::Table,
) -> Result<(), Fault> {
    (table.applied, table.committed) = (known.position, known.position);
    let mut seen = Keys::default();
    let last = table.definition.kept().fields().len() - 1;
    let mut parts = HashMap::new();
    for listed in known.parts.iter().rev() {
        let part = Part::open(Arc::clone(folder), listed.clone())?;
        let (mut found, mut rows): (Vec<Run>, u32) = (Vec::new(), 0);
        let mut failed = None;
        part.read(&[last], &Dead::default(), &mut |batch| {
            push_run(&batch, &mut found, &mut rows).map_err(|fault| {
                failed = Some(fault);
                Stop
            })
        })?;
        if let Some(fault) = failed {
            return Err(fault);
        }
        let mut dead = Dead::default();
        for (key, first, count) in found {
            if seen.insert(key) {
                table.index.insert(key, Place { part: part.number, first, count });
            } else {
                dead.mark(first, count);
            }
        }
        seen.extend(read_gone(folder, listed)?);
        parts.insert(listed.number, Held { part: Arc::new(part), dead: Arc::new(dead) });
    }
    table.disk = known.parts.iter().filter_map(|listed| parts.remove(&listed.number)).collect();
    Ok(())
}
