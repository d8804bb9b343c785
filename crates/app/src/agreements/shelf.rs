//! What this node knows of agreements, read once and kept until a statement is added.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use policy::agreement::{Agreed, Dossier, Said, Statement, read};
use serde::{Deserialize, Serialize};
use store::{Guard, SideWrite, Snapshot};
use tokio::sync::watch;
use wire::SignedStatement;
use wire::agreement::{Said as Spoken, Statement as Wired, text_hash};

use super::SPACE;
use crate::{App, Error, Result};

/// The count of statements ever entered: it tells whether what is kept in memory still stands.
const COUNT: &[u8] = b"count";
/// Most statements that are read.
const MOST_READ: usize = 200_000;

/// What is kept in memory.
#[derive(Debug)]
pub struct Shelf {
    known: Mutex<Option<Arc<Known>>>,
    /// When each party last told all that it knows; also kept in the store.
    heard: Mutex<BTreeMap<String, i64>>,
    /// Wakes the comparison with the other parties.
    pub(super) nudges: watch::Sender<u64>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { known: Mutex::default(), heard: Mutex::default(), nudges: watch::channel(0).0 }
    }
}

/// Everything that was said, as of one count.
#[derive(Debug, Default)]
pub struct Known {
    count: Vec<u8>,
    /// By id of the agreement.
    pub dossiers: BTreeMap<String, Dossier>,
    /// What holds, by id of the agreement.
    pub agreed: BTreeMap<String, Vec<Agreed>>,
    /// The statements as they were signed, by their hash.
    pub signed: BTreeMap<String, SignedStatement>,
}

/// What is stored of a party.
#[derive(Serialize, Deserialize)]
struct Heard {
    at_ms: i64,
}

impl Shelf {
    /// What is known at this moment. Costs one read of a side value where nothing was added.
    pub(crate) fn known(&self, snapshot: &dyn Snapshot) -> Result<Arc<Known>> {
        let count = snapshot.side(SPACE, COUNT)?.unwrap_or_default();
        if let Some(known) = &*self.known.lock()
            && known.count == count
        {
            return Ok(known.clone());
        }
        let known = Arc::new(load(snapshot, count)?);
        *self.known.lock() = Some(known.clone());
        Ok(known)
    }

    /// When `org` last told all that it knows, in milliseconds since the Unix epoch.
    pub(crate) fn heard(&self, snapshot: &dyn Snapshot, org: &str) -> Result<Option<i64>> {
        if let Some(at_ms) = self.heard.lock().get(org) {
            return Ok(Some(*at_ms));
        }
        let stored = snapshot.side(SPACE, &heard_key(org))?;
        let heard = stored.and_then(|value| serde_json::from_slice::<Heard>(&value).ok());
        Ok(heard.map(|heard| heard.at_ms))
    }

    /// Notes that `org` has told all that it knows; returns what is to be stored of it.
    pub(super) fn hear(&self, org: &str, at_ms: i64) -> Option<SideWrite> {
        /// What is stored may be this much older than what is in memory.
        const EVERY_MS: i64 = 10 * 60 * 1000;
        let before = self.heard.lock().insert(org.to_owned(), at_ms);
        if before.is_some_and(|before| at_ms / EVERY_MS == before / EVERY_MS) {
            return None;
        }
        let value = serde_json::to_vec(&Heard { at_ms }).ok();
        Some(SideWrite { space: SPACE, key: heard_key(org), value })
    }

    /// Has what is known compared with the other parties now.
    pub(crate) fn nudge(&self) {
        self.nudges.send_modify(|count| *count += 1);
    }
}

impl Known {
    /// The digest of what decides about agreements between `own` and `peer`; `None` where there is
    /// nothing.
    pub fn digest(&self, own: &str, peer: &str) -> Option<String> {
        let of_both = |dossier: &&Dossier| dossier.is_party(own) && dossier.is_party(peer);
        let mut hashes: Vec<&str> =
            self.dossiers.values().filter(of_both).flat_map(Dossier::decisive).collect();
        if hashes.is_empty() {
            return None;
        }
        hashes.sort_unstable();
        Some(crypto::hash::hex(&crypto::sha256(hashes.join("\n").as_bytes())))
    }
}

/// Where a statement is kept.
fn statement_key(agreement: &str, hash: &str) -> Vec<u8> {
    format!("statement/{agreement}/{hash}").into_bytes()
}

fn heard_key(org: &str) -> Vec<u8> {
    format!("heard/{org}").into_bytes()
}

/// The writes that add a statement, and the guard that nothing else was added meanwhile.
pub(super) fn adding(
    known: &Known,
    agreement: &str,
    signed: &SignedStatement,
) -> Result<(Vec<Guard>, Vec<SideWrite>)> {
    let value = serde_json::to_vec(signed).map_err(|e| Error::internal(e.to_string()))?;
    let number = <[u8; 8]>::try_from(&*known.count).map_or(0, u64::from_be_bytes);
    let before = Some(known.count.clone()).filter(|count| !count.is_empty());
    let set = |key, value| SideWrite { space: SPACE, key, value: Some(value) };
    Ok((
        vec![Guard::Side { space: SPACE, key: COUNT.to_vec(), value: before }],
        vec![
            set(statement_key(agreement, &signed.hash()), value),
            set(COUNT.to_vec(), (number + 1).to_be_bytes().to_vec()),
        ],
    ))
}

/// Reads everything. What was verified when it was entered is not verified again.
fn load(snapshot: &dyn Snapshot, count: Vec<u8>) -> Result<Known> {
    let mut known = Known { count, ..Known::default() };
    let mut later = Vec::new();
    for (_, value) in snapshot.side_scan(SPACE, b"statement/", MOST_READ)? {
        let faulty = || Error::internal("a stored statement about an agreement is faulty");
        let signed: SignedStatement = serde_json::from_slice(&value).map_err(|_| faulty())?;
        let wired: Wired = serde_json::from_str(&signed.statement).map_err(|_| faulty())?;
        let hash = signed.hash();
        let (statement, text) = statement(&hash, &wired).map_err(|_| faulty())?;
        known.signed.insert(hash, signed);
        match text {
            // Who may say something is known from the texts, so they come first.
            Some(text) => {
                let dossier = known.dossiers.entry(wired.agreement).or_default();
                dossier.enter(statement, Some(&text));
            }
            None => later.push((wired.agreement, statement)),
        }
    }
    for (agreement, statement) in later {
        known.dossiers.entry(agreement).or_default().enter(statement, None);
    }
    known.agreed = known
        .dossiers
        .iter()
        .map(|(id, dossier)| (id.clone(), dossier.agreed()))
        .filter(|(_, agreed)| !agreed.is_empty())
        .collect();
    Ok(known)
}

/// A statement of the wire as the engine takes it, and the hash of the text that it proposes.
pub(super) fn statement(
    hash: &str,
    wired: &Wired,
) -> std::result::Result<(Statement, Option<String>), policy::agreement::Fault> {
    let mut proposed = None;
    let said = match &wired.said {
        Spoken::Proposed { text } => {
            proposed = Some(text_hash(text));
            Said::Proposed(Arc::new(read(text)?))
        }
        Spoken::Signed { text, steward, .. } => {
            Said::Signed { text: text.as_str().into(), steward: steward.as_str().into() }
        }
        Spoken::Ended { from, reason } => {
            Said::Ended { from_ms: *from, reason: reason.as_str().into() }
        }
        Spoken::Breached { reason } => Said::Breached { reason: reason.as_str().into() },
        Spoken::Settled { breach, reason } => {
            Said::Settled { breach: breach.as_str().into(), reason: reason.as_str().into() }
        }
    };
    let issuer = wired.issuer.as_str().into();
    Ok((Statement { hash: hash.into(), issuer, at_ms: wired.at, said }, proposed))
}

/// What this node knows of agreements at this moment.
pub(crate) fn known(app: &App) -> Result<Arc<Known>> {
    app.agreements().known(&*app.store().snapshot()?)
}
