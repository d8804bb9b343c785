//! Counts that nobody sees without noise: each aggregator adds noise to its own share.
//!
//! The noise of one aggregator alone is enough for the privacy that the mechanism states, so the
//! statement holds against whoever asks and against the other aggregator, as long as one adds what it
//! should (draft-irtf-cfrg-vdaf-18, section 9.6; with two honest ones the variance is twice as large as
//! needed, which [`super::super::budget::expected_error_of_two`] tells). Noise and commitments exclude
//! each other: the commitments would show the noise.

use prio::field::{Field64, Field128, FieldElement, FieldElementWithInteger as _};
use rand::CryptoRng;

use super::batch::join;
use super::circuit::{Engine, Vector};
use super::layout::count_step;
use super::{AggregateShare, Batch, Range, SumError, Summation};
use crate::budget::Mechanism;

const NO_NOISE: SumError = SumError::Layout("noise is for counts without commitments, once");

impl Summation {
    /// Adds noise to every count of an aggregator's batch, once, after the last report.
    ///
    /// Errors: [`SumError::Layout`] for a layout with numbers that are no counts, a task with
    /// commitments, a batch that has its noise, or parameters that make none.
    pub fn add_noise(
        &self,
        batch: &mut Batch,
        mechanism: &Mechanism,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SumError> {
        if batch.noise.is_some() {
            return Err(NO_NOISE);
        }
        let mut noise = Vec::new();
        for step in self.steps()? {
            noise.push((mechanism.sample(rng).map_err(|_| NO_NOISE)?, step));
        }
        let vector = match self.engine() {
            Engine::Count(_) => {
                let of = |size| u64::try_from(size).ok().filter(|size| *size < 1 << 62);
                Vector::F64(elements(&noise, |size| of(size).map(Field64::from))?.into())
            }
            _ => {
                let of = |size: u128| Some(size).filter(|size| *size < 1 << 126);
                Vector::F128(elements(&noise, |size| of(size).map(Field128::from))?.into())
            }
        };
        batch.sum.add(&vector)?;
        batch.noise = Some(*mechanism);
        Ok(())
    }

    /// The noisy counts, which may be negative, and how many reports are in them.
    ///
    /// Errors: [`SumError::Shares`] unless both shares have the same noise, and those of
    /// [`Summation::unshard`] but for the range: noise may lead out of it.
    pub fn unshard_noisy(&self, shares: &[AggregateShare; 2]) -> Result<(Vec<i64>, u64), SumError> {
        let [a, b] = shares;
        if a.noise.is_none() || a.noise != b.noise {
            return Err(SumError::Shares);
        }
        let (integers, count) = join(self.engine(), shares)?;
        let modulus = match self.engine() {
            Engine::Count(_) => u128::from(Field64::modulus()),
            _ => Field128::modulus(),
        };
        let signed = |(entry, (sum, step)): (usize, (u128, u128))| {
            let wrong = SumError::Sum { entry, range: 0 };
            // Numbers above half of the field are negative ones.
            let negative = sum > modulus / 2;
            let size = if negative { modulus - sum } else { sum };
            if !size.is_multiple_of(step) {
                return Err(wrong);
            }
            let size = i64::try_from(size / step).map_err(|_| wrong)?;
            Ok(if negative { -size } else { size })
        };
        let with_steps = integers.into_iter().zip(self.steps()?).enumerate();
        Ok((with_steps.map(signed).collect::<Result<_, _>>()?, count))
    }

    /// What one person or row is in each number of the vector.
    fn steps(&self) -> Result<Vec<u128>, SumError> {
        if self.is_committed() {
            return Err(NO_NOISE);
        }
        let Some(layout) = self.layout() else {
            return Ok(vec![1; self.engine().length()]);
        };
        if layout.ranges().iter().any(|range| !range.is_count) {
            return Err(NO_NOISE);
        }
        let (ranges, greatest) = (layout.ranges().iter(), layout.greatest());
        let of = |range: &Range| std::iter::repeat_n(count_step(range, greatest), range.length);
        Ok(ranges.flat_map(of).collect())
    }
}

/// Noise as field elements: each number times its step, negative ones from above. `of` makes an element
/// of a size.
fn elements<F: FieldElement>(
    noise: &[(i64, u128)],
    of: impl Fn(u128) -> Option<F>,
) -> Result<Vec<F>, SumError> {
    let element = |(noise, step): &(i64, u128)| {
        let size = u128::from(noise.unsigned_abs()).checked_mul(*step).and_then(&of);
        let size = size.ok_or(NO_NOISE)?;
        Ok(if *noise < 0 { -size } else { size })
    };
    noise.iter().map(element).collect()
}
