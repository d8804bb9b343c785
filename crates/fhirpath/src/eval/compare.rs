//! Equality, equivalence, order and membership (FHIRPath 6.1 to 6.4).

use std::cmp::Ordering;
use std::collections::HashSet;

use fhir::{Kind as JsonKind, Value};
use rust_decimal::Decimal;

use super::{EvalError, Evaluated, Evaluator, wrong_type};
use crate::item::{Collection, Item, Node, Quantity, decimal};
use crate::units;

/// Two operands on common ground.
pub(crate) enum Numeric<'a> {
    Integers(i64, i64),
    Decimals(Decimal, Decimal),
    Quantities(Quantity<'a>, Quantity<'a>),
}

impl<'a> Numeric<'a> {
    /// Numbers convert to decimals and to quantities where the other side is one.
    pub(crate) fn of(left: &Item<'a>, right: &Item<'a>) -> Option<Self> {
        let plain = |value: Decimal| Quantity { value, unit: "1".into() };
        Some(match (left, right) {
            (Item::Integer(a), Item::Integer(b)) => Numeric::Integers(*a, *b),
            (Item::Quantity(a), Item::Quantity(b)) => Numeric::Quantities(a.clone(), b.clone()),
            (Item::Quantity(a), other) => Numeric::Quantities(a.clone(), plain(number(other)?)),
            (other, Item::Quantity(b)) => Numeric::Quantities(plain(number(other)?), b.clone()),
            _ => Numeric::Decimals(number(left)?, number(right)?),
        })
    }
}

fn number(item: &Item<'_>) -> Option<Decimal> {
    match item {
        Item::Integer(value) => Some(Decimal::from(*value)),
        Item::Decimal(value) => Some(*value),
        _ => None,
    }
}

/// Whether two items are equal; `None` where that cannot be said.
pub(crate) fn equal<'a>(left: &Item<'a>, right: &Item<'a>) -> Option<bool> {
    if let (Item::Node(a), Item::Node(b)) = (left, right) {
        if a.is_same(b) {
            return Some(true);
        }
        if a.to_system().is_none() && b.to_system().is_none() {
            return Some(same_nodes(a, b, &|a, b| a == b));
        }
    }
    if let (Item::TypeInfo { .. }, Item::TypeInfo { .. })
    | (Item::Unresolved(_), Item::Unresolved(_)) = (left, right)
    {
        return Some(left.type_name() == right.type_name());
    }
    let (Some(left), Some(right)) = (left.to_system(), right.to_system()) else {
        return Some(false);
    };
    match (&left, &right) {
        (Item::Boolean(a), Item::Boolean(b)) => Some(a == b),
        (Item::String(a), Item::String(b)) => Some(a == b),
        (Item::Temporal(a), Item::Temporal(b)) => {
            let time = |t: &crate::Temporal| t.kind() == crate::TemporalKind::Time;
            if time(a) == time(b) { a.compare(b).map(Ordering::is_eq) } else { Some(false) }
        }
        _ => match Numeric::of(&left, &right) {
            Some(Numeric::Integers(a, b)) => Some(a == b),
            Some(Numeric::Decimals(a, b)) => Some(a == b),
            Some(Numeric::Quantities(a, b)) => order_quantities(&a, &b).map(Ordering::is_eq),
            None => Some(false),
        },
    }
}

/// Whether two items are equivalent: without case and extra space, to the lesser precision.
pub(crate) fn equivalent<'a>(left: &Item<'a>, right: &Item<'a>) -> bool {
    if let (Item::Node(a), Item::Node(b)) = (left, right)
        && a.to_system().is_none()
        && b.to_system().is_none()
    {
        return same_nodes(a, b, &|a, b| folded(a) == folded(b));
    }
    let (Some(left), Some(right)) = (left.to_system(), right.to_system()) else {
        return equal(left, right) == Some(true);
    };
    match (&left, &right) {
        (Item::String(a), Item::String(b)) => folded(a) == folded(b),
        (Item::Temporal(a), Item::Temporal(b)) => a.equivalent(b),
        _ => match Numeric::of(&left, &right) {
            Some(Numeric::Decimals(a, b)) => close(a, b, a.scale().min(b.scale())),
            Some(Numeric::Quantities(a, b)) => equivalent_quantities(&a, &b),
            _ => equal(&left, &right) == Some(true),
        },
    }
}

/// Lower case with single spaces.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn close(a: Decimal, b: Decimal, scale: u32) -> bool {
    a.round_dp(scale) == b.round_dp(scale)
}

/// Calendar years and months are not comparable with UCUM's, only equivalent to them.
fn calendar_mismatch(a: &str, b: &str) -> bool {
    let variable = |unit: &str| units::calendar(unit).is_some_and(|c| c.fixed_ms().is_none());
    let same = |a: &str, b: &str| units::calendar(a).is_some() == units::calendar(b).is_some();
    (variable(a) || variable(b)) && !same(a, b)
}

/// Both values in the unit of the base, with the number of digits that each states.
fn common(a: &Quantity<'_>, b: &Quantity<'_>) -> Option<(Decimal, Decimal)> {
    if a.unit == b.unit {
        return Some((a.value, b.value));
    }
    let (one, two) = (units::resolve(&a.unit)?, units::resolve(&b.unit)?);
    if one.base != two.base {
        return None;
    }
    Some((a.value.checked_mul(one.factor)?, b.value.checked_mul(two.factor)?))
}

/// How two quantities compare; `None` where their units do not.
pub(crate) fn order_quantities(a: &Quantity<'_>, b: &Quantity<'_>) -> Option<Ordering> {
    if calendar_mismatch(&a.unit, &b.unit) {
        return None;
    }
    common(a, b).map(|(a, b)| a.cmp(&b))
}

/// To the precision of the value that is stated less precisely, in its own unit.
fn equivalent_quantities(a: &Quantity<'_>, b: &Quantity<'_>) -> bool {
    let factor = |q: &Quantity<'_>| units::resolve(&q.unit).map(|unit| unit.factor);
    let Some((one, two)) = common(a, b) else { return false };
    if a.unit == b.unit {
        return close(one, two, one.scale().min(two.scale()));
    }
    let step = |q: &Quantity<'_>| factor(q)?.checked_mul(Decimal::new(1, q.value.scale()));
    let (Some(step_a), Some(step_b)) = (step(a), step(b)) else { return false };
    let (coarse, step) = if step_a >= step_b { (a, step_a) } else { (b, step_b) };
    match (one.checked_div(step), two.checked_div(step)) {
        (Some(one), Some(two)) if coarse.value.scale() <= 28 => close(one, two, 0),
        _ => false,
    }
}

/// The order of two values of the same type.
pub(crate) fn order<'a>(
    operator: &'static str,
    left: &Item<'a>,
    right: &Item<'a>,
) -> Result<Option<Ordering>, EvalError> {
    let system = |item: &Item<'a>| item.to_system().ok_or_else(|| wrong_type(operator, item));
    let (one, two) = (system(left)?, system(right)?);
    match (&one, &two) {
        (Item::String(a), Item::String(b)) => Ok(Some(a.as_ref().cmp(b.as_ref()))),
        (Item::Temporal(a), Item::Temporal(b)) => {
            let time = |t: &crate::Temporal| t.kind() == crate::TemporalKind::Time;
            if time(a) == time(b) { Ok(a.compare(b)) } else { Err(wrong_type(operator, &two)) }
        }
        _ => match Numeric::of(&one, &two) {
            Some(Numeric::Integers(a, b)) => Ok(Some(a.cmp(&b))),
            Some(Numeric::Decimals(a, b)) => Ok(Some(a.cmp(&b))),
            Some(Numeric::Quantities(a, b)) => Ok(order_quantities(&a, &b)),
            None => Err(wrong_type(operator, &two)),
        },
    }
}

/// Compares elements with all they hold, without regard to the order of their members.
fn same_nodes(a: &Node<'_>, b: &Node<'_>, same_text: &dyn Fn(&str, &str) -> bool) -> bool {
    let same = |a: Option<Value<'_>>, b: Option<Value<'_>>| match (a, b) {
        (Some(a), Some(b)) => same_json(a, b, same_text),
        (None, None) => true,
        _ => false,
    };
    same(a.value(), b.value()) && same(a.sibling(), b.sibling())
}

fn same_json(a: Value<'_>, b: Value<'_>, same_text: &dyn Fn(&str, &str) -> bool) -> bool {
    if a.kind() != b.kind() {
        return false;
    }
    match a.kind() {
        JsonKind::Null => true,
        JsonKind::Bool => a.as_bool() == b.as_bool(),
        JsonKind::Number => {
            let value = |v: Value<'_>| v.as_number().and_then(decimal);
            a.raw() == b.raw() || matches!((value(a), value(b)), (Some(a), Some(b)) if a == b)
        }
        JsonKind::String => {
            same_text(&a.as_str().unwrap_or_default(), &b.as_str().unwrap_or_default())
        }
        JsonKind::Array => {
            a.items().count() == b.items().count()
                && a.items().zip(b.items()).all(|(a, b)| same_json(a, b, same_text))
        }
        JsonKind::Object => {
            a.members().count() == b.members().count()
                && a.members().all(|member| {
                    b.get(&member.name()).is_some_and(|b| same_json(member.value, b, same_text))
                })
        }
    }
}

/// The items of both without doubles, in order of appearance.
pub(crate) fn union<'a>(
    evaluator: &Evaluator<'_, 'a>,
    items: impl IntoIterator<Item = Item<'a>>,
) -> Evaluated<'a> {
    let mut found: Collection<'a> = Vec::new();
    let mut texts = HashSet::new();
    for item in items {
        // Texts, by far the most frequent, are compared through a set.
        if let Some(text) = item.as_text() {
            evaluator.charge(1)?;
            if texts.insert(text) {
                found.push(item);
            }
            continue;
        }
        evaluator.charge(found.len() + 1)?;
        if !found.iter().any(|held| equal(held, &item) == Some(true)) {
            found.push(item);
        }
    }
    Ok(found)
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn union(&self, left: Collection<'a>, right: Collection<'a>) -> Evaluated<'a> {
        union(self, left.into_iter().chain(right))
    }

    pub(super) fn equal_collections(
        &self,
        left: &[Item<'a>],
        right: &[Item<'a>],
    ) -> Result<Option<bool>, EvalError> {
        self.charge(left.len())?;
        if left.is_empty() || right.is_empty() {
            return Ok(None);
        }
        if left.len() != right.len() {
            return Ok(Some(false));
        }
        let mut known = true;
        for (one, two) in left.iter().zip(right) {
            match equal(one, two) {
                Some(false) => return Ok(Some(false)),
                Some(true) => {}
                None => known = false,
            }
        }
        Ok(known.then_some(true))
    }

    /// Equivalent items in any order; two empty collections are equivalent.
    pub(super) fn equivalent_collections(
        &self,
        left: &[Item<'a>],
        right: &[Item<'a>],
    ) -> Result<bool, EvalError> {
        if left.len() != right.len() {
            return Ok(false);
        }
        self.charge(left.len().saturating_mul(right.len()))?;
        let mut open: Vec<_> = right.iter().collect();
        for item in left {
            match open.iter().position(|other| equivalent(item, other)) {
                Some(at) => open.swap_remove(at),
                None => return Ok(false),
            };
        }
        Ok(true)
    }

    pub(super) fn membership(
        &self,
        operator: &'static str,
        item: &[Item<'a>],
        items: &[Item<'a>],
    ) -> Result<Option<bool>, EvalError> {
        let Some(item) = self.single(operator, item)? else { return Ok(None) };
        self.charge(items.len())?;
        Ok(Some(items.iter().any(|held| equal(held, item) == Some(true))))
    }

    pub(super) fn ordered(
        &self,
        operator: &'static str,
        left: &[Item<'a>],
        right: &[Item<'a>],
        holds: impl Fn(Ordering) -> bool,
    ) -> Result<Option<bool>, EvalError> {
        let (left, right) = (self.single(operator, left)?, self.single(operator, right)?);
        let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
        // What has no value compares with nothing.
        let hollow = |item: &Item<'a>| matches!(item, Item::Node(node) if node.is_hollow());
        if hollow(left) || hollow(right) {
            return Ok(None);
        }
        Ok(order(operator, left, right)?.map(holds))
    }
}
