//! A round of fitting: the point at which every site evaluates the likelihood, and what its vector
//! holds there.

use serde::{Deserialize, Serialize};

use super::Kind;
use super::moments::{Moments, Spread};
use crate::design::{Design, Outcome};
use crate::rounds::Layout;

/// Beyond this a linear predictor of an event or a count is cut, so that no exponential overflows.
/// A point at which that happens to any row is never the last one.
pub(super) const MOST_PREDICTOR: f64 = 700.0;
/// The same for Cox's model, where two exponentials are divided.
pub(super) const MOST_HAZARD: f64 = 300.0;
/// Limits of the negative-binomial dispersion α.
pub(super) const DISPERSION: (f64, f64) = (1e-9, 1e6);
/// How many times greater than the sum of all counts a mean may become on the way.
const MEAN_ROOM: f64 = 65_536.0;

/// The point, and the columns in which it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FitState {
    /// Complete rows of all sites.
    pub(super) rows: u64,
    /// What is taken off each column, and by what it is then divided.
    pub(super) centre: Vec<f64>,
    pub(super) scale: Vec<f64>,
    /// No value of a column so standardised is greater.
    pub(super) reach: Vec<f64>,
    /// Each estimated direction as a combination of the intercept, if there is one, and the
    /// standardised columns.
    pub(super) basis: Vec<Vec<f64>>,
    /// One for each direction.
    pub(super) estimate: Vec<f64>,
    /// Logarithm of the negative-binomial α.
    pub(super) log_dispersion: f64,
    /// The outcome, the weight and the offset, as the columns; the numeric outcome of a linear model
    /// alone is standardised.
    pub(super) outcome: Scaled,
    pub(super) heaviest: f64,
    pub(super) offset: f64,
    /// Natural logarithm of the greatest mean of a count.
    pub(super) ceiling: f64,
}

/// How the outcome is standardised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scaled {
    pub(super) centre: f64,
    pub(super) scale: f64,
    pub(super) reach: f64,
}

/// The basis by the columns of the design: the directions that a column is part of are the last ones.
pub(super) struct Placing<'s> {
    state: &'s FitState,
    /// For the intercept, if there is one, and each column: the first direction, and the parts in it and
    /// those after it.
    columns: Vec<(usize, Vec<f64>)>,
}

impl Placing<'_> {
    /// A row's place in the directions; `row` holds the columns, `place` takes the result.
    pub(super) fn place(&self, row: &[f64], place: &mut [f64]) {
        place.fill(0.0);
        let has_intercept = self.columns.len() > self.state.centre.len();
        let intercept = has_intercept.then_some(1.0);
        let standard = row.iter().zip(&self.state.centre).zip(&self.state.scale);
        let standard = standard.map(|((value, centre), scale)| (value - centre) / scale);
        for (value, (from, parts)) in intercept.into_iter().chain(standard).zip(&self.columns) {
            super::glm::add(place.get_mut(*from..).unwrap_or_default(), value, parts);
        }
    }
}

impl FitState {
    /// The point without effects.
    pub(super) fn first(design: &Design, kind: Kind, found: &Moments) -> Self {
        let is_centred = design.has_intercept || kind == Kind::Cox;
        let columns: Vec<Scaled> =
            found.columns.iter().map(|spread| scaled(spread, is_centred)).collect();
        let outcome = match (&found.outcome, kind) {
            (Some(spread), Kind::Gaussian) => scaled(spread, is_centred),
            (Some(spread), _) => {
                Scaled { centre: 0.0, scale: 1.0, reach: spread.mean.abs() + spread.reach }
            }
            (None, _) => Scaled { centre: 0.0, scale: 1.0, reach: 1.0 },
        };
        let most = |spread: &Option<Spread>, none: f64| {
            spread.as_ref().map_or(none, |spread| spread.mean.abs() + spread.reach)
        };
        let heaviest = most(&found.weight, 1.0);
        let rows = found.rows as f64;
        let total = outcome.reach.max(1.0) * heaviest.max(1.0) * rows;
        let mut state = Self {
            rows: found.rows,
            centre: columns.iter().map(|column| column.centre).collect(),
            scale: columns.iter().map(|column| column.scale).collect(),
            reach: columns.iter().map(|column| column.reach).collect(),
            basis: Vec::new(),
            estimate: Vec::new(),
            log_dispersion: 0.0,
            outcome,
            heaviest,
            offset: most(&found.offset, 0.0) / outcome.scale,
            ceiling: (total * MEAN_ROOM).ln(),
        };
        let width = design.width();
        let skip = usize::from(design.has_intercept);
        for place in 0..width {
            let is_constant =
                place >= skip
                    && (found.columns.get(place - skip).is_none_or(|spread| {
                        spread.sd == 0.0 && (is_centred || spread.mean == 0.0)
                    }) || is_reference(design, found, place - skip));
            if !is_constant {
                let mut direction = vec![0.0; width];
                if let Some(own) = direction.get_mut(place) {
                    *own = 1.0;
                }
                state.basis.push(direction);
                state.estimate.push(0.0);
            }
        }
        if let (true, Some(intercept)) = (design.has_intercept, state.estimate.first_mut()) {
            *intercept = null_intercept(design, kind, found);
        }
        if kind == Kind::NegativeBinomial {
            let (mean, variance) =
                found.outcome.as_ref().map_or((1.0, 1.0), |y| (y.mean, y.sd * y.sd));
            let first = (variance - mean) / (mean * mean);
            state.log_dispersion = first.clamp(0.1, 10.0).ln();
        }
        state
    }

    /// No value of a direction is greater in any row.
    pub(super) fn reaches(&self) -> Vec<f64> {
        let skip = self.basis.first().map_or(0, Vec::len).saturating_sub(self.reach.len());
        self.basis
            .iter()
            .map(|direction| {
                let reach = std::iter::repeat_n(&1.0, skip).chain(&self.reach);
                direction.iter().zip(reach).map(|(part, reach)| part.abs() * reach).sum()
            })
            .collect()
    }

    /// The way of rows to their places in the directions.
    pub(super) fn placing(&self) -> Placing<'_> {
        let full = self.basis.first().map_or(0, Vec::len);
        let columns = (0..full).map(|column| {
            let parts = self.basis.iter().map(|direction| direction.get(column).copied());
            let parts: Vec<f64> = parts.map(Option::unwrap_or_default).collect();
            let from = parts.iter().position(|part| *part != 0.0).unwrap_or(parts.len());
            (from, parts.get(from..).unwrap_or_default().to_vec())
        });
        Placing { state: self, columns: columns.collect() }
    }

    /// The vector, or `None` if the state is not of this design.
    pub(super) fn layout(
        &self,
        design: &Design,
        kind: Kind,
        is_weighted: bool,
        most_rows: u32,
    ) -> Option<Layout> {
        if !self.is_of(design) {
            return None;
        }
        let rows = f64::from(most_rows).min(self.rows as f64) * self.heaviest;
        let reaches = self.reaches();
        let predictor: f64 =
            self.estimate.iter().zip(&reaches).map(|(e, reach)| e.abs() * reach).sum::<f64>()
                + self.offset;
        let mean = self.ceiling.exp();
        // The greatest |dl/dη|, -d²l/dη² and |l| that one row of weight 1 can have.
        let (residual, weight, likelihood) = match kind {
            Kind::Gaussian => {
                let residual = self.outcome.reach + predictor;
                (residual, 1.0, residual * residual)
            }
            Kind::Binomial => (1.0, 1.0, 2.0 * MOST_PREDICTOR),
            Kind::Poisson | Kind::NegativeBinomial => {
                let most = self.outcome.reach + mean;
                (most, 4.0 * most, 4096.0 * most)
            }
            // Of an event: the distance from a mean of the risk set.
            Kind::Cox => (2.0, 4.0, 4.0 * MOST_HAZARD + 2000.0),
        };
        let mut layout = Layout::default().and_counts("n", 1, most_rows);
        layout = layout.and_counts("rows beyond the limits of the predictor", 1, most_rows);
        layout = layout.and("log-likelihood", 1, rows * likelihood);
        for reach in &reaches {
            layout = layout.and("score", 1, rows * residual * reach);
        }
        layout = triangle(layout, "information", &reaches, rows * weight);
        if kind == Kind::NegativeBinomial {
            layout = triangle(layout, "expected information", &reaches, rows * weight);
            layout = layout.and("score of the dispersion", 2, rows * 16.0 * residual);
            for reach in &reaches {
                layout = layout.and("information of the dispersion", 1, rows * residual * reach);
            }
        }
        if is_weighted {
            layout =
                layout.and("logarithms of the weights", 2, rows.max(f64::from(most_rows) * 750.0));
        }
        Some(layout)
    }

    fn is_of(&self, design: &Design) -> bool {
        let columns = design.columns.len();
        let lengths = [self.centre.len(), self.scale.len(), self.reach.len()];
        let width = design.width();
        let flat = self.basis.iter().flatten().chain(&self.estimate);
        let own = [
            self.outcome.centre,
            self.outcome.scale,
            self.outcome.reach,
            self.heaviest,
            self.offset,
            self.ceiling,
            self.log_dispersion,
        ];
        let mut numbers =
            flat.chain(&self.centre).chain(&self.scale).chain(&self.reach).chain(&own);
        lengths.iter().all(|length| *length == columns)
            && self.estimate.len() == self.basis.len()
            && self.basis.len() <= width
            && self.basis.iter().all(|direction| direction.len() == width)
            && self.scale.iter().all(|scale| *scale != 0.0)
            && self.outcome.scale != 0.0
            && numbers.all(|number| number.is_finite())
    }
}

/// Sum of products.
pub(super) fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn triangle(mut layout: Layout, name: &str, reaches: &[f64], bound: f64) -> Layout {
    for (at, one) in reaches.iter().enumerate() {
        for other in reaches.iter().skip(at) {
            layout = layout.and(name, 1, bound * one * other);
        }
    }
    layout
}

/// How a quantity of this spread is standardised.
fn scaled(spread: &Spread, is_centred: bool) -> Scaled {
    let (centre, size, reach) = if is_centred {
        (spread.mean, spread.sd, spread.reach)
    } else {
        let size = (spread.sd * spread.sd + spread.mean * spread.mean).sqrt();
        (0.0, size, spread.reach + spread.mean.abs())
    };
    let scale = if size > 0.0 { size } else { 1.0 };
    Scaled { centre, scale, reach: reach / scale }
}

/// Whether a column is of the level that takes the place of a reference level without rows: the
/// first that has any, as if the empty levels did not exist.
fn is_reference(design: &Design, found: &Moments, column: usize) -> bool {
    let Some(column) = design.columns.get(column) else { return false };
    design.categories().zip(&found.levels).any(|((variable, ..), counts)| {
        let first = counts.iter().position(|count| *count > 0);
        first.is_some_and(|level| level > 0 && column.contrasts(variable, level))
    })
}

/// The intercept of a model without effects, nearly: weights are not regarded.
fn null_intercept(design: &Design, kind: Kind, found: &Moments) -> f64 {
    let offset = found.offset.as_ref().map_or(0.0, |offset| offset.mean);
    let rows = found.rows as f64;
    match (kind, &design.outcome) {
        (Kind::Binomial, _) => {
            let events = found.events as f64;
            (events / (rows - events)).ln() - offset
        }
        (Kind::Poisson | Kind::NegativeBinomial, Outcome::Count(..)) => {
            found.outcome.as_ref().map_or(0.0, |y| y.mean.ln()) - offset
        }
        _ => 0.0,
    }
}
