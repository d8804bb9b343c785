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
use privacy::budget::{Beside, MOST_GROUPS, Marks, Ruling};
use store::{Guard, SideWrite, Snapshot, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::LEAST_PEOPLE;
use crate::{App, Error, Kind, Result};

/// Where groups are kept: by the rows that they are of, time, number and the project that asked.
const SPACE: &str = "shown";
/// Where it is kept which projects were refused because of earlier answers, and when.
const REFUSED: &str = "shown-refused";
/// How often a project may be refused so, and within which time.
const MOST_REFUSED: usize = 20;
const REFUSED_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// The rule by which nothing more is answered then.
const REFUSALS: &str = "refusals";
/// Of how many groups of one kind of rows one project may be the first to ask, so that it leaves some to others.
const MOST_OF_PROJECT: usize = MOST_GROUPS / 2;
/// How long a group counts.
const YEAR_MS: i64 = 366 * 24 * 60 * 60 * 1000;
/// How often groups that no longer count are taken away.
const RENEW_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a query waits for the one before it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was shown. In memory is what is on disk, or nothing.
#[derive(Default)]
pub(crate) struct Shown(Arc<Mutex<Option<Known>>>);

#[derive(Default)]
struct Known {
    beside: HashMap<String, Beside>,
    /// How many of the groups were first asked for in a project, by the rows that they are of.
    by_project: HashMap<(String, String), usize>,
    /// When it was read.
    at_ms: i64,
}

/// A query's turn: what it may show. Dropped before it is [`Turn::kept`], nothing was shown.
pub(super) struct Turn {
    known: OwnedMutexGuard<Option<Known>>,
    project: String,
    new: Vec<(String, Marks)>,
    /// How many groups there were of the rows that it is of.
    before: HashMap<String, usize>,
}

impl Shown {
    /// Waits for the turn of a query of a project.
    ///
    /// Errors: [`Kind::Busy`] where that takes more than a minute.
    pub(super) async fn turn(&self, app: &App, project: &str) -> Result<Turn> {
        let project = project.to_owned();
        let waited = tokio::time::timeout(PATIENCE, Arc::clone(&self.0).lock_owned()).await;
        let mut known = waited.map_err(|_| busy())?;
        app.run(move |app| {
            let now = app.now_ms();
            if known.as_ref().is_none_or(|known| now.saturating_sub(known.at_ms) > RENEW_MS) {
                *known = Some(read(app, now)?);
            }
            Ok(Turn { known, project, new: Vec::new(), before: HashMap::new() })
        })
        .await
    }
}

impl Turn {
    /// Keeps what the query shows. Blocks.
    pub(super) fn kept(mut self, app: &App) -> Result<()> {
        let now = app.now_ms();
        let (mut guards, mut side) = (Vec::new(), Vec::new());
        for (at, (of, marks)) in self.new.iter().enumerate() {
            let key = format!("{of}/{now:015}/{at:05}/{}", self.project).into_bytes();
            guards.push(Guard::Side { space: SPACE, key: key.clone(), value: None });
            side.push(SideWrite { space: SPACE, key, value: Some(marks.to_bytes()) });
        }
        if !side.is_empty() {
            app.store().commit(Transaction { guards, side, ..Transaction::default() })?;
        }
        self.before.clear();
        if let Some(known) = self.known.as_mut() {
            for (of, _) in std::mem::take(&mut self.new) {
                *known.by_project.entry((of, self.project.clone())).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Whether the project may be the first to ask for a further group.
    fn has_share_left(&self, rows_of: &str) -> bool {
        let key = (rows_of.to_owned(), self.project.clone());
        let kept = self.known.as_ref().and_then(|known| known.by_project.get(&key));
        let new = self.new.iter().filter(|(of, _)| of == rows_of).count();
        kept.copied().unwrap_or_default() + new < MOST_OF_PROJECT
    }
}

impl Gate for Turn {
    fn pass(&mut self, group: &Group) -> Verdict {
        let has_share_left = self.has_share_left(&group.rows_of);
        let Some(known) = self.known.as_mut() else { return Verdict::TooMany };
        let marks = Marks::of(group.people.iter().copied());
        let fresh = || Beside::new(LEAST_PEOPLE);
        let beside = known.beside.entry(group.rows_of.clone()).or_insert_with(fresh);
        self.before.entry(group.rows_of.clone()).or_insert_with(|| beside.groups());
        match beside.show(&marks) {
            Ruling::Known => Verdict::Show,
            Ruling::Shown if has_share_left => {
                self.new.push((group.rows_of.clone(), marks));
                Verdict::Show
            }
            Ruling::Few => Verdict::Few,
            Ruling::Shown | Ruling::TooMany => Verdict::TooMany,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        for (of, beside) in self.known.iter_mut().flat_map(|known| &mut known.beside) {
            match self.before.get(of) {
                Some(groups) => beside.forget_beyond(*groups),
                None => beside.rest(),
            }
        }
    }
}

/// That others ask.
pub(super) fn busy() -> Error {
    Error::new(Kind::Busy, "other queries are being answered; try again shortly")
}

/// Whether a project may still be refused because of earlier answers.
///
/// Errors: the rule `refusals`.
pub(super) fn has_refusals_left(app: &App, snapshot: &dyn Snapshot, project: &str) -> Result<()> {
    let since = app.now_ms().saturating_sub(REFUSED_MS);
    let noted = snapshot.side_scan(REFUSED, format!("{project}/").as_bytes(), usize::MAX)?;
    if noted.iter().filter(|(key, _)| noted_at(key) > since).count() < MOST_REFUSED {
        return Ok(());
    }
    let message = "queries of the project were refused because of earlier answers as often as may be within \
                   90 days, since refusals tell something, too";
    Err(Error::new(Kind::Forbidden, message).by_rule(REFUSALS))
}

/// Notes that a query was refused because of earlier answers. Blocks.
pub(super) fn note_refusal(app: &App, project: &str) -> Result<()> {
    let (now, mark) = (app.now_ms(), crypto::hash::hex(&app.new_secret()[..8]));
    let key = format!("{project}/{now:015}/{mark}").into_bytes();
    let mut side = vec![SideWrite { space: REFUSED, key, value: Some(Vec::new()) }];
    let noted = app.store().snapshot()?;
    for (key, _) in noted.side_scan(REFUSED, format!("{project}/").as_bytes(), usize::MAX)? {
        if noted_at(&key) <= now.saturating_sub(REFUSED_MS) {
            side.push(SideWrite { space: REFUSED, key, value: None });
        }
    }
    app.store().commit(Transaction { side, ..Transaction::default() })?;
    Ok(())
}

/// When a refusal was noted.
fn noted_at(key: &[u8]) -> i64 {
    let text = std::str::from_utf8(key).ok().and_then(|text| text.split('/').nth(1)?.parse().ok());
    text.unwrap_or_default()
}

/// Reads what was shown within a year, and takes away what was before.
fn read(app: &App, now_ms: i64) -> Result<Known> {
    let faulty = || Error::internal("what was shown by SQL cannot be read");
    let mut known = Known { at_ms: now_ms, ..Known::default() };
    let mut over = Vec::new();
    for (key, value) in app.store().snapshot()?.side_scan(SPACE, b"", usize::MAX)? {
        let text = std::str::from_utf8(&key).map_err(|_| faulty())?;
        let mut parts = text.splitn(4, '/');
        let of = parts.next().ok_or_else(faulty)?;
        let at: i64 = parts.next().and_then(|at| at.parse().ok()).ok_or_else(faulty)?;
        let project = parts.nth(1).ok_or_else(faulty)?;
        if now_ms.saturating_sub(at) > YEAR_MS {
            over.push(SideWrite { space: SPACE, key, value: None });
            continue;
        }
        let marks = Marks::from_bytes(&value).ok_or_else(faulty)?;
        let fresh = || Beside::new(LEAST_PEOPLE);
        known.beside.entry(of.to_owned()).or_insert_with(fresh).was_shown(&marks);
        *known.by_project.entry((of.to_owned(), project.to_owned())).or_default() += 1;
    }
    if !over.is_empty() {
        app.store().commit(Transaction { side: over, ..Transaction::default() })?;
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_project_uses_up_what_others_may_ask() {
        let known = Arc::new(Mutex::new(Some(Known::default())));
        let turn = |project: &str| Turn {
            known: Arc::clone(&known).try_lock_owned().unwrap(),
            project: project.to_owned(),
            new: Vec::new(),
            before: HashMap::new(),
        };
        let group = |rows_of: &str, first: u64| Group {
            rows_of: rows_of.to_owned(),
            people: (first..first + 20).map(|one| (one, one * one + 1)).collect(),
        };
        let of_one = ("patients".to_owned(), "one".to_owned());
        let mut one = turn("one");
        let by_project = &mut one.known.as_mut().unwrap().by_project;
        by_project.insert(of_one, MOST_OF_PROJECT - 1);
        assert_eq!(one.pass(&group("patients", 0)), Verdict::Show);
        assert_eq!(one.pass(&group("patients", 100)), Verdict::TooMany, "the half is used up");
        assert_eq!(one.pass(&group("patients", 0)), Verdict::Show, "what is known is nothing new");
        assert_eq!(one.pass(&group("encounters", 100)), Verdict::Show, "other rows");
        drop(one);
        assert_eq!(turn("other").pass(&group("patients", 100)), Verdict::Show);
    }
}
