//! Integer noise by exact rational sampling: discrete Laplace and discrete Gaussian after Canonne,
//! Kamath, Steinke 2020, "The discrete Gaussian for differential privacy", algorithms 1 to 3.
//!
//! Why own code: the permissive library (`opendp`) takes its random bits from a generator that it calls
//! non-secure unless it is built with OpenSSL, and offers no way to pass another. The sampler is short,
//! uses whole numbers only, so no rounding changes a probability (Mironov 2012), and takes the caller's
//! cryptographic generator. The tests compare it with the exact law and with the library's figures.
//!
//! Not hidden: how long sampling takes. The number of turns depends on the noise, as in every rejection
//! sampler; an answer must not be timed to finer than the network's own variation.

use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use super::Cost;

/// Millionths: the unit of every parameter, so that sums of costs are exact.
pub const MICRO: u64 = 1_000_000;
/// Parameters from a thousandth to a thousand.
const PARAMETERS: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000;
/// The greatest effect of one person on a count.
const GREATEST_SENSITIVITY: u32 = 1000;

/// Noise for a count, or a sum of whole numbers, that one person changes by at most `sensitivity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mechanism", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Mechanism {
    /// Discrete Laplace with scale `sensitivity / ε`: ε-differentially private (Ghosh, Roughgarden,
    /// Sundararajan 2009).
    DiscreteLaplace {
        /// The greatest effect of one person.
        sensitivity: u32,
        /// ε in millionths.
        micro_epsilon: u64,
    },
    /// Discrete Gaussian with variance `sensitivity² / (2ρ)`: ρ-zero-concentrated (theorem 4 of the
    /// paper).
    DiscreteGaussian {
        /// The greatest effect of one person (in the Euclidean norm, for vectors).
        sensitivity: u32,
        /// ρ in millionths.
        micro_rho: u64,
    },
}

/// Parameters that no noise is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the noise needs a parameter from 0.001 to 1000 and a sensitivity from 1 to 1000")]
pub struct NoiseError;

/// A scale or a variance as a fraction.
#[derive(Clone, Copy)]
pub(crate) struct Fraction {
    pub(super) over: u128,
    pub(super) under: u128,
}

impl Fraction {
    pub(crate) fn value(self) -> f64 {
        self.over as f64 / self.under as f64
    }
}

impl Mechanism {
    /// What a release with it costs.
    pub fn cost(&self) -> Result<Cost, NoiseError> {
        self.check()?;
        Ok(match *self {
            Self::DiscreteLaplace { micro_epsilon, .. } => Cost::Pure { micro_epsilon },
            Self::DiscreteGaussian { micro_rho, .. } => Cost::Concentrated { micro_rho },
        })
    }

    /// The true number with noise. It may be negative; whoever shows it may cut it off at zero.
    pub fn release(&self, truth: i64, rng: &mut impl CryptoRng) -> Result<i64, NoiseError> {
        Ok(truth.saturating_add(self.sample(rng)?))
    }

    /// The noise alone.
    pub fn sample(&self, rng: &mut impl CryptoRng) -> Result<i64, NoiseError> {
        let spread = self.spread()?;
        let noise = match self {
            Self::DiscreteLaplace { .. } => laplace(spread, rng),
            Self::DiscreteGaussian { .. } => gaussian(spread, rng),
        };
        Ok(i64::try_from(noise).unwrap_or(if noise < 0 { i64::MIN } else { i64::MAX }))
    }

    /// The scale of the Laplace, the variance of the Gaussian.
    pub(crate) fn spread(&self) -> Result<Fraction, NoiseError> {
        self.check()?;
        let (over, under) = match *self {
            Self::DiscreteLaplace { sensitivity, micro_epsilon } => {
                (u128::from(sensitivity) * u128::from(MICRO), u128::from(micro_epsilon))
            }
            Self::DiscreteGaussian { sensitivity, micro_rho } => (
                u128::from(sensitivity) * u128::from(sensitivity) * u128::from(MICRO),
                2 * u128::from(micro_rho),
            ),
        };
        let common = divisor(over, under);
        Ok(Fraction { over: over / common, under: under / common })
    }

    fn check(&self) -> Result<(), NoiseError> {
        let (Self::DiscreteLaplace { sensitivity, micro_epsilon: parameter }
        | Self::DiscreteGaussian { sensitivity, micro_rho: parameter }) = *self;
        if (1..=GREATEST_SENSITIVITY).contains(&sensitivity) && PARAMETERS.contains(&parameter) {
            Ok(())
        } else {
            Err(NoiseError)
        }
    }
}

fn divisor(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// Uniform from 0 to `below - 1`, by rejection of what would favour the first numbers.
pub(crate) fn uniform(below: u128, rng: &mut impl CryptoRng) -> u128 {
    let below = below.max(1);
    let limit = u128::MAX - u128::MAX % below;
    loop {
        let drawn = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
        if drawn < limit {
            return drawn % below;
        }
    }
}

/// True with probability `over / under`, which is at most one.
fn bernoulli(over: u128, under: u128, rng: &mut impl CryptoRng) -> bool {
    uniform(under, rng) < over
}

/// True with probability `exp(-over / under)` (algorithm 1).
pub(crate) fn bernoulli_exp(over: u128, under: u128, rng: &mut impl CryptoRng) -> bool {
    // Beyond 2^7 the probability is below 2^-184: no generator would ever show a difference.
    let whole = over / under;
    if whole > 128 {
        return false;
    }
    (0..whole).all(|_| bernoulli_exp_small(1, 1, rng))
        && bernoulli_exp_small(over % under, under, rng)
}

/// The same for `over ≤ under`.
fn bernoulli_exp_small(over: u128, under: u128, rng: &mut impl CryptoRng) -> bool {
    let mut turn = 1u128;
    while bernoulli(over, under.saturating_mul(turn), rng) {
        turn += 1;
    }
    turn % 2 == 1
}

/// Discrete Laplace of scale `over / under` (algorithm 2 with t = over, s = under).
fn laplace(scale: Fraction, rng: &mut impl CryptoRng) -> i128 {
    loop {
        let first = uniform(scale.over, rng);
        if !bernoulli_exp(first, scale.over, rng) {
            continue;
        }
        let mut turns = 0u128;
        while bernoulli_exp_small(1, 1, rng) {
            turns += 1;
        }
        let size = (first + scale.over * turns) / scale.under;
        let negative = bernoulli(1, 2, rng);
        if negative && size == 0 {
            continue;
        }
        let size = i128::try_from(size).unwrap_or(i128::MAX);
        return if negative { -size } else { size };
    }
}

/// Discrete Gaussian of variance `a / b` (algorithm 3): a discrete Laplace of scale `t = ⌊σ⌋ + 1`,
/// kept with probability `exp(-(|y| - σ²/t)² / (2σ²))`, which is `exp(-(|y|·b·t - a)² / (2·a·b·t²))`.
/// With the parameters that are taken `a ≤ 2^40`, `b ≤ 2^31` and `t ≤ 2^15`, and `|y|` is below `2^9·t`
/// but with probability `exp(-512)`, so the square is below `2^(2·70)`: it is cut off where it does not
/// fit, which only concerns numbers that are rejected anyway.
fn gaussian(variance: Fraction, rng: &mut impl CryptoRng) -> i128 {
    let (a, b) = (variance.over, variance.under);
    let t = (a / b).isqrt() + 1;
    let under = (2 * a).saturating_mul(b).saturating_mul(t * t);
    loop {
        let drawn = laplace(Fraction { over: t, under: 1 }, rng);
        let away = drawn.unsigned_abs().saturating_mul(b).saturating_mul(t).abs_diff(a);
        if bernoulli_exp(away.saturating_mul(away), under, rng) {
            return drawn;
        }
    }
}
