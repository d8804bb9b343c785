//! How one filter is answered: by lists of rows, and by look-ups for single candidates.

use fhirpath::search::{ParamNumber, ParamType, Registry};
use rusqlite::{OptionalExtension, params};
use store::query::{DateTest, Filter, ReferenceTest, Test};

use super::super::days::Known;
use super::super::fault::Fault;
use super::super::names::{ADDRESS, Name};
use super::super::rows::Day;
use super::Search;
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
    /// Where a chained link may lead.
    pub(super) targets: Vec<i64>,
}

/// A test of one candidate by a look-up or two.
pub(super) enum Probe {
    /// There is none.
    None,
    /// It has one of these concepts.
    Token(ParamNumber, Vec<i64>),
    /// It refers to one of these.
    Link(ParamNumber, Vec<i64>),
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
        resource_type: &str,
        filter: &Filter,
    ) -> Result<Plan, Fault> {
        let mut plan = Plan {
            sources: Vec::new(),
            probe: Probe::None,
            negated: false,
            rank: 5,
            targets: Vec::new(),
        };
        match filter {
            Filter::Id(ids) => self.plan_ids(&mut plan, kind, ids)?,
            Filter::LastUpdated(tests) => self.plan_times(&mut plan, kind, tests)?,
            Filter::Param { param, tests, negated } => {
                plan.negated = *negated;
                self.plan_tests(&mut plan, resource_type, *param, tests)?;
            }
            Filter::Missing { param, missing } => {
                plan.negated = *missing;
                plan.rank = 9;
                plan.sources = sources::present(*param, kind_of(*param));
            }
            Filter::Chain { param, targets } => {
                plan.rank = 2;
                for query in targets {
                    plan.targets.extend(self.matching(query)?);
                }
                plan.sources = plan.targets.iter().map(|rid| sources::link(*param, *rid)).collect();
                if plan.targets.len() <= MOST_LOOKUPS {
                    plan.probe = Probe::Link(*param, plan.targets.clone());
                }
            }
        }
        Ok(plan)
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
        let mut time = self.handle.conn.prepare_cached("SELECT ms FROM version WHERE seq = ?1")?;
        let (mut low, mut high) = (1, self.handle.last_seq()? + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let at: i64 = time.query_row([middle], |row| row.get(0))?;
            if at < ms {
                low = middle + 1;
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
        let (mut concepts, mut links, mut days) = (Some(Vec::new()), Some(Vec::new()), Vec::new());
        for test in tests {
            match test {
                Test::Token(token) | Test::Identifier(token) => {
                    plan.rank = 3;
                    let few = sources::concepts(&self.handle.conn, token)?;
                    match (&few, &mut concepts) {
                        (Some(few), Some(concepts)) => concepts.extend_from_slice(few),
                        _ => concepts = None,
                    }
                    plan.sources.extend(sources::token(param, token, few.as_deref()));
                }
                Test::Reference(reference) => {
                    plan.rank = 1;
                    let targets = self.targets(reference)?;
                    plan.sources.extend(targets.iter().map(|rid| sources::link(param, *rid)));
                    links.get_or_insert_default().extend(targets);
                }
                Test::Date(date) => {
                    plan.rank = 7;
                    plan.sources.extend(values::date(param, date));
                    days.push(*date);
                }
                other => {
                    plan.rank = 4;
                    plan.sources.extend(values::other(param, other));
                }
            }
        }
        let concepts = concepts.filter(|found| found.len() <= MOST_LOOKUPS);
        let links = links.filter(|found| found.len() <= MOST_LOOKUPS);
        let all = |of: fn(&Test) -> bool| tests.iter().all(of);
        plan.probe = if all(|test| matches!(test, Test::Token(_) | Test::Identifier(_))) {
            concepts.map_or(Probe::None, |concepts| Probe::Token(param, concepts))
        } else if all(|test| matches!(test, Test::Reference(_))) {
            links.map_or(Probe::None, |links| Probe::Link(param, links))
        } else if days.len() == tests.len() && self.shared.day(resource_type) == Some(param) {
            Probe::Day(days)
        } else {
            Probe::None
        };
        Ok(())
    }

    /// The rows that a reference may mean.
    fn targets(&self, reference: &ReferenceTest) -> Result<Vec<i64>, Fault> {
        let kinds = match reference {
            ReferenceTest::Url(url) => {
                return Ok(self.handle.rid(ADDRESS, &Name::new(url))?.into_iter().collect());
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
        let one_of = |sql: &str, param: ParamNumber, numbers: &[i64]| {
            let mut statement = conn.prepare_cached(sql)?;
            for number in numbers {
                if statement.exists(params![param, number, rid])? {
                    return Ok(Some(true));
                }
            }
            Ok(Some(false))
        };
        match probe {
            Probe::None => Ok(None),
            Probe::Token(param, concepts) => {
                let sql = "SELECT 1 FROM ix_token WHERE param = ?1 AND concept = ?2 AND rid = ?3";
                one_of(sql, *param, concepts)
            }
            Probe::Link(param, targets) => {
                let sql = "SELECT 1 FROM ix_link WHERE param = ?1 AND target = ?2 AND rid = ?3";
                one_of(sql, *param, targets)
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
}

fn kind_of(param: ParamNumber) -> Option<ParamType> {
    Registry::r4().by_number(param).map(|param| param.param_type)
}
