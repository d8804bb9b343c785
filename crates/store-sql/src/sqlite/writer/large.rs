//! Transactions too large to be made in one piece: while one of them is made, others write.
//!
//! Everything that can be done ahead is done in slices, each a transaction of SQLite of a few
//! milliseconds: where each write goes, the names that need numbers, and the index rows of
//! resources that are new, which nobody sees yet ([`hidden`]). What others can see (versions, current
//! rows, changes of what stood before, the audit, side values) is one transaction at the end, which
//! checks the conditions. Until then nobody else writes what it writes: such transactions wait in
//! [`line`](super::line). docs/adr/0008-large-transactions.md tells why.

use std::sync::Arc;

use fhirpath::search::Registry;
use rusqlite::params;
use store::rules::permit;
use store::{Committed, Guard, Key, SideWrite, StoreError, Write};
use tokio::sync::oneshot;

use super::super::fault::Fault;
use super::super::fulltext;
use super::super::hidden::{self, Range};
use super::super::index::Waiting;
use super::super::rows::{Indexed, difference};
use super::super::tables::{Tables, Written};
use super::check::Place;
use super::line::is_large;
use super::{Job, Prepared, Writer};
use crate::gate::Ticket;

/// Writes whose places are found in one slice.
const PLACES: usize = 250;
/// Index rows whose names get numbers in one slice.
const NAMES: usize = 4_000;
/// Index rows that are written in one slice.
const ROWS: usize = 1_500;
/// Resources whose words are indexed in one slice.
const WORDS: usize = 50;
type Answer = oneshot::Sender<Result<Committed, StoreError>>;

/// A transaction on its way.
pub(super) struct Large {
    keys: Vec<Key>,
    pub(super) guards: Vec<Guard>,
    pub(super) writes: Vec<Prepared>,
    pub(super) side: Vec<SideWrite>,
    /// Present until it is given.
    answer: Option<Answer>,
    ticket: Ticket,
    /// What its index rows were read by.
    pub(super) registry: Arc<Registry>,
    pub(super) range: Range,
    /// Where each write goes; `None` for the deletion of nothing.
    pub(super) places: Vec<Option<Place>>,
    /// Index rows of resources that are new.
    fresh: (Waiting, Tables),
    /// Changes of the index that others would see.
    pub(super) seen: (Waiting, Tables),
    written: Written,
    undone: Written,
    /// The words of the new resources were indexed.
    pub(super) words: bool,
    step: Step,
}

impl Large {
    fn new(job: Job, registry: Arc<Registry>) -> Self {
        let Job { guards, writes, side, answer, ticket } = job;
        Self {
            keys: writes.iter().map(|one| one.write.key().clone()).collect(),
            places: Vec::with_capacity(writes.len()),
            guards,
            writes,
            side,
            answer: Some(answer),
            ticket,
            registry,
            range: (0, 0),
            fresh: Default::default(),
            seen: Default::default(),
            written: Written::default(),
            undone: Written::default(),
            words: false,
            step: Step::Places(0),
        }
    }

    pub(super) fn reply(&mut self, outcome: Result<Committed, StoreError>) {
        if let Some(answer) = self.answer.take() {
            // Nobody waits for the answer any more when this fails.
            let _ = answer.send(outcome);
        }
    }
}

/// How it goes on after a slice.
pub(super) enum Next {
    Slice(Step),
    /// It is done with.
    Nothing,
    /// It is to be made in one piece.
    Again,
}

/// What is done next.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// Finds the places of the writes behind the first ones.
    Places(usize),
    /// Gives names numbers.
    Names,
    /// Writes index rows.
    Rows,
    /// Indexes the words of the writes behind the first ones.
    Words(usize),
    /// Commits.
    Publish,
    /// Takes index rows away again; then makes the transaction in one piece if `again` is set.
    Undo { again: bool },
}

impl Writer {
    /// Does one slice of what is on its way.
    pub(super) fn advance(&mut self) {
        let Some(mut large) = self.line.active.take() else { return self.next_in_line() };
        match self.slice(&mut large) {
            Ok(Next::Slice(step)) => {
                large.step = step;
                self.line.active = Some(large);
            }
            Ok(Next::Nothing) => self.line.release(&large.keys),
            Ok(Next::Again) => self.again(large),
            // A refusal: it is told at once, and what was written is taken away.
            Err(Fault::Store(refusal)) if !matches!(large.step, Step::Undo { .. }) => {
                large.reply(Err(refusal));
                self.rolled_back();
                large.step = Step::Undo { again: false };
                self.line.active = Some(large);
            }
            Err(fault) => {
                let error = StoreError::from(fault).to_string();
                tracing::error!(error, "a large transaction failed");
                self.recover();
                self.unclean = true;
                large.reply(Err(StoreError::Failed(error)));
                self.line.release(&large.keys);
            }
        }
    }

    fn rolled_back(&mut self) {
        if !self.handle.conn.is_autocommit() {
            self.recover();
        }
    }

    fn next_in_line(&mut self) {
        let Some(job) = self.line.held.pop_front() else { return };
        let large = Large::new(job, self.shared.registry());
        match is_large(&large.writes) {
            true => self.line.active = Some(large),
            false => self.again(large),
        }
    }

    /// Makes a transaction in one piece.
    fn again(&mut self, large: Large) {
        let Large { keys, guards, writes, side, answer, ticket, .. } = large;
        if let Some(answer) = answer {
            self.commit_group(vec![Job { guards, writes, side, answer, ticket }]);
        }
        self.line.release(&keys);
    }

    /// Does one slice. [`Fault::Store`] is a refusal.
    fn slice(&mut self, large: &mut Large) -> Result<Next, Fault> {
        if let Step::Publish = large.step {
            return self.publish(large);
        }
        self.tidy()?;
        // What nobody sees yet need not be on disk; the commit at the end brings all of it there.
        self.sync(false)?;
        self.handle.run("BEGIN IMMEDIATE")?;
        let next = match large.step {
            Step::Places(from) => Next::Slice(self.find_places(large, from)?),
            Step::Names => Next::Slice(self.give_numbers(large)?),
            Step::Rows => {
                let tables = &large.fresh.1;
                let all = tables.write(&self.handle.conn, &mut large.written, ROWS, false)?;
                Next::Slice(if all { Step::Words(0) } else { Step::Rows })
            }
            Step::Words(from) => Next::Slice(self.index_words(large, from)?),
            Step::Undo { again } => match (self.undo(large)?, again) {
                (false, _) => Next::Slice(Step::Undo { again }),
                (true, true) => Next::Again,
                (true, false) => Next::Nothing,
            },
            Step::Publish => Next::Slice(Step::Publish),
        };
        self.handle.run("COMMIT")?;
        Ok(next)
    }

    /// Finds where some writes go and makes the rows of resources that are new.
    fn find_places(&mut self, large: &mut Large, from: usize) -> Result<Step, Fault> {
        if from == 0 {
            self.shared.hiding.set(true);
            let count = i64::try_from(large.writes.len()).unwrap_or(i64::MAX);
            let low = self.numbers.fresh_rids(&self.handle.conn, count)?;
            large.range = (low, low + count);
            hidden::hide(&self.handle.conn, large.range)?;
        }
        let upto = (from + PLACES).min(large.writes.len());
        for at in from..upto {
            let rid = large.range.0 + i64::try_from(at).unwrap_or_default();
            let Some(prepared) = large.writes.get_mut(at) else { continue };
            // The search parameters have changed while it waited.
            if let Write::Put { key, resource, .. } = &prepared.write
                && !Arc::ptr_eq(&prepared.registry, &large.registry)
                && prepared.entry.is_none()
            {
                let day = self.shared.day(key.resource_type);
                prepared.indexed = Indexed::of(resource, &large.registry, &self.shared.kinds, day);
            }
            self.pack_better(prepared)?;
            let place = self.find_place(prepared, rid)?;
            if let Some(place) = &place {
                let rows = std::mem::take(&mut prepared.indexed.rows);
                match place.new_row {
                    true => rows.into_iter().for_each(|row| large.fresh.0.push(rid, row, true)),
                    false => {
                        let old = self.standing_rows(place)?;
                        let tell = |row, added| large.seen.0.push(place.rid, row, added);
                        difference(old, rows, tell);
                    }
                }
            }
            large.places.push(place);
        }
        Ok(if upto < large.writes.len() { Step::Places(upto) } else { Step::Names })
    }

    /// Where a write goes; what is new gets the row `rid`. `None` for the deletion of nothing.
    fn find_place(&mut self, prepared: &Prepared, rid: i64) -> Result<Option<Place>, Fault> {
        let (write, key) = (&prepared.write, prepared.write.key());
        let current = self.current(key)?;
        let standing = current.and_then(|current| current.standing);
        permit(write, standing)?;
        let was_live = standing.is_some_and(|standing| standing.live);
        if !was_live && !matches!(write, Write::Put { .. } | Write::Audit { .. }) {
            return Ok(None);
        }
        let version = standing.map_or(0, |standing| standing.version) + 1;
        let place = self.place(key, current, Some(rid), 0, version)?;
        if place.new_row {
            let sql = "INSERT INTO resource(rid, kind, id, seq, version, live, first, day, span)
                       VALUES(?1, ?2, ?3, 0, 0, 0, 0, ?4, ?5)";
            let day = prepared.indexed.day;
            let values = params![rid, place.kind, place.name, day.start, day.span];
            self.handle.conn.prepare_cached(sql)?.execute(values)?;
            self.numbers.note(place.kind, place.name.clone(), rid);
        }
        Ok(Some(place))
    }

    fn give_numbers(&mut self, large: &mut Large) -> Result<Step, Fault> {
        let (waiting, tables) = match large.fresh.0.is_empty() {
            true => &mut large.seen,
            false => &mut large.fresh,
        };
        tables.take(&self.handle.conn, &mut self.numbers, waiting, NAMES)?;
        if !large.fresh.0.is_empty() || !large.seen.0.is_empty() {
            return Ok(Step::Names);
        }
        large.fresh.1.sort();
        large.seen.1.sort();
        Ok(Step::Rows)
    }

    fn index_words(&mut self, large: &mut Large, from: usize) -> Result<Step, Fault> {
        if from == 0 {
            large.words = self.words;
        }
        let mut at = from;
        if large.words {
            let writes = large.writes.iter().zip(&large.places).skip(from).take(WORDS);
            for (prepared, place) in writes {
                at += 1;
                let Some(place) = place.as_ref().filter(|place| place.new_row) else { continue };
                if prepared.entry.is_some() {
                    continue;
                }
                fulltext::set(&self.handle.conn, place.rid, prepared.resource())?;
            }
        }
        Ok(if at > from { Step::Words(at) } else { Step::Publish })
    }

    /// Takes some index rows away; whether nothing is left.
    fn undo(&mut self, large: &mut Large) -> Result<bool, Fault> {
        let conn = &self.handle.conn;
        let done = large.fresh.1.write(conn, &mut large.undone, ROWS, true)?;
        if done {
            if large.words {
                (large.range.0..large.range.1)
                    .try_for_each(|rid| fulltext::set(conn, rid, None))?;
            }
            hidden::show(conn, large.range)?;
        }
        Ok(done)
    }
}
