//! The first page of "these codes, newest first" without finding every match.
//!
//! Rows of codes are clustered by the day of the clinical date, so the rows of the latest days are
//! read until enough of them pass the other filters; the last day is read whole, and the order
//! within is made as always. What cannot be answered so is left to the general way.

use std::collections::HashSet;

use fhirpath::search::ParamNumber;
use rusqlite::params;
use store::Seq;
use store::query::{Filter, Query, SortBy, Test};

use super::super::days::{ANY_DAY, NO_DAY};
use super::super::fault::Fault;
use super::plan::Probe;
use super::{Open, Search, flat};

/// Lists of rows that are read side by side.
const MOST_LISTS: usize = 16;
/// Rows that are read for each match that is wanted, before the general way is cheaper.
const ROWS_PER_MATCH: usize = 100;
/// Rows without one certain day that are put in order with the others.
const MOST_UNCERTAIN: usize = 500;

/// Where one list of codes stands.
struct Cursor {
    param: ParamNumber,
    concept: i64,
    /// The rows at hand, the next one last.
    rows: Vec<(i64, i64)>,
    /// Behind which row to go on; `None` where the list is at its end.
    behind: Option<(i64, i64)>,
}

impl Search<'_> {
    /// The first `limit` matches in order; `None` where there is no short way.
    pub(in crate::sqlite) fn newest(
        &self,
        query: &Query,
        limit: usize,
    ) -> Result<Option<Vec<Seq>>, Fault> {
        let [part] = query.sort.as_slice() else { return Ok(None) };
        let day = self.shared.day(query.resource_type);
        if day.is_none_or(|param| part.by != SortBy::Param(param)) || limit == 0 {
            return Ok(None);
        }
        let Some(kind) = self.shared.kinds.number(query.resource_type) else { return Ok(None) };
        let filters = flat(&query.filters);
        let Some(driver) = filters.iter().position(|filter| is_coded(filter)) else {
            return Ok(None);
        };
        let mut others = Vec::new();
        let mut lists = Vec::new();
        for (at, filter) in filters.into_iter().enumerate() {
            if !is_probed(filter) {
                return Ok(None);
            }
            let plan = self.plan(kind, query.resource_type, filter)?;
            match (&plan.probe, at == driver) {
                (Probe::Token(params, concepts), true) if plan.listed => {
                    let pairs = params.iter().flat_map(|p| concepts.iter().map(move |c| (*p, *c)));
                    lists.extend(pairs);
                }
                (Probe::None, _) | (_, true) => return Ok(None),
                _ if !plan.exact => return Ok(None),
                _ => others.push(Open { filter, plan }),
            }
        }
        if lists.len() > MOST_LISTS {
            return Ok(None);
        }
        let Some(found) = self.walk(&lists, &others, part.descending, limit)? else {
            return Ok(None);
        };
        self.sorted(found, query, limit).map(Some)
    }

    /// Enough matches to hold the first `limit`, in no order.
    fn walk(
        &self,
        lists: &[(ParamNumber, i64)],
        others: &[Open<'_>],
        descending: bool,
        limit: usize,
    ) -> Result<Option<Vec<i64>>, Fault> {
        let mut kept = Vec::new();
        let mut seen = HashSet::new();
        // Several dates or an open start: where these stand is not known by the day.
        if !self.all_of_day(lists, others, ANY_DAY, &mut seen, &mut kept)? {
            return Ok(None);
        }
        let uncertain = kept.len();
        let mut cursors: Vec<Cursor> = Vec::new();
        for (param, concept) in lists {
            let behind = if descending { (NO_DAY, i64::MIN) } else { (ANY_DAY, i64::MAX) };
            let (param, concept) = (*param, *concept);
            let mut cursor = Cursor { param, concept, rows: Vec::new(), behind: Some(behind) };
            self.fill_cursor(&mut cursor, descending)?;
            cursors.push(cursor);
        }
        let (mut read, mut today) = (0_usize, None);
        loop {
            let next = |cursor: &Cursor| cursor.rows.last().map(|(day, _)| *day);
            let days = cursors.iter().filter_map(next);
            let Some(day) = (if descending { days.max() } else { days.min() }) else { break };
            if today != Some(day) && kept.len() - uncertain >= limit {
                return Ok(Some(kept));
            }
            today = Some(day);
            for cursor in cursors.iter_mut().filter(|cursor| next(cursor) == Some(day)) {
                let Some((_, rid)) = cursor.rows.pop() else { continue };
                read += 1;
                if seen.insert(rid) && !self.is_hidden(rid)? {
                    match self.passes_probes(rid, others)? {
                        Some(true) => kept.push(rid),
                        Some(false) => {}
                        None => return Ok(None),
                    }
                }
                if cursor.rows.is_empty() {
                    self.fill_cursor(cursor, descending)?;
                }
            }
            if read > limit.saturating_mul(ROWS_PER_MATCH).max(2_000) {
                return Ok(None);
            }
        }
        // The end has come: those without a date are the last.
        let whole = self.all_of_day(lists, others, NO_DAY, &mut seen, &mut kept)?;
        Ok(whole.then_some(kept))
    }

    /// Reads the next rows of a list up to those without a date.
    fn fill_cursor(&self, cursor: &mut Cursor, descending: bool) -> Result<(), Fault> {
        let Some((day, rid)) = cursor.behind else { return Ok(()) };
        let sql = match descending {
            true => {
                "SELECT day, rid FROM ix_token WHERE param = ?1 AND concept = ?2
                 AND (day, rid) < (?3, ?4) AND day > ?5 ORDER BY day DESC, rid DESC LIMIT 64"
            }
            false => {
                "SELECT day, rid FROM ix_token WHERE param = ?1 AND concept = ?2
                 AND (day, rid) > (?3, ?4) AND day < ?5 ORDER BY day, rid LIMIT 64"
            }
        };
        let end = if descending { ANY_DAY } else { NO_DAY };
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let rows = statement
            .query_map(params![cursor.param, cursor.concept, day, rid, end], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        cursor.rows = rows.collect::<Result<_, _>>()?;
        cursor.behind = cursor.rows.last().copied().filter(|_| cursor.rows.len() == 64);
        cursor.rows.reverse();
        Ok(())
    }

    /// Adds what passes of the rows of one day; `false` where they are too many.
    fn all_of_day(
        &self,
        lists: &[(ParamNumber, i64)],
        others: &[Open<'_>],
        day: i64,
        seen: &mut HashSet<i64>,
        kept: &mut Vec<i64>,
    ) -> Result<bool, Fault> {
        let sql = "SELECT rid FROM ix_token WHERE param = ?1 AND concept = ?2 AND day = ?3";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let mut read = 0;
        for (param, concept) in lists {
            let mut rows = statement.query(params![param, concept, day])?;
            while let Some(row) = rows.next()? {
                read += 1;
                if read > MOST_UNCERTAIN {
                    return Ok(false);
                }
                let rid = row.get(0)?;
                if seen.insert(rid) && !self.is_hidden(rid)? {
                    match self.passes_probes(rid, others)? {
                        Some(true) => kept.push(rid),
                        Some(false) => {}
                        None => return Ok(false),
                    }
                }
            }
        }
        Ok(true)
    }

    fn passes_probes(&self, rid: i64, others: &[Open<'_>]) -> Result<Option<bool>, Fault> {
        for Open { plan, .. } in others {
            match self.probe(rid, &plan.probe)? {
                Some(holds) if holds != plan.negated => {}
                Some(_) => return Ok(Some(false)),
                None => return Ok(None),
            }
        }
        Ok(Some(true))
    }
}

/// Whether a filter asks for codes.
fn is_coded(filter: &Filter) -> bool {
    match filter {
        Filter::Param { tests, negated: false, .. } => {
            tests.iter().all(|test| matches!(test, Test::Token(_) | Test::Codes(_)))
        }
        _ => false,
    }
}

/// Whether a look-up may decide a filter, and lists of it are not likely to be short.
fn is_probed(filter: &Filter) -> bool {
    match filter {
        Filter::LastUpdated(_) => true,
        Filter::Param { tests, .. } => {
            tests.iter().all(|test| matches!(test, Test::Token(_) | Test::Codes(_) | Test::Date(_)))
        }
        _ => false,
    }
}
