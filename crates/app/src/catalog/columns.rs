//! How the rows of a data set are kept: each column in pieces, packed.

use statistics::{Column, Frame, Kind};
use store::{Guard, SideWrite, Snapshot};

use super::{Dataset, MOST, SPACE};
use crate::{Error, Kind as Fault, Result};

/// Values in one piece.
const PIECE: usize = 64 * 1024;
/// Most pieces of one column that are read.
const MOST_PIECES: usize = 1_000;
/// What stands for a missing level.
const NO_LEVEL: u32 = u32::MAX;

/// The descriptions of all data sets.
pub(super) fn described(snapshot: &dyn Snapshot) -> Result<Vec<Dataset>> {
    let stored = snapshot.side_scan(SPACE, b"set/", MOST)?;
    stored.iter().map(|(_, value)| read_description(value)).collect()
}

/// The description of one data set.
pub(super) fn description(snapshot: &dyn Snapshot, name: &str) -> Result<Option<Dataset>> {
    let stored = snapshot.side(SPACE, &description_key(name))?;
    stored.map(|value| read_description(&value)).transpose()
}

/// What a transaction rests on that replaces a data set: that it is as it was read.
pub(super) fn is_still(snapshot: &dyn Snapshot, name: &str) -> Result<Guard> {
    let key = description_key(name);
    let value = snapshot.side(SPACE, &key)?;
    Ok(Guard::Side { space: SPACE, key, value })
}

/// The write that keeps a description alone.
pub(super) fn describe(set: &Dataset) -> Result<SideWrite> {
    let text = serde_json::to_vec(set).map_err(|e| Error::internal(e.to_string()))?;
    Ok(write(description_key(&set.name), Some(text)))
}

fn read_description(value: &[u8]) -> Result<Dataset> {
    serde_json::from_slice(value)
        .map_err(|_| Error::internal("the description of a data set is faulty"))
}

/// The writes that keep a data set; what was there under its name before is to be removed first.
pub(super) fn writes(set: &Dataset, frame: &Frame) -> Result<Vec<SideWrite>> {
    let mut out = vec![describe(set)?];
    for (place, variable) in set.dictionary.variables.iter().enumerate() {
        let column = frame.column(&variable.name).ok_or_else(|| {
            Error::invalid("value", format!("there is no column `{}`", variable.name))
        })?;
        for (number, piece) in packed(column).into_iter().enumerate() {
            out.push(write(piece_key(&set.name, place, number), Some(piece)));
        }
    }
    Ok(out)
}

/// The SHA-256 of what a data set holds: its variables and its rows.
pub(super) fn digest(set: &Dataset, frame: &Frame) -> Result<[u8; 32]> {
    let text = serde_json::to_vec(&set.dictionary).map_err(|e| Error::internal(e.to_string()))?;
    let mut hasher = crypto::hash::Sha256::new();
    hasher.update(&text);
    for column in set.dictionary.variables.iter().filter_map(|one| frame.column(&one.name)) {
        for piece in packed(column) {
            hasher.update(&piece);
        }
    }
    Ok(hasher.finish())
}

/// The writes that take a data set away.
pub(super) fn removals(snapshot: &dyn Snapshot, set: &Dataset) -> Result<Vec<SideWrite>> {
    let mut out = vec![write(description_key(&set.name), None)];
    for place in 0..set.dictionary.variables.len() {
        let prefix = column_prefix(&set.name, place);
        let pieces = snapshot.side_scan(SPACE, &prefix, MOST_PIECES)?;
        out.extend(pieces.into_iter().map(|(key, _)| write(key, None)));
    }
    Ok(out)
}

/// The columns of these variables of a data set.
pub(super) fn rows(snapshot: &dyn Snapshot, set: &Dataset, variables: &[String]) -> Result<Frame> {
    let mut columns = Vec::with_capacity(variables.len());
    for (place, variable) in set.dictionary.variables.iter().enumerate() {
        if !variables.contains(&variable.name) {
            continue;
        }
        let pieces = snapshot.side_scan(SPACE, &column_prefix(&set.name, place), MOST_PIECES)?;
        let bytes = pieces.iter().flat_map(|(_, piece)| piece);
        let column = unpacked(&variable.kind, bytes.copied())?;
        columns.push((variable.name.clone(), column));
    }
    Frame::new(columns).map_err(|e| Error::internal(e.to_string()))
}

fn packed(column: &Column) -> Vec<Vec<u8>> {
    match column {
        Column::Number(values) => {
            let bytes = |piece: &[Option<f64>]| {
                piece.iter().flat_map(|v| v.unwrap_or(f64::NAN).to_le_bytes()).collect()
            };
            values.chunks(PIECE).map(bytes).collect()
        }
        Column::Category(values) => {
            let bytes = |piece: &[Option<u32>]| {
                piece.iter().flat_map(|v| v.unwrap_or(NO_LEVEL).to_le_bytes()).collect()
            };
            values.chunks(PIECE).map(bytes).collect()
        }
    }
}

fn unpacked(kind: &Kind, mut bytes: impl Iterator<Item = u8>) -> Result<Column> {
    let mut next = |size: usize| -> Option<[u8; 8]> {
        let mut word = [0; 8];
        for place in word.iter_mut().take(size) {
            *place = bytes.next()?;
        }
        Some(word)
    };
    Ok(match kind {
        Kind::Number { .. } => {
            let mut values = Vec::new();
            while let Some(word) = next(8) {
                let value = f64::from_le_bytes(word);
                values.push(value.is_finite().then_some(value));
            }
            Column::Number(values)
        }
        Kind::Category { levels } => {
            let mut values = Vec::new();
            while let Some([a, b, c, d, ..]) = next(4) {
                let level = u32::from_le_bytes([a, b, c, d]);
                if level != NO_LEVEL && level as usize >= levels.len() {
                    return Err(Error::new(Fault::Internal, "a stored level is none"));
                }
                values.push((level != NO_LEVEL).then_some(level));
            }
            Column::Category(values)
        }
    })
}

fn write(key: Vec<u8>, value: Option<Vec<u8>>) -> SideWrite {
    SideWrite { space: SPACE, key, value }
}

fn description_key(name: &str) -> Vec<u8> {
    format!("set/{name}").into_bytes()
}

fn column_prefix(name: &str, place: usize) -> Vec<u8> {
    format!("rows/{name}/{place:05}/").into_bytes()
}

fn piece_key(name: &str, place: usize, number: usize) -> Vec<u8> {
    format!("rows/{name}/{place:05}/{number:05}").into_bytes()
}
