//! The units of UCUM that health records use, by symbol.
//!
//! Units on scales with an offset or a logarithm (`Cel`, `[degF]`, `[pH]`) and arbitrary units
//! (`[iU]`) are base units of their own here: they compare with themselves.

use rust_decimal::Decimal;

use super::ucum::{Resolved, resolve};

/// A unit symbol, with a metric prefix where the unit takes one.
pub(super) fn atom(symbol: &str) -> Option<Resolved> {
    if let Some((_, _, definition)) = find(symbol) {
        return definition;
    }
    PREFIXES.iter().find_map(|(prefix, power)| {
        let (metric, _, definition) = find(symbol.strip_prefix(prefix)?)?;
        let scale = Decimal::from_i128_with_scale(10_i128.pow(power.unsigned_abs()), 0);
        let mut unit = definition.filter(|_| metric)?;
        unit.factor = if *power < 0 {
            unit.factor.checked_div(scale)?
        } else {
            unit.factor.checked_mul(scale)?
        };
        Some(unit)
    })
}

fn find(symbol: &str) -> Option<(bool, &'static str, Option<Resolved>)> {
    let base = |name: &str| Resolved { factor: Decimal::ONE, base: vec![(name.into(), 1)] };
    if BASE.contains(&symbol) {
        return Some((true, "", Some(base(symbol))));
    }
    if let Some((_, name)) = SPECIAL.iter().find(|(known, _)| *known == symbol) {
        return Some((true, "", Some(base(name))));
    }
    let (_, metric, factor, unit) = DERIVED.iter().find(|(known, ..)| *known == symbol)?;
    let factor: Option<Decimal> = factor.parse().ok();
    let definition = resolve(unit).zip(factor).and_then(|(mut resolved, factor)| {
        resolved.factor = resolved.factor.checked_mul(factor)?;
        Some(resolved)
    });
    Some((*metric, unit, definition))
}

/// The base units of UCUM. `mol` is a number there; here it is a unit of its own because that number
/// is beyond the digits of a decimal.
const BASE: [&str; 8] = ["m", "s", "g", "rad", "K", "C", "cd", "mol"];

/// Units with a scale or procedure of their own.
const SPECIAL: [(&str, &str); 16] = [
    ("Cel", "Cel"),
    ("[degF]", "[degF]"),
    ("[pH]", "[pH]"),
    ("[iU]", "[iU]"),
    ("[IU]", "[iU]"),
    ("[arb'U]", "[arb'U]"),
    ("[USP'U]", "[USP'U]"),
    ("[GPL'U]", "[GPL'U]"),
    ("[MPL'U]", "[MPL'U]"),
    ("[APL'U]", "[APL'U]"),
    ("[CFU]", "[CFU]"),
    ("[Amb'a'1'U]", "[Amb'a'1'U]"),
    ("B[SPL]", "B[SPL]"),
    ("eq", "eq"),
    ("osm", "osm"),
    ("[anti'Xa'U]", "[anti'Xa'U]"),
];

const PREFIXES: [(&str, i32); 20] = [
    ("da", 1),
    ("Y", 24),
    ("Z", 21),
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
    ("z", -21),
    ("y", -24),
];

/// Symbol, whether it takes prefixes, factor and unit (UCUM tables 2 to 15).
const DERIVED: [(&str, bool, &str, &str); 75] = [
    ("10*", false, "10", "1"),
    ("10^", false, "10", "1"),
    ("%", false, "0.01", "1"),
    ("[ppth]", false, "0.001", "1"),
    ("[ppm]", false, "0.000001", "1"),
    ("[ppb]", false, "0.000000001", "1"),
    ("[pi]", false, "3.1415926535897932384626433833", "1"),
    ("sr", true, "1", "rad2"),
    ("Hz", true, "1", "s-1"),
    ("N", true, "1", "kg.m/s2"),
    ("Pa", true, "1", "N/m2"),
    ("J", true, "1", "N.m"),
    ("W", true, "1", "J/s"),
    ("A", true, "1", "C/s"),
    ("V", true, "1", "J/C"),
    ("F", true, "1", "C/V"),
    ("Ohm", true, "1", "V/A"),
    ("S", true, "1", "Ohm-1"),
    ("Wb", true, "1", "V.s"),
    ("T", true, "1", "Wb/m2"),
    ("H", true, "1", "Wb/A"),
    ("lm", true, "1", "cd.sr"),
    ("lx", true, "1", "lm/m2"),
    ("Bq", true, "1", "s-1"),
    ("Gy", true, "1", "J/kg"),
    ("Sv", true, "1", "J/kg"),
    ("gon", false, "0.9", "deg"),
    ("deg", false, "0.0174532925199432957692369077", "rad"),
    ("'", false, "0.0002908882086657215961539485", "rad"),
    ("''", false, "0.0000048481368110953599358991", "rad"),
    ("l", true, "1", "dm3"),
    ("L", true, "1", "dm3"),
    ("ar", true, "100", "m2"),
    ("min", false, "60", "s"),
    ("h", false, "3600", "s"),
    ("d", false, "86400", "s"),
    ("wk", false, "7", "d"),
    ("a", false, "365.25", "d"),
    ("a_j", false, "365.25", "d"),
    ("a_t", false, "365.24219", "d"),
    ("mo", false, "30.4375", "d"),
    ("mo_j", false, "30.4375", "d"),
    ("t", true, "1000", "kg"),
    ("bar", true, "100000", "Pa"),
    ("u", true, "0.0000000000000000000000016605402", "g"),
    ("eV", true, "0.00000000000000000016021773", "J"),
    ("cal", true, "4.184", "J"),
    ("[Cal]", false, "1", "kcal"),
    ("kat", true, "1", "mol/s"),
    ("U", true, "1", "umol/min"),
    ("g%", true, "1", "g/dl"),
    ("m[Hg]", true, "133322", "Pa"),
    ("m[H2O]", true, "9806.65", "Pa"),
    ("atm", false, "101325", "Pa"),
    ("gf", true, "9.80665", "g.m/s2"),
    ("dyn", true, "0.00001", "N"),
    ("P", true, "0.1", "Pa.s"),
    ("Ao", false, "0.1", "nm"),
    ("st", true, "1", "m3"),
    ("[in_i]", false, "2.54", "cm"),
    ("[in_us]", false, "0.0254000508001016002032004064", "m"),
    ("[ft_i]", false, "12", "[in_i]"),
    ("[yd_i]", false, "3", "[ft_i]"),
    ("[mi_i]", false, "5280", "[ft_i]"),
    ("[sft_i]", false, "1", "[ft_i]2"),
    ("[sin_i]", false, "1", "[in_i]2"),
    ("[lb_av]", false, "453.59237", "g"),
    ("[oz_av]", false, "28.349523125", "g"),
    ("[gr]", false, "64.79891", "mg"),
    ("[stone_av]", false, "14", "[lb_av]"),
    ("[gal_us]", false, "231", "[in_i]3"),
    ("[qt_us]", false, "57.75", "[in_i]3"),
    ("[pt_us]", false, "28.875", "[in_i]3"),
    ("[foz_us]", false, "1.8046875", "[in_i]3"),
    ("[drp]", false, "0.05", "ml"),
];
