//! Unit expressions of UCUM (The Unified Code for Units of Measure, section 3): products, quotients
//! and powers of units. A unit is resolved to a factor and the powers of base units, so that
//! quantities can be compared and converted.

use rust_decimal::Decimal;

use super::atoms::atom;
use super::calendar;

/// A unit in terms of base units.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resolved {
    /// How many base units one of it is.
    pub factor: Decimal,
    /// Base units with their powers, by name, without zero powers.
    pub base: Vec<(String, i32)>,
}

impl Resolved {
    fn one() -> Self {
        Self { factor: Decimal::ONE, base: Vec::new() }
    }

    /// This times the other to a power; `None` where the factor leaves the range of decimals.
    pub(crate) fn times(mut self, other: &Resolved, power: i32) -> Option<Self> {
        for _ in 0..power.unsigned_abs() {
            self.factor = if power < 0 {
                self.factor.checked_div(other.factor)?
            } else {
                self.factor.checked_mul(other.factor)?
            };
        }
        for (name, held) in &other.base {
            let change = held.checked_mul(power)?;
            match self.base.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum = sum.checked_add(change)?,
                None => self.base.push((name.clone(), change)),
            }
        }
        self.base.retain(|(_, power)| *power != 0);
        self.base.sort();
        Some(self)
    }

    /// Writes the base units as a UCUM unit: `g.m-2`.
    pub(crate) fn unit(&self) -> String {
        let parts: Vec<_> = self
            .base
            .iter()
            .map(|(name, power)| if *power == 1 { name.clone() } else { format!("{name}{power}") })
            .collect();
        if parts.is_empty() { "1".into() } else { parts.join(".") }
    }
}

/// Resolves a UCUM unit or a calendar word; `None` for what is neither.
pub(crate) fn resolve(unit: &str) -> Option<Resolved> {
    if unit.is_empty() {
        return Some(Resolved::one());
    }
    let unit = calendar(unit).map_or(unit, |word| word.ucum());
    if unit.len() > 100 {
        return None;
    }
    let mut reader = Reader { rest: unit, depth: 0 };
    let resolved = reader.term()?;
    reader.rest.is_empty().then_some(resolved)
}

struct Reader<'t> {
    rest: &'t str,
    depth: u8,
}

impl Reader<'_> {
    fn accept(&mut self, symbol: char) -> bool {
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Factors joined by `.` and `/`, from left to right.
    fn term(&mut self) -> Option<Resolved> {
        let mut resolved = Resolved::one();
        let mut power = if self.accept('/') { -1 } else { 1 };
        loop {
            let factor = self.factor()?;
            resolved = resolved.times(&factor, power)?;
            power = if self.accept('.') {
                1
            } else if self.accept('/') {
                -1
            } else {
                return Some(resolved);
            };
        }
    }

    fn factor(&mut self) -> Option<Resolved> {
        if self.accept('(') {
            self.depth += 1;
            if self.depth > 10 {
                return None;
            }
            let inner = self.term()?;
            self.depth -= 1;
            if !self.accept(')') {
                return None;
            }
            self.annotation();
            return Some(inner);
        }
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && !self.rest.starts_with("10*") && !self.rest.starts_with("10^") {
            let (number, rest) = self.rest.split_at_checked(digits)?;
            self.rest = rest;
            self.annotation();
            return Some(Resolved { factor: number.parse().ok()?, base: Vec::new() });
        }
        // An annotation alone is the unit one: `{score}`.
        if self.rest.starts_with('{') {
            self.annotation();
            return Some(Resolved::one());
        }
        let end = self.symbol_end();
        let (symbol, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let unit = atom(symbol)?;
        let power = self.exponent()?;
        self.annotation();
        Resolved::one().times(&unit, power)
    }

    /// Where the symbol of a unit ends: brackets belong to it with all they hold.
    fn symbol_end(&self) -> usize {
        if self.rest.starts_with("10*") || self.rest.starts_with("10^") {
            return 3;
        }
        let mut open = false;
        for (at, c) in self.rest.char_indices() {
            match c {
                '[' => open = true,
                ']' => open = false,
                _ if open => {}
                '.' | '/' | '(' | ')' | '{' | '+' | '-' | '0'..='9' => return at,
                _ => {}
            }
        }
        self.rest.len()
    }

    fn exponent(&mut self) -> Option<i32> {
        let sign = usize::from(self.rest.starts_with(['+', '-']));
        let digits = self.rest.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return (sign == 0).then_some(1);
        }
        let (number, rest) = self.rest.split_at_checked(sign + digits)?;
        self.rest = rest;
        let power: i32 = number.trim_start_matches('+').parse().ok()?;
        (power.abs() <= 40).then_some(power)
    }

    fn annotation(&mut self) {
        if self.rest.starts_with('{') {
            let end = self.rest.find('}').map_or(self.rest.len(), |end| end + 1);
            self.rest = self.rest.get(end..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_units_to_base_units() {
        for (unit, expected) in [
            ("mg", "0.001 g"),
            ("g/m", "1 g.m-1"),
            ("m2", "1 m2"),
            ("wk", "604800 s"),
            ("week", "604800 s"),
            ("mm[Hg]", "133322 g.m-1.s-2"),
            ("[in_i]", "0.0254 m"),
            ("10*3/uL", "1000000000000 m-3"),
            ("{score}", "1 1"),
            ("mmol/L", "1 m-3.mol"),
            ("/min", "0.0166666666666666666666666667 s-1"),
            ("kg/m2", "1000 g.m-2"),
            ("%", "0.01 1"),
            ("Cel", "1 Cel"),
            ("[s]", "none"),
            ("x", "none"),
            ("(mg/dL", "none"),
        ] {
            let found = resolve(unit).map_or("none".into(), |unit| {
                format!("{} {}", unit.factor.normalize(), unit.unit())
            });
            assert_eq!(found, expected, "{unit}");
        }
    }
}
