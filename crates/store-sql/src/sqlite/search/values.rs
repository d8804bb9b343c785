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
        Prefix::Eq => vec![(start, end)],
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
