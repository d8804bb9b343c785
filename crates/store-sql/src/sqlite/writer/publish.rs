//! The end of a large transaction: everything that others see, in one piece.

use std::sync::Arc;

use store::rules::PARAMETER_TYPE;
use store::{Committed, Method, StoreError, Version, Write};

use super::super::fault::Fault;
use super::super::handle::unsigned;
use super::super::hidden::{self, Range};
use super::super::tables::Written;
use super::super::{fulltext, side};
use super::check::Place;
use super::large::{Large, Next, Step};
use super::{Prepared, Writer, broken};

impl Writer {
    /// Makes everything visible, provided that it may be.
    pub(super) fn publish(&mut self, large: &mut Large) -> Result<Next, Fault> {
        if !Arc::ptr_eq(&large.registry, &self.shared.registry()) {
            return Ok(Next::Slice(Step::Undo { again: true }));
        }
        self.sync(true)?;
        self.state.ms = self.state.ms.max((self.clock)());
        self.handle.run("BEGIN IMMEDIATE")?;
        for guard in &large.guards {
            if !self.holds(guard)? {
                return Err(Fault::Store(StoreError::GuardFailed));
            }
        }
        let made = self.make_visible(large).map_err(broken)?;
        self.handle.run("COMMIT")?;
        if std::mem::take(&mut self.params_changed) {
            self.learn();
        }
        self.announce();
        large.reply(Ok(made));
        Ok(Next::Nothing)
    }

    fn make_visible(&mut self, large: &mut Large) -> Result<Committed, Fault> {
        let first = self.state.seq + 1;
        let mut versions = Vec::with_capacity(large.places.len());
        for (prepared, place) in large.writes.iter().zip(&mut large.places) {
            versions.push(match place {
                Some(place) => Some(self.make_version(prepared, place, large.words)?),
                None => None,
            });
        }
        self.show_resources(&large.places, first)?;
        let conn = &self.handle.conn;
        large.seen.1.write(conn, &mut Written::default(), usize::MAX, false)?;
        for write in &large.side {
            side::set(conn, write.space, &write.key, write.value.as_deref())?;
        }
        hidden::show(conn, large.range)?;
        self.flush()?;
        Ok(Committed { versions })
    }

    /// Adds a version whose index rows are there already.
    fn make_version(
        &mut self,
        prepared: &Prepared,
        place: &mut Place,
        words: bool,
    ) -> Result<Version, Fault> {
        let seq = self.state.seq + 1;
        let method = match &prepared.write {
            Write::Put { method, .. } => *method,
            Write::Audit { .. } => Method::Post,
            Write::Delete { .. } | Write::Forget { .. } => Method::Delete,
        };
        let live = method != Method::Delete;
        if place.first == 0 {
            place.first = seq;
        }
        self.add_version(place, seq, method, &prepared.body)?;
        if !place.new_row {
            self.note_resource(place, seq, live, prepared.indexed.day)?;
        }
        if self.words && !(words && place.new_row) && prepared.entry.is_none() {
            fulltext::set(&self.handle.conn, place.rid, prepared.resource())?;
        }
        if live != place.was_live {
            *self.census.entry(place.kind).or_default() += if live { 1 } else { -1 };
        }
        let (key, version) = (prepared.write.key().clone(), place.version.unsigned_abs());
        self.shared.newest.note(key.resource_type, seq.unsigned_abs());
        self.params_changed |= key.resource_type == PARAMETER_TYPE;
        if let Some(entry) = &prepared.entry {
            self.extend_audit(seq, &entry.leaf(version, self.state.ms))?;
        }
        self.state.seq = seq;
        let (seq, last_updated_ms) = (unsigned(seq)?, self.state.ms);
        Ok(Version { key, version, seq, last_updated_ms, created: !place.was_live })
    }

    /// Makes the rows of new resources current. Rows and versions that follow each other are
    /// changed by one statement: `first` is the number of the first version of all.
    fn show_resources(&self, places: &[Option<Place>], first: i64) -> Result<(), Fault> {
        let sql = "UPDATE resource SET seq = rid + ?3, first = rid + ?3, version = 1, live = 1
                   WHERE rid >= ?1 AND rid < ?2";
        let mut show = self.handle.conn.prepare_cached(sql)?;
        let mut seq = first;
        let mut run: Option<Range> = None;
        for place in places {
            let Some(place) = place else { continue };
            let rid = place.rid;
            run = match run {
                Some((low, upto)) if place.new_row && rid == upto => Some((low, upto + 1)),
                other => {
                    if let Some((low, upto)) = other {
                        show.execute([low, upto, seq - upto])?;
                    }
                    place.new_row.then_some((rid, rid + 1))
                }
            };
            seq += 1;
        }
        if let Some((low, upto)) = run {
            show.execute([low, upto, seq - upto])?;
        }
        Ok(())
    }
}
