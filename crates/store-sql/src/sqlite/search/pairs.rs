//! The lists that answer tests of composites: rows that pair the first part, a code, with the
//! second.

use fhirpath::search::ParamNumber;
use rusqlite::Connection;
use rusqlite::types::Value;
use store::query::{StringMatch, Test};

use super::super::fault::Fault;
use super::sources::{self, Source, int, text};
use super::values::{after, comparison, unit_condition};

/// The lists, and whether they hold exactly what the test asks for.
pub(super) fn pairs(
    conn: &Connection,
    param: ParamNumber,
    tests: &[Test],
) -> Result<(Vec<Source>, bool), Fault> {
    let every = |exact: bool| {
        let sql = "SELECT rid FROM ix_pair WHERE param = ?1";
        Ok((vec![Source::new(sql, vec![int(param)])], exact))
    };
    let (Some(Test::Token(first)), Some(second)) = (tests.first(), tests.get(1)) else {
        return every(false);
    };
    let Some(concepts) = sources::concepts(conn, first)? else { return every(false) };
    let mut exact = tests.len() == 2;
    let mut found = Vec::new();
    for concept in concepts {
        match second_part(conn, second)? {
            Some(conditions) => {
                for (condition, values) in conditions {
                    found.push(pair(param, concept, &condition, values));
                }
            }
            None => {
                exact = false;
                found.push(pair(param, concept, "", vec![Value::Null, Value::Null]));
            }
        }
    }
    Ok((found, exact))
}

/// The values of the condition start at ?2; the code is bound behind them.
fn pair(param: ParamNumber, concept: i64, condition: &str, values: Vec<Value>) -> Source {
    let sql = format!(
        "SELECT x.rid FROM ix_pair x
         WHERE x.param = ?1 AND x.concept = ?{} {condition}",
        values.len() + 2
    );
    let mut all = vec![int(param)];
    all.extend(values);
    all.push(int(concept));
    Source::new(sql, all)
}

type Condition = (String, Vec<Value>);

/// Alternative conditions on `x.value` and `x.extra`; `None` where the text must tell.
fn second_part(conn: &Connection, test: &Test) -> Result<Option<Vec<Condition>>, Fault> {
    Ok(Some(match test {
        Test::Token(token) => {
            let Some(concepts) = sources::concepts(conn, token)? else { return Ok(None) };
            concepts.into_iter().map(|c| ("AND x.value = ?2".to_owned(), vec![int(c)])).collect()
        }
        Test::Quantity { number, unit } => {
            let (comparison, (low, high)) = comparison(number, "x.value", "(x.extra & 3)");
            let (unit, more) = unit_condition(unit, "x.extra / 4");
            let mut values = vec![Value::Real(low), Value::Real(high)];
            values.extend(more);
            vec![(format!("AND {comparison} AND ?3 IS NOT NULL {unit}"), values)]
        }
        Test::String { text: wanted, how: StringMatch::Starts } => {
            let condition = "AND x.value >= ?2 AND x.value < ?3".to_owned();
            vec![(condition, vec![text(wanted), after(wanted)])]
        }
        _ => return Ok(None),
    }))
}
