//! From a filter to a condition in SQL.
//!
//! What a filter means is written down in `store::query::Filter::holds`. A condition is *exact*
//! when it says the same; otherwise it lets too much pass, and [`super::Search`] asks the filter
//! itself about every candidate.

use fhirpath::search::{ParamNumber, ParamType, Registry};
use store::query::{Filter, Query, Test, Words};

use super::super::fault::Fault;
use super::super::index::number;
use super::super::kinds::Kinds;
use super::super::rows::{PARTS, short};
use super::super::words::is_plain;
use super::sql::{Sql, Value};
use super::tests;

/// How deep conditions may nest.
const MAX_DEPTH: usize = 24;

/// A condition in SQL.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) sql: String,
    /// Whether it says exactly what the filter says.
    pub(super) exact: bool,
}

impl Condition {
    /// What SQL cannot tell at all.
    pub(super) fn unknown() -> Self {
        Self { sql: "TRUE".into(), exact: false }
    }

    pub(super) fn exact(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), exact: true }
    }
}

/// All of some conditions.
pub(super) fn all(conditions: Vec<Condition>) -> Condition {
    join(conditions, " AND ", "TRUE")
}

/// One of some conditions.
fn any(conditions: Vec<Condition>) -> Condition {
    join(conditions, " OR ", "FALSE")
}

fn join(conditions: Vec<Condition>, between: &str, none: &str) -> Condition {
    let exact = conditions.iter().all(|condition| condition.exact);
    let mut parts: Vec<String> = conditions.into_iter().map(|condition| condition.sql).collect();
    let sql = match parts.len() {
        0 => none.to_owned(),
        1 => parts.remove(0),
        _ => format!("({})", parts.join(between)),
    };
    Condition { sql, exact }
}

/// The opposite; nothing is known of the opposite of what lets too much pass.
fn not(condition: Condition) -> Condition {
    match condition.exact {
        true => Condition::exact(format!("NOT {}", condition.sql)),
        false => Condition::unknown(),
    }
}

/// Makes conditions for one statement.
pub(super) struct Conditions<'a> {
    pub(super) kinds: &'a Kinds,
    pub(super) registry: &'a Registry,
    /// Whether the words of every resource are all in the index.
    pub(super) words_are_whole: bool,
    pub(super) sql: Sql,
}

impl Conditions<'_> {
    /// The conditions of a query on the row `r` of `resource`: type, existence and all filters.
    pub(super) fn query(
        &mut self,
        query: &Query,
        r: &str,
        depth: usize,
    ) -> Result<Condition, Fault> {
        let Some(kind) = self.kinds.number(query.resource_type) else {
            return Ok(Condition::exact("FALSE"));
        };
        let kind = self.sql.bind(Value::Small(kind));
        let mut conditions = vec![Condition::exact(format!("{r}.kind = {kind} AND {r}.live"))];
        for filter in &query.filters {
            conditions.push(self.filter(filter, r, depth)?);
        }
        Ok(all(conditions))
    }

    /// The condition of one filter on the row `r` of `resource`.
    pub(super) fn filter(
        &mut self,
        filter: &Filter,
        r: &str,
        depth: usize,
    ) -> Result<Condition, Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::failed("a chain of parameters is too long"));
        }
        Ok(match filter {
            Filter::Id(ids) => {
                let ids = self.sql.bind(Value::Texts(ids.iter().cloned().map(short).collect()));
                Condition::exact(format!("{r}.id = ANY({ids})"))
            }
            Filter::LastUpdated(dates) => {
                let (start, end) = (format!("{r}.ms"), format!("({r}.ms + 1)"));
                let dates = dates
                    .iter()
                    .map(|date| Condition::exact(tests::date(&mut self.sql, date, &start, &end)));
                any(dates.collect())
            }
            // While it is being indexed, only the texts can tell.
            Filter::Param { param, .. }
            | Filter::Missing { param, .. }
            | Filter::Chain { param, .. }
            | Filter::Has { param, .. }
                if !self.is_ready(*param) =>
            {
                Condition::unknown()
            }
            Filter::Param { param, tests, negated } => {
                let found = self.param(*param, tests, r);
                if *negated { not(found) } else { found }
            }
            Filter::Missing { param, missing } => {
                let tables = self.tables_of(*param);
                if tables.is_empty() {
                    return Ok(Condition::unknown());
                }
                let one = |table: &'static str| self.exists(table, *param, r, |_, _| None);
                let found = any(tables.into_iter().map(one).collect());
                if *missing { not(found) } else { found }
            }
            Filter::Chain { param, targets } => self.chain(*param, targets, r, depth)?,
            Filter::Has { param, source } => self.has(*param, source, r, depth)?,
            Filter::Narrative(words) => self.words(words, "narrative", r),
            Filter::Content(words) => self.words(words, "content", r),
            Filter::All(filters) => all(self.filters(filters, r, depth)?),
            Filter::Any(filters) => any(self.filters(filters, r, depth)?),
            Filter::Not(filter) => not(self.filter(filter, r, depth + 1)?),
        })
    }

    /// Whether every resource is indexed by a parameter.
    pub(super) fn is_ready(&self, param: ParamNumber) -> bool {
        self.registry.by_number(param).is_none_or(|param| param.ready)
    }

    fn filters(
        &mut self,
        filters: &[Filter],
        r: &str,
        depth: usize,
    ) -> Result<Vec<Condition>, Fault> {
        filters.iter().map(|filter| self.filter(filter, r, depth + 1)).collect()
    }

    /// At least one value passes one test. Tests of one table share one look.
    fn param(&mut self, param: ParamNumber, tests: &[Test], r: &str) -> Condition {
        let mut tables: Vec<(&'static str, Vec<&Test>)> = Vec::new();
        let mut found = Vec::new();
        for test in tests {
            match (test, tests::table(test)) {
                (Test::Composite(parts), _) => found.push(self.composite(param, parts, r)),
                (test, Some(table)) => match tables.iter_mut().find(|(known, _)| *known == table) {
                    Some((_, known)) => known.push(test),
                    None => tables.push((table, vec![test])),
                },
                (_, None) => found.push(Condition::unknown()),
            }
        }
        for (table, tests) in tables {
            let kinds = self.kinds;
            found.push(self.exists(table, param, r, |sql, t| {
                Some(any(tests.iter().map(|test| tests::holds(sql, kinds, test, t)).collect()))
            }));
        }
        any(found)
    }

    /// The parts of one composite value pass a test each.
    fn composite(&mut self, param: ParamNumber, parts: &[Test], r: &str) -> Condition {
        let params = self.params(param);
        let mut from = Vec::new();
        let mut conditions = Vec::new();
        let mut first: Option<String> = None;
        for (at, part) in parts.iter().enumerate() {
            let Some(table) = tests::table(part) else { return Condition::unknown() };
            let t = self.sql.table();
            conditions.push(tests::holds(&mut self.sql, self.kinds, part, &t));
            let same = match &first {
                None => format!(
                    "{t}.shard = {r}.shard AND {t}.rid = {r}.rid AND {t}.slot % {PARTS} = 0"
                ),
                Some(first) => format!(
                    "{t}.shard = {first}.shard AND {t}.rid = {first}.rid \
                     AND {t}.slot = {first}.slot + {at}"
                ),
            };
            conditions.push(Condition::exact(format!("{same} AND {t}.param {params}")));
            from.push(format!("{table} {t}"));
            first.get_or_insert(t);
        }
        let all = all(conditions);
        let sql = format!("EXISTS (SELECT 1 FROM {} WHERE {})", from.join(", "), all.sql);
        Condition { sql, exact: all.exact }
    }

    /// `= n` or `= ANY(n)` with the numbers under which the values of a parameter are kept.
    pub(super) fn params(&mut self, param: ParamNumber) -> String {
        let mut numbers: Vec<i32> =
            self.registry.indexed_as(param).into_iter().map(number).collect();
        match (numbers.pop(), numbers.is_empty()) {
            (Some(only), true) => format!("= {}", self.sql.bind(Value::Int(only))),
            (last, _) => {
                numbers.extend(last);
                format!("= ANY({})", self.sql.bind(Value::Ints(numbers)))
            }
        }
    }

    /// There is a row of an index table for a parameter, with a condition of its own.
    fn exists(
        &mut self,
        table: &str,
        param: ParamNumber,
        r: &str,
        condition: impl FnOnce(&mut Sql, &str) -> Option<Condition>,
    ) -> Condition {
        let t = self.sql.table();
        let params = self.params(param);
        let own = condition(&mut self.sql, &t);
        let exact = own.as_ref().is_none_or(|own| own.exact);
        let own = own.map_or(String::new(), |own| format!(" AND {}", own.sql));
        let sql = format!(
            "EXISTS (SELECT 1 FROM {table} {t} WHERE {t}.shard = {r}.shard AND {t}.rid = {r}.rid \
             AND {t}.param {params}{own})"
        );
        Condition { sql, exact }
    }

    fn chain(
        &mut self,
        param: ParamNumber,
        targets: &[Query],
        r: &str,
        depth: usize,
    ) -> Result<Condition, Fault> {
        let mut exact = true;
        let mut parts = Vec::new();
        for target in targets {
            let (link, to) = (self.sql.table(), self.sql.table());
            let found = self.query(target, &to, depth + 1)?;
            exact &= found.exact;
            let params = self.params(param);
            parts.push(format!(
                "SELECT {link}.shard, {link}.rid FROM resource {to} JOIN ix_link {link} \
                 ON {link}.kind = {to}.kind AND {link}.id = {to}.id AND {link}.param {params} \
                 WHERE {}",
                found.sql
            ));
        }
        if parts.is_empty() {
            return Ok(Condition::exact("FALSE"));
        }
        let sql = format!("({r}.shard, {r}.rid) IN ({})", parts.join(" UNION ALL "));
        Ok(Condition { sql, exact })
    }

    fn has(
        &mut self,
        param: ParamNumber,
        source: &Query,
        r: &str,
        depth: usize,
    ) -> Result<Condition, Fault> {
        let (link, from) = (self.sql.table(), self.sql.table());
        let found = self.query(source, &from, depth + 1)?;
        let params = self.params(param);
        let sql = format!(
            "({r}.kind, {r}.id) IN (SELECT {link}.kind, {link}.id FROM resource {from} \
             JOIN ix_link {link} ON {link}.shard = {from}.shard AND {link}.rid = {from}.rid \
             AND {link}.param {params} WHERE {link}.id IS NOT NULL AND {})",
            found.sql
        );
        Ok(Condition { sql, exact: found.exact })
    }

    /// The words of a resource pass.
    fn words(&mut self, words: &Words, column: &str, r: &str) -> Condition {
        let w = self.sql.table();
        let Some(condition) = self.word(words, &format!("{w}.{column}")) else {
            return Condition::unknown();
        };
        let part = if self.words_are_whole { "" } else { " OR NOT whole" };
        let sql = format!(
            "EXISTS (SELECT 1 FROM ix_words {w} WHERE {w}.shard = {r}.shard \
             AND {w}.rid = {r}.rid AND ({condition}{part}))"
        );
        Condition { sql, exact: self.words_are_whole }
    }

    /// A condition on a vector; `None` where the words cannot be written as a question.
    fn word(&mut self, words: &Words, vector: &str) -> Option<String> {
        let mut ask =
            |question: String| format!("{vector} @@ {}::tsquery", self.sql.text(question));
        Some(match words {
            Words::Word(word) if is_plain(word) => ask(format!("'{word}'")),
            Words::Prefix(start) if is_plain(start) => ask(format!("'{start}':*")),
            Words::Phrase(words) if words.iter().all(|word| is_plain(word)) => {
                let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
                ask(words.join(" <-> "))
            }
            Words::Word(_) | Words::Prefix(_) | Words::Phrase(_) => return None,
            Words::All(all) => self.each(all, vector, " AND ", "TRUE")?,
            Words::Any(any) => self.each(any, vector, " OR ", "FALSE")?,
            Words::Not(words) => format!("NOT {}", self.word(words, vector)?),
        })
    }

    fn each(&mut self, all: &[Words], vector: &str, between: &str, none: &str) -> Option<String> {
        let parts: Vec<String> =
            all.iter().map(|words| self.word(words, vector)).collect::<Option<_>>()?;
        Some(match parts.is_empty() {
            true => none.to_owned(),
            false => format!("({})", parts.join(between)),
        })
    }

    /// The tables that hold the values of a parameter; several for a composite.
    fn tables_of(&self, param: ParamNumber) -> Vec<&'static str> {
        let Some(param) = self.registry.by_number(param) else { return Vec::new() };
        let components = param.components.iter().map(|part| part.param_type);
        let mut tables: Vec<&'static str> = match param.param_type {
            ParamType::Composite => components.filter_map(table_of).collect(),
            other => table_of(other).into_iter().collect(),
        };
        tables.sort_unstable();
        tables.dedup();
        tables
    }
}

/// The table that holds values of a type.
pub(super) fn table_of(param_type: ParamType) -> Option<&'static str> {
    match param_type {
        ParamType::Token => Some("ix_token"),
        ParamType::String => Some("ix_text"),
        ParamType::Reference => Some("ix_link"),
        ParamType::Date => Some("ix_date"),
        // Special are places: their latitude is kept.
        ParamType::Number | ParamType::Special => Some("ix_number"),
        ParamType::Quantity => Some("ix_quantity"),
        ParamType::Uri => Some("ix_uri"),
        ParamType::Composite => None,
    }
}
