//! The lists that answer tests of dates, strings, numbers, quantities and uris.

use fhirpath::search::ParamNumber;
use rusqlite::types::Value;
use store::query::{DateTest, NumberTest, Prefix, StringMatch, Test, UnitTest, UriMatch};

use super::super::rows::DAY_MS;
use super::sources::{Source, int, text};

/// The half-open ranges of milliseconds in which a test holds for an instant.
pub(super) fn instants(test: &DateTest) -> Vec<(i64, i64)> {
    let (start, end) = (test.start_ms, test.end_ms);
    match test.prefix {
        Prefix::Eq | Prefix::Po => vec![(start, end)],
        Prefix::Ne => vec![(i64::MIN, start), (end, i64::MAX)],
        Prefix::Gt | Prefix::Sa => vec![(end, i64::MAX)],
        Prefix::Lt | Prefix::Eb => vec![(i64::MIN, start)],
        Prefix::Ge => vec![(start, i64::MAX)],
        Prefix::Le => vec![(i64::MIN, end)],
        Prefix::Ap => vec![test.widened()],
    }
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
        Prefix::Po => ("start < ?3 AND end > ?2", start.saturating_sub(DAY_MS), end),
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
        Test::Near(near) => {
            let (low, high) = near.latitudes();
            let sql = "SELECT rid FROM ix_number WHERE param = ?1 AND value >= ?2 AND value <= ?3";
            vec![Source::new(sql, vec![int(param), Value::Real(low), Value::Real(high)])]
        }
        Test::Token(_)
        | Test::Codes(_)
        | Test::OfType { .. }
        | Test::Identifier(_)
        | Test::Reference(_)
        | Test::Date(_)
        | Test::Composite(_)
        | Test::Not(_) => Vec::new(),
    }
}

/// The least text that comes after everything that starts with `prefix`; a blob, which comes after
/// every text, where there is none.
pub(super) fn after(prefix: &str) -> Value {
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
        StringMatch::Equal => {
            let sql = "SELECT rid FROM ix_text WHERE param = ?1 AND text = ?2";
            Source::new(sql, vec![int(param), text(wanted)])
        }
        StringMatch::Ends => {
            let sql = "SELECT rid FROM ix_text
                       WHERE param = ?1 AND substr(text, -length(?2)) = ?2";
            Source::new(sql, vec![int(param), text(wanted)])
        }
        StringMatch::Words => {
            // The first word; where there are more, the text decides.
            let first = wanted.split(' ').next().unwrap_or_default();
            let sql = "SELECT rid FROM ix_text
                       WHERE param = ?1 AND instr(' ' || text || ' ', ' ' || ?2 || ' ') > 0";
            Source::new(sql, vec![int(param), text(first)])
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
    let (condition, values) = unit_condition(unit, "x.unit");
    numbers("ix_quantity", param, number, &condition, values)
}

/// A comparison of `value`, with the bounds of the search value at ?2 and ?3.
fn numbers(
    table: &str,
    param: ParamNumber,
    test: &NumberTest,
    condition: &str,
    values: Vec<Value>,
) -> Source {
    let (comparison, (low, high)) = comparison(test, "value", "open");
    // ?3 is mentioned so that the numbering of what follows does not depend on the comparison.
    let sql = format!(
        "SELECT x.rid FROM {table} x
         WHERE x.param = ?1 AND {comparison} AND ?3 IS NOT NULL {condition}"
    );
    let mut all = vec![int(param), Value::Real(low), Value::Real(high)];
    all.extend(values);
    Source::new(sql, all)
}

/// The condition that the number in column `value` with the openness in `open` passes, with the
/// bounds of the search value at ?2 and ?3.
pub(super) fn comparison(test: &NumberTest, value: &str, open: &str) -> (String, (f64, f64)) {
    let exact = (test.value, test.value);
    let (form, bounds) = match test.prefix {
        Prefix::Eq | Prefix::Po => ("{v} >= ?2 AND {v} < ?3 AND {o} = 0", (test.low, test.high)),
        Prefix::Ne => ("({v} < ?2 OR {v} >= ?3 OR {o} <> 0)", (test.low, test.high)),
        Prefix::Gt => ("({v} > ?2 OR {o} & 2)", exact),
        Prefix::Lt => ("({v} < ?2 OR {o} & 1)", exact),
        Prefix::Ge => ("({v} >= ?2 OR {o} & 2)", exact),
        Prefix::Le => ("({v} <= ?2 OR {o} & 1)", exact),
        Prefix::Sa => ("{v} > ?2 AND NOT {o} & 1", exact),
        Prefix::Eb => ("{v} < ?2 AND NOT {o} & 2", exact),
        Prefix::Ap => ("{v} >= ?2 AND {v} <= ?3 AND {o} = 0", test.widened()),
    };
    (form.replace("{v}", value).replace("{o}", open), bounds)
}

/// A condition on the unit whose number is in the column `unit`; its values start at ?4.
pub(super) fn unit_condition(test: &UnitTest, unit: &str) -> (String, Vec<Value>) {
    match test {
        UnitTest::Any => (String::new(), Vec::new()),
        UnitTest::Named(name) => (
            format!(
                "AND EXISTS(SELECT 1 FROM concept c
                            WHERE c.number = {unit} AND (c.code = ?4 OR c.text = ?4))"
            ),
            vec![text(name)],
        ),
        UnitTest::Coded { system, code } => (
            format!(
                "AND EXISTS(SELECT 1 FROM concept c WHERE c.number = {unit} AND c.code = ?4
                            AND c.system = (SELECT number FROM uri WHERE text = ?5))"
            ),
            vec![text(code), text(system)],
        ),
    }
}

fn uris(param: ParamNumber, uri: &str, how: UriMatch) -> Vec<Source> {
    let one = |uri: &str| {
        let sql = "SELECT rid FROM ix_uri
                   WHERE param = ?1 AND uri = (SELECT number FROM uri WHERE text = ?2)";
        Source::new(sql, vec![int(param), text(uri)])
    };
    let ranged = |start: &str| {
        let sql = "SELECT x.rid FROM uri u CROSS JOIN ix_uri x ON x.uri = u.number
                   WHERE u.text >= ?2 AND u.text < ?3 AND x.param = ?1";
        Source::new(sql, vec![int(param), text(start), after(start)])
    };
    match how {
        // A canonical without version is meant in every version.
        UriMatch::Exact => vec![one(uri), ranged(&format!("{uri}|"))],
        UriMatch::Below => {
            let root = uri.strip_suffix('/').unwrap_or(uri);
            let deeper = format!("{root}/");
            vec![one(root), ranged(&deeper)]
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
