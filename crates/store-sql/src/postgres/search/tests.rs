//! From a test of one value to a condition on a row of its index table.

use store::query::{
    Codes, DateTest, NumberTest, Prefix, ReferenceTest, StringMatch, SystemTest, Test, TokenTest,
    UnitTest, UriMatch,
};

use super::super::kinds::Kinds;
use super::super::rows::{HEAD, TYPED, clean, head, short, typed};
use super::condition::Condition;
use super::sql::{Sql, Value, starting_with};

/// The table whose rows a test is about; none for a composite.
pub(super) fn table(test: &Test) -> Option<&'static str> {
    Some(match test {
        Test::Token(_) | Test::TokenText(_) | Test::Codes(_) | Test::OfType { .. } => "ix_token",
        Test::String { .. } => "ix_text",
        Test::Reference(_) | Test::Identifier(_) => "ix_link",
        Test::Date(_) => "ix_date",
        Test::Number(_) | Test::Near(_) => "ix_number",
        Test::Quantity { .. } => "ix_quantity",
        Test::Uri { .. } => "ix_uri",
        Test::Not(test) => return table(test),
        Test::Composite(_) => return None,
    })
}

/// The condition on the row `t`.
pub(super) fn holds(sql: &mut Sql, kinds: &Kinds, test: &Test, t: &str) -> Condition {
    Condition::exact(match test {
        Test::Token(test) => {
            let token = token(sql, test, &format!("{t}.system"), &format!("{t}.code"));
            format!("({t}.slot >= 0 AND {token})")
        }
        Test::TokenText(start) => {
            let text = long_text(sql, &format!("{t}.text"), &clean(start.clone()));
            format!("({t}.slot >= 0 AND {t}.text IS NOT NULL AND {text})")
        }
        Test::Codes(list) => codes(sql, list, t),
        Test::OfType { system, code, value } => {
            let system = sql.text(short(system.clone()));
            let code = sql.text(typed(code, value));
            format!("({t}.slot = {TYPED} AND {t}.system = {system} AND {t}.code = {code})")
        }
        Test::String { text, how } => string(sql, text, *how, t),
        Test::Reference(test) => reference(sql, kinds, test, t),
        Test::Identifier(test) => {
            token(sql, test, &format!("{t}.own_system"), &format!("{t}.own_code"))
        }
        Test::Date(test) => date(sql, test, &format!("{t}.start_ms"), &format!("{t}.end_ms")),
        Test::Number(test) => number(sql, test, t),
        Test::Quantity { number: test, unit: wanted } => {
            let (number, unit) = (number(sql, test, t), unit(sql, wanted, t));
            unit.map_or(number.clone(), |unit| format!("({number} AND {unit})"))
        }
        Test::Uri { uri: wanted, how } => uri(sql, wanted, *how, t),
        Test::Near(near) => {
            let (low, high) = near.latitudes();
            let (low, high) = (sql.bind(Value::Real(low)), sql.bind(Value::Real(high)));
            let sql = format!("({t}.value >= {low} AND {t}.value <= {high})");
            return Condition { sql, exact: false };
        }
        Test::Not(test) => return opposite(sql, kinds, test, t),
        Test::Composite(_) => return Condition::unknown(),
    })
}

/// A value of the same kind that does not pass.
fn opposite(sql: &mut Sql, kinds: &Kinds, test: &Test, t: &str) -> Condition {
    let found = holds(sql, kinds, test, t);
    if !found.exact {
        return Condition::unknown();
    }
    let about = match test {
        Test::Token(_) | Test::TokenText(_) | Test::Codes(_) => {
            format!("{t}.slot >= 0 AND {t}.code IS NOT NULL AND ")
        }
        Test::OfType { .. } => format!("{t}.slot = {TYPED} AND "),
        // Twice `not` asks again whether it is about the value at all.
        Test::Not(_) => return Condition::unknown(),
        _ => String::new(),
    };
    Condition::exact(format!("({about}{} IS NOT TRUE)", found.sql))
}

fn codes(sql: &mut Sql, list: &Codes, t: &str) -> String {
    let pairs = list.iter().map(|(system, code)| (short(system.into()), short(code.into())));
    let (systems, codes): (Vec<String>, Vec<String>) = pairs.unzip();
    let (systems, codes) = (sql.bind(Value::Texts(systems)), sql.bind(Value::Texts(codes)));
    format!(
        "({t}.slot >= 0 AND {t}.code = ANY({codes}) AND ({t}.system IS NULL OR \
         ({t}.system, {t}.code) IN (SELECT * FROM unnest({systems}, {codes}))))"
    )
}

fn token(sql: &mut Sql, test: &TokenTest, system: &str, code: &str) -> String {
    let mut parts = Vec::new();
    if let Some(wanted) = &test.code {
        parts.push(format!("{code} = {}", sql.text(short(wanted.clone()))));
    }
    match &test.system {
        SystemTest::Any => {}
        // Where the identifier of a reference is meant, there must be one.
        SystemTest::Absent => parts.push(format!("{system} IS NULL AND {code} IS NOT NULL")),
        SystemTest::Is(wanted) => {
            parts.push(format!("{system} = {}", sql.text(short(wanted.clone()))));
        }
    }
    match parts.is_empty() {
        true => format!("{code} IS NOT NULL"),
        false => format!("({})", parts.join(" AND ")),
    }
}

/// A long text starts with another, with help of the index on its head.
fn long_text(sql: &mut Sql, column: &str, start: &str) -> String {
    let pattern = sql.text(starting_with(head(start)));
    let by_head = format!("left({column}, {HEAD}) LIKE {pattern}");
    if start.chars().count() <= HEAD {
        return by_head;
    }
    let whole = sql.text(start);
    format!("({by_head} AND starts_with({column}, {whole}))")
}

/// A long text is another, with help of the index on its head.
fn same_text(sql: &mut Sql, column: &str, text: &str) -> String {
    let by_head = sql.text(head(text));
    let whole = sql.text(text);
    format!("(left({column}, {HEAD}) = {by_head} AND {column} = {whole})")
}

fn string(sql: &mut Sql, text: &str, how: StringMatch, t: &str) -> String {
    let column = format!("{t}.text");
    let text = clean(text.to_owned());
    match how {
        StringMatch::Starts => long_text(sql, &column, &text),
        StringMatch::Contains => format!("strpos({column}, {}) > 0", sql.text(text)),
        StringMatch::Equal => same_text(sql, &column, &text),
        StringMatch::Ends => {
            let end = sql.text(text);
            format!("right({column}, length({end})) = {end}")
        }
        StringMatch::Words => {
            let word = |word: &str| {
                let word = sql.text(format!(" {word} "));
                format!("strpos(' ' || {column} || ' ', {word}) > 0")
            };
            let words: Vec<String> = text.split(' ').map(word).collect();
            format!("({})", words.join(" AND "))
        }
        StringMatch::Exact => {
            let normal = clean(fhirpath::search::normalise(&text));
            let by_head = sql.text(head(&normal));
            let exact = sql.text(text);
            format!(
                "(left({column}, {HEAD}) = {by_head} AND coalesce({t}.exact, {column}) = {exact})"
            )
        }
    }
}

fn reference(sql: &mut Sql, kinds: &Kinds, test: &ReferenceTest, t: &str) -> String {
    match test {
        ReferenceTest::Local { resource_type, id } => {
            let id = sql.text(short(id.clone()));
            let wanted: Vec<i16> = match resource_type {
                Some(name) => kinds.number(name).into_iter().collect(),
                None => fhir::definitions::resource_types()
                    .iter()
                    .filter_map(|name| kinds.number(name))
                    .collect(),
            };
            match wanted.as_slice() {
                [kind] => {
                    let kind = sql.bind(Value::Small(*kind));
                    format!("({t}.id = {id} AND {t}.kind = {kind})")
                }
                [] => "FALSE".into(),
                // A row with an id has a type.
                _ => format!("{t}.id = {id}"),
            }
        }
        ReferenceTest::Url(url) => format!("{t}.url = {}", sql.text(short(url.clone()))),
        ReferenceTest::Versioned { url, version, below } => {
            let url = sql.text(short(url.clone()));
            let version = sql.text(clean(version.clone()));
            let more = match below {
                true => format!(" OR starts_with({t}.version, {version} || '.')"),
                false => String::new(),
            };
            format!("({t}.url = {url} AND ({t}.version = {version}{more}))")
        }
    }
}

/// A test of the half-open range between the columns `s` and `e`.
pub(super) fn date(sql: &mut Sql, test: &DateTest, s: &str, e: &str) -> String {
    let mut bind = |number| sql.big(number);
    let (start, end) = (test.start_ms, test.end_ms);
    match test.prefix {
        // The last part follows from the others and tells PostgreSQL where to stop.
        Prefix::Eq => {
            let (start, end) = (bind(start), bind(end));
            format!("({s} >= {start} AND {e} <= {end} AND {s} <= {end})")
        }
        Prefix::Ne => format!("({s} < {} OR {e} > {})", bind(start), bind(end)),
        Prefix::Gt => format!("{e} > {}", bind(end)),
        Prefix::Lt => format!("{s} < {}", bind(start)),
        Prefix::Ge => format!("({e} > {} OR {s} >= {})", bind(end), bind(start)),
        Prefix::Le => format!("({s} < {} OR {e} <= {})", bind(start), bind(end)),
        Prefix::Sa => format!("{s} >= {}", bind(end)),
        Prefix::Eb => format!("{e} <= {}", bind(start)),
        Prefix::Ap => {
            let (start, end) = test.widened();
            format!("({s} < {} AND {e} > {})", bind(end), bind(start))
        }
        Prefix::Po => format!("({s} < {} AND {e} > {})", bind(end), bind(start)),
    }
}

fn number(sql: &mut Sql, test: &NumberTest, t: &str) -> String {
    let mut bind = |number: f64| sql.bind(Value::Real(number));
    let (value, open) = (format!("{t}.value"), format!("{t}.open"));
    let (above, below) = (format!("{open} & 2 <> 0"), format!("{open} & 1 <> 0"));
    match test.prefix {
        Prefix::Eq | Prefix::Po => {
            let (low, high) = (bind(test.low), bind(test.high));
            format!("({open} = 0 AND {value} >= {low} AND {value} < {high})")
        }
        Prefix::Ne => {
            let (low, high) = (bind(test.low), bind(test.high));
            format!("({open} <> 0 OR {value} < {low} OR {value} >= {high})")
        }
        Prefix::Gt => format!("({above} OR {value} > {})", bind(test.value)),
        Prefix::Lt => format!("({below} OR {value} < {})", bind(test.value)),
        Prefix::Ge => format!("({above} OR {value} >= {})", bind(test.value)),
        Prefix::Le => format!("({below} OR {value} <= {})", bind(test.value)),
        Prefix::Sa => format!("({open} & 1 = 0 AND {value} > {})", bind(test.value)),
        Prefix::Eb => format!("({open} & 2 = 0 AND {value} < {})", bind(test.value)),
        Prefix::Ap => {
            let (low, high) = test.widened();
            let (low, high) = (bind(low), bind(high));
            format!("({open} = 0 AND {value} >= {low} AND {value} <= {high})")
        }
    }
}

fn unit(sql: &mut Sql, test: &UnitTest, t: &str) -> Option<String> {
    Some(match test {
        UnitTest::Any => return None,
        UnitTest::Named(name) => {
            let name = sql.text(short(name.clone()));
            format!("({t}.code = {name} OR {t}.unit = {name})")
        }
        UnitTest::Coded { system, code } => {
            let (system, code) = (sql.text(short(system.clone())), sql.text(short(code.clone())));
            format!("({t}.system = {system} AND {t}.code = {code})")
        }
    })
}

fn uri(sql: &mut Sql, uri: &str, how: UriMatch, t: &str) -> String {
    let column = format!("{t}.uri");
    let uri = clean(uri.to_owned());
    match how {
        UriMatch::Exact => {
            let same = same_text(sql, &column, &uri);
            match uri.contains('|') {
                true => same,
                // In whatever version.
                false => format!("({same} OR {})", long_text(sql, &column, &format!("{uri}|"))),
            }
        }
        UriMatch::Below => {
            let root = uri.strip_suffix('/').unwrap_or(&uri);
            let (same, below) =
                (same_text(sql, &column, root), long_text(sql, &column, &format!("{root}/")));
            format!("({same} OR {below})")
        }
        // Everything that the address lies below: itself and what is before each of its slashes,
        // with or without the slash.
        UriMatch::Above => {
            let mut roots: Vec<String> = vec![uri.clone(), format!("{uri}/")];
            for (at, _) in uri.match_indices('/') {
                roots.extend(uri.get(..at).map(str::to_owned));
                roots.extend(uri.get(..=at).map(str::to_owned));
            }
            let heads = roots.iter().map(|root| head(root).to_owned()).collect();
            let (heads, roots) = (sql.bind(Value::Texts(heads)), sql.bind(Value::Texts(roots)));
            format!("(left({column}, {HEAD}) = ANY({heads}) AND {column} = ANY({roots}))")
        }
    }
}
