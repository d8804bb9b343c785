//! The vector of a question: ranges of numbers, and real numbers as integers that can be added in a
//! field.
//!
//! Each number becomes an integer from 0 to the layout's greatest `g`, which is what Prio3SumVec proves about
//! it, bit by bit: a report is as long, and as much work, as its bits are many. With real numbers `g` is
//! 2^88 (89 bits of Field128, whose 128 bits leave room for 2^39 sites). Counts alone need fewer: `g` is
//! their bound where they share one of at least 2^16 - 1, and else the power of two of [`Layout::greatest`].
//!
//! - A real number `v` with `|v| ≤ B` is `2^87 + round(v · 2^87 / B)`, where `B` is the bound rounded
//!   up to a power of two, so that scaling is exact in binary floating point and the only error is the
//!   rounding to a step of `B · 2^-87`. The proof enforces `B`; sharding and the sums hold to the
//!   bound itself, so a bound that is a power of two is enforced sharply.
//! - A count `c` from 0 to `b` is `c · k` with `k = ⌊g / b⌋`. As `b · (b + 1) ≤ g` or `g = b`, nothing above
//!   `b · k` but a remainder below `k` fits under `g`: the proof enforces `c ≤ b`, and a sum that is no
//!   multiple of `k` shows that somebody gave a count that is not whole.

use serde::{Deserialize, Serialize};

use super::SumError;

/// The greatest integer of an encoded number where there are real ones.
const GREATEST: u128 = 1 << 88;
/// Bits of the narrowest numbers: with fewer, the blinding numbers of a commitment would be more than they
/// save.
const LEAST_BITS: u32 = 16;
const HALF: i128 = 1 << 87;
const HALF_BITS: i32 = 87;
/// The greatest bound of a count: `b · (b + 1) < 2^88` keeps counts apart.
const GREATEST_COUNT: f64 = 8_796_093_022_208.0; // 2^43
/// Numbers in a vector at most.
pub const GREATEST_LENGTH: usize = 20_000;
/// Sites in a sum at most.
pub const MOST_SITES: u64 = 1 << 32;
/// Exponents of bounds: far inside those of an `f64`, so that no scaling overflows.
const EXPONENTS: std::ops::RangeInclusive<i32> = -400..=400;

/// Numbers that stand beside each other in the vector and share a bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The greatest absolute value that one site may give. For counts a whole number up to 2^43.
    pub bound: f64,
    /// Whether the numbers are whole and not negative; their sums are then exact.
    #[serde(default)]
    pub is_count: bool,
    /// How many numbers.
    pub length: usize,
}

/// The ranges of a vector, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Range>", into = "Vec<Range>")]
pub struct Layout {
    ranges: Vec<Range>,
}

/// How exactly the numbers of a range are added.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Resolution {
    /// The distance of neighbouring numbers that can be told apart, in the range's own unit.
    pub step: f64,
    /// The greatest absolute error of a sum before its last rounding to an `f64`.
    pub sum_error: f64,
    /// That last rounding, relative to the sum: half a unit in the last place.
    pub rounding: f64,
}

impl Layout {
    /// Checks the ranges: 1 to [`GREATEST_LENGTH`] numbers, bounds positive and between 2^-400 and
    /// 2^400, those of counts whole and at most 2^43.
    pub fn new(ranges: Vec<Range>) -> Result<Self, SumError> {
        let mut length = 0usize;
        for range in &ranges {
            let exponent = exponent(range.bound).ok_or(SumError::Layout("a bound is no size"))?;
            if !EXPONENTS.contains(&exponent) {
                return Err(SumError::Layout("a bound is too small or too large"));
            }
            if range.is_count
                && (range.bound.fract() != 0.0 || !(1.0..=GREATEST_COUNT).contains(&range.bound))
            {
                return Err(SumError::Layout("the bound of a count is not whole or above 2^43"));
            }
            length = length.saturating_add(range.length);
        }
        if length == 0 || length > GREATEST_LENGTH {
            return Err(SumError::Layout("it has no numbers or too many"));
        }
        Ok(Self { ranges })
    }

    /// The ranges in the order of the vector.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// The length of the vector.
    #[must_use]
    pub fn length(&self) -> usize {
        self.ranges.iter().map(|range| range.length).sum()
    }

    /// The greatest integer of an encoded number.
    pub(super) fn greatest(&self) -> u128 {
        if self.ranges.iter().any(|range| !range.is_count) {
            return GREATEST;
        }
        let bounds = || self.ranges.iter().map(|range| range.bound as u128);
        let most = bounds().max().unwrap_or(1);
        if most + 1 >= 1 << LEAST_BITS && bounds().all(|bound| bound == most) {
            return most;
        }
        // 2^43 (2^43 + 1) is below 2^87.
        (most * (most + 1)).next_power_of_two().max(1 << LEAST_BITS)
    }

    /// The layout as bytes, for contexts: per range length (8 bytes), kind (1) and bound (8).
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.ranges.len() * 17);
        for range in &self.ranges {
            out.extend_from_slice(&(range.length as u64).to_be_bytes());
            out.push(u8::from(range.is_count));
            out.extend_from_slice(&range.bound.to_be_bytes());
        }
        out
    }

    /// The vector as integers from 0 to [`Layout::greatest`].
    ///
    /// Errors: [`SumError::Length`], [`SumError::OutOfRange`] for a number beyond its bound or none
    /// at all, [`SumError::NotWhole`] for a count.
    pub(super) fn encode(&self, values: &[f64]) -> Result<Vec<u128>, SumError> {
        if values.len() != self.length() {
            return Err(SumError::Length { expected: self.length() });
        }
        let greatest = self.greatest();
        self.places()
            .zip(values)
            .map(|((entry, at, range), value)| encode(*value, (range, greatest), entry, at))
            .collect()
    }

    /// The sums that `sites` encoded vectors added up to.
    ///
    /// Errors: [`SumError::Length`], and [`SumError::Sum`] for a sum that vectors within the bounds
    /// do not have: a count that is not whole, anything beyond `sites` times the bound.
    pub(super) fn decode(&self, sums: &[u128], sites: u64) -> Result<Vec<f64>, SumError> {
        if sums.len() != self.length() {
            return Err(SumError::Length { expected: self.length() });
        }
        let greatest = self.greatest();
        self.places()
            .zip(sums)
            .map(|((entry, at, range), sum)| {
                let found = decode(*sum, (range, greatest), sites);
                found.ok_or(SumError::Sum { entry, range: at })
            })
            .collect()
    }

    /// For each number its place, the place of its range, and the range.
    fn places(&self) -> impl Iterator<Item = (usize, usize, &Range)> {
        let ranges = self.ranges.iter().enumerate();
        ranges
            .flat_map(|(at, range)| std::iter::repeat_n((at, range), range.length))
            .enumerate()
            .map(|(entry, (at, range))| (entry, at, range))
    }
}

impl TryFrom<Vec<Range>> for Layout {
    type Error = SumError;

    fn try_from(ranges: Vec<Range>) -> Result<Self, SumError> {
        Self::new(ranges)
    }
}

impl From<Layout> for Vec<Range> {
    fn from(layout: Layout) -> Self {
        layout.ranges
    }
}

/// What the way through integers costs, for each range of the layout, when `sites` vectors are
/// added: each number is rounded to the nearest step once, so a sum is off by at most half a step for
/// each site; the exact sum is then rounded to an `f64` once. Counts are exact.
#[must_use]
pub fn resolution(layout: &Layout, sites: u64) -> Vec<Resolution> {
    let of = |range: &Range| {
        if range.is_count {
            return Resolution { step: 1.0, sum_error: 0.0, rounding: 0.0 };
        }
        let step = power_of_two(exponent(range.bound).unwrap_or_default() - HALF_BITS);
        Resolution { step, sum_error: sites as f64 * step / 2.0, rounding: f64::EPSILON / 2.0 }
    };
    layout.ranges.iter().map(of).collect()
}

fn encode(
    value: f64,
    (range, greatest): (&Range, u128),
    entry: usize,
    at: usize,
) -> Result<u128, SumError> {
    let outside = SumError::OutOfRange { entry, range: at };
    if !value.is_finite() || value.abs() > range.bound {
        return Err(outside);
    }
    if range.is_count {
        if value < 0.0 {
            return Err(outside);
        }
        if value.fract() != 0.0 {
            return Err(SumError::NotWhole { entry, range: at });
        }
        return Ok(value as u128 * count_step(range, greatest));
    }
    let exponent = exponent(range.bound).ok_or_else(|| outside.clone())?;
    // Exact: a power of two, and the product is at most 2^87.
    let scaled = (value * power_of_two(HALF_BITS - exponent)).round() as i128;
    u128::try_from(HALF + scaled).map_err(|_| outside)
}

fn decode(sum: u128, (range, greatest): (&Range, u128), sites: u64) -> Option<f64> {
    if sites > MOST_SITES {
        return None;
    }
    let most = sites as f64 * range.bound;
    if range.is_count {
        let step = count_step(range, greatest);
        let count = sum / step;
        return (sum.is_multiple_of(step) && count <= most as u128).then_some(count as f64);
    }
    let centred = i128::try_from(sum).ok()? - i128::from(sites) * HALF;
    let value = centred as f64 * power_of_two(exponent(range.bound)? - HALF_BITS);
    (value.abs() <= most * (1.0 + f64::EPSILON)).then_some(value)
}

/// What one unit of a count is encoded as in a layout with this greatest integer.
pub(super) fn count_step(range: &Range, greatest: u128) -> u128 {
    greatest / (range.bound as u128).max(1)
}

/// The least `e` with `bound ≤ 2^e`. None for what is no positive normal number.
fn exponent(bound: f64) -> Option<i32> {
    if !bound.is_normal() || bound <= 0.0 {
        return None;
    }
    let bits = bound.to_bits();
    let floor = i32::try_from(bits >> 52).ok()? - 1023;
    Some(floor + i32::from(bits & ((1 << 52) - 1) != 0))
}

/// 2^`exponent`, for exponents of normal numbers.
fn power_of_two(exponent: i32) -> f64 {
    let biased = u64::try_from(exponent.clamp(-1022, 1023) + 1023).unwrap_or_default();
    f64::from_bits(biased << 52)
}
