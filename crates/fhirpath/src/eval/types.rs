//! `is`, `as` and `ofType`.

use fhir::definitions::{Kind, definitions};

use super::{EvalError, Evaluated, Evaluator};
use crate::ast::{Specifier, TypeTest};
use crate::item::{Collection, Item};

const SYSTEM: [&str; 9] =
    ["Any", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"];

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn type_test(
        &self,
        input: Collection<'a>,
        test: TypeTest,
        specifier: &Specifier,
    ) -> Evaluated<'a> {
        check(specifier)?;
        self.charge(input.len())?;
        match test {
            TypeTest::Is => {
                let item = self.single("is", &input)?;
                Ok(item.map(|item| Item::Boolean(self.is(item, specifier))).into_iter().collect())
            }
            // Published expressions apply `as` to several items and mean `ofType`.
            TypeTest::As if self.env.strict && input.len() > 1 => Err(EvalError::NotSingle("as")),
            TypeTest::As | TypeTest::OfType => {
                Ok(input.into_iter().filter(|item| is_cast(item, specifier)).collect())
            }
        }
    }

    /// Published constraints ask whether an element of type `boolean` is a `Boolean`; unless
    /// evaluation is strict, the type of its value counts as well.
    fn is(&self, item: &Item<'a>, specifier: &Specifier) -> bool {
        if has_type(item, specifier) {
            return true;
        }
        let value = match item {
            Item::Node(node) if !self.env.strict && specifier.namespace.is_none() => {
                node.to_system()
            }
            _ => None,
        };
        value.is_some_and(|value| has_type(&value, specifier))
    }

    /// Whether a leading name is the type of the item.
    pub(super) fn is_named(&self, item: &Item<'a>, name: &str) -> bool {
        match item {
            Item::Node(node) if node.type_of().name == name => true,
            Item::Node(node) => {
                definitions().get(name).is_some_and(|named| node.type_of().is_a(named.id))
            }
            Item::Unresolved(type_of) => type_of.name == name,
            _ => false,
        }
    }
}

fn check(specifier: &Specifier) -> Result<(), EvalError> {
    let name = specifier.name.as_str();
    let known = match specifier.namespace.as_deref() {
        Some("FHIR") => definitions().get(name).is_some(),
        Some("System") => true,
        None => SYSTEM.contains(&name) || definitions().get(name).is_some(),
        Some(_) => false,
    };
    if known { Ok(()) } else { Err(EvalError::UnknownType(name.into())) }
}

/// Whether the item has the type or one derived from it.
pub(super) fn has_type(item: &Item<'_>, specifier: &Specifier) -> bool {
    let type_of = match item {
        Item::Node(node) => node.type_of(),
        Item::Unresolved(type_of) => type_of,
        _ => {
            let system = specifier.namespace.as_deref().is_none_or(|name| name == "System");
            return system && (specifier.name == "Any" || item.type_name().1 == specifier.name);
        }
    };
    specifier.namespace.as_deref().is_none_or(|name| name == "FHIR")
        && definitions().get(&specifier.name).is_some_and(|wanted| type_of.is_a(wanted.id))
}

/// Whether a cast lets the item through: as [`has_type`], but a primitive must have exactly the
/// type, as the published tests of FHIR R4 have it.
fn is_cast(item: &Item<'_>, specifier: &Specifier) -> bool {
    match item {
        Item::Node(node) if node.type_of().kind == Kind::Primitive => {
            node.type_of().name == specifier.name && has_type(item, specifier)
        }
        _ => has_type(item, specifier),
    }
}
