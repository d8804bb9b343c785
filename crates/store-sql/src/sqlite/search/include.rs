//! Resources that come along with matches.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};
use store::Seq;
use store::query::{Direction, Include, local_target};

use super::super::fault::Fault;
use super::super::handle::{signed, unsigned};
use super::super::names::Name;
use super::Search;

/// For more parameters than this all references to a resource are read at once.
const MANY_PARAMS: usize = 40;
/// The most that texts are asked for while a parameter is being indexed.
const MOST_BY_TEXT: usize = 1_000_000;

impl Search<'_> {
    /// See [`store::Snapshot::include`].
    pub(in crate::sqlite) fn include(
        &self,
        matches: &[Seq],
        include: &Include,
    ) -> Result<Vec<Seq>, Fault> {
        let mut sources = Vec::with_capacity(matches.len());
        let sql = "SELECT rid, kind, method FROM version WHERE seq = ?1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        for seq in matches {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let found: Option<(i64, i64, i64)> =
                statement.query_row([signed(*seq)], read).optional()?;
            sources.extend(found.map(|(rid, kind, method)| (signed(*seq), rid, kind, method != 2)));
        }
        let mut seen: HashSet<i64> = sources.iter().map(|(_, rid, _, _)| *rid).collect();
        let mut found = Vec::new();
        for (seq, rid, kind, has_text) in sources {
            let targets = match include.direction {
                Direction::Forward => {
                    let source = include.source_type.and_then(|s| self.shared.kinds.number(s));
                    let from = include.source_type.is_none() || source == Some(kind);
                    if from && has_text { self.pointed_to(seq, include)? } else { Vec::new() }
                }
                Direction::Reverse => {
                    let target = include.target_type.and_then(|t| self.shared.kinds.number(t));
                    let wanted = include.target_type.is_none() || target == Some(kind);
                    if wanted { self.pointing_at(rid, include)? } else { Vec::new() }
                }
            };
            found.extend(targets.into_iter().filter(|rid| seen.insert(*rid)));
        }
        let mut found = self.current(&found)?;
        if include.direction == Direction::Reverse {
            self.by_text(matches, include, &mut found)?;
        }
        Ok(found)
    }

    /// Adds what points to `matches` by parameters that are still being indexed: only the texts
    /// can tell.
    fn by_text(
        &self,
        matches: &[Seq],
        include: &Include,
        found: &mut Vec<Seq>,
    ) -> Result<(), Fault> {
        let is_waiting =
            |param: &u32| self.registry.by_number(*param).is_some_and(|param| !param.ready);
        if !include.params.iter().any(is_waiting) {
            return Ok(());
        }
        let mut keys = Vec::with_capacity(matches.len());
        for seq in matches {
            let resource = self.handle.resource(self.shared, signed(*seq))?;
            keys.extend(resource.id().map(|id| (resource.type_name().to_owned(), id.to_string())));
        }
        let keys: Vec<(&str, &str)> =
            keys.iter().map(|(t, id)| (t.as_str(), id.as_str())).collect();
        for query in include.by_text(&self.registry, &keys) {
            for seq in self.find(&query, MOST_BY_TEXT, false)? {
                if !matches.contains(&seq) && !found.contains(&seq) {
                    found.push(seq);
                }
            }
        }
        Ok(())
    }

    /// Where the references in the text of a version lead.
    pub(super) fn pointed_to(&self, seq: i64, include: &Include) -> Result<Vec<i64>, Fault> {
        let entries = self.registry.extract(&self.handle.resource(self.shared, seq)?);
        let mut found = Vec::new();
        for entry in entries.iter().filter(|entry| include.params.contains(&entry.param)) {
            let Some((resource_type, id)) = local_target(&entry.value) else { continue };
            let wanted = include.target_type.is_none_or(|target| target == resource_type);
            let kind = self.shared.kinds.number(resource_type).filter(|_| wanted);
            if let Some(kind) = kind {
                found.extend(self.handle.rid(kind, &Name::new(id))?);
            }
        }
        Ok(found)
    }

    fn pointing_at(&self, rid: i64, include: &Include) -> Result<Vec<i64>, Fault> {
        let mut params: Vec<u32> =
            include.params.iter().flat_map(|param| self.registry.indexed_as(*param)).collect();
        params.sort_unstable();
        params.dedup();
        let mut found = Vec::new();
        if params.len() > MANY_PARAMS {
            let sql = "SELECT param, rid FROM ix_link WHERE target = ?1";
            let mut statement = self.handle.conn.prepare_cached(sql)?;
            let mut rows = statement.query([rid])?;
            while let Some(row) = rows.next()? {
                if params.binary_search(&row.get(0)?).is_ok() {
                    found.push(row.get(1)?);
                }
            }
            return Ok(found);
        }
        let sql = "SELECT rid FROM ix_link WHERE target = ?1 AND param = ?2";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        for param in &params {
            let mut rows = statement.query(params![rid, param])?;
            while let Some(row) = rows.next()? {
                found.push(row.get(0)?);
            }
        }
        Ok(found)
    }

    fn current(&self, rids: &[i64]) -> Result<Vec<Seq>, Fault> {
        let sql = "SELECT seq FROM resource WHERE rid = ?1 AND live = 1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let mut found = Vec::with_capacity(rids.len());
        for rid in rids {
            let seq: Option<i64> = statement.query_row([rid], |row| row.get(0)).optional()?;
            if let Some(seq) = seq {
                found.push(unsigned(seq)?);
            }
        }
        Ok(found)
    }
}
