//! Noisy counts of cells, how many cells to take, and what error to expect.

use super::{QuestionKey, Token};

/// Cells of a sketch at least: fewer would not show their own spread.
pub const MIN_CELLS: u32 = 64;
/// Cells of a sketch at most: half a megabyte of counts.
pub const MAX_CELLS: u32 = 1 << 16;
/// A count of a cell, with noise, at most in either direction.
pub const MAX_COUNT: i64 = 1 << 32;
/// ε in millionths, from a thousandth to a thousand.
const MICRO_EPSILON: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000;
const MICRO: f64 = 1e6;

/// What the institutions of a question agree on: the number of cells and ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    count: u32,
    micro_epsilon: u64,
}

/// What is no sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SketchError {
    /// Cells that are no power of two within the limits.
    #[error("the cells are a power of two from 64 to 65536")]
    Cells,
    /// ε out of range.
    #[error("ε is from 0.001 to 1000")]
    Epsilon,
    /// Another number of counts than cells.
    #[error("a sketch has one count for each cell")]
    Length,
    /// A count beyond [`MAX_COUNT`].
    #[error("a count of a cell is beyond 2^32")]
    Count,
    /// A sketch of other cells than those it is to be merged with.
    #[error("the sketches do not have the same cells and the same ε")]
    Other,
    /// The source of noise refused.
    #[error(transparent)]
    Noise(#[from] NoiseRefused),
}

/// There is no noise to be had, so nothing may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source of noise refused")]
pub struct NoiseRefused;

/// A source of noise. The privacy of what is made here is that of its draws: they must be independent, follow the
/// discrete Laplace law exactly and come from a cryptographic generator.
pub trait Noise {
    /// Noise for a count that one person changes by at most one: `P(z) ∝ exp(-ε·|z|)`, with ε in millionths.
    fn draw(&mut self, micro_epsilon: u64) -> Result<i64, NoiseRefused>;
}

impl<F: FnMut(u64) -> Result<i64, NoiseRefused>> Noise for F {
    fn draw(&mut self, micro_epsilon: u64) -> Result<i64, NoiseRefused> {
        self(micro_epsilon)
    }
}

impl Cells {
    /// So many cells at this ε, in millionths.
    pub fn new(count: u32, micro_epsilon: u64) -> Result<Self, SketchError> {
        if !count.is_power_of_two() || !(MIN_CELLS..=MAX_CELLS).contains(&count) {
            return Err(SketchError::Cells);
        }
        if !MICRO_EPSILON.contains(&micro_epsilon) {
            return Err(SketchError::Epsilon);
        }
        Ok(Self { count, micro_epsilon })
    }

    /// The best number of cells for institutions with about so many matching people each: where the noise
    /// of a cell is as large as the chance of who falls into it, `people = cells · σ²`. A factor of two off costs
    /// a sixteenth of the error.
    pub fn for_people(people: u64, micro_epsilon: u64) -> Result<Self, SketchError> {
        let one = Self::new(MIN_CELLS, micro_epsilon)?;
        let best = people as f64 / one.noise_variance();
        let exponent = best.max(1.0).log2().round() as u32;
        let count = 1u32.checked_shl(exponent).unwrap_or(MAX_CELLS).clamp(MIN_CELLS, MAX_CELLS);
        Self::new(count, micro_epsilon)
    }

    /// How many.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// ε in millionths: what a sketch costs.
    pub fn micro_epsilon(&self) -> u64 {
        self.micro_epsilon
    }

    /// Variance of the noise of a cell: `2a / (1 - a)²` with `a = exp(-ε)`.
    pub fn noise_variance(&self) -> f64 {
        let epsilon = self.micro_epsilon as f64 / MICRO;
        2.0 * (-epsilon).exp() / (-epsilon).exp_m1().powi(2)
    }
}

/// What one institution gives of its matching people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    cells: Cells,
    counts: Vec<i64>,
}

impl Sketch {
    /// Counts `tokens` into the cells of the question and adds noise. A token that comes twice counts once. Takes
    /// as many draws of noise as there are cells, whatever the people.
    pub fn of(
        tokens: &mut Vec<Token>,
        cells: Cells,
        key: &QuestionKey,
        noise: &mut impl Noise,
    ) -> Result<Self, SketchError> {
        tokens.sort_unstable();
        tokens.dedup();
        let mut counts = Vec::with_capacity(cells.count as usize);
        for _ in 0..cells.count {
            counts.push(noise.draw(cells.micro_epsilon)?);
        }
        for token in tokens.iter() {
            if let Some(count) = counts.get_mut(key.cell(token, cells)) {
                *count = count.saturating_add(1);
            }
        }
        // What is cut off here is cut off after the noise, so it tells nothing more.
        counts.iter_mut().for_each(|count| *count = (*count).clamp(-MAX_COUNT, MAX_COUNT));
        Ok(Self { cells, counts })
    }

    /// A sketch that came from elsewhere.
    pub fn from_counts(cells: Cells, counts: Vec<i64>) -> Result<Self, SketchError> {
        if counts.len() != cells.count as usize {
            return Err(SketchError::Length);
        }
        if counts.iter().any(|count| count.unsigned_abs() > MAX_COUNT.unsigned_abs()) {
            return Err(SketchError::Count);
        }
        Ok(Self { cells, counts })
    }

    /// Its cells.
    pub fn cells(&self) -> Cells {
        self.cells
    }

    /// Its counts, as they may leave the institution.
    pub fn counts(&self) -> &[i64] {
        &self.counts
    }
}

/// A count of one institution with noise for sensitivity one; never below zero.
pub fn noisy_count(
    people: u64,
    micro_epsilon: u64,
    noise: &mut impl Noise,
) -> Result<u64, NoiseRefused> {
    let people = i64::try_from(people).unwrap_or(i64::MAX);
    let noisy = people.saturating_add(noise.draw(micro_epsilon)?);
    Ok(u64::try_from(noisy).unwrap_or(0))
}

/// The standard error to expect of the number of different people, with `sites` institutions of about
/// `people` each of which few are shared: `√(k·M·σ² + P·M·a² + T·M·a³)`, where `M` are the cells, `σ²` the variance of the
/// noise, `a = σ² + people/M` the variance of a cell, `P = k(k-1)/2` the pairs, and `T` is one for three institutions
/// and else zero. To be shown before anything is spent; it looks at no data.
pub fn expected_error(cells: Cells, sites: u32, people: u64) -> f64 {
    let (count, noise) = (f64::from(cells.count), cells.noise_variance());
    let (sites, triples) = (f64::from(sites), f64::from(u8::from(sites == 3)));
    let cell = noise + people as f64 / count;
    let pairs = sites * (sites - 1.0) / 2.0;
    (count * (sites * noise + pairs * cell.powi(2) + triples * cell.powi(3))).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_follow_people_and_noise() {
        let cells = |people, epsilon| Cells::for_people(people, epsilon).unwrap().count();
        assert_eq!(cells(0, 1_000_000), 64);
        assert_eq!(cells(2_000, 1_000_000), 1024);
        assert_eq!(cells(2_000, 500_000), 256);
        assert_eq!(cells(u64::MAX, 1_000_000), MAX_CELLS);
        for (count, epsilon, fault) in [
            (63, 1_000_000, SketchError::Cells),
            (96, 1_000_000, SketchError::Cells),
            (1 << 17, 1_000_000, SketchError::Cells),
            (64, 999, SketchError::Epsilon),
        ] {
            assert_eq!(Cells::new(count, epsilon), Err(fault));
        }
    }

    #[test]
    fn a_person_changes_one_count_by_one() {
        let cells = Cells::new(64, 1_000_000).unwrap();
        let tokens = super::super::TokenKey::new(&[1; 32]).unwrap();
        let key = QuestionKey::new(&[1; 32], b"q").unwrap();
        // The same noise twice: only what the person does is seen.
        let sketch = |people: std::ops::Range<u32>| {
            let mut turn = 0i64;
            let mut noise = |_| {
                turn += 7;
                Ok(turn % 11 - 5)
            };
            let mut list: Vec<Token> =
                people.flat_map(|p| [tokens.token(&[&p.to_be_bytes()]); 2]).collect();
            Sketch::of(&mut list, cells, &key, &mut noise).unwrap()
        };
        let (with, without) = (sketch(0..50), sketch(0..49));
        let changes: Vec<i64> = with
            .counts
            .iter()
            .zip(&without.counts)
            .map(|(a, b)| a - b)
            .filter(|c| *c != 0)
            .collect();
        assert_eq!(changes, [1]);
    }

    #[test]
    fn without_noise_nothing_leaves() {
        let cells = Cells::new(64, 1_000_000).unwrap();
        let key = QuestionKey::new(&[1; 32], b"q").unwrap();
        let mut refuse = |_| Err(NoiseRefused);
        let made = Sketch::of(&mut Vec::new(), cells, &key, &mut refuse);
        assert_eq!(made, Err(SketchError::Noise(NoiseRefused)));
        assert_eq!(noisy_count(5, 1_000_000, &mut refuse), Err(NoiseRefused));
        assert_eq!(noisy_count(5, 1_000_000, &mut |_| Ok(-9)), Ok(0));
        assert_eq!(Sketch::from_counts(cells, vec![0; 63]), Err(SketchError::Length));
        assert_eq!(Sketch::from_counts(cells, vec![MAX_COUNT + 1; 64]), Err(SketchError::Count));
    }
}
