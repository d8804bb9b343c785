//! What is kept of a twin: what its holder says of it, what was paid, and what was drawn, in pieces.

use serde::{Deserialize, Serialize};
use statistics::Dictionary;
use store::{Guard, SideWrite, Snapshot};

use super::Offer;
use crate::catalog::{Dataset, MOST, SPACE};
use crate::{Error, Result};

/// Bytes in one piece of the text.
const PIECE: usize = 512 * 1024;
/// Most pieces that are read.
const MOST_PIECES: usize = 1_000;
/// How long a twin stays although the rows have changed, in milliseconds: 30 days.
const STAYS_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// How long one that could not be drawn is not tried again, in milliseconds: an hour.
const RESTS_MS: i64 = 60 * 60 * 1000;
const PREFIX: &str = "twin/";

/// A twin that was drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// What it cost everybody in the data set: ε in millionths.
    pub micro_epsilon: u64,
    /// How many rows it has.
    pub rows: u64,
    /// When it was drawn, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The dictionary of the data set at that time, which its rows are by.
    pub dictionary: Dictionary,
    /// The pairs of variables whose relation it keeps.
    pub pairs: Vec<(String, String)>,
    /// The standard deviation of the noise on one count of a variable, and on one of a pair that is kept.
    pub deviations: [f64; 2],
    /// Its first rows, field by field.
    pub first: Vec<Vec<String>>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its digest.
    pub sha256: String,
    /// Since when the data set had the rows that it was drawn from.
    pub(super) since_ms: i64,
    /// The digest of these rows. It stays here: somebody could try rows against it.
    pub(super) digest: String,
}

/// What is kept of the twin of a data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What its holder says; nothing where there shall be none.
    pub offer: Option<Offer>,
    /// The last one that was drawn.
    pub drawn: Option<Drawn>,
    /// ε in millionths that was paid for one that is not drawn yet.
    pub paid: Option<u64>,
    /// When it could not be drawn, in milliseconds since the Unix epoch.
    pub tried_ms: Option<i64>,
}

impl Kept {
    /// What is kept of the twin of this data set.
    pub fn read(snapshot: &dyn Snapshot, name: &str) -> Result<Self> {
        let stored = snapshot.side(SPACE, &key(name))?;
        stored.map_or_else(|| Ok(Self::default()), |text| parse(&text))
    }

    /// What is kept of all twins, by the names of their data sets.
    pub fn all(snapshot: &dyn Snapshot) -> Result<Vec<(String, Self)>> {
        let stored = snapshot.side_scan(SPACE, PREFIX.as_bytes(), MOST)?;
        let name = |key: &[u8]| {
            let key = std::str::from_utf8(key).ok()?;
            key.strip_prefix(PREFIX).map(str::to_owned)
        };
        let known = stored.iter().filter_map(|(key, text)| Some((name(key)?, text)));
        known.map(|(name, text)| parse(text).map(|kept| (name, kept))).collect()
    }

    /// The write that keeps it.
    pub fn write(&self, name: &str) -> Result<SideWrite> {
        let text = serde_json::to_vec(self).map_err(|e| Error::internal(e.to_string()))?;
        Ok(SideWrite { space: SPACE, key: key(name), value: Some(text) })
    }

    /// Whether one is to be drawn: the first as soon as it is offered, another one when the rows are others and the
    /// last has stayed for long enough.
    pub fn is_due(&self, set: &Dataset, now_ms: i64) -> bool {
        let is_old = |drawn: &Drawn| {
            drawn.since_ms != set.since_ms && drawn.at_ms.saturating_add(STAYS_MS) <= now_ms
        };
        self.offer.is_some() && self.drawn.as_ref().is_none_or(is_old)
    }

    /// Whether it was tried in vain a short while ago.
    pub fn rests(&self, now_ms: i64) -> bool {
        self.tried_ms.is_some_and(|tried| tried.saturating_add(RESTS_MS) > now_ms)
    }
}

/// What a transaction rests on that changes what is kept: that it is as it was read.
pub(super) fn is_still(snapshot: &dyn Snapshot, name: &str) -> Result<Guard> {
    let key = key(name);
    let value = snapshot.side(SPACE, &key)?;
    Ok(Guard::Side { space: SPACE, key, value })
}

/// The text of a twin.
pub(super) fn text(snapshot: &dyn Snapshot, name: &str) -> Result<String> {
    let pieces = snapshot.side_scan(SPACE, &pieces(name), MOST_PIECES)?;
    let bytes: Vec<u8> = pieces.into_iter().flat_map(|(_, piece)| piece).collect();
    String::from_utf8(bytes).map_err(|_| Error::internal("the text of a twin is faulty"))
}

/// The writes that keep a text in the place of another.
pub(super) fn text_writes(
    snapshot: &dyn Snapshot,
    name: &str,
    text: &str,
) -> Result<Vec<SideWrite>> {
    let mut out = text_removals(snapshot, name)?;
    for (number, piece) in text.as_bytes().chunks(PIECE).enumerate() {
        let mut key = pieces(name);
        key.extend_from_slice(format!("{number:05}").as_bytes());
        out.push(SideWrite { space: SPACE, key, value: Some(piece.to_vec()) });
    }
    Ok(out)
}

/// The writes that take a text away.
pub(super) fn text_removals(snapshot: &dyn Snapshot, name: &str) -> Result<Vec<SideWrite>> {
    let stored = snapshot.side_scan(SPACE, &pieces(name), MOST_PIECES)?;
    Ok(stored.into_iter().map(|(key, _)| SideWrite { space: SPACE, key, value: None }).collect())
}

/// The write that takes away what is kept, but for the text.
pub(super) fn removal(name: &str) -> SideWrite {
    SideWrite { space: SPACE, key: key(name), value: None }
}

fn parse(text: &[u8]) -> Result<Kept> {
    serde_json::from_slice(text).map_err(|_| Error::internal("what is kept of a twin is faulty"))
}

fn key(name: &str) -> Vec<u8> {
    format!("{PREFIX}{name}").into_bytes()
}

fn pieces(name: &str) -> Vec<u8> {
    format!("twin-rows/{name}/").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_drawn_once_and_again_when_rows_have_changed_and_it_is_old() {
        let set = |since_ms| Dataset {
            name: "trial".into(),
            title: "A trial".into(),
            dictionary: Dictionary { variables: Vec::new() },
            rows: 0,
            since_ms,
            declared: true,
            made: None,
        };
        let drawn = Drawn {
            micro_epsilon: 1_000_000,
            rows: 1,
            at_ms: 1_000,
            dictionary: Dictionary { variables: Vec::new() },
            pairs: Vec::new(),
            deviations: [1.0, 0.0],
            first: Vec::new(),
            bytes: 1,
            sha256: String::new(),
            since_ms: 500,
            digest: String::new(),
        };
        let none = Kept::default();
        assert!(!none.is_due(&set(500), 1_000));
        let offered = Kept { offer: Some(Offer::of(1.0)), ..Kept::default() };
        assert!(offered.is_due(&set(500), 1_000));
        let kept = Kept { drawn: Some(drawn), ..offered };
        assert!(!kept.is_due(&set(500), 1_000 + STAYS_MS), "the rows are the same");
        assert!(!kept.is_due(&set(501), 999 + STAYS_MS), "it is not old");
        assert!(kept.is_due(&set(501), 1_000 + STAYS_MS));
        assert!(!Kept { offer: None, ..kept.clone() }.is_due(&set(501), 1_000 + STAYS_MS));
        assert!(!kept.rests(1_000));
        let tried = Kept { tried_ms: Some(1_000), ..kept };
        assert!(tried.rests(1_001) && !tried.rests(1_000 + RESTS_MS));
    }
}
