//! Compressed texts. Resources of one store resemble each other, so a dictionary trained on some
//! of them makes the others several times smaller than compression by itself (RFC 8878, section 5).
//!
//! Number and time of a version are known only when it is committed, and they stand in its text.
//! A mark stands for them in what is packed, so that texts are packed by those who bring them and
//! not by the writer; they are filled in out of the version's row when the text is read.

use std::collections::HashMap;
use std::sync::Arc;

use fhir::{Document, edit, time};
use parking_lot::{Mutex, RwLock};
use rusqlite::{Connection, OptionalExtension};
use store::AUDIT_START;
use zstd::zstd_safe::{self, CCtx, CDict, DCtx, DDict};

use super::fault::Fault;

/// Compression level; higher ones cost far more time than they save space here.
const LEVEL: i32 = 3;
/// The level for audit entries, of which every read makes one.
const QUICK_LEVEL: i32 = 1;
/// The number that stands for "no dictionary".
pub(super) const PLAIN: i64 = 0;

/// The dictionaries of one store, prepared for reading.
#[derive(Default)]
pub(super) struct Dictionaries(RwLock<HashMap<i64, Arc<DDict<'static>>>>);

impl Dictionaries {
    fn get(&self, conn: &Connection, number: i64) -> Result<Arc<DDict<'static>>, Fault> {
        if let Some(known) = self.0.read().get(&number) {
            return Ok(known.clone());
        }
        let prepared = Arc::new(DDict::create(&content(conn, number)?));
        self.0.write().insert(number, prepared.clone());
        Ok(prepared)
    }
}

/// The bytes of a dictionary.
pub(super) fn content(conn: &Connection, number: i64) -> Result<Vec<u8>, Fault> {
    let sql = "SELECT content FROM dictionary WHERE number = ?1";
    let content = conn.query_row(sql, [number], |row| row.get(0)).optional()?;
    content.ok_or(Fault::Corrupt("a dictionary is missing"))
}

/// What a dictionary is for. Audit entries are so unlike anything else, and so like each other, that
/// they have dictionaries of their own: they are packed in less time and space, and so are the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// All texts but audit entries.
    Resources,
    /// Audit entries; numbered downwards from -1.
    Entries,
}

impl Kind {
    /// Size of a dictionary in bytes. For resources twice the usual 64 KiB made texts a tenth smaller;
    /// that of entries stays in the processor's nearest cache.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Resources => 112 * 1024,
            Self::Entries => 32 * 1024,
        }
    }

    /// The number of the dictionary that follows number `newest`.
    pub(super) fn next(self, newest: i64) -> i64 {
        match self {
            Self::Resources => newest + 1,
            Self::Entries => newest - 1,
        }
    }
}

/// The number of the newest dictionary, [`PLAIN`] where there is none.
pub(super) fn newest(conn: &Connection, kind: Kind) -> Result<i64, Fault> {
    let sql = match kind {
        Kind::Resources => "SELECT coalesce(max(number), 0) FROM dictionary WHERE number > 0",
        Kind::Entries => "SELECT coalesce(min(number), 0) FROM dictionary WHERE number < 0",
    };
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

/// Whether a text is an audit entry.
pub(super) fn is_entry(text: &str) -> bool {
    text.starts_with(AUDIT_START)
}

/// Stands for number and time of a version: no JSON text holds a control character.
const MARK: char = '\u{1}';
/// Room for number and time of a version in bytes.
const STAMP: usize = 80;
/// Compressors that are kept for the next texts, with room for what they make; each takes about a megabyte.
const KEPT: usize = 4;
/// The most room in bytes that is kept with one.
const KEPT_ROOM: usize = 64 * 1024;

/// The text of a resource under its id, without number and time of the version.
pub(super) fn unstamped(resource: &Document, id: &str) -> String {
    edit::stamp_as(resource, id, MARK.encode_utf8(&mut [0; 4]))
}

/// The same of an audit entry that starts with [`AUDIT_START`].
pub(super) fn unstamped_entry(text: &str, id: &str) -> String {
    let rest = text.strip_prefix(AUDIT_START).unwrap_or_default();
    format!(r#"{AUDIT_START}"id":"{id}","meta":{{{MARK}}},{rest}"#)
}

/// Whether the stamp will be in this part of a text.
pub(super) fn is_marked(part: &str) -> bool {
    part.contains(MARK)
}

/// The text as it is read: with number and time of the version.
pub(super) fn stamped(mut text: String, version: u64, ms: i64) -> String {
    if let Some(at) = text.find(MARK) {
        let stamp = edit::version_stamp(version, &time::instant(ms));
        // Two moves of the rest, which `replace_range` would make a byte at a time.
        text.remove(at);
        text.insert_str(at, &stamp);
    }
    text
}

/// A text as it is stored.
pub(super) struct Body {
    /// The dictionary that it is packed with.
    pub(super) dictionary: i64,
    /// The packed text.
    pub(super) bytes: Vec<u8>,
}

impl Body {
    /// What is stored of a deletion.
    pub(super) fn empty() -> Self {
        Self { dictionary: PLAIN, bytes: Vec::new() }
    }
}

/// Compresses, with the newest dictionaries; for any number of threads.
pub(super) struct Packer {
    resources: Dictionary,
    entries: Dictionary,
    contexts: Mutex<Vec<(CCtx<'static>, Vec<u8>)>>,
}

/// A dictionary prepared for compressing.
struct Dictionary {
    number: i64,
    prepared: Option<CDict<'static>>,
}

impl Dictionary {
    fn new(conn: &Connection, number: i64, level: i32) -> Result<Self, Fault> {
        let prepared = match number {
            PLAIN => None,
            _ => Some(CDict::create(&content(conn, number)?, level)),
        };
        Ok(Self { number, prepared })
    }
}

impl Packer {
    pub(super) fn new(conn: &Connection) -> Result<Self, Fault> {
        let resources = newest(conn, Kind::Resources)?;
        // Until entries have one of their own, that of the others does.
        let entries = match newest(conn, Kind::Entries)? {
            PLAIN => resources,
            own => own,
        };
        Ok(Self {
            resources: Dictionary::new(conn, resources, LEVEL)?,
            entries: Dictionary::new(conn, entries, QUICK_LEVEL)?,
            contexts: Mutex::default(),
        })
    }

    /// Which dictionary is in use for all texts but audit entries.
    pub(super) fn number(&self) -> i64 {
        self.resources.number
    }

    /// Packs a text that is no audit entry.
    pub(super) fn pack(&self, text: &str) -> Result<Body, Fault> {
        self.pack_by(&self.resources, text)
    }

    /// Packs an audit entry: in less time and somewhat more space.
    pub(super) fn pack_entry(&self, text: &str) -> Result<Body, Fault> {
        self.pack_by(&self.entries, text)
    }

    /// Packs a text of either kind.
    pub(super) fn pack_any(&self, text: &str) -> Result<Body, Fault> {
        if is_entry(text) { self.pack_entry(text) } else { self.pack(text) }
    }

    fn pack_by(&self, by: &Dictionary, text: &str) -> Result<Body, Fault> {
        let kept = self.contexts.lock().pop();
        let (mut context, mut room) = kept.unwrap_or_else(|| (CCtx::create(), Vec::new()));
        room.clear();
        room.reserve(zstd_safe::compress_bound(text.len()));
        let done = match &by.prepared {
            Some(dictionary) => {
                context.compress_using_cdict(&mut room, text.as_bytes(), dictionary)
            }
            None => context.compress(&mut room, text.as_bytes(), LEVEL),
        };
        let bytes = room.as_slice().to_vec();
        let mut contexts = self.contexts.lock();
        if contexts.len() < KEPT && room.capacity() <= KEPT_ROOM {
            contexts.push((context, room));
        }
        drop(contexts);
        match done {
            Ok(_) => Ok(Body { dictionary: by.number, bytes }),
            Err(_) => Err(Fault::Corrupt("a text could not be compressed")),
        }
    }
}

/// Decompresses.
pub(super) struct Unpacker {
    context: DCtx<'static>,
}

impl Unpacker {
    pub(super) fn new() -> Self {
        Self { context: DCtx::create() }
    }

    pub(super) fn unpack(
        &mut self,
        conn: &Connection,
        dictionaries: &Dictionaries,
        number: i64,
        body: &[u8],
    ) -> Result<String, Fault> {
        let fault = Fault::Corrupt("a text cannot be decompressed");
        let size = match zstd_safe::get_frame_content_size(body) {
            Ok(Some(size)) => usize::try_from(size).ok(),
            _ => None,
        };
        let Some(size) = size.filter(|size| *size <= fhir::json::MAX_BYTES * 2) else {
            return Err(fault);
        };
        let mut text = Vec::with_capacity(size + STAMP);
        let done = match number {
            PLAIN => self.context.decompress(&mut text, body),
            _ => {
                let dictionary = dictionaries.get(conn, number)?;
                self.context.decompress_using_ddict(&mut text, body, &dictionary)
            }
        };
        match done.ok().and_then(|_| String::from_utf8(text).ok()) {
            Some(text) => Ok(text),
            None => Err(fault),
        }
    }
}
