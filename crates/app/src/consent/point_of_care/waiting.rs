//! Grants that wait for a patient. They live in memory, for ten minutes; a restart asks people to
//! try again. The table is bounded, and one person cannot fill it.

use std::collections::HashMap;

use fhir::Id;
use parking_lot::Mutex;

use super::{CODE_MS, Grant, WAITS_MS};
use crate::{App, Caller, Error, Kind, Result, User};

/// Most grants that wait at a node.
const MOST: usize = 10_000;
/// Most that one person has proposed, and most that wait for one patient.
const MOST_OF_ONE: usize = 20;
/// Wrong codes after which a grant waits no longer.
const MAX_TRIES: u8 = 5;
/// Letters and digits that cannot be taken for one another.
const LETTERS: &[u8; 30] = b"ABCDEFGHJKMNPQRSTVWXYZ23456789";
/// Characters of the code by which a patient finds a grant.
const CODE_LENGTH: usize = 8;

/// How a proposal stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for the patient.
    Waiting,
    /// The patient's decision is being written.
    Deciding,
    /// The patient approved it; this is the Consent.
    Approved(Id),
    /// The patient refused it.
    Refused,
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The short code by which the patient finds it. It opens nothing by itself.
    pub code: String,
    /// The patient.
    pub patient: Id,
    /// Account of who proposed it.
    pub proposer: String,
    /// What is proposed.
    pub grant: Grant,
    /// Its text, which is what is signed.
    pub text: String,
    /// SHA-256 of the text.
    pub digest: [u8; 32],
    /// Until when it waits, milliseconds since the Unix epoch.
    pub expires_ms: i64,
    /// How it stands.
    pub state: State,
}

impl Proposed {
    /// The digest in hexadecimal digits.
    pub fn digest_hex(&self) -> String {
        crypto::hash::hex(&self.digest)
    }

    /// The code in two groups, as it is shown.
    pub fn spelled(&self) -> String {
        match self.code.split_at_checked(CODE_LENGTH / 2) {
            Some((first, second)) => format!("{first}-{second}"),
            None => self.code.clone(),
        }
    }
}

struct Entry {
    proposed: Proposed,
    shown: Option<Shown>,
    tries: u8,
}

/// A code on the patient's page.
struct Shown {
    code: String,
    until_ms: i64,
    user: User,
}

/// What became of a code that was typed.
pub(super) enum Tried {
    /// It is the one on the page of this patient's account.
    Shown(User),
    /// It is not, so it may be one of the account's own.
    Another,
    /// There were too many tries; the proposal is gone.
    Spent,
}

/// The grants that wait at one node.
#[derive(Default)]
pub struct Waiting(Mutex<HashMap<String, Entry>>);

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Waiting").field(&self.0.lock().len()).finish()
    }
}

impl Waiting {
    pub(super) fn add(
        &self,
        app: &App,
        caller: &Caller,
        patient: &Id,
        grant: Grant,
    ) -> Result<Proposed> {
        let now = app.now_ms();
        let text = grant.text()?;
        let proposed = Proposed {
            code: letters(app, CODE_LENGTH, LETTERS),
            patient: patient.clone(),
            proposer: caller.user.id.clone(),
            digest: crypto::sha256(text.as_bytes()),
            grant,
            text,
            expires_ms: now.saturating_add(WAITS_MS),
            state: State::Waiting,
        };
        let mut table = self.0.lock();
        table.retain(|_, entry| is_live(&entry.proposed, now));
        let of_one = table.values().filter(|entry| {
            let other = &entry.proposed;
            let same = other.proposer == proposed.proposer || other.patient == proposed.patient;
            same && other.state == State::Waiting
        });
        if table.len() >= MOST || of_one.count() >= MOST_OF_ONE {
            let message = "too many requests wait for a patient; try again in some minutes";
            return Err(Error::new(Kind::Busy, message).by_rule("too-many-grants"));
        }
        let entry = Entry { proposed: proposed.clone(), shown: None, tries: 0 };
        table.insert(proposed.code.clone(), entry);
        Ok(proposed)
    }

    /// The proposal under a code, however it is spelled.
    pub fn find(&self, code: &str, now_ms: i64) -> Option<Proposed> {
        let table = self.0.lock();
        let entry = table.get(&plain(code))?;
        is_live(&entry.proposed, now_ms).then(|| entry.proposed.clone())
    }

    /// A new code for the page of `user`; the one before is no longer good.
    pub(super) fn show(&self, app: &App, code: &str, user: &User) -> Option<String> {
        let shown = letters(app, 8, b"0123456789");
        let mut table = self.0.lock();
        let entry = table.get_mut(&plain(code))?;
        let until_ms = app.now_ms().saturating_add(CODE_MS);
        entry.shown = Some(Shown { code: shown.clone(), until_ms, user: user.clone() });
        Some(shown)
    }

    /// Looks at a code that was typed; each look is a try.
    pub(super) fn take_try(&self, code: &str, typed: &str, now_ms: i64) -> Tried {
        let mut table = self.0.lock();
        let code = plain(code);
        let Some(entry) = table.get_mut(&code) else { return Tried::Spent };
        if entry.tries >= MAX_TRIES {
            table.remove(&code);
            return Tried::Spent;
        }
        entry.tries += 1;
        let is_good = |shown: &Shown| {
            let same = crypto::sha256(shown.code.as_bytes()) == crypto::sha256(typed.as_bytes());
            same && now_ms < shown.until_ms
        };
        if !entry.shown.as_ref().is_some_and(is_good) {
            return Tried::Another;
        }
        match entry.shown.take() {
            Some(shown) => Tried::Shown(shown.user),
            None => Tried::Another,
        }
    }

    /// Takes a proposal out of waiting; of two that try, one succeeds.
    pub(super) fn decide(&self, code: &str, state: State) -> bool {
        let mut table = self.0.lock();
        let entry = table.get_mut(&plain(code));
        let entry = entry.filter(|entry| entry.proposed.state == State::Waiting);
        entry.map(|entry| entry.proposed.state = state).is_some()
    }

    /// Says what became of it.
    pub(super) fn settle(&self, code: &str, state: State) {
        if let Some(entry) = self.0.lock().get_mut(&plain(code)) {
            entry.proposed.state = state;
        }
    }
}

/// A clock that was set back ends a proposal rather than prolong it.
fn is_live(proposed: &Proposed, now_ms: i64) -> bool {
    (0..=WAITS_MS).contains(&proposed.expires_ms.saturating_sub(now_ms))
}

fn plain(code: &str) -> String {
    let kept = code.chars().filter(char::is_ascii_alphanumeric).take(2 * CODE_LENGTH);
    kept.collect::<String>().to_ascii_uppercase()
}

/// Unpredictable letters. Bytes beyond the last whole turn of the alphabet are drawn again.
fn letters(app: &App, length: usize, alphabet: &[u8]) -> String {
    let turns = 256 / alphabet.len() * alphabet.len();
    let mut out = String::with_capacity(length);
    while out.len() < length {
        let mut bytes = [0; 16];
        app.fill(&mut bytes);
        for byte in bytes.into_iter().map(usize::from).filter(|byte| *byte < turns) {
            if out.len() < length
                && let Some(letter) = alphabet.get(byte % alphabet.len())
            {
                out.push(char::from(*letter));
            }
        }
    }
    out
}
