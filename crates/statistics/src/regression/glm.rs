//! What a site gives for a generalised linear model.

use super::Kind;
use super::family::{point, rising};
use super::fit::{FitState, MOST_PREDICTOR, dot};
use crate::design::{Design, Rows};
use crate::rounds::Refusal;
use crate::sum::Totals;

/// Greatest count that a negative-binomial model takes: sites sum over all counts below it.
const MOST_COUNT: f64 = 10_000_000.0;

/// The vector of [`FitState::layout`].
pub(super) fn sums(
    state: &FitState,
    rows: &Rows,
    kind: Kind,
    is_weighted: bool,
    design: &Design,
) -> Result<Vec<f64>, Refusal> {
    let width = state.basis.len();
    let triangle = width * (width + 1) / 2;
    let is_negbin = kind == Kind::NegativeBinomial;
    let dispersion = state.log_dispersion.exp();
    let own = if is_negbin { triangle + 2 + width } else { 0 };
    let mut totals = Totals::new(1 + width + triangle + own + 2 * usize::from(is_weighted));
    let placing = state.placing();
    let mut place = vec![0.0; width];
    let mut squares = Squares::new(width);
    let mut beyond = 0_u32;
    let mut counts = Vec::new();
    for (columns, mark) in rows.iter() {
        placing.place(columns, &mut place);
        let mut eta = dot(&place, &state.estimate);
        let mut y = mark.outcome;
        if kind == Kind::Gaussian {
            y = (y - mark.offset - state.outcome.centre) / state.outcome.scale;
        } else {
            eta += mark.offset;
            let high = if kind == Kind::Binomial { MOST_PREDICTOR } else { state.ceiling };
            let cut = eta.clamp(-MOST_PREDICTOR, high.min(MOST_PREDICTOR));
            beyond += u32::from(cut != eta);
            eta = cut;
        }
        let at = point(kind, y, eta, dispersion);
        let row = totals.row();
        let (first, rest) = row.split_at_mut(1);
        let (score, rest) = rest.split_at_mut(width);
        let (information, mut rest) = rest.split_at_mut(triangle);
        add(first, 1.0, &[mark.weight * at.log_likelihood]);
        add(score, mark.weight * at.slope, &place);
        squares.add(mark.weight * at.curvature, &place, information);
        if is_negbin {
            if mark.outcome > MOST_COUNT {
                return Err(too_great(design));
            }
            counts.push((mark.outcome, mark.weight));
            let (expected, after) = rest.split_at_mut(triangle);
            let (dispersion, after) = after.split_at_mut(2);
            let (mixed, after) = after.split_at_mut(width);
            let [slope, curvature, cross] = at.dispersion;
            add_square(expected, mark.weight * at.expected, &place);
            add(dispersion, mark.weight, &[slope, curvature]);
            add(mixed, mark.weight * cross, &place);
            rest = after;
        }
        if is_weighted {
            add(rest, 1.0, &[mark.weight.ln(), mark.weight]);
        }
        totals.next();
    }
    squares.finish(totals.row().get_mut(1 + width..).unwrap_or_default());
    if is_negbin {
        let [likelihood, slope, curvature] = rising(&mut counts, dispersion);
        let after = 1 + width + 2 * triangle;
        let row = totals.row();
        add(row, 1.0, &[likelihood]);
        add(row.get_mut(after..).unwrap_or_default(), 1.0, &[slope, curvature]);
        totals.next();
    }
    let n = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    Ok([f64::from(n), f64::from(beyond)].into_iter().chain(totals.finish()).collect())
}

fn too_great(design: &Design) -> Refusal {
    let variable = match &design.outcome {
        crate::design::Outcome::Count(at, _) => design.variables.get(*at),
        _ => None,
    };
    Refusal::Value {
        variable: variable.map(|used| used.name.clone()).unwrap_or_default(),
        must: format!("at most {MOST_COUNT}"),
    }
}

/// Adds a multiple of a vector.
pub(super) fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += factor * value;
    }
}

/// Squares of vectors that are added four at a time, so that a sum is read and written once for four.
pub(super) struct Squares {
    width: usize,
    factors: [f64; 4],
    vectors: Vec<f64>,
    held: usize,
}

impl Squares {
    /// Of vectors of this length.
    pub(super) fn new(width: usize) -> Self {
        Self { width, factors: [0.0; 4], vectors: vec![0.0; 4 * width], held: 0 }
    }

    /// Adds a multiple of a vector's square, now or with one of the next three, to `to`.
    pub(super) fn add(&mut self, factor: f64, values: &[f64], to: &mut [f64]) {
        let from = self.held * self.width;
        if let (Some(place), Some(own)) =
            (self.vectors.get_mut(from..from + self.width), self.factors.get_mut(self.held))
        {
            place.copy_from_slice(values);
            *own = factor;
        }
        self.held += 1;
        if self.held == self.factors.len() {
            self.finish(to);
        }
    }

    /// Adds what is held.
    pub(super) fn finish(&mut self, to: &mut [f64]) {
        // Vectors that are not held count nothing.
        self.factors.iter_mut().skip(self.held).for_each(|factor| *factor = 0.0);
        self.held = 0;
        let width = self.width;
        let [f0, f1, f2, f3] = self.factors;
        let (v0, rest) = self.vectors.split_at(width);
        let (v1, rest) = rest.split_at(width);
        let (v2, v3) = rest.split_at(width);
        let mut rest = to;
        for at in 0..width {
            let (row, after) = rest.split_at_mut(width - at);
            let (v0, v1, v2, v3) = (&v0[at..], &v1[at..], &v2[at..], &v3[at..]);
            let (a, b, c, d) = (f0 * v0[0], f1 * v1[0], f2 * v2[0], f3 * v3[0]);
            for ((((to, v0), v1), v2), v3) in row.iter_mut().zip(v0).zip(v1).zip(v2).zip(v3) {
                *to += (a * v0 + b * v1) + (c * v2 + d * v3);
            }
            rest = after;
        }
    }
}

/// Adds a multiple of a vector's square, the upper triangle row by row.
pub(super) fn add_square(to: &mut [f64], factor: f64, values: &[f64]) {
    let mut rest = to;
    for (at, one) in values.iter().enumerate() {
        let (row, after) = rest.split_at_mut(values.len() - at);
        add(row, factor * one, values.get(at..).unwrap_or_default());
        rest = after;
    }
}
