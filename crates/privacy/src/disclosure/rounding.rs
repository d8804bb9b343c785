//! Rounding counts so that differences of a few people do not show.

/// The count rounded to the nearest multiple of `base`, halves up; a base of 0 or 1 leaves it.
#[must_use]
pub fn to_base(count: u64, base: u64) -> u64 {
    if base < 2 {
        return count;
    }
    let rest = count % base;
    let down = count - rest;
    if rest >= base - rest { down.saturating_add(base) } else { down }
}

/// Midpoint rounding, as OpenSAFELY does with a width of 6: each count from one multiple of `width`
/// (excluded) to the next (included) becomes their middle, 0 stays. Each step of a rounded survival
/// curve then stands for at least `width` people.
#[must_use]
pub fn midpoint(count: u64, width: u64) -> u64 {
    if width < 2 || count == 0 {
        return count;
    }
    let upper = count.div_ceil(width).saturating_mul(width);
    upper - width / 2
}
