//! The order of an answer.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use fhirpath::search::{ParamNumber, ParamType};
use store::Seq;
use store::query::{Candidate, Query, Sort, SortBy, SortKey, compare, sort_keys};

use super::super::days::Known;
use super::super::fault::Fault;
use super::super::handle::unsigned;
use super::super::names::Name;
use super::super::rows::Day;
use super::Search;

/// A match on its way to its place.
struct Match {
    rid: i64,
    seq: i64,
    first: i64,
    day: Day,
    keys: Vec<Option<SortKey>>,
}

impl Search<'_> {
    /// The current versions of those resources that are live, as first written.
    pub(in crate::sqlite) fn in_order(&self, rids: Vec<i64>) -> Result<Vec<Seq>, Fault> {
        let mut matches = self.rows(rids)?;
        matches.sort_unstable_by_key(|found| found.first);
        matches.into_iter().map(|found| unsigned(found.seq)).collect()
    }

    /// The same in the order of a query, at most `limit`.
    pub(super) fn sorted(
        &self,
        rids: Vec<i64>,
        query: &Query,
        limit: usize,
    ) -> Result<Vec<Seq>, Fault> {
        let mut matches = self.rows(rids)?;
        let mut by_text = Vec::new();
        for (at, part) in query.sort.iter().enumerate() {
            if !self.fill(&mut matches, query.resource_type, part)? {
                by_text.push((at, *part));
            }
        }
        if !by_text.is_empty() {
            for found in &mut matches {
                self.fill_by_text(found, &by_text)?;
            }
        }
        let order = |a: &Match, b: &Match| {
            compare(&query.sort, &a.keys, &b.keys).then(a.first.cmp(&b.first))
        };
        if limit < matches.len() {
            if limit == 0 {
                return Ok(Vec::new());
            }
            matches.select_nth_unstable_by(limit - 1, order);
            matches.truncate(limit);
        }
        matches.sort_unstable_by(order);
        matches.into_iter().map(|found| unsigned(found.seq)).collect()
    }

    fn rows(&self, rids: Vec<i64>) -> Result<Vec<Match>, Fault> {
        let sql = "SELECT seq, first, live, day, span FROM resource WHERE rid = ?1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let mut matches = Vec::with_capacity(rids.len());
        for rid in rids {
            let mut rows = statement.query([rid])?;
            let row = rows.next()?.ok_or(Fault::Corrupt("an index row has no resource"))?;
            if row.get::<_, i64>(2)? == 1 {
                let day = Day { start: row.get(3)?, span: row.get(4)? };
                let keys = Vec::new();
                matches.push(Match { rid, seq: row.get(0)?, first: row.get(1)?, day, keys });
            }
        }
        Ok(matches)
    }

    /// Adds one key to every match. `false` where that is left to the texts; the keys are then
    /// there but empty.
    fn fill(&self, matches: &mut [Match], resource_type: &str, part: &Sort) -> Result<bool, Fault> {
        match part.by {
            SortBy::Id => {
                let sql = "SELECT id FROM resource WHERE rid = ?1";
                let mut statement = self.handle.conn.prepare_cached(sql)?;
                for found in matches {
                    let mut rows = statement.query([found.rid])?;
                    let row = rows.next()?.ok_or(Fault::Corrupt("a resource has no row"))?;
                    found.keys.push(Some(SortKey::Text(Name::read(row.get_ref(0)?)?.text())));
                }
                Ok(true)
            }
            SortBy::LastUpdated => {
                matches.iter_mut().for_each(|m| m.keys.push(Some(SortKey::Int(m.seq))));
                Ok(true)
            }
            SortBy::Param(param) => {
                let is_day = self.shared.day(resource_type) == Some(param);
                let all_known = |m: &Match| m.day.known() != Known::Unknown;
                if is_day && matches.iter().all(all_known) {
                    for found in matches {
                        found.keys.push(match found.day.known() {
                            Known::Range(start, _) => Some(SortKey::Int(start)),
                            Known::Missing | Known::Unknown => None,
                        });
                    }
                    return Ok(true);
                }
                let keys = self.listed_keys(matches, param, part.descending)?;
                let complete = keys.is_some();
                let mut keys = keys.unwrap_or_default();
                matches.iter_mut().for_each(|m| m.keys.push(keys.remove(&m.rid)));
                Ok(complete)
            }
        }
    }

    /// The keys of the matches out of the index, which is not ordered by resource: all of the
    /// parameter's rows are read, unless they are too many for so few matches.
    fn listed_keys(
        &self,
        matches: &[Match],
        param: ParamNumber,
        descending: bool,
    ) -> Result<Option<HashMap<i64, SortKey>>, Fault> {
        let known = self.registry.by_number(param).filter(|param| param.ready);
        let sql = match known.map(|param| param.param_type) {
            Some(ParamType::Date) => "SELECT rid, start FROM ix_date WHERE param = ?1",
            Some(ParamType::String) => "SELECT rid, text FROM ix_text WHERE param = ?1",
            Some(ParamType::Number) => "SELECT rid, value FROM ix_number WHERE param = ?1",
            Some(ParamType::Quantity) => "SELECT rid, value FROM ix_quantity WHERE param = ?1",
            Some(ParamType::Uri) => {
                "SELECT x.rid, u.text FROM ix_uri x CROSS JOIN uri u ON u.number = x.uri
                 WHERE x.param = ?1"
            }
            Some(ParamType::Token) => {
                "SELECT t.rid, c.code FROM ix_token t CROSS JOIN concept c ON c.number = t.concept
                 WHERE t.param = ?1 AND c.code <> '' AND c.code NOT LIKE '%' || char(1) || '%'"
            }
            _ => return Ok(None),
        };
        let bounds = self.shared.bounds;
        let bound = matches.len().saturating_mul(bounds.rows_per_text).max(bounds.first);
        let wanted: HashSet<i64> = matches.iter().map(|found| found.rid).collect();
        let mut keys: HashMap<i64, SortKey> = HashMap::new();
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let mut read = 0;
        for param in self.registry.indexed_as(param) {
            let mut rows = statement.query([param])?;
            while let Some(row) = rows.next()? {
                read += 1;
                if read > bound {
                    return Ok(None);
                }
                let rid: i64 = row.get(0)?;
                if !wanted.contains(&rid) {
                    continue;
                }
                let key = match row.get(1)? {
                    rusqlite::types::Value::Integer(number) => SortKey::Int(number),
                    rusqlite::types::Value::Real(number) => SortKey::Number(number),
                    rusqlite::types::Value::Text(text) => SortKey::Text(text),
                    _ => return Err(Fault::Corrupt("an index row holds no value")),
                };
                let better = if descending { Ordering::Greater } else { Ordering::Less };
                match keys.get_mut(&rid) {
                    Some(known) if key.order(known) == better => *known = key,
                    Some(_) => {}
                    None => {
                        keys.insert(rid, key);
                    }
                }
            }
        }
        Ok(Some(keys))
    }

    fn fill_by_text(&self, found: &mut Match, parts: &[(usize, Sort)]) -> Result<(), Fault> {
        let resource = self.handle.resource(self.shared, found.seq)?;
        let entries = self.registry.extract(&resource);
        let resource_type = fhir::definitions::resource_type(resource.type_name());
        let resource_type = resource_type.ok_or(Fault::Corrupt("a resource has no type"))?;
        let text = resource.text();
        let candidate =
            Candidate { resource_type, id: "", last_updated_ms: 0, entries: &entries, text };
        for (at, part) in parts {
            let key = sort_keys(std::slice::from_ref(part), candidate, 0).pop().flatten();
            if let Some(slot) = found.keys.get_mut(*at) {
                *slot = key;
            }
        }
        Ok(())
    }
}
