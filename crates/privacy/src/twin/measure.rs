//! What of the counts is kept, with noise, for a stated cost.
//!
//! One third of the budget goes to the counts of the columns, one third to the choice of pairs, one third
//! to the counts of these; composition is sequential, in ε or in ρ. A row changes one count of each
//! column by one, so that each column's counts have the sensitivity of one person's rows.
//!
//! A pair is chosen by the exponential mechanism (McSherry, Talwar 2007), which with ε is
//! `ε²/8`-concentrated (Cesar, Rogers 2021). Its score is how far the pair's true counts are from what the
//! noisy columns say if they were independent, less the noise that counting it would bring (as in AIM;
//! McKenna, Mullins, Sheldon, Miklau 2022); "no pair" has score 0. Scores are whole multiples of a
//! sixteenth and draws are exact: a candidate is drawn evenly and accepted with probability
//! `exp(-ε (best - score) / 2Δ)`.

use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use super::fit::{Noisy, estimate};
use super::{Counts, Table, TwinError};
use crate::budget::noise::{self, MICRO};
use crate::budget::{Cost, Mechanism};

/// Parts of a row in which scores are counted.
const GRAIN: u64 = 16;
/// The least parameter of [`Mechanism`], in millionths.
const LEAST_PARAMETER: u64 = 1_000;

/// Noisy counts: all that a twin is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    pub(super) ones: Vec<Vec<i64>>,
    pub(super) pairs: Vec<Pair>,
    /// Variances of the noise on one count of a column and of a pair.
    pub(super) variances: [f64; 2],
}

/// The noisy counts of a pair of columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    pub(super) one: usize,
    pub(super) other: usize,
    pub(super) counts: Vec<i64>,
}

/// Measures the counts with noise. Nobody has more than `rows_per_person` rows. What comes out costs
/// `cost`, which is written to the ledger before this is called; it must be ε or ρ.
///
/// # Errors
/// [`TwinError::Counts`], [`TwinError::Budget`].
pub fn measure(
    table: &Table,
    counts: &Counts,
    cost: Cost,
    rows_per_person: u32,
    rng: &mut impl CryptoRng,
) -> Result<Measured, TwinError> {
    counts.check(table)?;
    let budget = Budget::of(cost, rows_per_person)?;
    let columns = u64::try_from(table.columns().len()).unwrap_or(u64::MAX);
    let edges = columns - 1;
    let for_columns = if edges == 0 { budget.total } else { budget.total / 3 };
    let of_column = for_columns / columns;
    let mut ones = Vec::with_capacity(counts.ones.len());
    for column in &counts.ones {
        ones.push(budget.noisy(of_column, column, rng)?);
    }
    let mut measured =
        Measured { ones, pairs: Vec::new(), variances: [budget.variance(of_column)?, 0.0] };
    if edges == 0 {
        return Ok(measured);
    }
    let of_choice = budget.total / 3 / edges;
    let for_pairs = budget.total - for_columns - of_choice * edges;
    let expected = budget.variance(for_pairs / edges)?;
    let scores = scores(table, counts, &measured, expected);
    let mut tree = Tree::new(table.columns().len());
    let mut spent = 0;
    for _ in 0..edges {
        let open: Vec<(usize, i64)> = candidates(table, &scores, &tree);
        spent += of_choice;
        let Some((one, other)) = budget.choose(of_choice, table, &open, rng) else { break };
        tree.join(one, other);
        measured.pairs.push(Pair { one, other, counts: Vec::new() });
    }
    // What the choices that were not made would have cost is left for the counts.
    let left = for_pairs + of_choice * edges - spent;
    let chosen = u64::try_from(measured.pairs.len()).unwrap_or(u64::MAX);
    if chosen == 0 {
        return Ok(measured);
    }
    measured.variances = [budget.variance(of_column)?, budget.variance(left / chosen)?];
    for pair in &mut measured.pairs {
        let place = table.pairs().position(|known| known == (pair.one, pair.other));
        let exact = place.and_then(|place| counts.pairs.get(place)).ok_or(TwinError::Counts)?;
        pair.counts = budget.noisy(left / chosen, exact, rng)?;
    }
    Ok(measured)
}

impl Measured {
    /// Counts that come with noise, such as a secret sum that its aggregators made noisy: all columns and
    /// all pairs in the order of [`Counts::to_vector`]. What they cost is what the noise cost, with
    /// [`Table::sensitivity`]; choosing pairs among noisy counts costs nothing more.
    ///
    /// # Errors
    /// [`TwinError::Counts`] where the length is another, [`TwinError::Budget`] for no noise.
    pub fn of_noisy(
        table: &Table,
        vector: &[i64],
        mechanism: &Mechanism,
    ) -> Result<Self, TwinError> {
        let variance = variance(mechanism)?;
        let expected: usize = Counts::none(table).to_vector().len();
        if vector.len() != expected {
            return Err(TwinError::Counts);
        }
        let mut rest = vector;
        let mut take = |length: usize| {
            let (part, after) = rest.split_at_checked(length).unwrap_or_default();
            rest = after;
            part.to_vec()
        };
        let ones: Vec<Vec<i64>> = table.columns().iter().map(|c| take(c.size())).collect();
        let all: Vec<Vec<i64>> =
            table.pairs().map(|(one, other)| take(table.size_of(one, other))).collect();
        let mut measured = Self { ones, pairs: Vec::new(), variances: [variance; 2] };
        let scores = scores_of_noisy(table, &all, &measured, variance);
        let mut tree = Tree::new(table.columns().len());
        loop {
            let open = candidates(table, &scores, &tree);
            let best = open.iter().max_by_key(|(_, score)| *score).filter(|(_, score)| *score > 0);
            let Some((place, _)) = best else { break };
            let Some((one, other)) = table.pairs().nth(*place) else { break };
            tree.join(one, other);
            let counts = all.get(*place).cloned().unwrap_or_default();
            measured.pairs.push(Pair { one, other, counts });
        }
        Ok(measured)
    }

    /// Which pairs of columns were kept.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.pairs.iter().map(|pair| (pair.one, pair.other))
    }

    /// The standard deviations of the noise on one count of a column and on one of a pair, in rows; 0 for pairs where
    /// none was kept.
    #[must_use]
    pub fn deviations(&self) -> [f64; 2] {
        self.variances.map(f64::sqrt)
    }

    /// The noisy counts of a column.
    #[must_use]
    pub fn column(&self, column: usize) -> &[i64] {
        self.ones.get(column).map_or(&[], Vec::as_slice)
    }
}

/// How far each pair's true counts are from independence, in parts of a row, less the noise to expect.
/// One row changes a score by `GRAIN` at most.
fn scores(table: &Table, counts: &Counts, measured: &Measured, variance: f64) -> Vec<i64> {
    let exact = counts
        .pairs
        .iter()
        .map(|pair| pair.iter().map(|count| i128::from(*count)).collect::<Vec<_>>());
    scored(table, exact, measured, variance, 1.0)
}

/// The same of noisy counts, whose noise is in the distance already.
fn scores_of_noisy(
    table: &Table,
    pairs: &[Vec<i64>],
    measured: &Measured,
    variance: f64,
) -> Vec<i64> {
    let noisy =
        pairs.iter().map(|pair| pair.iter().map(|count| i128::from(*count)).collect::<Vec<_>>());
    scored(table, noisy, measured, variance, 2.0)
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by the clamp before")]
fn scored(
    table: &Table,
    pairs: impl Iterator<Item = Vec<i128>>,
    measured: &Measured,
    variance: f64,
    noises: f64,
) -> Vec<i64> {
    let (total, ones) = estimate(table, &Noisy::columns(measured));
    let grain = i128::from(GRAIN);
    let of = |((one, other), pair): ((usize, usize), Vec<i128>)| {
        let (Some(rows), Some(columns)) = (ones.get(one), ones.get(other)) else { return 0 };
        let independent =
            rows.iter().flat_map(|row| columns.iter().map(move |column| row * column));
        let apart: i128 = pair
            .iter()
            .zip(independent)
            .map(|(count, cell)| {
                let cell = cell / total.max(1.0) * GRAIN as f64;
                (count * grain - cell.round().clamp(0.0, 1e18) as i128).abs()
            })
            .sum();
        // The mean size of normal noise of this variance, in each cell.
        let noise = (2.0 * variance / std::f64::consts::PI).sqrt() * pair.len() as f64;
        let noise = (noises * noise * GRAIN as f64).clamp(0.0, 1e18) as i128;
        i64::try_from((apart - noise).clamp(-(1 << 60), 1 << 60)).unwrap_or(0)
    };
    table.pairs().zip(pairs).map(of).collect()
}

/// Pairs whose columns are not connected yet, by their places, with their scores.
fn candidates(table: &Table, scores: &[i64], tree: &Tree) -> Vec<(usize, i64)> {
    let all = table.pairs().zip(scores).enumerate();
    let open = all.filter(|(_, ((one, other), _))| tree.root(*one) != tree.root(*other));
    open.map(|(place, (_, score))| (place, *score)).collect()
}

/// Which columns are connected.
struct Tree {
    parents: Vec<usize>,
}

impl Tree {
    fn new(size: usize) -> Self {
        Self { parents: (0..size).collect() }
    }

    fn root(&self, mut at: usize) -> usize {
        while let Some(parent) = self.parents.get(at).filter(|parent| **parent != at) {
            at = *parent;
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (from, to) = (self.root(one), self.root(other));
        if let Some(parent) = self.parents.get_mut(from) {
            *parent = to;
        }
    }
}

/// What may be spent, in millionths of ε or ρ.
struct Budget {
    total: u64,
    is_pure: bool,
    rows_per_person: u32,
}

impl Budget {
    fn of(cost: Cost, rows_per_person: u32) -> Result<Self, TwinError> {
        if rows_per_person == 0 {
            return Err(TwinError::Budget("a person has one row or more"));
        }
        let (total, is_pure) = match cost {
            Cost::Pure { micro_epsilon } => (micro_epsilon, true),
            Cost::Concentrated { micro_rho } => (micro_rho, false),
            Cost::Approximate { .. } => {
                return Err(TwinError::Budget("a δ is not spent here"));
            }
        };
        Ok(Self { total, is_pure, rows_per_person })
    }

    /// The mechanism of a part of the budget. Sensitivity and parameter are multiplied alike where the
    /// part is below the least parameter: the noise is the same.
    fn mechanism(&self, part: u64) -> Result<Mechanism, TwinError> {
        let too_small = TwinError::Budget("a part of it is below a millionth");
        let factor = (1_u64..=1_000)
            .find(|factor| {
                let power = if self.is_pure { *factor } else { factor * factor };
                part.saturating_mul(power) >= LEAST_PARAMETER
            })
            .ok_or(too_small)?;
        let sensitivity = u64::from(self.rows_per_person) * factor;
        let sensitivity = u32::try_from(sensitivity)
            .map_err(|_| TwinError::Budget("a person has too many rows"))?;
        Ok(if self.is_pure {
            Mechanism::DiscreteLaplace { sensitivity, micro_epsilon: part * factor }
        } else {
            Mechanism::DiscreteGaussian { sensitivity, micro_rho: part * factor * factor }
        })
    }

    fn noisy(
        &self,
        part: u64,
        counts: &[u64],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<i64>, TwinError> {
        let mechanism = self.mechanism(part)?;
        let refused = |_| TwinError::Budget("its parts make no noise");
        counts
            .iter()
            .map(|count| {
                let truth = i64::try_from(*count).map_err(|_| TwinError::Counts)?;
                mechanism.release(truth, rng).map_err(refused)
            })
            .collect()
    }

    fn variance(&self, part: u64) -> Result<f64, TwinError> {
        variance(&self.mechanism(part)?)
    }

    /// The exponential mechanism over pairs and "no pair".
    fn choose(
        &self,
        part: u64,
        table: &Table,
        open: &[(usize, i64)],
        rng: &mut impl CryptoRng,
    ) -> Option<(usize, usize)> {
        let micro_epsilon = if self.is_pure {
            u128::from(part)
        } else {
            // ε = √(8ρ), rounded down.
            (8 * u128::from(part) * u128::from(MICRO)).isqrt()
        };
        let mut all: Vec<(Option<usize>, i64)> =
            open.iter().map(|(place, score)| (Some(*place), *score)).collect();
        all.push((None, 0));
        let best = all.iter().map(|(_, score)| *score).max().unwrap_or(0);
        let under = u128::from(MICRO) * 2 * u128::from(GRAIN) * u128::from(self.rows_per_person);
        loop {
            let drawn = noise::uniform(all.len() as u128, rng);
            let Some((place, score)) = all.get(usize::try_from(drawn).unwrap_or(0)) else {
                continue;
            };
            let gap = u128::from(best.abs_diff(*score));
            if noise::bernoulli_exp(micro_epsilon.saturating_mul(gap), under, rng) {
                return place.and_then(|place| table.pairs().nth(place));
            }
        }
    }
}

/// The variance of a mechanism's noise: of the discrete Laplace with `q = exp(-1/s)` it is
/// `2q / (1 - q)²`, of the discrete Gaussian at most its parameter.
fn variance(mechanism: &Mechanism) -> Result<f64, TwinError> {
    let spread = mechanism.spread().map_err(|_| TwinError::Budget("its parts make no noise"))?;
    Ok(match mechanism {
        Mechanism::DiscreteLaplace { .. } => {
            let q = (-1.0 / spread.value()).exp();
            2.0 * q / (1.0 - q).powi(2)
        }
        Mechanism::DiscreteGaussian { .. } => spread.value(),
    })
}
