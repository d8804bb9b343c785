//! What a site does in a round: it goes through its own rows from the round's weights.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::shape::Shape;
use super::{MOST_LOSS, Output, Perceptron, State};
use crate::columns::{binaries, categories, complete, numbers, range, terms};
use crate::frame::Frame;
use crate::plan::size;
use crate::question::Question;
use crate::rounds::Refusal;

/// The complete rows of a site, standardised once the means are known.
pub(super) struct Rows {
    columns: usize,
    values: Vec<f64>,
    targets: Vec<f64>,
    is_held: Vec<bool>,
    /// Whether the outcome is a number that has a mean and a spread, too.
    is_linear: bool,
}

impl Rows {
    /// Of a site's table.
    pub(super) fn of(
        perceptron: &Perceptron,
        question: &Question,
        state: &State,
        rows: &Frame,
    ) -> Result<Self, Refusal> {
        let terms = terms(question, &perceptron.covariates)?;
        let name = &perceptron.outcome;
        let targets: Vec<Option<f64>> = match perceptron.output {
            Output::Linear => {
                let range = range(question, name)?;
                let scaled = |value: f64| (value - range.centre()) / range.half();
                numbers(question, rows, name)?.iter().map(|value| value.map(scaled)).collect()
            }
            Output::Logistic => binaries(question, rows, name)?
                .into_iter()
                .map(|value| value.map(|value| f64::from(u8::from(value))))
                .collect(),
            Output::Softmax => {
                categories(question, rows, name)?.iter().map(|level| level.map(f64::from)).collect()
            }
        };
        let complete = complete(question, rows, &terms)?;
        let is_linear = perceptron.output == Output::Linear;
        let (columns, room) = (terms.len(), complete.len());
        let mut out = Self {
            columns,
            values: Vec::with_capacity(room * columns),
            targets: Vec::with_capacity(room),
            is_held: Vec::with_capacity(room),
            is_linear,
        };
        let outcome = state.scales.get(columns).copied();
        for (number, row) in complete.iter() {
            let Some(target) = targets.get(number).copied().flatten() else { continue };
            if state.scales.is_empty() {
                out.values.extend(row);
            } else {
                let scaled = row.iter().zip(&state.scales).map(standard);
                out.values.extend(scaled);
            }
            out.targets.push(outcome.map_or(target, |scale| standard((&target, &scale))));
            out.is_held.push(is_held(number, perceptron.seed, perceptron.held_out));
        }
        Ok(out)
    }

    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    pub(super) const fn columns(&self) -> usize {
        self.columns
    }

    /// Each row: its columns, its outcome, and whether it is held out.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[f64], f64, bool)> {
        let rest = self.targets.iter().zip(&self.is_held);
        self.values.chunks_exact(self.columns).zip(rest).map(|(row, (y, held))| (row, *y, *held))
    }

    /// Sums and squares over the rows of training.
    pub(super) fn moments(&self) -> Vec<f64> {
        let columns = self.columns + usize::from(self.is_linear);
        let mut totals = crate::sum::Totals::new(1 + 2 * columns);
        for (row, target, is_held) in self.iter() {
            if is_held {
                continue;
            }
            let (sums, squares) = totals.row().split_at_mut(1 + columns);
            let Some((n, sums)) = sums.split_first_mut() else { continue };
            *n += 1.0;
            let values = row.iter().copied().chain(self.is_linear.then_some(target));
            for ((sum, square), value) in sums.iter_mut().zip(squares).zip(values) {
                *sum += value;
                *square += value * value;
            }
            totals.next();
        }
        totals.finish()
    }

    /// Rows of training, and the losses of these weights on them and on the rows held out.
    pub(super) fn losses(&self, shape: &Shape, weights: &[f64]) -> Vec<f64> {
        let mut scratch = shape.scratch();
        let mut out = vec![0.0; 3];
        let [n, training, held] = out.as_mut_slice() else { return out };
        for (row, target, is_held) in self.iter() {
            shape.forward(weights, row, &mut scratch);
            let loss = shape.loss(target, &scratch);
            let loss = if loss.is_finite() { loss.clamp(0.0, MOST_LOSS) } else { MOST_LOSS };
            if is_held {
                *held += loss;
            } else {
                *training += loss;
                *n += 1.0;
            }
        }
        out
    }

    /// Whether the weights ran away, how many changes were cut, and the number of rows times the change
    /// of each weight. The order of the rows is a matter of seed, round and epoch alone.
    pub(super) fn train(
        &self,
        perceptron: &Perceptron,
        shape: &Shape,
        from: &[f64],
        round: u32,
    ) -> Vec<f64> {
        let mut order: Vec<usize> =
            (0..self.len()).filter(|at| self.is_held.get(*at) == Some(&false)).collect();
        let rows = size(order.len());
        let mut weights = from.to_vec();
        let mut gradient = vec![0.0; weights.len()];
        let mut scratch = shape.scratch();
        let batch = match perceptron.batch {
            0 => order.len().max(1),
            batch => batch as usize,
        };
        for epoch in 0..perceptron.epochs {
            if batch < order.len() {
                shuffle(&mut order, perceptron.seed, round, epoch);
            }
            for batch in order.chunks(batch) {
                gradient.fill(0.0);
                for at in batch {
                    let (Some(row), Some(target)) = (
                        self.values.get(at * self.columns..(at + 1) * self.columns),
                        self.targets.get(*at),
                    ) else {
                        continue;
                    };
                    shape.forward(&weights, row, &mut scratch);
                    shape.add_gradient(&weights, row, *target, &mut scratch, &mut gradient);
                }
                let rate = perceptron.learning_rate / size(batch.len());
                if perceptron.weight_decay > 0.0 {
                    let factor = -perceptron.weight_decay * size(batch.len());
                    shape.decay(&weights, factor, &mut gradient);
                }
                let places = weights.iter_mut().zip(&gradient);
                places.for_each(|(weight, slope)| *weight -= rate * slope);
            }
        }
        let most = perceptron.most_change;
        let ran_away = weights.iter().any(|weight| !weight.is_finite());
        let mut out = vec![f64::from(u8::from(ran_away)), 0.0];
        let mut cut = 0.0;
        for (weight, from) in weights.iter().zip(from) {
            let change = if ran_away { 0.0 } else { weight - from };
            cut += f64::from(u8::from(change.abs() > most));
            out.push(rows * change.clamp(-most, most));
        }
        if let Some(place) = out.get_mut(1) {
            *place = cut;
        }
        out
    }
}

fn standard((value, [mean, spread]): (&f64, &[f64; 2])) -> f64 {
    if *spread > 0.0 { (value - mean) / spread } else { 0.0 }
}

/// Fisher and Yates's shuffle.
fn shuffle(order: &mut [usize], seed: u64, round: u32, epoch: u32) {
    let place = u64::from(round) << 32 | u64::from(epoch);
    let mut random = ChaCha12Rng::seed_from_u64(mixed(seed ^ mixed(place)));
    for last in (1..order.len()).rev() {
        let below = last as u64 + 1;
        let drawn = (u128::from(random.next_u64()) * u128::from(below)) >> 64;
        order.swap(last, usize::try_from(drawn).unwrap_or(last));
    }
}

/// Whether a row is held out, by its number and the seed.
#[expect(clippy::cast_precision_loss, reason = "a part between 0 and 1")]
fn is_held(row: usize, seed: u64, part: f64) -> bool {
    let drawn = mixed(seed.wrapping_add(mixed(row as u64 + 1)));
    part > (drawn >> 11) as f64 / (1_u64 << 53) as f64
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
const fn mixed(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
