//! Repeatable chance: every draw comes from a ChaCha stream named by the seed and a list of labels.
//!
//! Streams with different labels are independent, so adding a draw for one patient or hospital
//! never moves what another one gets. Nothing here depends on the sampling code of a library, so
//! the same seed keeps giving the same bytes.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream that `labels` name under `seed`.
    pub(crate) fn new(seed: u64, labels: &[&str]) -> Self {
        let mut key = [0u8; 32];
        for (at, part) in key.chunks_exact_mut(8).enumerate() {
            // Four differently salted 64-bit FNV-1a hashes of the labels make up the key.
            let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed.rotate_left(at as u32 * 16) ^ at as u64;
            for label in labels {
                for byte in label.bytes().chain([0xff]) {
                    hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
                }
            }
            part.copy_from_slice(&hash.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 up to but not including `n`; 0 where `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.bits()) * n as u128;
        (wide >> 64) as usize
    }

    /// A whole number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(0) as usize + 1) as i64
    }

    /// A number from 0 up to but not including 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number from `low` to `high`.
    pub(crate) fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub(crate) fn yes(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A draw from a bell curve, never further than six deviations out (Irwin–Hall with twelve
    /// terms, which needs no transcendental function).
    pub(crate) fn bell(&mut self, mean: f64, deviation: f64) -> f64 {
        let mut sum = 0.0;
        for _ in 0..3 {
            let bits = self.bits();
            // Four terms of 16 bits each, taken at the middle of their steps.
            sum += (0..4).map(|part| ((bits >> (16 * part)) & 0xffff) as f64 + 0.5).sum::<f64>();
        }
        mean + deviation * (sum / 65_536.0 - 6.0)
    }

    /// One of `items`; the default value where there are none.
    pub(crate) fn pick<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let at = self.below(items.len());
        items.get(at).copied().unwrap_or_default()
    }

    /// Puts `items` in random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A fresh logical id in the shape of a version 4 UUID.
    pub(crate) fn id(&mut self) -> String {
        let (a, b) = (self.bits(), self.bits());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | (b >> 48) & 0x3fff,
            b & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let ids = |seed, label: &str| {
            let mut chance = Chance::new(seed, &[label]);
            (chance.id(), chance.id())
        };
        assert_eq!(ids(1, "a"), ids(1, "a"));
        assert_ne!(ids(1, "a"), ids(1, "b"));
        assert_ne!(ids(1, "a"), ids(2, "a"));
        assert_ne!(ids(1, "a").0, ids(1, "a").1);
        assert!(fhir::Id::new(ids(1, "a").0).is_ok());
    }

    #[test]
    fn draws_stay_inside_their_bounds() {
        let mut chance = Chance::new(7, &["bounds"]);
        let mut sum = 0.0;
        for _ in 0..10_000 {
            assert!(chance.below(3) < 3);
            assert!((-2..=2).contains(&chance.between(-2, 2)));
            sum += chance.bell(10.0, 2.0);
        }
        assert!((sum / 10_000.0 - 10.0).abs() < 0.1);
        assert_eq!(chance.below(0), 0);
        assert_eq!(chance.pick::<&str>(&[]), "");
    }
}
