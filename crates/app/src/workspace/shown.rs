//! What was shown of the records by SQL within a year, to anybody and in any project, so that no answers
//! together show fewer people than one may ([`privacy::budget::overlap`]).
//!
//! Kept are groups that do not follow from each other, as sums of marks: no name, no key and no value. They
//! are on disk before the answer is given. One query is answered at a time, so that none is answered beside
//! another that it does not know of.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::lake::{Gate, Group, Verdict};
use privacy::budget::{Beside, Marks, Ruling};
use store::{SideWrite, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::LEAST_PEOPLE;
use crate::{App, Error, Kind, Result};

/// Where groups are kept: by the rows that they are of, then by time.
const SPACE: &str = "shown";
/// How long a group counts.
const YEAR_MS: i64 = 366 * 24 * 60 * 60 * 1000;
/// How often groups that no longer count are taken away.
const RENEW_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a query waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was shown. In memory is what is on disk, or nothing.
#[derive(Default)]
pub(crate) struct Shown(Arc<Mutex<Option<Known>>>);

struct Known {
    beside: HashMap<String, Beside>,
    /// When it was read.
    at_ms: i64,
}

/// A query's turn: what it may show. Dropped before it is [`Turn::kept`], nothing was shown.
pub(super) struct Turn {
    known: OwnedMutexGuard<Option<Known>>,
    new: Vec<(String, Marks)>,
    is_kept: bool,
}

impl Shown {
    /// Waits for a query's turn.
    ///
    /// Errors: [`Kind::Busy`] where that takes more than a minute.
    pub(super) async fn turn(&self, app: &App) -> Result<Turn> {
        let waited = tokio::time::timeout(PATIENCE, Arc::clone(&self.0).lock_owned()).await;
        let mut known = waited.map_err(|_| busy())?;
        app.run(move |app| {
            let now = app.now_ms();
            if known.as_ref().is_none_or(|known| now.saturating_sub(known.at_ms) > RENEW_MS) {
                *known = Some(read(app, now)?);
            }
            Ok(Turn { known, new: Vec::new(), is_kept: false })
        })
        .await
    }
}

impl Turn {
    /// Keeps what the query shows. Blocks.
    pub(super) fn kept(mut self, app: &App) -> Result<()> {
        let now = app.now_ms();
        let write = |(at, (of, marks)): (usize, (String, Marks))| SideWrite {
            space: SPACE,
            key: format!("{of}/{now:015}/{at:05}").into_bytes(),
            value: Some(marks.to_bytes()),
        };
        let side: Vec<SideWrite> = self.new.drain(..).enumerate().map(write).collect();
        if !side.is_empty() {
            app.store().commit(Transaction { side, ..Transaction::default() })?;
        }
        for beside in self.known.iter_mut().flat_map(|known| known.beside.values_mut()) {
            beside.rest();
        }
        self.is_kept = true;
        Ok(())
    }
}

impl Gate for Turn {
    fn pass(&mut self, group: &Group) -> Verdict {
        let Some(known) = self.known.as_mut() else { return Verdict::TooMany };
        let marks = Marks::of(group.people.iter().copied());
        let fresh = || Beside::new(LEAST_PEOPLE);
        match known.beside.entry(group.rows_of.clone()).or_insert_with(fresh).show(&marks) {
            Ruling::Known => Verdict::Show,
            Ruling::Shown => {
                self.new.push((group.rows_of.clone(), marks));
                Verdict::Show
            }
            Ruling::Few => Verdict::Few,
            Ruling::TooMany => Verdict::TooMany,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_kept && !self.new.is_empty() {
            *self.known = None;
        }
    }
}

/// That others ask.
pub(super) fn busy() -> Error {
    Error::new(Kind::Busy, "other queries are being answered; try again shortly")
}

/// Reads what was shown within a year, and takes away what was before.
fn read(app: &App, now_ms: i64) -> Result<Known> {
    let faulty = || Error::internal("what was shown by SQL cannot be read");
    let mut beside: HashMap<String, Beside> = HashMap::new();
    let mut over = Vec::new();
    for (key, value) in app.store().snapshot()?.side_scan(SPACE, b"", usize::MAX)? {
        let text = std::str::from_utf8(&key).map_err(|_| faulty())?;
        let mut parts = text.split('/');
        let of = parts.next().ok_or_else(faulty)?;
        let at: i64 = parts.next().and_then(|at| at.parse().ok()).ok_or_else(faulty)?;
        if now_ms.saturating_sub(at) > YEAR_MS {
            over.push(SideWrite { space: SPACE, key, value: None });
            continue;
        }
        let marks = Marks::from_bytes(&value).ok_or_else(faulty)?;
        let fresh = || Beside::new(LEAST_PEOPLE);
        beside.entry(of.to_owned()).or_insert_with(fresh).was_shown(&marks);
    }
    if !over.is_empty() {
        app.store().commit(Transaction { side: over, ..Transaction::default() })?;
    }
    Ok(Known { beside, at_ms: now_ms })
}
