//! Proof that a sum is the sum: each site commits to its vector, and the product of the commitments
//! must open to the claimed sums.
//!
//! Prio3 protects against sites, not against aggregators: one that adds a number to its share moves
//! the sum. So each site publishes a Pedersen vector commitment (Pedersen 1991)
//!
//! `C = Σ mᵢ·Gᵢ + Σ rₖ·Hₖ`
//!
//! in the Ristretto group (RFC 9496) to the very integers `m` that it shares, with random `r` that
//! travel in the same shared vector and so become known only as sums. Commitments add like the
//! vectors do, so whoever asks compares `Σ C` with the commitment of the sums.
//!
//! *Binding.* The points come from hashing a stated text, so nobody knows a relation between them; two
//! openings of one commitment would give one, which is a discrete logarithm. Sums are below 2^128 and
//! the group's order is above 2^252: equal in the group is equal as integers. So the sums that pass
//! are the sums of what was committed to, whatever the aggregators did.
//!
//! *Hiding.* Take any two sites whose randomness the reader does not know, and give the reader all
//! else. Each blinding number is uniform below `N = 2^w`, the greatest power of two that numbers of the vector
//! can be just below, and the reader learns, for each, the sum `s` over the two. The average min-entropy of one
//! given `s` is `-log₂((2N-1)/N²) > w-1` bits, so `⌈522/(w-1)⌉` of them (six for `w = 88`) keep more than
//! 522 bits. `r ↦ Σ rₖ·Hₖ` with random points is a universal hash into a
//! group of less than 2^253 elements, and by the generalised leftover hash lemma (Dodis, Ostrovsky,
//! Reyzin, Smith 2008, lemma 2.4) the first site's blinding is within `½·2^-((522-253)/2) < 2^-134` of
//! uniform, even given the points. Its commitment then says nothing about its vector, and the second
//! site's commitment is what the published total leaves. With fewer than two honest sites the sum
//! itself gives the vector away, and no commitment can help.
//!
//! *What it does not do.* A site that commits to another vector than it shares makes the check fail and
//! is not named by it. Commitments must reach whoever asks signed by their sites, not through an
//! aggregator.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity as _, MultiscalarMul as _, VartimeMultiscalarMul as _};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use super::{SumError, bytes};

/// Bits that the random numbers at the end of a committed vector keep.
const KEPT: u32 = 522;
/// The text that the points are made from.
const DOMAIN: &[u8] = b"consilium sum 1 pedersen ristretto255";

/// A site's commitment to its vector: a point of Ristretto, compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitment(#[serde(with = "bytes")] pub [u8; 32]);

/// The points of a layout's commitments: as many for its numbers, and for blinding numbers of so many bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Generators {
    length: usize,
    blindings: usize,
    bits: u32,
}

/// Points of one kind, which are the same for all layouts and are made once: a layout with more of them has
/// those of a shorter one and others. 160 bytes each, for at most [`super::layout::GREATEST_LENGTH`].
struct Points {
    kind: u8,
    known: Mutex<Arc<Vec<RistrettoPoint>>>,
}

static NUMBERS: LazyLock<Points> = LazyLock::new(|| Points::of(b'G'));
static BLINDINGS: LazyLock<Points> = LazyLock::new(|| Points::of(b'H'));

impl Points {
    fn of(kind: u8) -> Self {
        Self { kind, known: Mutex::default() }
    }

    /// At least so many.
    fn first(&self, count: usize) -> Arc<Vec<RistrettoPoint>> {
        let of = |at: usize| {
            let text = [DOMAIN, &[self.kind], &(at as u64).to_be_bytes()].concat();
            RistrettoPoint::from_uniform_bytes(&crypto::sha512(&text))
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < count {
            let more = known.iter().copied().chain((known.len()..count).map(of));
            *known = Arc::new(more.collect());
        }
        Arc::clone(&known)
    }
}

/// Bits of a blinding number where numbers are up to `greatest`.
fn bits(greatest: u128) -> u32 {
    greatest.saturating_add(1).ilog2().max(2)
}

/// How many blinding numbers a vector of numbers up to `greatest` needs.
pub(super) fn blindings(greatest: u128) -> usize {
    KEPT.div_ceil(bits(greatest) - 1) as usize
}

impl Generators {
    /// The points for vectors of this many numbers up to `greatest`, the blinding numbers' points at the
    /// end.
    pub(super) fn new(length: usize, greatest: u128) -> Self {
        Self { length, blindings: blindings(greatest), bits: bits(greatest) }
    }

    /// Appends the blinding numbers to a site's vector and commits to all of it, in constant time.
    pub(super) fn commit(
        &self,
        integers: &mut Vec<u128>,
        rng: &mut impl CryptoRng,
    ) -> Result<Commitment, SumError> {
        if integers.len() != self.length {
            return Err(SumError::Length { expected: self.length });
        }
        for _ in 0..self.blindings {
            let mut random = [0; 16];
            rng.fill_bytes(&mut random);
            integers.push(u128::from_le_bytes(random) >> (u128::BITS - self.bits));
        }
        let scalars = integers.iter().map(|integer| Scalar::from(*integer));
        let (numbers, random) = self.points();
        let points = numbers.iter().take(self.length).chain(random.iter().take(self.blindings));
        let point = RistrettoPoint::multiscalar_mul(scalars, points);
        Ok(Commitment(point.compress().to_bytes()))
    }

    /// Whether the sums, with those of the blinding numbers, are what the commitments add up to.
    ///
    /// Errors: [`SumError::Malformed`] for a commitment that is no point, [`SumError::NotCommitted`].
    pub(super) fn check(&self, sums: &[u128], given: &[Commitment]) -> Result<(), SumError> {
        if sums.len() != self.length + self.blindings {
            return Err(SumError::NotCommitted);
        }
        let mut total = RistrettoPoint::identity();
        for commitment in given {
            let point = CompressedRistretto(commitment.0).decompress();
            total += point.ok_or(SumError::Malformed("commitment"))?;
        }
        // The sums are public by now.
        let scalars = sums.iter().map(|sum| Scalar::from(*sum));
        let (numbers, random) = self.points();
        let points = numbers.iter().take(self.length).chain(random.iter().take(self.blindings));
        if RistrettoPoint::vartime_multiscalar_mul(scalars, points) == total {
            Ok(())
        } else {
            Err(SumError::NotCommitted)
        }
    }

    fn points(&self) -> (Arc<Vec<RistrettoPoint>>, Arc<Vec<RistrettoPoint>>) {
        (NUMBERS.first(self.length), BLINDINGS.first(self.blindings))
    }
}
