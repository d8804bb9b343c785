//! When two JSON values are equal (RFC 6902, section 4.6): members in any order, strings by their
//! characters, numbers by their value, however they are written.

use std::borrow::Cow;

use crate::json::{Kind, Member, Value};

/// Whether two values are equal.
pub fn equal(one: Value<'_>, other: Value<'_>) -> bool {
    if one.kind() != other.kind() {
        return false;
    }
    match one.kind() {
        Kind::Null => true,
        Kind::Bool => one.raw() == other.raw(),
        Kind::String => one.as_str() == other.as_str(),
        Kind::Number => one.raw() == other.raw() || normal(one.raw()) == normal(other.raw()),
        Kind::Array => {
            one.items().count() == other.items().count()
                && one.items().zip(other.items()).all(|(one, other)| equal(one, other))
        }
        Kind::Object => equal_objects(one, other),
    }
}

fn equal_objects(one: Value<'_>, other: Value<'_>) -> bool {
    let (ones, others) = (sorted(one), sorted(other));
    ones.len() == others.len()
        && ones.iter().zip(&others).all(|((name, one), (other_name, other))| {
            name == other_name && equal(one.value, other.value)
        })
}

/// Members by name.
fn sorted(object: Value<'_>) -> Vec<(Cow<'_, str>, Member<'_>)> {
    let mut members: Vec<_> = object.members().map(|m| (m.name(), m)).collect();
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    members
}

/// A number as sign, digits without zeros at either end, and the power of ten of its last digit.
/// An exponent beyond 64 bits is taken for the largest.
fn normal(text: &str) -> (bool, String, i64) {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let most = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse().unwrap_or(most);
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return (false, String::new(), 0);
    }
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let power = exponent.saturating_sub(count(fraction.len())).saturating_add(count(zeros));
    (negative, significant.to_owned(), power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Document;

    fn check(one: &str, other: &str, expected: bool) {
        let (one, other) = (Document::parse(one).unwrap(), Document::parse(other).unwrap());
        assert_eq!(equal(one.root(), other.root()), expected, "{} {}", one.text(), other.text());
    }

    #[test]
    fn numbers_are_equal_by_value_and_strings_by_characters() {
        for (one, other) in [
            ("1", "1.0"),
            ("1e2", "100"),
            ("0.10", "1E-1"),
            ("0", "-0.00e7"),
            ("-1.5", "-15e-1"),
            ("\"\\u0041\"", "\"A\""),
            ("{\"a\":1,\"b\":[2]}", "{\"b\":[2.0],\"a\":1}"),
        ] {
            check(one, other, true);
        }
        for (one, other) in [
            ("1", "10"),
            ("1", "-1"),
            ("1", "\"1\""),
            ("1e99999999999999999999", "1e-99999999999999999999"),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            ("{\"a\":1}", "{\"a\":1,\"b\":2}"),
            ("null", "false"),
            ("100000000000000000000000000001", "100000000000000000000000000002"),
        ] {
            check(one, other, false);
        }
    }
}
