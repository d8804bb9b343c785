//! Whole numbers modulo the prime 2^61 - 1, for questions of linear algebra that must not be rounded.
//!
//! What depends on other vectors over the fractions does so here, too; what does not, does here but where
//! a divisor of the elimination is a multiple of the prime.

/// The prime.
pub const PRIME: u64 = (1 << 61) - 1;

/// The rest of a number.
#[must_use]
pub fn reduce(value: u64) -> u64 {
    value % PRIME
}

/// The product of two numbers below the prime.
#[must_use]
pub fn times(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    // 2^61 is 1: the upper bits count like the lower ones.
    let low = (product & u128::from(PRIME)) as u64;
    let sum = low + (product >> 61) as u64;
    if sum >= PRIME { sum - PRIME } else { sum }
}

/// `a - b * c`, of numbers below the prime.
#[must_use]
pub fn less(a: u64, b: u64, c: u64) -> u64 {
    let sum = a + PRIME - times(b, c);
    if sum >= PRIME { sum - PRIME } else { sum }
}

/// What a number below the prime and not 0 is to be multiplied with to be 1 (Fermat); 0 for 0.
#[must_use]
pub fn inverse(base: u64) -> u64 {
    let (mut base, mut exponent, mut out) = (base, PRIME - 2, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            out = times(out, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_field() {
        for a in [1, 2, 3, 1 << 40, PRIME - 1, PRIME / 2 + 1] {
            assert_eq!(times(a, inverse(a)), 1);
            for b in [0, 1, 7, 1 << 60, PRIME - 1] {
                let slow = u128::from(a) * u128::from(b) % u128::from(PRIME);
                assert_eq!(u128::from(times(a, b)), slow);
                assert_eq!(
                    u128::from(less(0, a, b)),
                    (u128::from(PRIME) - slow) % u128::from(PRIME)
                );
            }
        }
        assert_eq!((inverse(0), reduce(PRIME), reduce(PRIME + 5)), (0, 0, 5));
    }
}
