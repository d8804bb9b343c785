//! Making one write: the version, the resource's row, the changes of the index and the audit's leaf.

use std::sync::Arc;

use crypto::merkle::Hash;
use fhir::Resource;
use rusqlite::params;
use store::rules::{AUDIT_TYPE, PARAMETER_TYPE};
use store::{Key, Method, Version, Write};

use super::super::bodies::Body;
use super::super::fault::Fault;
use super::super::fulltext;
use super::super::handle::{method_number, unsigned};
use super::super::rows::{Day, Indexed, Row, difference};
use super::check::Place;
use super::{Prepared, Writer};

/// What a version consists of.
pub(super) struct Content<'a> {
    pub(super) method: Method,
    pub(super) body: &'a Body,
    /// The leaf, where it is an audit entry.
    pub(super) leaf: Option<Hash>,
    /// Nothing for a deletion, and for an audit entry that has not been read.
    pub(super) resource: Option<&'a Resource>,
}

impl Writer {
    /// Makes a write that has been checked.
    pub(super) fn write(&mut self, mut prepared: Prepared, place: Place) -> Result<Version, Fault> {
        self.pack_better(&mut prepared)?;
        let Prepared { write, mut indexed, registry, body, entry } = prepared;
        let current = self.shared.registry();
        if let Write::Put { key, resource, .. } = &write {
            // The search parameters have changed while it waited.
            if !Arc::ptr_eq(&registry, &current) && key.resource_type != AUDIT_TYPE {
                let day = self.shared.day(key.resource_type);
                indexed = Indexed::of(resource, &current, &self.shared.kinds, day);
            }
        }
        let (key, resource, method) = match write {
            Write::Put { key, resource, method, .. } => (key, Some(resource), method),
            Write::Audit { key, .. } => (key, None, Method::Post),
            Write::Delete { key, .. } | Write::Forget { key, .. } => (key, None, Method::Delete),
        };
        self.params_changed |= key.resource_type == PARAMETER_TYPE;
        let seq = self.state.seq + 1;
        let version = place.version.unsigned_abs();
        let leaf = entry.map(|entry| entry.leaf(version, self.state.ms));
        let resource = resource.as_ref();
        let content = Content { method, body: &body, leaf, resource };
        self.add(&place, &key, seq, content, indexed)?;
        Ok(Version {
            key,
            version,
            seq: unsigned(seq)?,
            last_updated_ms: self.state.ms,
            created: !place.was_live,
        })
    }

    /// Adds a version: its row, the resource's row, the changes of the index, the audit's leaf.
    pub(super) fn add(
        &mut self,
        place: &Place,
        key: &Key,
        seq: i64,
        content: Content<'_>,
        indexed: Indexed,
    ) -> Result<(), Fault> {
        let Content { method, body, leaf, resource } = content;
        self.shared.newest.note(key.resource_type, seq.unsigned_abs());
        self.add_version(place, seq, method, body)?;
        let live = method != Method::Delete;
        self.note_resource(place, seq, live, indexed.day)?;
        // Hardly anything refers to an audit entry.
        if place.new_row && key.resource_type != AUDIT_TYPE {
            self.numbers.note(place.kind, place.name.clone(), place.rid);
        }
        self.change_index(place, indexed.rows)?;
        if self.words && key.resource_type != AUDIT_TYPE {
            fulltext::set(&self.handle.conn, place.rid, resource)?;
        }
        if live != place.was_live {
            *self.census.entry(place.kind).or_default() += if live { 1 } else { -1 };
        }
        if key.resource_type == AUDIT_TYPE {
            self.extend_audit(seq, &leaf.ok_or(Fault::Corrupt("an audit entry has no leaf"))?)?;
        }
        self.state.seq = seq;
        Ok(())
    }

    pub(super) fn add_version(
        &self,
        place: &Place,
        seq: i64,
        method: Method,
        body: &Body,
    ) -> Result<(), Fault> {
        let conn = &self.handle.conn;
        let sql =
            "INSERT INTO version(seq, rid, kind, version, ms, method, previous, dictionary, body)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        conn.prepare_cached(sql)?.execute(params![
            seq,
            place.rid,
            place.kind,
            place.version,
            self.state.ms,
            method_number(method),
            place.previous,
            body.dictionary,
            body.bytes,
        ])?;
        Ok(())
    }

    pub(super) fn note_resource(
        &self,
        place: &Place,
        seq: i64,
        live: bool,
        day: Day,
    ) -> Result<(), Fault> {
        let conn = &self.handle.conn;
        if place.new_row {
            let sql = "INSERT INTO resource(rid, kind, id, seq, version, live, first, day, span)
                       VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            conn.prepare_cached(sql)?.execute(params![
                place.rid,
                place.kind,
                place.name,
                seq,
                place.version,
                live,
                place.first,
                day.start,
                day.span,
            ])?;
            return Ok(());
        }
        let sql = "UPDATE resource SET seq = ?2, version = ?3, live = ?4,
                   first = CASE seq WHEN 0 THEN ?5 ELSE first END, day = ?6, span = ?7
                   WHERE rid = ?1";
        conn.prepare_cached(sql)?.execute(params![
            place.rid,
            seq,
            place.version,
            live,
            place.first,
            day.start,
            day.span,
        ])?;
        Ok(())
    }

    /// Notes by which rows the index changes.
    fn change_index(&mut self, place: &Place, rows: Vec<Row>) -> Result<(), Fault> {
        let old = self.standing_rows(place)?;
        difference(old, rows, |row, added| self.waiting.push(place.rid, row, added));
        Ok(())
    }

    /// The index rows of what stands, which come from the version before.
    pub(super) fn standing_rows(&self, place: &Place) -> Result<Vec<Row>, Fault> {
        if !place.was_live {
            return Ok(Vec::new());
        }
        let old = self.handle.resource(&self.shared, place.previous)?;
        let day = self.shared.day(old.type_name());
        Ok(Indexed::of(&old, &self.shared.registry(), &self.shared.kinds, day).rows)
    }

    pub(super) fn extend_audit(&mut self, seq: i64, leaf: &Hash) -> Result<(), Fault> {
        let number = self.state.audit + 1;
        let sql = "INSERT INTO audit(number, seq, hash) VALUES(?1, ?2, ?3)";
        self.handle.conn.prepare_cached(sql)?.execute(params![number, seq, leaf])?;
        self.state.audit = number;
        Ok(())
    }
}
