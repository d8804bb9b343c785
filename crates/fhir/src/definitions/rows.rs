//! Reading of the pack's rows. Whatever is read lives as long as the program.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::load::{InvalidPack, Loaded};
use super::{Binding, Compartment, Component, Constraint, SearchParameter, Severity, Strength};
use crate::json::Value;

pub(super) fn constraints(rows: Value<'static>) -> Loaded<Vec<Constraint>> {
    let row = |row: Value<'static>| {
        let mut cells = row.items().map(|cell| cell.as_str().map(lasting));
        let mut cell = || cells.next().flatten();
        let (key, severity, human, expression) = (cell(), cell(), cell(), cell());
        Ok(Constraint {
            key: key.ok_or(InvalidPack("a constraint without key"))?,
            severity: match severity {
                Some("error") => Severity::Error,
                Some("warning") => Severity::Warning,
                _ => return Err(InvalidPack("an unknown severity")),
            },
            human: human.unwrap_or_default(),
            expression,
        })
    };
    rows.items().map(row).collect()
}

pub(super) fn binding(row: Value<'static>) -> Loaded<Binding> {
    let strength = match text(row, "strength")? {
        "required" => Strength::Required,
        "extensible" => Strength::Extensible,
        "preferred" => Strength::Preferred,
        "example" => Strength::Example,
        _ => return Err(InvalidPack("an unknown strength of a binding")),
    };
    Ok(Binding { strength, value_set: text(row, "valueSet")? })
}

pub(super) fn parameter(row: Value<'static>) -> Loaded<SearchParameter> {
    let part = |part: Value<'static>| {
        Ok(Component {
            definition: text(part, "definition")?,
            expression: text(part, "expression")?,
        })
    };
    Ok(SearchParameter {
        url: text(row, "url")?,
        code: text(row, "code")?,
        base: texts(row, "base"),
        param_type: text(row, "type")?,
        expression: row.get("expression").and_then(|e| e.as_str()).map(lasting),
        targets: texts(row, "target"),
        comparators: texts(row, "comparator"),
        modifiers: texts(row, "modifier"),
        multiple_or: row.get("multipleOr").and_then(|m| m.as_bool()),
        multiple_and: row.get("multipleAnd").and_then(|m| m.as_bool()),
        components: items(row, "component").map(part).collect::<Loaded<_>>()?,
    })
}

pub(super) fn compartment(row: Value<'static>) -> Loaded<Compartment> {
    let mut resources = BTreeMap::new();
    for member in row.get("resources").into_iter().flat_map(|members| members.members()) {
        let codes = member.value.items().filter_map(|code| code.as_str()).map(lasting).collect();
        resources.insert(lasting(member.name()), codes);
    }
    Ok(Compartment { code: text(row, "code")?, resources })
}

pub(super) fn items(row: Value<'static>, member: &str) -> impl Iterator<Item = Value<'static>> {
    row.get(member).into_iter().flat_map(|list| list.items())
}

pub(super) fn texts(row: Value<'static>, member: &str) -> Vec<&'static str> {
    items(row, member).filter_map(|item| item.as_str()).map(lasting).collect()
}

pub(super) fn numbers(row: Value<'static>, member: &str) -> impl Iterator<Item = usize> {
    items(row, member).filter_map(number).filter_map(|n| usize::try_from(n).ok())
}

pub(super) fn number(value: Value<'static>) -> Option<u32> {
    value.as_number()?.parse().ok()
}

pub(super) fn flag(row: Value<'static>, member: &str) -> bool {
    row.get(member).and_then(|value| value.as_bool()).unwrap_or(false)
}

pub(super) fn text(row: Value<'static>, member: &str) -> Loaded<&'static str> {
    let text = row.get(member).and_then(|value| value.as_str());
    text.map(lasting).ok_or(InvalidPack("a text is missing"))
}

/// A text for good; only those with escapes in them need memory of their own.
pub(super) fn lasting(text: Cow<'static, str>) -> &'static str {
    match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => text.leak(),
    }
}
