//! The lists that answer tests, each one range of one index table: links, times of writing, presence
//! and tokens.

use std::borrow::Cow;
use std::collections::HashSet;

use fhirpath::search::{ParamNumber, ParamType};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use store::query::{Codes, SystemTest, TokenTest};

use super::super::fault::Fault;
use super::super::rows::Concept;

/// More concepts than this for one code are joined instead of listed one by one.
const MOST_CONCEPTS: usize = 64;

/// One list of row numbers, which may hold a number more than once.
pub(super) struct Source {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    known: Vec<i64>,
}

impl Source {
    pub(super) fn new(sql: impl Into<Cow<'static, str>>, values: Vec<Value>) -> Self {
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

pub(super) fn int(number: impl Into<i64>) -> Value {
    Value::Integer(number.into())
}

pub(super) fn text(text: &str) -> Value {
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

/// Resources of a type that the index of words finds.
pub(super) fn words(table: &str, kind: i64, expression: &str) -> Source {
    let sql = format!(
        "SELECT r.rid FROM {table} f CROSS JOIN resource r ON r.rid = f.rowid
         WHERE {table} MATCH ?1 AND r.kind = ?2 AND r.live = 1"
    );
    Source::new(sql, vec![text(expression), int(kind)])
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
        Some(ParamType::Composite) => &["ix_pair"],
        Some(ParamType::Special) => &["ix_number"],
        None => &[],
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

/// The concepts of a list of codes.
pub(super) fn listed(conn: &Connection, codes: &Codes) -> Result<Vec<i64>, Fault> {
    let sql = "SELECT c.number, c.system, u.text FROM concept c
               LEFT JOIN uri u ON u.number = c.system WHERE c.code = ?1";
    let mut statement = conn.prepare_cached(sql)?;
    let mut found = Vec::new();
    let mut asked: HashSet<&str> = HashSet::new();
    for (_, code) in codes.iter() {
        if !asked.insert(code) {
            continue;
        }
        let mut rows = statement.query([code])?;
        while let Some(row) = rows.next()? {
            let system: Option<String> = row.get(2)?;
            if codes.holds(system.as_deref(), Some(code)) {
                found.push(row.get(0)?);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The concepts of an identifier with its type.
pub(super) fn typed(conn: &Connection, concept: &Concept) -> Result<Vec<i64>, Fault> {
    let sql = "SELECT number FROM concept WHERE code = ?1 AND text = ''
               AND system = (SELECT number FROM uri WHERE text = ?2)";
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_map([&concept.code, &concept.system], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Resources with one of these concepts.
pub(super) fn of_concepts(param: ParamNumber, concepts: &[i64]) -> Vec<Source> {
    let sql = "SELECT rid FROM ix_token WHERE param = ?1 AND concept = ?2";
    concepts.iter().map(|c| Source::new(sql, vec![int(param), int(*c)])).collect()
}

/// Resources with a token; `few` are the concepts where they are known.
pub(super) fn token(param: ParamNumber, test: &TokenTest, few: Option<&[i64]>) -> Vec<Source> {
    if let Some(few) = few {
        return of_concepts(param, few);
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
