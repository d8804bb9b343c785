//! How far a noisy number will be from the true one, from the exact law of the integer noise.
//!
//! The continuous law's figure does not hold for integers: "within 5.99 with 95 %" is true 94 times in
//! a hundred for a discrete Laplace of scale 2, because a count is off by 5 or by 6.

use super::noise::{Fraction, Mechanism, NoiseError};

/// Terms of the Gaussian's law that are summed at most.
const MOST_TERMS: u64 = 1 << 21;

/// The least whole number `a` such that the noise lies from `-a` to `a` with at least this probability
/// (from 0.5 to 0.999999).
pub fn expected_error(mechanism: &Mechanism, probability: f64) -> Result<u64, NoiseError> {
    if !(0.5..=0.999_999).contains(&probability) {
        return Err(NoiseError);
    }
    let spread = mechanism.spread()?;
    Ok(match mechanism {
        Mechanism::DiscreteLaplace { .. } => laplace(spread, 1.0 - probability),
        Mechanism::DiscreteGaussian { .. } => gaussian(spread, 1.0 - probability),
    })
}

/// The same for the sum of two draws from a discrete Laplace: two aggregators add their noise, each by
/// itself, and nobody can take one of them away.
///
/// Errors: [`NoiseError`] also for another mechanism.
pub fn expected_error_of_two(mechanism: &Mechanism, probability: f64) -> Result<u64, NoiseError> {
    if !(0.5..=0.999_999).contains(&probability) {
        return Err(NoiseError);
    }
    match mechanism {
        Mechanism::DiscreteLaplace { .. } => Ok(two(mechanism.spread()?, probability)),
        Mechanism::DiscreteGaussian { .. } => Err(NoiseError),
    }
}

/// The convolution of the law with itself. With `c = (1-q)/(1+q)` the probability of `x` is the sum over
/// `k` of `c² · q^(|k| + |x-k|)`: `|x| + 1` times `q^|x|` for the `k` between, and twice the series of
/// `q^(|x| + 2j)` for those outside. Together `c² · q^|x| · (|x| + (1+q²)/(1-q²))`.
fn two(scale: Fraction, probability: f64) -> u64 {
    let rate = 1.0 / scale.value();
    // `1 - q` without losing digits where `q` is near one.
    let (q, beside) = ((-rate).exp(), -(-rate).exp_m1());
    let c = beside / (1.0 + q);
    let outside = (1.0 + q * q) / (beside * (1.0 + q));
    let at = |x: u64| c * c * (-rate * x as f64).exp() * (x as f64 + outside);
    let mut within = at(0);
    // Beyond this there is less than 10^-20 of it.
    let far = (scale.value() * 60.0) as u64 + 60;
    for a in 0..far {
        if within >= probability {
            return a;
        }
        within += 2.0 * at(a + 1);
    }
    far
}

/// The discrete Laplace of scale `s` is `(1-q)/(1+q) · q^|x|` with `q = exp(-1/s)`, so more than `a` away
/// has probability `2q^(a+1)/(1+q)`.
fn laplace(scale: Fraction, alpha: f64) -> u64 {
    let q = (-1.0 / scale.value()).exp();
    let beyond = |a: u64| 2.0 * ((a + 1) as f64 / -scale.value()).exp() / (1.0 + q);
    // The closed form is right up to rounding; the law itself decides.
    let guess = (scale.value() * (2.0 / (alpha * (1.0 + q))).ln() - 1.0).max(0.0);
    let mut a = (guess as u64).saturating_sub(1);
    while beyond(a) > alpha {
        a += 1;
    }
    a
}

/// The discrete Gaussian of variance `v` is proportional to `exp(-x²/2v)`.
fn gaussian(variance: Fraction, alpha: f64) -> u64 {
    let variance = variance.value();
    let weight = |x: u64| (-(x as f64).powi(2) / (2.0 * variance)).exp();
    let far = ((variance * 2.0 * 60.0).sqrt() as u64 + 2).min(MOST_TERMS);
    // From the far end, so that small terms are not lost.
    let positive: f64 = (1..=far).rev().map(weight).sum();
    let total = 1.0 + 2.0 * positive;
    let mut beyond = 0.0;
    for x in (1..=far).rev() {
        beyond += 2.0 * weight(x);
        if beyond > alpha * total {
            return x;
        }
    }
    0
}
