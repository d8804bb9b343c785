//! k-means by Lloyd's rounds of sums.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::answer::Finding;
use crate::columns::{Term, design, range, terms};
use crate::frame::Frame;
use crate::plan::{Given, Next, Plan, Totals, counts, real, sums, wrong};
use crate::question::Question;
use crate::rounds::{Entry, Failure, Refusal};

/// Most clusters.
const MOST_CLUSTERS: u32 = 100;
/// How many places per cluster the start draws, to choose those that are furthest apart.
const DRAWS: u32 = 20;

/// Clusters of rows about centres (Lloyd 1982), in variables brought to [-1, 1] by the bounds that the
/// dictionary states, or to variance 1.
///
/// The start takes no row: places are drawn by the seed around the mean, within two standard
/// deviations, and of them each next one that is furthest from those taken. A centre that no row is
/// nearest to goes half the way to the mean of the cluster with the greatest sum of squares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KMeans {
    /// Numbers with stated bounds.
    pub variables: Vec<String>,
    /// How many clusters, 2 to 100.
    pub clusters: u32,
    /// Of the start.
    #[serde(default)]
    pub seed: u64,
    /// Whether each variable is divided by its standard deviation rather than by its range.
    #[serde(default)]
    pub standardise: bool,
    /// Most rounds of Lloyd's.
    #[serde(default = "hundred")]
    pub most_rounds: u32,
}

const fn hundred() -> u32 {
    100
}

/// Clusters, the largest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clusters {
    /// The variables, in the order of the centres.
    pub variables: Vec<String>,
    /// By how much each is divided before distances are taken.
    pub scales: Vec<f64>,
    /// Those that have rows.
    pub clusters: Vec<Cluster>,
    /// The sum of squared scaled distances of rows to their centres.
    pub within: f64,
    /// The same to the mean of all rows.
    pub total: f64,
    /// Whether the centres stood still in the end.
    pub is_settled: bool,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Rows.
    pub n: u64,
    /// Means of the variables.
    pub centre: Vec<f64>,
    /// The sum of squared scaled distances to the centre.
    pub within: f64,
}

/// Where Lloyd's rounds stand; distances are in columns divided by `scales`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Standard deviations (or 1) of the columns in [-1, 1]; empty before the first round.
    scales: Vec<f64>,
    total: f64,
    centres: Vec<Vec<f64>>,
    steps: u32,
}

impl KMeans {
    fn first(&self, terms: &[Term], totals: &Totals<'_>) -> Result<State, Failure> {
        let n = real(totals.n());
        if totals.n() < u64::from(self.clusters) {
            return Err(Failure::TooLittle("fewer rows than clusters".to_owned()));
        }
        let means: Vec<f64> = totals.of("sums").iter().map(|sum| sum / n).collect();
        let squares = totals.of("squares").iter().zip(&means);
        let spreads: Vec<f64> =
            squares.map(|(square, mean)| (square / n - mean * mean).max(0.0).sqrt()).collect();
        let scales: Vec<f64> = spreads
            .iter()
            .map(|spread| if self.standardise && *spread > 1e-9 { *spread } else { 1.0 })
            .collect();
        let mut random = ChaCha12Rng::seed_from_u64(self.seed);
        let mut draw = || {
            let places = means.iter().zip(&spreads).zip(&scales);
            places
                .map(|((mean, spread), scale)| {
                    let part = f64::from(random.next_u32()) / f64::from(u32::MAX);
                    (part.mul_add(4.0, -2.0).mul_add(*spread, *mean)).clamp(-1.0, 1.0) / scale
                })
                .collect::<Vec<f64>>()
        };
        let mut drawn: Vec<Vec<f64>> = (0..self.clusters * DRAWS).map(|_| draw()).collect();
        let mut centres: Vec<Vec<f64>> = vec![drawn.swap_remove(0)];
        while centres.len() < self.clusters as usize {
            let apart = |place: &Vec<f64>| nearest(&centres, place).1;
            let furthest = (0..drawn.len()).max_by(|one, other| {
                let of = |at: &usize| drawn.get(*at).map_or(0.0, apart);
                of(one).total_cmp(&of(other))
            });
            centres.push(drawn.swap_remove(furthest.ok_or(Failure::Sums)?));
        }
        let total = spreads.iter().zip(&scales).map(|(s, scale)| n * (s / scale).powi(2)).sum();
        debug_assert_eq!(terms.len(), scales.len());
        Ok(State { scales, total, centres, steps: 0 })
    }

    fn finding(&self, terms: &[Term], state: &State, found: &[Sum], is_settled: bool) -> Finding {
        let mut clusters: Vec<Cluster> = found
            .iter()
            .filter(|sum| sum.n > 0.0)
            .map(|sum| Cluster {
                n: crate::plan::count(sum.n),
                centre: sum
                    .mean
                    .iter()
                    .zip(&state.scales)
                    .zip(terms)
                    .map(|((mean, scale), term)| term.unscaled(mean * scale))
                    .collect(),
                within: sum.within,
            })
            .collect();
        clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.n));
        let units = terms.iter().zip(&state.scales);
        Finding::Clusters(Clusters {
            variables: self.variables.clone(),
            scales: units.map(|(term, scale)| term.unit() * scale).collect(),
            within: clusters.iter().map(|cluster| cluster.within).sum(),
            total: state.total,
            clusters,
            is_settled,
        })
    }
}

/// What the sums say of one centre.
struct Sum {
    n: f64,
    mean: Vec<f64>,
    within: f64,
}

/// The place of the nearest centre, the first of several, and the squared distance.
fn nearest(centres: &[Vec<f64>], row: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (at, centre) in centres.iter().enumerate() {
        let distance = centre.iter().zip(row).map(|(one, other)| (one - other).powi(2)).sum();
        if distance < best.1 {
            best = (at, distance);
        }
    }
    best
}

impl Plan for KMeans {
    type State = State;

    fn begin(&self, question: &Question) -> Result<State, Failure> {
        for name in &self.variables {
            if !range(question, name)?.is_stated {
                return Err(wrong(format!("clusters need the bounds of `{name}`")));
            }
        }
        let is_wrong = self.variables.is_empty() || self.most_rounds == 0;
        if is_wrong || !(2..=MOST_CLUSTERS).contains(&self.clusters) {
            return Err(wrong("give variables, 2 to 100 clusters and one round or more"));
        }
        Ok(State { scales: Vec::new(), total: 0.0, centres: Vec::new(), steps: 0 })
    }

    fn entries(&self, question: &Question, state: &State) -> Result<Vec<Entry>, Refusal> {
        let size = terms(question, &self.variables)?.len();
        if state.scales.is_empty() {
            return Ok(vec![
                sums(question, "sums", size, 1.0),
                sums(question, "squares", size, 1.0),
            ]);
        }
        let is_fit = state.scales.len() == size
            && state.scales.iter().all(|scale| *scale > 0.0)
            && state.centres.iter().all(|centre| centre.len() == size)
            && state.centres.iter().flatten().all(|value| value.is_finite());
        if !is_fit {
            return Err(Refusal::Round("centres of another size".to_owned()));
        }
        let clusters = state.centres.len();
        let least = state.scales.iter().copied().fold(1.0, f64::min);
        let each = state.centres.iter().flatten().fold(least.recip(), |most, v| v.abs().max(most));
        let squared = (2.0 * each).powi(2) * crate::plan::size(size);
        Ok(vec![
            counts(question, "rows", clusters),
            sums(question, "deviations", clusters * size, 2.0 * each),
            sums(question, "within", clusters, squared),
        ])
    }

    fn give(&self, question: &Question, state: &State, rows: &Frame) -> Result<Given, Refusal> {
        let terms = terms(question, &self.variables)?;
        let design = design(question, rows, &terms)?;
        let complete = design.iter().flatten().count();
        let (size, clusters) = (terms.len(), state.centres.len());
        let mut values = vec![0.0; if clusters == 0 { 2 * size } else { clusters * (size + 2) }];
        let mut add = |at: usize, value: f64| {
            if let Some(sum) = values.get_mut(at) {
                *sum += value;
            }
        };
        for row in design.iter().flatten() {
            if clusters == 0 {
                for (at, value) in row.iter().skip(1).enumerate() {
                    add(at, *value);
                    add(size + at, value * value);
                }
                continue;
            }
            let scaled: Vec<f64> =
                row.iter().skip(1).zip(&state.scales).map(|(value, scale)| value / scale).collect();
            let (cluster, distance) = nearest(&state.centres, &scaled);
            add(cluster, 1.0);
            let centre = state.centres.get(cluster).into_iter().flatten();
            for (at, (value, centre)) in scaled.iter().zip(centre).enumerate() {
                add(clusters + cluster * size + at, value - centre);
            }
            add(clusters * (size + 1) + cluster, distance);
        }
        Ok(Given { rows: complete, dropped: rows.rows() - complete, values })
    }

    fn advance(
        &self,
        question: &Question,
        state: &State,
        totals: &Totals<'_>,
    ) -> Result<Next<State>, Failure> {
        let terms = terms(question, &self.variables)?;
        if state.scales.is_empty() {
            return Ok(Next::Ask(self.first(&terms, totals)?));
        }
        let deviations = totals.of("deviations").chunks(terms.len());
        let parts = totals.counts("rows").into_iter().zip(deviations).zip(totals.of("within"));
        let mut moved = 0.0_f64;
        let found: Vec<Sum> = parts
            .zip(&state.centres)
            .map(|(((n, deviations), within), centre)| {
                let n = real(n);
                let shifts: Vec<f64> = deviations.iter().map(|sum| sum / n.max(1.0)).collect();
                let squares: f64 = shifts.iter().map(|shift| shift * shift).sum();
                moved = moved.max(squares.sqrt());
                let mean = centre.iter().zip(&shifts).map(|(c, shift)| c + shift).collect();
                Sum { n, mean, within: (within - n * squares).max(0.0) }
            })
            .collect();
        let is_empty = found.iter().any(|sum| sum.n == 0.0);
        let is_settled = moved <= 1e-13 && !is_empty;
        if is_settled || state.steps + 1 >= self.most_rounds {
            return Ok(Next::done(self.finding(&terms, state, &found, is_settled)));
        }
        let largest = found.iter().max_by(|one, other| one.within.total_cmp(&other.within));
        let towards = largest.map(|sum| sum.mean.clone()).unwrap_or_default();
        let centres = found
            .into_iter()
            .map(|sum| {
                if sum.n > 0.0 {
                    return sum.mean;
                }
                sum.mean
                    .iter()
                    .zip(&towards)
                    .map(|(one, other)| f64::midpoint(*one, *other))
                    .collect()
            })
            .collect();
        let (scales, total, steps) = (state.scales.clone(), state.total, state.steps + 1);
        Ok(Next::Ask(State { scales, total, centres, steps }))
    }
}
