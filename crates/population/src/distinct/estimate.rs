//! The number of different people from merged sketches.

use super::bounds::{Bounds, SUMS, Weights};
use super::{Cells, Sketch, SketchError};

/// Institutions whose sketches are merged at most.
pub const MAX_SITES: usize = 200;
/// Of the normal law: 95 % within.
const WITHIN_95: f64 = 1.959_963_984_540_054;
/// 97.5 % within: where each end of an interval is the best of several bounds, each end gets the share of both.
const WITHIN_97_5: f64 = 2.241_402_727_604_945;

/// Sketches of several institutions in one, of the size of one: in each cell the sums of the first three powers
/// of the counts less their means. Merging does not depend on order or grouping, but for rounding.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    cells: Cells,
    sites: usize,
    /// Sum over institutions of their noisy number of people.
    sum: f64,
    /// The largest of them.
    largest: f64,
    powers: Vec<[f64; SUMS]>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The estimate is below the number from which on answers are given.
    FewerThan(u64),
    /// The estimate.
    About(Estimate),
}

/// A number of different people.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub people: u64,
    /// Its standard error, in people, from noise and cells.
    pub standard_error: f64,
    /// Lower end of the 95 % interval, which holds for whatever pattern of overlap.
    pub low: u64,
    /// Its upper end.
    pub high: u64,
    /// What adding up the institutions gives, shared people counted several times.
    pub sum: u64,
    /// Institutions that took part.
    pub sites: usize,
}

impl Merged {
    /// Of nobody.
    pub fn new(cells: Cells) -> Self {
        let powers = vec![[0.0; SUMS]; cells.count() as usize];
        Self { cells, sites: 0, sum: 0.0, largest: 0.0, powers }
    }

    /// With the sketch of one more institution.
    pub fn add(&mut self, sketch: &Sketch) -> Result<(), SketchError> {
        if sketch.cells() != self.cells || self.sites >= MAX_SITES {
            return Err(SketchError::Other);
        }
        let people = sketch.counts().iter().map(|count| *count as f64).sum::<f64>();
        let mean = people / f64::from(self.cells.count());
        for (powers, count) in self.powers.iter_mut().zip(sketch.counts()) {
            let away = *count as f64 - mean;
            *powers = [powers[0] + away, powers[1] + away.powi(2), powers[2] + away.powi(3)];
        }
        self.sites += 1;
        self.sum += people;
        self.largest = self.largest.max(people);
        Ok(())
    }

    /// With what was merged elsewhere, of other institutions.
    pub fn join(&mut self, other: &Self) -> Result<(), SketchError> {
        if other.cells != self.cells || self.sites + other.sites > MAX_SITES {
            return Err(SketchError::Other);
        }
        for (to, from) in self.powers.iter_mut().zip(&other.powers) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
        self.sites += other.sites;
        self.sum += other.sum;
        self.largest = self.largest.max(other.largest);
        Ok(())
    }

    /// The number of different people; below `min_count` only that.
    pub fn answer(&self, min_count: u64) -> Answer {
        let estimate = self.estimate();
        if estimate.people < min_count {
            Answer::FewerThan(min_count)
        } else {
            Answer::About(estimate)
        }
    }

    fn estimate(&self) -> Estimate {
        let sums = Sums::of(self);
        let (people, gradient) = sums.people(self.sites);
        let (low, high) = self.interval(&sums);
        let whole = |people: f64| people.round().max(0.0) as u64;
        Estimate {
            people: whole(people.clamp(low, high)),
            standard_error: sums.error(&gradient),
            low: whole(low),
            high: whole(high),
            sum: whole(self.sum),
            sites: self.sites,
        }
    }

    fn interval(&self, sums: &Sums) -> (f64, f64) {
        let away = if self.sites <= SUMS { WITHIN_95 } else { WITHIN_97_5 };
        let bounds = Bounds::new(self.sites);
        let low = |weights: &Weights| sums.at(weights) - away * sums.error(weights);
        let high = |weights: &Weights| sums.at(weights) + away * sums.error(weights);
        // There are no fewer people than the largest institution has.
        let one = (f64::from(self.cells.count()) * self.cells.noise_variance()).sqrt();
        let largest = self.largest - (away + 1.0) * one;
        let below = bounds.below.iter().map(low).fold(largest.max(0.0), f64::max);
        let above = bounds.above.iter().map(high).fold(f64::INFINITY, f64::min).max(0.0);
        if below <= above { (below, above) } else { (above, below) }
    }
}

/// Sums over institutions, pairs and triples, with the covariances of their errors.
struct Sums {
    sums: [f64; SUMS],
    covariance: [[f64; SUMS]; SUMS],
}

impl Sums {
    fn of(merged: &Merged) -> Self {
        let count = f64::from(merged.cells.count());
        // A person's own share of the mean: the expectations are (1 - 1/M) and (1 - 1/M)(1 - 2/M) times the people.
        let pairs_scale = 1.0 / (1.0 - 1.0 / count);
        let triples_scale = pairs_scale / (1.0 - 2.0 / count);
        let terms = |[one, two, three]: [f64; SUMS]| {
            // Newton's identities: products of pairs and triples from sums of powers.
            [
                pairs_scale * (one * one - two) / 2.0,
                triples_scale * (one.powi(3) - 3.0 * one * two + 2.0 * three) / 6.0,
            ]
        };
        let mut sums = [0.0; 2];
        for powers in &merged.powers {
            sums.iter_mut().zip(terms(*powers)).for_each(|(sum, term)| *sum += term);
        }
        // Cells are nearly independent, so the spread of their terms shows that of the sums.
        let mut spread = [[0.0; 2]; 2];
        for powers in &merged.powers {
            let away: Vec<f64> =
                terms(*powers).iter().zip(sums).map(|(term, sum)| term - sum / count).collect();
            for (row, one) in spread.iter_mut().zip(&away) {
                row.iter_mut().zip(&away).for_each(|(to, other)| *to += one * other);
            }
        }
        let scale = count / (count - 1.0);
        let own = merged.sites as f64 * count * merged.cells.noise_variance();
        let covariance = [
            [own, 0.0, 0.0],
            [0.0, scale * spread[0][0], scale * spread[0][1]],
            [0.0, scale * spread[1][0], scale * spread[1][1]],
        ];
        Self { sums: [merged.sum, sums[0], sums[1]], covariance }
    }

    fn at(&self, weights: &Weights) -> f64 {
        weights.iter().zip(self.sums).map(|(weight, sum)| weight * sum).sum()
    }

    fn error(&self, weights: &Weights) -> f64 {
        let rows = self.covariance.iter().zip(weights);
        let variance: f64 = rows
            .map(|(row, weight)| weight * row.iter().zip(weights).map(|(c, w)| c * w).sum::<f64>())
            .sum();
        variance.max(0.0).sqrt()
    }

    /// The estimate and its gradient in the sums.
    fn people(&self, sites: usize) -> (f64, Weights) {
        let [all, pairs, _] = self.sums;
        let exact = match sites {
            0 | 1 => Some([1.0, 0.0, 0.0]),
            2 => Some([1.0, -1.0, 0.0]),
            3 => Some([1.0, -1.0, 1.0]),
            _ => None,
        };
        if let Some(weights) = exact {
            return (self.at(&weights).clamp(0.0, all.max(0.0)), weights);
        }
        if pairs <= 0.0 || all <= 0.0 {
            return (all.max(0.0), [1.0, -1.0, 0.0]);
        }
        let share = all / (all + pairs);
        // Everybody at all institutions is the most that can overlap.
        let least = all / sites as f64;
        let most = all - 2.0 * pairs / sites as f64;
        let people = (all * share).min(most).max(least);
        (people, [share * (2.0 - share), -share * share, 0.0])
    }
}
