//! Units of measure for others than expressions: whether a text is a unit of UCUM, and whether two
//! units measure the same.

use super::ucum::resolve;

/// Whether the text is a unit of UCUM (section 3 of The Unified Code for Units of Measure). The
/// words of the calendar that FHIRPath knows, `week` for example, are not.
pub fn is_unit(unit: &str) -> bool {
    !unit.is_empty() && super::calendar(unit).is_none() && resolve(unit).is_some()
}

/// Whether both are units of the same dimension, so that one can be converted to the other.
pub fn commensurable(a: &str, b: &str) -> bool {
    is_unit(a) && is_unit(b) && resolve(a).zip(resolve(b)).is_some_and(|(a, b)| a.base == b.base)
}
