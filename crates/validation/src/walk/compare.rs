//! Fixed values and patterns (FHIR R4, ElementDefinition: `fixed[x]`, `pattern[x]`).

use fhir::{Kind, Value};
use rust_decimal::Decimal;

/// Whether a value is exactly what is fixed. The order of members does not count.
pub(super) fn is_fixed(value: Value<'_>, fixed: Value<'_>) -> bool {
    match (value.kind(), fixed.kind()) {
        (Kind::Object, Kind::Object) => {
            value.members().count() == fixed.members().count()
                && fixed.members().all(|wanted| {
                    value.get(&wanted.name()).is_some_and(|held| is_fixed(held, wanted.value))
                })
        }
        (Kind::Array, Kind::Array) => {
            value.items().count() == fixed.items().count()
                && value.items().zip(fixed.items()).all(|(held, wanted)| is_fixed(held, wanted))
        }
        _ => is_same(value, fixed),
    }
}

/// Whether a value has everything that a pattern has: each member, and for each item of a list
/// one that fits.
pub(super) fn fits(value: Value<'_>, pattern: Value<'_>) -> bool {
    match (value.kind(), pattern.kind()) {
        (Kind::Object, Kind::Object) => pattern
            .members()
            .all(|wanted| value.get(&wanted.name()).is_some_and(|held| fits(held, wanted.value))),
        (Kind::Array, Kind::Array) => {
            pattern.items().all(|wanted| value.items().any(|held| fits(held, wanted)))
        }
        _ => is_same(value, pattern),
    }
}

/// Whether two primitives are the same value.
fn is_same(one: Value<'_>, other: Value<'_>) -> bool {
    match (one.kind(), other.kind()) {
        (Kind::String, Kind::String) => one.as_str() == other.as_str(),
        (Kind::Number, Kind::Number) => {
            one.raw() == other.raw()
                || matches!(
                    (one.raw().parse::<Decimal>(), other.raw().parse::<Decimal>()),
                    (Ok(one), Ok(other)) if one == other
                )
        }
        (one_kind, other_kind) => one_kind == other_kind && one.raw() == other.raw(),
    }
}

/// How a value compares with a limit of the same type; `None` where they do not compare.
pub(super) fn order(value: Value<'_>, limit: Value<'_>) -> Option<std::cmp::Ordering> {
    if value.kind() == Kind::Number {
        let number = |value: Value<'_>| value.raw().parse::<Decimal>().ok();
        return number(value)?.partial_cmp(&number(limit)?);
    }
    let moment = |value: Value<'_>| fhirpath::Temporal::date_time(&value.as_str()?);
    moment(value)?.compare(&moment(limit)?)
}
