//! The lists that answer tests: each is one range of one index table.

use std::borrow::Cow;

use fhirpath::search::{ParamNumber, ParamType};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use store::query::{
    DateTest, NumberTest, Prefix, StringMatch, SystemTest, Test, TokenTest, UnitTest, UriMatch,
};

use super::super::fault::Fault;
use super::super::rows::DAY_MS;

/// More concepts than this for one code are joined instead of listed one by one.
const MOST_CONCEPTS: usize = 64;

/// One list of row numbers, which may hold a number more than once.
pub(super) struct Source {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    known: Vec<i64>,
}

impl Source {
    fn new(sql: impl Into<Cow<'static, str>>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values, known: Vec::new() }
    }

    /// A list that needs no table.
    pub(super) fn known(rids: Vec<i64>) -> Self {
        Self { sql: Cow::Borrowed(""), values: Vec::new(), known: rids }
    }

    /// Appends to `rids` until it holds more than `bound`; tells whether it did not come to that.
    pub(super) fn list(
        &self,
        conn: &Connection,
        rids: &mut Vec<i64>,
        bound: usize,
    ) -> Result<bool, Fault> {
        rids.extend_from_slice(&self.known);
        if !self.sql.is_empty() {
            let mut statement = conn.prepare_cached(&self.sql)?;
            let mut rows = statement.query(params_from_iter(&self.values))?;
            while rids.len() <= bound {
                let Some(row) = rows.next()? else { break };
                rids.push(row.get(0)?);
            }
        }
        Ok(rids.len() <= bound)
    }
}

fn int(number: impl Into<i64>) -> Value {
    Value::Integer(number.into())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Resources that refer to `target`.
pub(super) fn link(param: ParamNumber, target: i64) -> Source {
    let sql = "SELECT rid FROM ix_link WHERE target = ?2 AND param = ?1";
    Source::new(sql, vec![int(param), int(target)])
}

/// Resources whose current version is in a half-open range.
pub(super) fn written(kind: i64, (from, to): (i64, i64)) -> Source {
    let sql = "SELECT r.rid FROM version v CROSS JOIN resource r ON r.rid = v.rid
               WHERE v.kind = ?1 AND v.seq >= ?2 AND v.seq < ?3 AND r.seq = v.seq AND r.live = 1";
    Source::new(sql, vec![int(kind), int(from), int(to)])
}

/// The half-open ranges of milliseconds in which a test holds for an instant.
pub(super) fn instants(test: &DateTest) -> Vec<(i64, i64)> {
    let (start, end) = (test.start_ms, test.end_ms);
    match test.prefix {
        Prefix::Eq => vec![(start, end)],
        Prefix::Ne => vec![(i64::MIN, start), (end, i64::MAX)],
        Prefix::Gt | Prefix::Sa => vec![(end, i64::MAX)],
        Prefix::Lt | Prefix::Eb => vec![(i64::MIN, start)],
        Prefix::Ge => vec![(start, i64::MAX)],
        Prefix::Le => vec![(i64::MIN, end)],
        Prefix::Ap => vec![test.widened()],
    }
}

/// Every resource with a value.
pub(super) fn present(param: ParamNumber, kind: Option<ParamType>) -> Vec<Source> {
    let tables: &[&str] = match kind {
        Some(ParamType::Token) => &["ix_token"],
        Some(ParamType::String) => &["ix_text"],
        Some(ParamType::Reference) => &["ix_link", "ix_token"],
        Some(ParamType::Date) => &["ix_date"],
        Some(ParamType::Number) => &["ix_number"],
        Some(ParamType::Quantity) => &["ix_quantity"],
        Some(ParamType::Uri) => &["ix_uri"],
        _ => &[],
    };
    let source =
        |table| Source::new(format!("SELECT rid FROM {table} WHERE param = ?1"), vec![int(param)]);
    tables.iter().map(source).collect()
}

/// The concepts that a test accepts; `None` where they are too many or not found by code.
pub(super) fn concepts(conn: &Connection, test: &TokenTest) -> Result<Option<Vec<i64>>, Fault> {
    let Some((condition, values)) = concept_condition(test) else { return Ok(None) };
    let sql =
        format!("SELECT c.number FROM concept c WHERE {condition} LIMIT {}", MOST_CONCEPTS + 1);
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(&values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row.get(0)?);
    }
    Ok((found.len() <= MOST_CONCEPTS).then_some(found))
}

/// A condition on `concept c`; its values start at ?1.
fn concept_condition(test: &TokenTest) -> Option<(&'static str, Vec<Value>)> {
    let code = text(test.code.as_deref()?);
    Some(match &test.system {
        SystemTest::Any => ("c.code = ?1", vec![code]),
        SystemTest::Absent => ("c.code = ?1 AND c.system = 0", vec![code]),
        SystemTest::Is(system) => (
            "c.code = ?1 AND c.system = (SELECT number FROM uri WHERE text = ?2)",
            vec![code, text(system)],
        ),
    })
}

/// Resources with a token; `few` are the concepts where they are known.
pub(super) fn token(param: ParamNumber, test: &TokenTest, few: Option<&[i64]>) -> Vec<Source> {
    if let Some(few) = few {
        let sql = "SELECT rid FROM ix_token WHERE param = ?1 AND concept = ?2";
        return few.iter().map(|c| Source::new(sql, vec![int(param), int(*c)])).collect();
    }
    let (condition, mut values) = match (concept_condition(test), &test.system) {
        (Some(found), _) => found,
        (None, SystemTest::Is(system)) => {
            // Only the system is given: the parameter's own rows are fewer than its concepts.
            let sql = "SELECT t.rid FROM ix_token t CROSS JOIN concept c ON c.number = t.concept
                       WHERE t.param = ?1
                         AND c.system = (SELECT number FROM uri WHERE text = ?2)";
            return vec![Source::new(sql, vec![int(param), text(system)])];
        }
        (None, _) => return present(param, Some(ParamType::Token)),
    };
    let sql = format!(
        "SELECT t.rid FROM concept c CROSS JOIN ix_token t ON t.concept = c.number
         WHERE {condition} AND t.param = ?{}",
        values.len() + 1
    );
    values.push(int(param));
    vec![Source::new(sql, values)]
}

/// Resources with a date. Short ones are found by where they start; the few long ones are read.
pub(super) fn date(param: ParamNumber, test: &DateTest) -> Vec<Source> {
    let (start, end) = (test.start_ms, test.end_ms);
    let (wide_start, wide_end) = test.widened();
    let (condition, first, last) = match test.prefix {
        Prefix::Eq => ("start >= ?2 AND end <= ?3", start, end),
        Prefix::Ne => ("(start < ?2 OR end > ?3)", i64::MIN, i64::MAX),
        Prefix::Gt => ("end > ?3", end.saturating_sub(DAY_MS), i64::MAX),
        Prefix::Lt => ("start < ?2", i64::MIN, start),
        Prefix::Ge => {
            ("(end > ?3 OR start >= ?2)", (end.saturating_sub(DAY_MS)).min(start), i64::MAX)
        }
        Prefix::Le => ("(start < ?2 OR end <= ?3)", i64::MIN, start.max(end)),
        Prefix::Sa => ("start >= ?3", end, i64::MAX),
        Prefix::Eb => ("end <= ?2", i64::MIN, start),
        Prefix::Ap => ("start < ?7 AND end > ?6", wide_start.saturating_sub(DAY_MS), wide_end),
    };
    let common = [int(param), int(start), int(end)];
    let both = [int(wide_start), int(wide_end)];
    // The first range of `start` speaks of the short dates only.
    let ranged = |long: i64, first: i64, last: i64| {
        let sql = format!(
            "SELECT rid FROM ix_date WHERE param = ?1 AND long = {long}
             AND start >= ?4 AND start <= ?5 AND {condition}"
        );
        let mut values: Vec<Value> = common.to_vec();
        values.extend([int(first), int(last)]);
        if condition.contains("?6") {
            values.extend_from_slice(&both);
        }
        Source::new(sql, values)
    };
    vec![ranged(0, first, last), ranged(1, i64::MIN, last)]
}

/// Resources that pass a test of one of the other kinds.
pub(super) fn other(param: ParamNumber, test: &Test) -> Vec<Source> {
    match test {
        Test::TokenText(start) => {
            let sql = "SELECT t.rid FROM concept c CROSS JOIN ix_token t ON t.concept = c.number
                       WHERE c.text <> '' AND c.text >= ?2 AND c.text < ?3 AND t.param = ?1";
            vec![Source::new(sql, vec![int(param), text(start), after(start)])]
        }
        Test::String { text: wanted, how } => vec![string(param, wanted, *how)],
        Test::Number(number) => vec![numbers("ix_number", param, number, "", Vec::new())],
        Test::Quantity { number, unit } => vec![quantity(param, number, unit)],
        Test::Uri { uri, how } => uris(param, uri, *how),
        Test::Token(_) | Test::Identifier(_) | Test::Reference(_) | Test::Date(_) => Vec::new(),
    }
}

/// The least text that comes after everything that starts with `prefix`; a blob, which comes after
/// every text, where there is none.
fn after(prefix: &str) -> Value {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            _ => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Value::Text(chars.into_iter().collect());
        }
    }
    Value::Blob(Vec::new())
}

fn string(param: ParamNumber, wanted: &str, how: StringMatch) -> Source {
    match how {
        StringMatch::Starts => {
            let sql = "SELECT rid FROM ix_text WHERE param = ?1 AND text >= ?2 AND text < ?3";
            Source::new(sql, vec![int(param), text(wanted), after(wanted)])
        }
        StringMatch::Contains => {
            let sql = "SELECT rid FROM ix_text WHERE param = ?1 AND instr(text, ?2) > 0";
            Source::new(sql, vec![int(param), text(wanted)])
        }
        StringMatch::Exact => {
            let normal = fhirpath::search::normalise(wanted);
            let exact = if normal == wanted { "" } else { wanted };
            let sql = "SELECT rid FROM ix_text WHERE param = ?1 AND text = ?2 AND exact = ?3";
            Source::new(sql, vec![int(param), text(&normal), text(exact)])
        }
    }
}

fn quantity(param: ParamNumber, number: &NumberTest, unit: &UnitTest) -> Source {
    let (condition, values) = match unit {
        UnitTest::Any => ("", Vec::new()),
        UnitTest::Named(name) => (
            "AND EXISTS(SELECT 1 FROM concept c
                        WHERE c.number = x.unit AND (c.code = ?4 OR c.text = ?4))",
            vec![text(name)],
        ),
        UnitTest::Coded { system, code } => (
            "AND EXISTS(SELECT 1 FROM concept c WHERE c.number = x.unit AND c.code = ?4
                        AND c.system = (SELECT number FROM uri WHERE text = ?5))",
            vec![text(code), text(system)],
        ),
    };
    numbers("ix_quantity", param, number, condition, values)
}

/// A comparison of `value`, with the bounds of the search value at ?2 and ?3.
fn numbers(
    table: &str,
    param: ParamNumber,
    test: &NumberTest,
    condition: &str,
    values: Vec<Value>,
) -> Source {
    let exact = (test.value, test.value);
    let (comparison, (low, high)) = match test.prefix {
        Prefix::Eq => ("value >= ?2 AND value < ?3 AND open = 0", (test.low, test.high)),
        Prefix::Ne => ("(value < ?2 OR value >= ?3 OR open <> 0)", (test.low, test.high)),
        Prefix::Gt => ("(value > ?2 OR open & 2)", exact),
        Prefix::Lt => ("(value < ?2 OR open & 1)", exact),
        Prefix::Ge => ("(value >= ?2 OR open & 2)", exact),
        Prefix::Le => ("(value <= ?2 OR open & 1)", exact),
        Prefix::Sa => ("value > ?2 AND NOT open & 1", exact),
        Prefix::Eb => ("value < ?2 AND NOT open & 2", exact),
        Prefix::Ap => ("value >= ?2 AND value <= ?3 AND open = 0", test.widened()),
    };
    // ?3 is mentioned so that the numbering of what follows does not depend on the comparison.
    let sql = format!(
        "SELECT x.rid FROM {table} x
         WHERE x.param = ?1 AND {comparison} AND ?3 IS NOT NULL {condition}"
    );
    let mut all = vec![int(param), Value::Real(low), Value::Real(high)];
    all.extend(values);
    Source::new(sql, all)
}

fn uris(param: ParamNumber, uri: &str, how: UriMatch) -> Vec<Source> {
    let one = |uri: &str| {
        let sql = "SELECT rid FROM ix_uri
                   WHERE param = ?1 AND uri = (SELECT number FROM uri WHERE text = ?2)";
        Source::new(sql, vec![int(param), text(uri)])
    };
    match how {
        UriMatch::Exact => vec![one(uri)],
        UriMatch::Below => {
            let root = uri.strip_suffix('/').unwrap_or(uri);
            let deeper = format!("{root}/");
            let sql = "SELECT x.rid FROM uri u CROSS JOIN ix_uri x ON x.uri = u.number
                       WHERE u.text >= ?2 AND u.text < ?3 AND x.param = ?1";
            vec![one(root), Source::new(sql, vec![int(param), text(&deeper), after(&deeper)])]
        }
        UriMatch::Above => {
            // Every path that the address lies below, with and without a slash at its end.
            let slashes = uri.match_indices('/').map(|(at, _)| at);
            let roots = slashes.flat_map(|at| [&uri[..at], &uri[..=at]]);
            let mut roots: Vec<&str> = roots.chain([uri]).collect();
            roots.dedup();
            let whole = format!("{uri}/");
            roots.into_iter().map(one).chain([one(&whole)]).collect()
        }
    }
}
