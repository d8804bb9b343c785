//! Values of observations, and when two of them are the same.

use fhir::{Kind as Json, Value};

use crate::read::{Concept, decimal_key, decimal_shown, text_of, wording};

/// Components of one observation that are looked at.
const MAX_PARTS: usize = 50;

/// A value of an Observation.
#[derive(Clone, Debug)]
pub(crate) enum Amount {
    Quantity {
        /// Comparator and value in one spelling.
        number: String,
        /// Comparator and value as written.
        shown: String,
        /// The unit as written.
        unit: String,
        /// The code of the unit, or the unit where it has none.
        unit_key: String,
    },
    Concept(Concept),
    Text(String),
    /// Any other data type: its members in a fixed order.
    Other(String),
    Parts(Vec<(Concept, Amount)>),
}

impl Amount {
    /// Whether both state the same value in the same unit.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Quantity { number, unit_key, .. },
                Self::Quantity { number: other_number, unit_key: other_unit, .. },
            ) => number == other_number && unit_key == other_unit,
            (Self::Concept(a), Self::Concept(b)) => a.matches(b).is_some(),
            (Self::Text(a), Self::Text(b)) => wording(a) == wording(b),
            (Self::Other(a), Self::Other(b)) => a == b,
            (Self::Parts(a), Self::Parts(b)) => {
                let found = |(code, part): &(Concept, Self)| {
                    b.iter()
                        .any(|(other, value)| code.matches(other).is_some() && part.is_same(value))
                };
                a.len() == b.len() && a.iter().all(found)
            }
            _ => false,
        }
    }

    /// Whether the two can be compared at all: the same data type and, for quantities, unit.
    pub fn is_comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Quantity { unit_key, .. }, Self::Quantity { unit_key: other, .. }) => {
                unit_key == other
            }
            (Self::Parts(a), Self::Parts(b)) => a.iter().all(|(code, part)| {
                let twin = b.iter().find(|(other, _)| code.matches(other).is_some());
                twin.is_none_or(|(_, value)| part.is_comparable(value))
            }),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// A text under which every equal value is found.
    pub fn key(&self) -> &str {
        match self {
            Self::Quantity { number, .. } => number,
            _ => "",
        }
    }

    /// The value as a person reads it.
    pub fn shown(&self) -> String {
        match self {
            Self::Quantity { shown, unit, .. } if unit.is_empty() => shown.clone(),
            Self::Quantity { shown, unit, .. } => format!("{shown} {unit}"),
            Self::Concept(concept) => concept.label(),
            Self::Text(text) => text.clone(),
            Self::Other(raw) => crate::read::cut(raw, 100).0,
            Self::Parts(parts) => {
                let part = |(code, value): &(Concept, Self)| {
                    format!("{}: {}", code.label(), value.shown())
                };
                parts.iter().map(part).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// The value of an Observation, or those of its components.
pub(crate) fn amount(root: Value<'_>) -> Option<Amount> {
    if let Some(value) = value_of(root) {
        return Some(value);
    }
    let mut parts = Vec::new();
    for component in root.get("component").into_iter().flat_map(Value::each).take(MAX_PARTS) {
        if let Some(value) = value_of(component) {
            parts.push((Concept::read(component.get("code")), value));
        }
    }
    (!parts.is_empty()).then_some(Amount::Parts(parts))
}

/// The `value[x]` of an Observation or of one of its components.
fn value_of(holder: Value<'_>) -> Option<Amount> {
    let member = holder.members().find(|member| {
        member.name().strip_prefix("value").is_some_and(|rest| rest.starts_with(char::is_uppercase))
    })?;
    let value = member.value;
    Some(match member.name().as_ref() {
        "valueQuantity" => {
            let digits = value.get("value").and_then(Value::as_number)?;
            let (number, shown) = (decimal_key(digits), digits);
            let comparator = value.str_at("comparator").unwrap_or_default();
            let (unit, code) = (text_of(value.str_at("unit")), text_of(value.str_at("code")));
            Amount::Quantity {
                number: format!("{comparator}{number}"),
                shown: format!("{comparator}{shown}"),
                unit: unit.clone().or_else(|| code.clone()).unwrap_or_default(),
                unit_key: code.or(unit).unwrap_or_default(),
            }
        }
        "valueCodeableConcept" => Amount::Concept(Concept::read(Some(value))),
        "valueInteger" => Amount::Quantity {
            number: decimal_key(value.as_number()?),
            shown: value.as_number()?.to_owned(),
            unit: String::new(),
            unit_key: String::new(),
        },
        _ => match value.kind() {
            Json::String => Amount::Text(text_of(value.as_str())?),
            Json::Null => return None,
            _ => Amount::Other(canonical(value)),
        },
    })
}

/// The members of a value in the order of their names, without white space.
fn canonical(value: Value<'_>) -> String {
    match value.kind() {
        Json::Object => {
            let mut members: Vec<String> = value
                .members()
                .map(|member| format!("{}: {}", member.name(), canonical(member.value)))
                .collect();
            members.sort();
            members.join(", ")
        }
        Json::Array => value.items().map(canonical).collect::<Vec<_>>().join(", "),
        Json::Number => decimal_shown(value.raw()),
        _ => value.as_str().map_or_else(|| value.raw().to_owned(), |text| text.into_owned()),
    }
}
