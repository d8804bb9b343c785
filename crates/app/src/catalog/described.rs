//! What is kept of a data set for the catalogue: what its holder says of it, and its numbers with noise.

use std::collections::BTreeSet;

use ::catalog::Date;
use ::catalog::description::Version;
use serde::{Deserialize, Serialize};
use statistics::Frame;
use store::{Guard, SideWrite, Snapshot, Transaction};

use super::about::About;
use super::counted::{Counted, NoiseKey, count};
use super::{Dataset, SPACE, columns};
use crate::records::write::retry;
use crate::{App, Error, Result};

/// A data set as the catalogue tells of it, in parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Described {
    /// What its holder says.
    pub about: About,
    /// Its numbers.
    pub counted: Counted,
    /// Its version.
    pub version: Version,
    /// Since when there has been one of its name, in milliseconds since the Unix epoch.
    pub issued_ms: i64,
    /// The digest of its rows. It stays here: somebody could try rows against it.
    pub digest: String,
}

/// What is written when a data set is taken in.
pub(super) fn writes(
    app: &App,
    snapshot: &dyn Snapshot,
    set: &Dataset,
    rows: &Frame,
    about: About,
) -> Result<Vec<SideWrite>> {
    about.check()?;
    let is_known = |name: &&str| set.dictionary.variable(name).is_some();
    if let Some(name) = named(&about).into_iter().find(|name| !is_known(name)) {
        let message = format!("there is a unit or code for `{name}`, which is no variable");
        return Err(Error::invalid("value", message));
    }
    let key = NoiseKey::of(app)?;
    let today = day(set.since_ms)?;
    let counted = count(&key, &set.name, &set.dictionary, rows, &today)?;
    let digest = crypto::hash::hex(&columns::digest(set, rows)?);
    let before = kept(snapshot, &set.name)?;
    let version = match &before {
        None => Version { major: 1, minor: 0, patch: 0 },
        Some(before) if before.digest == digest => {
            Version { patch: before.version.patch.saturating_add(1), ..before.version }
        }
        Some(before) => {
            Version { major: before.version.major.saturating_add(1), minor: 0, patch: 0 }
        }
    };
    let issued_ms = before.map_or(set.since_ms, |before| before.issued_ms);
    let described = Described { about, counted, version, issued_ms, digest };
    let text = serde_json::to_vec(&described).map_err(|e| Error::internal(e.to_string()))?;
    Ok(vec![SideWrite { space: SPACE, key: key_of(&set.name), value: Some(text) }])
}

/// What takes a description away with its data set.
pub(super) fn removal(name: &str) -> SideWrite {
    SideWrite { space: SPACE, key: key_of(name), value: None }
}

/// What a transaction rests on that takes a description away or adds one: that it is as it was read.
pub(super) fn is_still(snapshot: &dyn Snapshot, name: &str) -> Result<Guard> {
    let key = key_of(name);
    let value = snapshot.side(SPACE, &key)?;
    Ok(Guard::Side { space: SPACE, key, value })
}

fn kept(snapshot: &dyn Snapshot, name: &str) -> Result<Option<Described>> {
    let stored = snapshot.side(SPACE, &key_of(name))?;
    let read = |text: Vec<u8>| {
        serde_json::from_slice(&text).map_err(|_| Error::internal("a description is faulty"))
    };
    stored.map(read).transpose()
}

/// The data sets of this institution with what the catalogue tells of them, by name. Blocks. Sets that
/// came before there was a catalogue are counted first, and that is on disk before it is told.
pub(super) fn own(app: &App) -> Result<Vec<(Dataset, Described)>> {
    let sets = columns::described(&*app.store().snapshot()?)?;
    let mut out = Vec::with_capacity(sets.len());
    for set in sets {
        let found = kept(&*app.store().snapshot()?, &set.name)?;
        match found {
            Some(described) => out.push((set, described)),
            None => out.extend(catch_up(app, &set.name)?),
        }
    }
    Ok(out)
}

/// One data set of this institution.
pub(super) fn one(app: &App, name: &str) -> Result<(Dataset, Described)> {
    let snapshot = app.store().snapshot()?;
    let set = columns::description(&*snapshot, name)?.ok_or_else(Error::not_found)?;
    match kept(&*snapshot, name)? {
        Some(described) => Ok((set, described)),
        None => catch_up(app, name)?.ok_or_else(Error::not_found),
    }
}

/// Counts a data set that has no description. Nothing where it was removed meanwhile; what somebody else has written
/// meanwhile stays.
fn catch_up(app: &App, name: &str) -> Result<Option<(Dataset, Described)>> {
    retry(|| {
        let snapshot = app.store().snapshot()?;
        let Some(set) = columns::description(&*snapshot, name)? else { return Ok(None) };
        if let Some(described) = kept(&*snapshot, name)? {
            return Ok(Some((set, described)));
        }
        let names: Vec<String> = set.dictionary.variables.iter().map(|v| v.name.clone()).collect();
        let rows = columns::rows(&*snapshot, &set, &names)?;
        let side = writes(app, &*snapshot, &set, &rows, About::default())?;
        let guards = vec![columns::is_still(&*snapshot, name)?, is_still(&*snapshot, name)?];
        app.store().commit(Transaction { guards, side, ..Transaction::default() })?;
        let described = kept(&*app.store().snapshot()?, name)?;
        Ok(described.map(|described| (set, described)))
    })
}

/// The day of an instant in milliseconds since the Unix epoch, in UTC.
pub(super) fn day(ms: i64) -> Result<Date> {
    let text: String = fhir::time::instant(ms).chars().take(10).collect();
    Date::new(text).map_err(|e| Error::internal(e.to_string()))
}

/// The variables that units and codes name.
fn named(about: &About) -> BTreeSet<&str> {
    let codes = about.codes.keys().map(|key| key.split_once('=').map_or(key.as_str(), |(v, _)| v));
    about.units.keys().map(String::as_str).chain(codes).collect()
}

fn key_of(name: &str) -> Vec<u8> {
    format!("about/{name}").into_bytes()
}
