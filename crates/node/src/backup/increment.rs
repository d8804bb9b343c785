//! The form of an increment: lines of JSON, compressed with zstd. The first says behind which
//! version it begins, then comes one for each version and each side value, and the last holds the
//! counts and a hash over all lines before, so that a file that is cut short or damaged is known.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::hash::{hex, sha256_of_parts};
use fhir::Id;
use serde::{Deserialize, Serialize};
use store::{Key, Method, Seq, Snapshot, Stored};

use crate::wiring::Fault;

/// The form that this program writes and reads.
const FORM: u32 = 1;
/// Versions that are read at a time.
const LOT: usize = 100;
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
}

/// The name of the increment with the versions behind `after` up to `last`.
pub fn name(after: Seq, last: Seq) -> String {
    format!("{after:015}-{last:015}.feed.zst")
}

/// The increments in a folder in order, with the versions they begin behind and end with.
pub fn list(folder: &Path) -> Result<Vec<(PathBuf, Seq, Seq)>, Fault> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbers = name.strip_suffix(".feed.zst").and_then(|name| name.split_once('-'));
        if let Some((Ok(after), Ok(last))) = numbers.map(|(a, b)| (a.parse(), b.parse())) {
            found.push((path, after, last));
        }
    }
    found.sort_by_key(|(_, after, last)| (*after, *last));
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

/// Writes everything behind `after` and all side values to `file`, and waits until it is on disk.
pub fn write(snapshot: &dyn Snapshot, after: Seq, file: File) -> Result<(), Fault> {
    let out = zstd::stream::write::Encoder::new(BufWriter::new(file), LEVEL)?;
    let mut lines = Lines { out, hash: [0; 32] };
    lines.push(&Line::Begin { form: FORM, after })?;
    let (mut at, mut versions, mut side) = (after, 0, 0);
    loop {
        let changes = snapshot.changes(at, LOT)?;
        let Some(last) = changes.last() else { break };
        at = last.seq;
        let seqs: Vec<Seq> = changes.iter().map(|change| change.seq).collect();
        for stored in snapshot.load(&seqs)? {
            versions += 1;
            lines.push(&version(stored))?;
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
    let mut file = lines.out.finish()?;
    file.flush()?;
    Ok(file.into_inner().map_err(|error| error.into_error())?.sync_all()?)
}

fn version(stored: Stored) -> Line {
    let method = match stored.method {
        Method::Post => "post",
        Method::Put => "put",
        Method::Delete => "delete",
    };
    Line::Version {
        seq: stored.seq,
        resource_type: stored.key.resource_type.to_owned(),
        id: stored.key.id.to_string(),
        version: stored.version,
        ms: stored.last_updated_ms,
        method: method.to_owned(),
        text: stored.text,
    }
}

/// Reads an increment to its end and hands on its versions one by one. Nothing that was handed on
/// may be trusted before it returns: read it once with a `take` that does nothing.
pub fn read(path: &Path, take: &mut dyn FnMut(Stored) -> Result<(), Fault>) -> Result<Rest, Fault> {
    let damaged = |why: &str| -> Fault { format!("`{}` is damaged: {why}", path.display()).into() };
    let mut reader = BufReader::new(zstd::stream::read::Decoder::new(File::open(path)?)?);
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
            Line::Begin { form: FORM, .. } if !begun => begun = true,
            Line::Begin { form, .. } => {
                return Err(
                    format!("`{}` has form `{form}`; use a newer program", path.display()).into()
                );
            }
            _ if !begun => return Err(damaged("it does not begin as it should")),
            Line::Version { .. } => {
                versions += 1;
                take(stored(line).ok_or_else(|| damaged("a version cannot be read"))?)?;
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

fn stored(line: Line) -> Option<Stored> {
    let Line::Version { seq, resource_type, id, version, ms, method, text } = line else {
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
    Some(Stored { key, version, seq, last_updated_ms: ms, method, text })
}
