//! Comparing identifiers.

use crate::field::Level;
use crate::identifier::{Identifier, IdentifierKind, Ssn};
use crate::text::one_slip;

/// The best level on which any two social security numbers agree.
pub(crate) fn ssn(a: &[Ssn], b: &[Ssn]) -> Option<Level> {
    pairs(a, b).map(|(a, b)| one_ssn(a, b)).min()
}

fn one_ssn(a: &Ssn, b: &Ssn) -> Level {
    match (a, b) {
        (Ssn::Full(x), Ssn::Full(y)) if x == y => {
            if a.is_issued() {
                Level::SsnExact
            } else {
                Level::SsnUnissued
            }
        }
        (Ssn::Full(x), Ssn::Full(y)) if one_slip(x, y) => Level::SsnOneDigit,
        (Ssn::Full(_), Ssn::Full(_)) if a.last_four() == b.last_four() => Level::SsnTail,
        (Ssn::Full(_), Ssn::Full(_)) => Level::SsnDifferent,
        _ if a.last_four() == b.last_four() => Level::SsnLastFour,
        _ => Level::SsnDifferent,
    }
}

pub(crate) fn national(a: &[Identifier], b: &[Identifier]) -> Option<Level> {
    let levels = [Level::NationalIdExact, Level::NationalIdOneDigit, Level::NationalIdDifferent];
    best(a, b, IdentifierKind::National, levels)
}

pub(crate) fn licence(a: &[Identifier], b: &[Identifier]) -> Option<Level> {
    let levels = [Level::LicenceExact, Level::LicenceOneDigit, Level::LicenceDifferent];
    best(a, b, IdentifierKind::Licence, levels)
}

pub(crate) fn passport(a: &[Identifier], b: &[Identifier]) -> Option<Level> {
    let levels = [Level::PassportExact, Level::PassportOneDigit, Level::PassportDifferent];
    best(a, b, IdentifierKind::Passport, levels)
}

/// Record numbers of one system are handed out in a row, so one digit apart is simply different.
pub(crate) fn mrn(a: &[Identifier], b: &[Identifier]) -> Option<Level> {
    let levels = [Level::MrnExact, Level::MrnDifferent, Level::MrnDifferent];
    best(a, b, IdentifierKind::Mrn, levels)
}

/// Agreement only: that two other identifiers differ says nothing.
pub(crate) fn other(a: &[Identifier], b: &[Identifier]) -> Option<Level> {
    let same = pairs(a, b).any(|(a, b)| {
        a.kind == IdentifierKind::Other
            && a.kind == b.kind
            && a.system == b.system
            && a.value == b.value
    });
    same.then_some(Level::OtherIdExact)
}

/// The best of `[equal, one slip, different]` among identifiers of one kind and one issuer.
fn best(
    a: &[Identifier],
    b: &[Identifier],
    kind: IdentifierKind,
    [equal, slip, different]: [Level; 3],
) -> Option<Level> {
    let comparable =
        pairs(a, b).filter(|(a, b)| a.kind == kind && b.kind == kind && a.system == b.system);
    let levels = comparable.map(|(a, b)| {
        if a.value == b.value {
            equal
        } else if one_slip(&a.value, &b.value) {
            slip
        } else {
            different
        }
    });
    levels.min()
}

fn pairs<'a, T>(a: &'a [T], b: &'a [T]) -> impl Iterator<Item = (&'a T, &'a T)> {
    a.iter().flat_map(move |a| b.iter().map(move |b| (a, b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::ssn as read;

    #[test]
    fn ssn_levels() {
        for (a, b, expected) in [
            ("123-45-6780", "123456780", Level::SsnExact),
            ("999-26-7403", "999-26-7403", Level::SsnUnissued),
            ("123-45-6780", "123-45-6781", Level::SsnOneDigit),
            ("123-45-6780", "132-45-6780", Level::SsnOneDigit),
            ("123-45-6780", "6780", Level::SsnLastFour),
            ("123-45-6780", "567-89-6780", Level::SsnTail),
            ("123-45-6780", "223-45-6781", Level::SsnDifferent),
            ("123-45-6780", "6789", Level::SsnDifferent),
        ] {
            let (x, y) = ([read(a).unwrap()], [read(b).unwrap()]);
            assert_eq!(ssn(&x, &y), Some(expected), "{a} {b}");
            assert_eq!(ssn(&y, &x), Some(expected), "{b} {a}");
        }
        assert_eq!(ssn(&[], &[read("6789").unwrap()]), None);
    }
}
