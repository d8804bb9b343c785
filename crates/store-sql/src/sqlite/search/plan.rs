//! How one filter is answered: by lists of rows, and by look-ups for single candidates.

use std::collections::HashSet;

use fhirpath::search::{ParamNumber, ParamType};
use rusqlite::{OptionalExtension, params};
use store::query::{
    DateTest, Direction, Filter, Include, Query, ReferenceTest, StringMatch, Test, Words,
};

use super::super::days::Known;
use super::super::fault::Fault;
use super::super::fulltext;
use super::super::names::{ADDRESS, Name};
use super::super::rows::{Day, typed};
use super::Search;
use super::pairs::pairs;
use super::sources::{self, Source};
use super::values;

/// Look-ups per candidate that are still cheaper than reading its text.
const MOST_LOOKUPS: usize = 16;

/// How to answer one filter.
pub(super) struct Plan {
    /// Lists whose union is what the filter matches (or does not match, when `negated`).
    pub(super) sources: Vec<Source>,
    /// How to test one candidate.
    pub(super) probe: Probe,
    /// What is listed and probed is what must *not* be so.
    pub(super) negated: bool,
    /// Guess of how selective the filter is, lower is more.
    pub(super) rank: u8,
    /// What a chained link may lead to, or what `_has` asks for may come from.
    pub(super) targets: Vec<i64>,
    /// Whether the lists hold exactly what the filter matches. Else they hold more, and the texts
    /// decide in the end.
    pub(super) exact: bool,
    /// Whether there are lists at all.
    pub(super) listed: bool,
}

/// A test of one candidate by a look-up or two.
pub(super) enum Probe {
    /// There is none.
    None,
    /// It has one of these concepts.
    Token(Vec<ParamNumber>, Vec<i64>),
    /// It refers to one of these.
    Link(Vec<ParamNumber>, Vec<i64>),
    /// One of these refers to it.
    Referred(Vec<ParamNumber>, HashSet<i64>),
    /// Its clinical date passes one of these.
    Day(Vec<DateTest>),
    /// Its current version is in one of these half-open ranges.
    Seq(Vec<(i64, i64)>),
    /// It is one of these.
    Rid(Vec<i64>),
}

impl Search<'_> {
    /// Plans one filter of a search over a type.
    pub(super) fn plan(
        &self,
        kind: i64,
        resource_type: &'static str,
        filter: &Filter,
    ) -> Result<Plan, Fault> {
        let mut plan = Plan {
            sources: Vec::new(),
            probe: Probe::None,
            negated: false,
            rank: 5,
            targets: Vec::new(),
            exact: true,
            listed: true,
        };
        match filter {
            Filter::Id(ids) => self.plan_ids(&mut plan, kind, ids)?,
            Filter::LastUpdated(tests) => self.plan_times(&mut plan, kind, tests)?,
            Filter::Param { param, tests, negated } => {
                plan.negated = *negated;
                self.plan_tests(&mut plan, resource_type, *param, tests)?;
                self.trust_index(&mut plan, *param);
            }
            Filter::Missing { param, missing } => {
                plan.negated = *missing;
                plan.rank = 9;
                for param in self.registry.indexed_as(*param) {
                    plan.sources.extend(sources::present(param, self.kind_of(param)));
                }
                self.trust_index(&mut plan, *param);
            }
            Filter::Chain { param, targets } => {
                plan.rank = 2;
                for query in targets {
                    plan.targets.extend(self.matching(query)?);
                }
                plan.targets.sort_unstable();
                let params = self.registry.indexed_as(*param);
                for param in &params {
                    let links = plan.targets.iter().map(|rid| sources::link(*param, *rid));
                    plan.sources.extend(links);
                }
                if plan.targets.len() <= MOST_LOOKUPS {
                    plan.probe = Probe::Link(params, plan.targets.clone());
                }
                self.trust_index(&mut plan, *param);
            }
            Filter::Has { param, source } => self.plan_has(&mut plan, kind, *param, source)?,
            Filter::Narrative(words) => self.plan_words(&mut plan, kind, "fts_narrative", words)?,
            Filter::Content(words) => self.plan_words(&mut plan, kind, "fts_content", words)?,
            Filter::All(filters) => self.plan_set(&mut plan, resource_type, filters, true)?,
            Filter::Any(filters) => self.plan_set(&mut plan, resource_type, filters, false)?,
            Filter::Not(filter) => {
                let filters = std::slice::from_ref(filter.as_ref());
                self.plan_set(&mut plan, resource_type, filters, true)?;
                plan.negated = true;
            }
        }
        // What more than matches was listed says nothing about what does not match.
        plan.listed &= plan.exact || !plan.negated;
        Ok(plan)
    }

    /// While a parameter is being indexed, neither its rows nor a look at one of them tell anything.
    fn trust_index(&self, plan: &mut Plan, param: ParamNumber) {
        plan.listed = self.is_ready(param);
        if !plan.listed {
            plan.probe = Probe::None;
        }
    }

    fn is_ready(&self, param: ParamNumber) -> bool {
        self.registry.by_number(param).is_some_and(|param| param.ready)
    }

    /// What the index of words finds; where there is none yet, the texts must tell.
    fn plan_words(
        &self,
        plan: &mut Plan,
        kind: i64,
        table: &str,
        words: &Words,
    ) -> Result<(), Fault> {
        self.shared.words.ask();
        let state = fulltext::state(&self.handle.conn)?;
        let ready = state.is_some_and(|(done, last)| done >= last);
        match fulltext::expression(words).filter(|_| ready) {
            Some((expression, exact)) => {
                plan.exact = exact;
                plan.sources = vec![sources::words(table, kind, &expression)];
            }
            None => plan.listed = false,
        }
        Ok(())
    }

    /// What passes all or one of some filters, found now.
    fn plan_set(
        &self,
        plan: &mut Plan,
        resource_type: &'static str,
        filters: &[Filter],
        all: bool,
    ) -> Result<(), Fault> {
        let asked: Vec<&[Filter]> = match all {
            true => vec![filters],
            false => filters.iter().map(std::slice::from_ref).collect(),
        };
        let mut found = Vec::new();
        for filters in asked {
            let query = Query { filters: filters.to_vec(), ..Query::every(resource_type) };
            found.extend(self.matching(&query)?);
        }
        found.sort_unstable();
        found.dedup();
        plan.sources = vec![Source::known(found.clone())];
        plan.probe = Probe::Rid(found);
        Ok(())
    }

    /// What is referred to by something that a query finds.
    fn plan_has(
        &self,
        plan: &mut Plan,
        kind: i64,
        param: ParamNumber,
        source: &Query,
    ) -> Result<(), Fault> {
        plan.rank = 6;
        plan.targets = self.matching(source)?;
        let few = plan.targets.len().saturating_mul(self.shared.bounds.rows_per_text.max(1));
        let wanted = self.shared.kinds.name(kind)?;
        if !self.is_ready(param) || few < self.live(kind)? {
            let include = Include {
                direction: Direction::Forward,
                source_type: None,
                params: vec![param],
                target_type: Some(wanted),
                iterate: false,
            };
            let sql = "SELECT 1 FROM resource WHERE rid = ?1 AND live = 1";
            let mut live = self.handle.conn.prepare_cached(sql)?;
            let mut found: Vec<i64> = Vec::new();
            for rid in &plan.targets {
                for rid in self.pointed_to(self.current_seq(*rid)?, &include)? {
                    if live.exists([rid])? {
                        found.push(rid);
                    }
                }
            }
            found.sort_unstable();
            found.dedup();
            plan.sources = vec![Source::known(found.clone())];
            plan.probe = Probe::Rid(found);
            return Ok(());
        }
        plan.listed = false;
        let sources = plan.targets.iter().copied().collect();
        plan.probe = Probe::Referred(self.registry.indexed_as(param), sources);
        Ok(())
    }

    fn plan_ids(&self, plan: &mut Plan, kind: i64, ids: &[String]) -> Result<(), Fault> {
        let sql = "SELECT rid FROM resource WHERE kind = ?1 AND id = ?2 AND live = 1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let mut found: Vec<i64> = Vec::new();
        for id in ids {
            let values = params![kind, Name::new(id)];
            found.extend(statement.query_row(values, |row| row.get::<_, i64>(0)).optional()?);
        }
        found.sort_unstable();
        plan.rank = 0;
        plan.sources = vec![Source::known(found.clone())];
        plan.probe = Probe::Rid(found);
        Ok(())
    }

    fn plan_times(&self, plan: &mut Plan, kind: i64, tests: &[DateTest]) -> Result<(), Fault> {
        let mut ranges = Vec::new();
        for test in tests {
            // Versions are in order of time, so each range of time is a range of numbers.
            for (from_ms, to_ms) in values::instants(test) {
                let range = (self.first_since(from_ms)?, self.first_since(to_ms)?);
                if range.0 < range.1 {
                    ranges.push(range);
                }
            }
        }
        plan.rank = 8;
        plan.sources = ranges.iter().map(|range| sources::written(kind, *range)).collect();
        plan.probe = Probe::Seq(ranges);
        Ok(())
    }

    /// The first version that is not older than `ms`, or the one after the last.
    fn first_since(&self, ms: i64) -> Result<i64, Fault> {
        // Versions between may have been forgotten; the newest never is.
        let sql = "SELECT ms, seq FROM version WHERE seq >= ?1 ORDER BY seq LIMIT 1";
        let mut time = self.handle.conn.prepare_cached(sql)?;
        let (mut low, mut high) = (1, self.handle.last_seq()? + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let (at, seq): (i64, i64) =
                time.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if at < ms {
                low = seq + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn plan_tests(
        &self,
        plan: &mut Plan,
        resource_type: &str,
        param: ParamNumber,
        tests: &[Test],
    ) -> Result<(), Fault> {
        let params = self.registry.indexed_as(param);
        let (mut concepts, mut links, mut days) = (Some(Vec::new()), Some(Vec::new()), Vec::new());
        for test in tests {
            let found = match test {
                Test::Token(token) | Test::Identifier(token) => {
                    plan.rank = 3;
                    let few = sources::concepts(&self.handle.conn, token)?;
                    for param in &params {
                        plan.sources.extend(sources::token(*param, token, few.as_deref()));
                    }
                    few
                }
                Test::Codes(codes) => {
                    plan.rank = 4;
                    let found = sources::listed(&self.handle.conn, codes)?;
                    for param in &params {
                        plan.sources.extend(sources::of_concepts(*param, &found));
                    }
                    Some(found)
                }
                Test::OfType { system, code, value } => {
                    plan.rank = 1;
                    let found = sources::typed(&self.handle.conn, &typed(system, code, value))?;
                    for param in &params {
                        plan.sources.extend(sources::of_concepts(*param, &found));
                    }
                    Some(found)
                }
                Test::Reference(reference) => {
                    plan.rank = 1;
                    let targets = self.targets(reference)?;
                    for param in &params {
                        plan.sources.extend(targets.iter().map(|rid| sources::link(*param, *rid)));
                    }
                    links.get_or_insert_default().extend(targets);
                    continue;
                }
                other => {
                    self.plan_value(plan, &params, other, &mut days)?;
                    None
                }
            };
            match (found, &mut concepts) {
                (Some(found), Some(concepts)) => concepts.extend(found),
                _ => concepts = None,
            }
        }
        let is_token = |test: &Test| {
            let coded = matches!(test, Test::Token(_) | Test::Identifier(_));
            coded || matches!(test, Test::Codes(_) | Test::OfType { .. })
        };
        let concepts = concepts.filter(|found| found.len() <= MOST_LOOKUPS);
        let links = links.filter(|found| found.len() <= MOST_LOOKUPS);
        plan.probe = if !plan.exact {
            Probe::None
        } else if tests.iter().all(is_token) {
            concepts.map_or(Probe::None, |concepts| Probe::Token(params, concepts))
        } else if tests.iter().all(|test| matches!(test, Test::Reference(_))) {
            links.map_or(Probe::None, |links| Probe::Link(params, links))
        } else if days.len() == tests.len() && self.shared.day(resource_type) == Some(param) {
            Probe::Day(days)
        } else {
            Probe::None
        };
        Ok(())
    }

    /// Plans a test of anything but codes and references.
    fn plan_value(
        &self,
        plan: &mut Plan,
        params: &[ParamNumber],
        test: &Test,
        days: &mut Vec<DateTest>,
    ) -> Result<(), Fault> {
        plan.rank = 4;
        for param in params {
            match test {
                Test::Date(date) => {
                    plan.rank = 7;
                    plan.sources.extend(values::date(*param, date));
                }
                Test::Composite(tests) => {
                    plan.rank = 3;
                    let (found, exact) = pairs(&self.handle.conn, *param, tests)?;
                    plan.sources.extend(found);
                    plan.exact &= exact;
                }
                Test::Not(_) => {
                    plan.rank = 9;
                    plan.sources.extend(sources::present(*param, self.kind_of(*param)));
                    plan.exact = false;
                }
                other => plan.sources.extend(values::other(*param, other)),
            }
        }
        match test {
            Test::Date(date) => days.push(*date),
            Test::Near(_) => plan.exact = false,
            Test::String { text, how: StringMatch::Words } => plan.exact &= !text.contains(' '),
            _ => {}
        }
        Ok(())
    }

    /// The rows that a reference may mean.
    fn targets(&self, reference: &ReferenceTest) -> Result<Vec<i64>, Fault> {
        let kinds = match reference {
            ReferenceTest::Url(url) => {
                return Ok(self.handle.rid(ADDRESS, &Name::new(url))?.into_iter().collect());
            }
            ReferenceTest::Versioned { url, version, below } => {
                return self.versions(&format!("{url}|{version}"), *below);
            }
            ReferenceTest::Local { resource_type: Some(name), .. } => vec![name.as_str()],
            ReferenceTest::Local { resource_type: None, .. } => {
                fhir::definitions::resource_types().to_vec()
            }
        };
        let ReferenceTest::Local { id, .. } = reference else { return Ok(Vec::new()) };
        let name = Name::new(id);
        let mut found = Vec::new();
        for kind in kinds.into_iter().filter_map(|kind| self.shared.kinds.number(kind)) {
            found.extend(self.handle.rid(kind, &name)?);
        }
        Ok(found)
    }

    /// The addresses of a canonical in one version, or in those that continue it too.
    fn versions(&self, whole: &str, below: bool) -> Result<Vec<i64>, Fault> {
        let mut found: Vec<i64> =
            self.handle.rid(ADDRESS, &Name::new(whole))?.into_iter().collect();
        if below {
            let sql = "SELECT rid FROM resource WHERE kind = ?1 AND id >= ?2 AND id < ?3";
            let mut statement = self.handle.conn.prepare_cached(sql)?;
            let start = format!("{whole}.");
            let values = params![ADDRESS, start, values::after(&start)];
            for rid in statement.query_map(values, |row| row.get(0))? {
                found.push(rid?);
            }
        }
        Ok(found)
    }

    /// What the lists of a plan hold, in order and each once; `None` beyond `bound` rows.
    pub(super) fn list(&self, plan: &Plan, bound: usize) -> Result<Option<Vec<i64>>, Fault> {
        let mut rids = Vec::new();
        for source in &plan.sources {
            if !source.list(&self.handle.conn, &mut rids, bound)? {
                return Ok(None);
            }
        }
        rids.sort_unstable();
        rids.dedup();
        Ok(Some(rids))
    }

    /// Tests one candidate; `None` where only its text can tell.
    pub(super) fn probe(&self, rid: i64, probe: &Probe) -> Result<Option<bool>, Fault> {
        let conn = &self.handle.conn;
        let one_of = |sql: &str, params: &[ParamNumber], numbers: &[i64], day: i64| {
            let mut statement = conn.prepare_cached(sql)?;
            for (param, number) in params.iter().flat_map(|p| numbers.iter().map(move |n| (p, n))) {
                if statement.exists(params![param, number, day, rid])? {
                    return Ok(Some(true));
                }
            }
            Ok(Some(false))
        };
        match probe {
            Probe::None => Ok(None),
            Probe::Token(params, concepts) => {
                let sql = "SELECT 1 FROM ix_token
                           WHERE param = ?1 AND concept = ?2 AND day = ?3 AND rid = ?4";
                one_of(sql, params, concepts, self.bucket(rid)?)
            }
            Probe::Link(params, targets) => {
                let sql = "SELECT 1 FROM ix_link
                           WHERE param = ?1 AND target = ?2 AND rid = ?4 AND ?3 IS NOT NULL";
                one_of(sql, params, targets, 0)
            }
            Probe::Referred(params, sources) => {
                let sql = "SELECT rid FROM ix_link WHERE target = ?1 AND param = ?2";
                let mut statement = conn.prepare_cached(sql)?;
                for param in params {
                    let mut rows = statement.query(params![rid, param])?;
                    while let Some(row) = rows.next()? {
                        if sources.contains(&row.get(0)?) {
                            return Ok(Some(true));
                        }
                    }
                }
                Ok(Some(false))
            }
            Probe::Rid(rids) => Ok(Some(rids.binary_search(&rid).is_ok())),
            Probe::Seq(ranges) => {
                let sql = "SELECT seq FROM resource WHERE rid = ?1";
                let seq: i64 = conn.prepare_cached(sql)?.query_row([rid], |row| row.get(0))?;
                Ok(Some(ranges.iter().any(|(from, to)| (*from..*to).contains(&seq))))
            }
            Probe::Day(tests) => {
                let sql = "SELECT day, span FROM resource WHERE rid = ?1";
                let mut statement = conn.prepare_cached(sql)?;
                let read =
                    |row: &rusqlite::Row<'_>| Ok(Day { start: row.get(0)?, span: row.get(1)? });
                Ok(match statement.query_row([rid], read)?.known() {
                    Known::Missing => Some(false),
                    Known::Range(start, end) => Some(tests.iter().any(|t| t.holds(start, end))),
                    Known::Unknown => None,
                })
            }
        }
    }

    /// The day under which the codes of a resource are listed.
    pub(super) fn bucket(&self, rid: i64) -> Result<i64, Fault> {
        let sql = "SELECT kind, day, span FROM resource WHERE rid = ?1";
        let mut statement = self.handle.conn.prepare_cached(sql)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, i64>(0)?, Day { start: row.get(1)?, span: row.get(2)? }))
        };
        let (kind, day) = statement.query_row([rid], read)?;
        Ok(day.bucket(self.shared.day(self.shared.kinds.name(kind)?).is_some()))
    }

    fn current_seq(&self, rid: i64) -> Result<i64, Fault> {
        let sql = "SELECT seq FROM resource WHERE rid = ?1";
        Ok(self.handle.conn.prepare_cached(sql)?.query_row([rid], |row| row.get(0))?)
    }

    fn kind_of(&self, param: ParamNumber) -> Option<ParamType> {
        self.registry.by_number(param).map(|param| param.param_type)
    }
}
