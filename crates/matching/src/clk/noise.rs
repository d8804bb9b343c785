//! BLIP: bits turned over at random, the same ones each time a record is published in an epoch.

use super::{BITS, Filter};
use crypto::MacKey;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// How much a bit may tell: ε of randomised response (Warner 1965; Dwork et al. 2006) for one bit.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Epsilon(f64);

/// An ε outside 0.5 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("epsilon must be from 0.5 to 10")]
pub struct InvalidEpsilon;

impl Epsilon {
    /// What nodes use unless they are set otherwise: ε = 3.
    pub const STANDARD: Self = Self(3.0);
    /// No noise at all.
    pub const NONE: Self = Self(f64::INFINITY);

    /// Takes 0.5 (much noise) to 10 (almost none).
    pub fn new(epsilon: f64) -> Result<Self, InvalidEpsilon> {
        if (0.5..=10.0).contains(&epsilon) { Ok(Self(epsilon)) } else { Err(InvalidEpsilon) }
    }

    /// ε itself.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The probability that a bit is turned over, `1/(1+e^ε)`: 0.047 for ε = 3.
    pub fn flip(self) -> f64 {
        1.0 / (1.0 + self.0.exp())
    }
}

/// Where a node's noise comes from: a secret that never leaves it.
#[derive(Clone, Debug)]
pub struct Noise {
    key: MacKey,
    epsilon: Epsilon,
}

impl Noise {
    /// Noise of `epsilon` from `secret`.
    pub fn new(secret: &[u8; 32], epsilon: Epsilon) -> Self {
        Self { key: MacKey::new(secret), epsilon }
    }

    /// Turns over bits of a record's filter. `of` names record, epoch and which of the record's
    /// filters it is: the same name turns over the same bits, so that publishing a record again
    /// and again shows no more of it.
    pub fn add(&self, filter: Filter, of: &[&[u8]]) -> Filter {
        let mut out = filter;
        let flip = self.epsilon.flip();
        if flip <= 0.0 {
            return out;
        }
        let mut rng = ChaCha20Rng::from_seed(self.key.sign(of));
        // The distances between bits that are turned over are geometric: far fewer draws than bits.
        let scale = (1.0 - flip).ln();
        let mut at = 0.0;
        loop {
            let uniform: f64 = rng.random();
            at += ((1.0 - uniform).ln() / scale).floor();
            if at >= BITS as f64 {
                return out;
            }
            let bit = at as usize;
            if let Some(word) = out.0.get_mut(bit / 64) {
                *word ^= 1 << (bit % 64);
            }
            at += 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bits_are_turned_over_as_epsilon_says_and_always_the_same() {
        for (epsilon, share) in [(3.0, 0.047), (1.0, 0.269)] {
            let noise = Noise::new(&[5; 32], Epsilon::new(epsilon).unwrap());
            let empty = Filter([0; 8]);
            let turned = |n: u32| noise.add(empty, &[&n.to_be_bytes()]);
            let ones: u32 = (0..2000).map(|n| turned(n).ones()).sum();
            let found = f64::from(ones) / (2000.0 * BITS as f64);
            assert!((found - share).abs() < 0.002, "{found} of {share}");
            assert_eq!(turned(7), turned(7));
            assert_ne!(turned(7), turned(8));
        }
        let none = Noise::new(&[5; 32], Epsilon::NONE);
        assert_eq!(none.add(Filter([3; 8]), &[b"x"]), Filter([3; 8]));
        assert_eq!(Epsilon::new(0.1), Err(InvalidEpsilon));
        assert_eq!(Epsilon::new(f64::NAN), Err(InvalidEpsilon));
    }
}
