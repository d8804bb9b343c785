//! The form of an increment: lines of JSON, compressed with zstd. The first says behind which
//! version it begins, then comes one for each version and each side value, and the last holds the
//! counts and a hash over all lines before, so that a file that is cut short or damaged is known.
//!
//! Of a node whose keys are in a box the file is sealed (`crypto::stream`), and within it every text
//! that is about patients is sealed once more under the keys of these patients together, which are
//! not in the backup. When one of them is destroyed, the text stays closed for ever, in every copy;
//! it is read as a deletion. Entries of the audit are about what was done and are sealed as part of
//! the file alone.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::SystemRandom;
use crypto::aead::AeadKey;
use crypto::hash::{hex, sha256_of_parts};
use crypto::stream::{Opener, Sealer, is_sealed};
use fhir::{Id, Resource};
use serde::{Deserialize, Serialize};
use store::rules::AUDIT_TYPE;
use store::{Key, Method, Seq, Snapshot, Stored};

use crate::keys::ring::Ring;
use crate::wiring::Fault;

/// The form of a file that is not sealed.
const FORM: u32 = 1;
/// The form of a sealed one.
const SEALED_FORM: u32 = 2;
/// Versions that are read at a time.
const LOT: usize = 100;
/// Keys of patients that are kept at a time.
const MOST_KNOWN: usize = 10_000;
/// Compression level.
const LEVEL: i32 = 6;
/// Bytes of the longest line.
const MOST_BYTES: u64 = 512 << 20;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    /// The first.
    Begin { form: u32, after: Seq },
    /// A version.
    Version {
        seq: Seq,
        resource_type: String,
        id: String,
        version: u64,
        ms: i64,
        method: String,
        text: String,
        /// The patients whose keys seal the text, which is then compressed, sealed, and in base64.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        units: Option<Vec<String>>,
    },
    /// A side value.
    Side { space: String, key: String, value: String },
    /// The last.
    End { versions: u64, side: u64, seq: Seq, hash: String },
}

/// What an increment holds beside its versions.
#[derive(Debug, Default)]
pub struct Rest {
    /// Every side value at its end: namespace, key, value.
    pub side: Vec<(String, Vec<u8>, Vec<u8>)>,
    /// The newest version in it.
    pub seq: Seq,
    /// Versions whose text stays closed, because the key of a patient was destroyed.
    pub closed: Vec<Key>,
}

/// An increment in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// It begins behind this version.
    pub after: Seq,
    /// And ends with this one.
    pub last: Seq,
    /// What tells the last version from one of another store; only sealed files have it.
    pub mark: Option<String>,
}

/// The name of the increment with the versions behind `after` up to `last`.
pub fn name(after: Seq, last: Seq, mark: Option<&str>) -> String {
    match mark {
        Some(mark) => format!("{after:015}-{last:015}-{mark}.feed.sealed"),
        None => format!("{after:015}-{last:015}.feed.zst"),
    }
}

/// What tells a version from one of another store with the same number: digits of a hash over its name
/// and time.
pub fn mark(stored: &Stored) -> String {
    let Stored { key, version, last_updated_ms, .. } = stored;
    let name = format!("{}/{}/{version}/{last_updated_ms}", key.resource_type, key.id);
    hex(&crypto::sha256(name.as_bytes())).chars().take(12).collect()
}

/// The increments in a folder in order.
pub fn list(folder: &Path) -> Result<Vec<Part>, Fault> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (stem, sealed) = match name.split_once(".feed.") {
            Some((stem, "zst")) => (stem, false),
            Some((stem, "sealed")) => (stem, true),
            _ => continue,
        };
        let mut pieces = stem.splitn(3, '-');
        let mut number = || pieces.next().and_then(|piece| piece.parse().ok());
        let (Some(after), Some(last)) = (number(), number()) else { continue };
        let mark = pieces.next().filter(|_| sealed).map(str::to_owned);
        found.push(Part { path, after, last, mark });
    }
    found.sort_by_key(|part| (part.after, part.last));
    Ok(found)
}

/// Writes lines and hashes them.
struct Lines<W: Write> {
    out: W,
    hash: [u8; 32],
}

impl<W: Write> Lines<W> {
    fn push(&mut self, line: &Line) -> Result<(), Fault> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.hash = sha256_of_parts(&[&self.hash, &text]);
        Ok(self.out.write_all(&text)?)
    }
}

/// Writes everything behind `after` and all side values to `file`, sealed where there is a ring, and
/// waits until it is on disk.
pub fn write(
    snapshot: &dyn Snapshot,
    after: Seq,
    file: File,
    ring: Option<&Ring>,
) -> Result<(), Fault> {
    let file = BufWriter::new(file);
    let file = match ring {
        None => write_lines(snapshot, after, file, None)?,
        Some(ring) => {
            let (number, key) = ring.file_key()?;
            let out = Sealer::new(file, (number, &key), &SystemRandom)?;
            write_lines(snapshot, after, out, Some(ring))?.finish()?
        }
    };
    Ok(file.into_inner().map_err(|error| error.into_error())?.sync_all()?)
}

fn write_lines<W: Write>(
    snapshot: &dyn Snapshot,
    after: Seq,
    out: W,
    ring: Option<&Ring>,
) -> Result<W, Fault> {
    let out = zstd::stream::write::Encoder::new(out, LEVEL)?;
    let mut lines = Lines { out, hash: [0; 32] };
    let form = if ring.is_some() { SEALED_FORM } else { FORM };
    lines.push(&Line::Begin { form, after })?;
    let mut units = Units { ring, known: HashMap::new() };
    let (mut at, mut versions, mut side) = (after, 0, 0);
    loop {
        let changes = snapshot.changes(at, LOT)?;
        let Some(last) = changes.last() else { break };
        at = last.seq;
        let seqs: Vec<Seq> = changes.iter().map(|change| change.seq).collect();
        for stored in snapshot.load(&seqs)? {
            versions += 1;
            lines.push(&version(stored, &mut units)?)?;
        }
    }
    for space in snapshot.side_spaces()? {
        for (key, value) in snapshot.side_scan(&space, b"", usize::MAX)? {
            side += 1;
            let (key, value) = (BASE64.encode(key), BASE64.encode(value));
            lines.push(&Line::Side { space: space.clone(), key, value })?;
        }
    }
    let hash = hex(&lines.hash);
    lines.push(&Line::End { versions, side, seq: at, hash })?;
    let mut out = lines.out.finish()?;
    out.flush()?;
    Ok(out)
}

/// Seals texts under the keys of patients, which take a while to compute and so are kept.
struct Units<'a> {
    ring: Option<&'a Ring>,
    known: HashMap<Vec<Id>, (Vec<String>, AeadKey)>,
}

impl Units<'_> {
    /// The text of a version, and the units that seal it.
    fn seal(&mut self, stored: &mut Stored) -> Result<Option<Vec<String>>, Fault> {
        let is_open = stored.text.is_empty() || stored.key.resource_type == AUDIT_TYPE;
        let Some(ring) = self.ring.filter(|_| !is_open) else { return Ok(None) };
        let text = std::mem::take(&mut stored.text);
        let packed = zstd::bulk::compress(text.as_bytes(), LEVEL)?;
        let resource = Resource::parse(text)
            .map_err(|e| format!("stored version {} cannot be read: {e}", stored.seq))?;
        let mut patients = app::records::patients_of(&resource);
        patients.sort();
        patients.dedup();
        if !self.known.contains_key(&patients) {
            if self.known.len() >= MOST_KNOWN {
                self.known.clear();
            }
            let names: Option<Vec<String>> = patients.iter().map(|id| ring.unit(id)).collect();
            let names = names.ok_or("a patient was erased too often to be kept under this id")?;
            let key = ring.unit_key(&names).ok_or("the key of a patient is missing")?;
            self.known.insert(patients.clone(), (names, key));
        }
        let (names, key) = self.known.get(&patients).ok_or("the key of a patient is missing")?;
        let sealed = key.seal(&context(&stored.key, stored.version), &packed, &SystemRandom)?;
        stored.text = BASE64.encode(sealed);
        Ok(Some(names.clone()))
    }
}

fn context(key: &Key, version: u64) -> Vec<u8> {
    format!("consilium backup {}/{}/{version}", key.resource_type, key.id).into_bytes()
}

fn version(mut stored: Stored, units: &mut Units<'_>) -> Result<Line, Fault> {
    let units = units.seal(&mut stored)?;
    let method = match stored.method {
        Method::Post => "post",
        Method::Put => "put",
        Method::Delete => "delete",
    };
    Ok(Line::Version {
        seq: stored.seq,
        resource_type: stored.key.resource_type.to_owned(),
        id: stored.key.id.to_string(),
        version: stored.version,
        ms: stored.last_updated_ms,
        method: method.to_owned(),
        text: stored.text,
        units,
    })
}

/// Reads an increment to its end and hands on its versions one by one. Nothing that was handed on
/// may be trusted before it returns: read it once with a `take` that does nothing. `ring` is that of
/// the node whose backup it is.
pub fn read(
    path: &Path,
    ring: Option<&Ring>,
    take: &mut dyn FnMut(Stored) -> Result<(), Fault>,
) -> Result<Rest, Fault> {
    let mut file = BufReader::new(File::open(path)?);
    if !is_sealed(file.fill_buf()?) {
        return read_lines(path, file, None, take);
    }
    let ring = ring.ok_or_else(|| {
        format!("`{}` is sealed; name the folder of the node's keys with `--keys`", path.display())
    })?;
    let opened = Opener::new(file, |number| ring.file_key_of(number)).map_err(|_| {
        let path = path.display();
        format!("`{path}` does not open with these keys; use those of the node that made it")
    })?;
    read_lines(path, opened, Some(ring), take)
}

fn read_lines<R: Read>(
    path: &Path,
    input: R,
    ring: Option<&Ring>,
    take: &mut dyn FnMut(Stored) -> Result<(), Fault>,
) -> Result<Rest, Fault> {
    let damaged = |why: &str| -> Fault { format!("`{}` is damaged: {why}", path.display()).into() };
    let mut reader = BufReader::new(zstd::stream::read::Decoder::new(input)?);
    let expected = if ring.is_some() { SEALED_FORM } else { FORM };
    let (mut hash, mut versions) = ([0; 32], 0);
    let mut rest = Rest::default();
    let mut begun = false;
    loop {
        let mut text = Vec::new();
        let size = reader.by_ref().take(MOST_BYTES).read_until(b'\n', &mut text);
        if size.map_err(|_| damaged("it cannot be decompressed"))? == 0 {
            return Err(damaged("it ends too early"));
        }
        let line: Line =
            serde_json::from_slice(&text).map_err(|_| damaged("a line cannot be read"))?;
        match line {
            Line::Begin { form, .. } if !begun && form == expected => begun = true,
            Line::Begin { form, .. } => {
                return Err(
                    format!("`{}` has form `{form}`; use a newer program", path.display()).into()
                );
            }
            _ if !begun => return Err(damaged("it does not begin as it should")),
            Line::Version { .. } => {
                versions += 1;
                let unreadable = || damaged("a version cannot be read");
                let (stored, closed) = stored(line, ring).ok_or_else(unreadable)?;
                if closed {
                    rest.closed.push(stored.key.clone());
                }
                take(stored)?;
            }
            Line::Side { space, key, value } => match (BASE64.decode(key), BASE64.decode(value)) {
                (Ok(key), Ok(value)) => rest.side.push((space, key, value)),
                _ => return Err(damaged("a side value cannot be read")),
            },
            Line::End { versions: counted, side, seq, hash: noted } => {
                let sound = counted == versions && side == rest.side.len() as u64;
                if !sound || noted != hex(&hash) {
                    return Err(damaged("its hash or its counts are wrong"));
                }
                rest.seq = seq;
                return Ok(rest);
            }
        }
        hash = sha256_of_parts(&[&hash, &text]);
    }
}

/// A version, and whether its text stays closed.
fn stored(line: Line, ring: Option<&Ring>) -> Option<(Stored, bool)> {
    let Line::Version { seq, resource_type, id, version, ms, method, text, units } = line else {
        return None;
    };
    let resource_type = fhir::definitions::resource_type(&resource_type)?;
    let method = match method.as_str() {
        "post" => Method::Post,
        "put" => Method::Put,
        "delete" => Method::Delete,
        _ => return None,
    };
    let key = Key { resource_type, id: Id::new(id).ok()? };
    let mut found = Stored { key, version, seq, last_updated_ms: ms, method, text };
    let Some(units) = units else { return Some((found, false)) };
    let Some(unit) = ring?.unit_key(&units) else {
        (found.method, found.text) = (Method::Delete, String::new());
        return Some((found, true));
    };
    let sealed = BASE64.decode(std::mem::take(&mut found.text)).ok()?;
    let packed = unit.open(&context(&found.key, version), &sealed).ok()?;
    let most = fhir::json::MAX_BYTES as u64 * 2;
    let unpacked = zstd::stream::read::Decoder::new(packed.as_slice()).ok()?;
    unpacked.take(most).read_to_string(&mut found.text).ok()?;
    Some((found, false))
}
