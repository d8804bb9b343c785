//! Log-likelihood of one row, and its derivatives by the linear predictor.

use super::Kind;

/// What one row of weight 1 adds at a linear predictor.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Point {
    /// Natural logarithm of the likelihood; of a linear model minus half the squared residual.
    pub(super) log_likelihood: f64,
    /// Its derivative by the predictor.
    pub(super) slope: f64,
    /// Minus its second derivative.
    pub(super) curvature: f64,
    /// The expectation of that; the same but for the negative-binomial family.
    pub(super) expected: f64,
    /// Derivative by the logarithm of the dispersion; minus the second derivatives by it and by it
    /// and the predictor. The part that sums over the counts below the outcome is not in it.
    pub(super) dispersion: [f64; 3],
}

/// Of an outcome `y` at the predictor `eta`. For α see `log_dispersion`.
pub(super) fn point(kind: Kind, y: f64, eta: f64, dispersion: f64) -> Point {
    match kind {
        Kind::Gaussian | Kind::Cox => {
            let residual = y - eta;
            Point {
                log_likelihood: -0.5 * residual * residual,
                slope: residual,
                curvature: 1.0,
                expected: 1.0,
                dispersion: [0.0; 3],
            }
        }
        Kind::Binomial => {
            // exp(-|η|) never overflows, and 1 - μ keeps its digits.
            let small = (-eta.abs()).exp();
            let (less, more) = (small / (1.0 + small), 1.0 / (1.0 + small));
            let (yes, no) = if eta >= 0.0 { (more, less) } else { (less, more) };
            let log_yes = eta.min(0.0) - small.ln_1p();
            let log_no = (-eta).min(0.0) - small.ln_1p();
            Point {
                log_likelihood: y * log_yes + (1.0 - y) * log_no,
                slope: y * no - (1.0 - y) * yes,
                curvature: yes * no,
                expected: yes * no,
                dispersion: [0.0; 3],
            }
        }
        Kind::Poisson => {
            let mean = eta.exp();
            Point {
                log_likelihood: y * eta - mean - log_factorial(y),
                slope: y - mean,
                curvature: mean,
                expected: mean,
                dispersion: [0.0; 3],
            }
        }
        Kind::NegativeBinomial => negative_binomial(y, eta, dispersion),
    }
}

/// NB2 with variance `μ + α μ²` (Cameron and Trivedi, Regression Analysis of Count Data, 3.3.1).
/// `Σ ln(1 + α j)` over the counts below `y` and its derivatives are added by [`rising`].
fn negative_binomial(y: f64, eta: f64, alpha: f64) -> Point {
    let mean = eta.exp();
    let q = alpha * mean;
    let over = 1.0 + q;
    let log_over = q.ln_1p();
    let mean_of_log = if q < 1e-5 { 1.0 - q / 2.0 + q * q / 3.0 } else { log_over / q };
    let gap = gap(q);
    let square = q / (over * over);
    Point {
        log_likelihood: y * (eta - log_over) - mean * mean_of_log - log_factorial(y),
        slope: (y - mean) / over,
        curvature: mean * (1.0 + alpha * y) / (over * over),
        expected: mean / over,
        dispersion: [
            mean * gap - y * q / over,
            -(mean * (square - gap) - y * square),
            (y - mean) * square,
        ],
    }
}

/// `ln(1 + q) / q - 1 / (1 + q)`, by its series where the difference would cancel.
fn gap(q: f64) -> f64 {
    if q > 0.05 {
        return q.ln_1p() / q - 1.0 / (1.0 + q);
    }
    let mut power = 1.0;
    let mut sum = 0.0;
    for k in 1..=14_u32 {
        power *= -q;
        let k = f64::from(k);
        sum -= power * k / (k + 1.0);
    }
    sum
}

/// What the counts of a site add to the negative-binomial log-likelihood, its derivative by `ln α`
/// and minus the second one: sums over `j` of `ln(1 + α j)` and its derivatives, each times the
/// weight of the rows whose outcome is greater than `j`.
pub(super) fn rising(counts: &mut [(f64, f64)], alpha: f64) -> [f64; 3] {
    counts.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut above: f64 = counts.iter().map(|(_, weight)| weight).sum();
    let mut totals = crate::sum::Totals::new(3);
    let mut j = 0.0;
    for (count, weight) in counts.iter() {
        while j < *count {
            let part = alpha * j;
            let values = [part.ln_1p(), part / (1.0 + part), -part / ((1.0 + part) * (1.0 + part))];
            for (total, value) in totals.row().iter_mut().zip(values) {
                *total += above * value;
            }
            totals.next();
            j += 1.0;
        }
        above -= weight;
    }
    let sums = totals.finish();
    let at = |place: usize| sums.get(place).copied().unwrap_or(0.0);
    [at(0), at(1), at(2)]
}

fn log_factorial(y: f64) -> f64 {
    if y < 2.0 { 0.0 } else { statrs::function::gamma::ln_gamma(y + 1.0) }
}

#[cfg(test)]
mod tests {
    use super::{Kind, gap, point, rising};

    #[test]
    fn the_series_meets_the_formula() {
        for q in [0.049_f64, 0.0501, 0.06] {
            let plain = q.ln_1p() / q - 1.0 / (1.0 + q);
            assert!((gap(q) / plain - 1.0).abs() < 1e-12, "{q}");
        }
    }

    #[test]
    fn derivatives_are_those_of_the_likelihood() {
        let whole = |eta: f64, tau: f64, y: f64| {
            let own = point(Kind::NegativeBinomial, y, eta, tau.exp());
            own.log_likelihood + rising(&mut [(y, 1.0)], tau.exp())[0]
        };
        for (eta, tau, y) in [(0.3_f64, -1.0_f64, 4.0), (-2.0, 0.7, 0.0), (2.0, -6.0, 11.0)] {
            let own = point(Kind::NegativeBinomial, y, eta, tau.exp());
            let more = rising(&mut [(y, 1.0)], tau.exp());
            let h = 1e-4;
            let by = |d: f64, t: f64| whole(eta + d, tau + t, y);
            let slope = (by(h, 0.0) - by(-h, 0.0)) / (2.0 * h);
            assert!((slope - own.slope).abs() < 1e-6);
            let curvature = -(by(h, 0.0) - 2.0 * by(0.0, 0.0) + by(-h, 0.0)) / (h * h);
            assert!((curvature - own.curvature).abs() < 1e-5);
            let slope = (by(0.0, h) - by(0.0, -h)) / (2.0 * h);
            assert!((slope - own.dispersion[0] - more[1]).abs() < 1e-6);
            let curvature = -(by(0.0, h) - 2.0 * by(0.0, 0.0) + by(0.0, -h)) / (h * h);
            assert!((curvature - own.dispersion[1] - more[2]).abs() < 1e-5);
            let mixed = -(by(h, h) - by(h, -h) - by(-h, h) + by(-h, -h)) / (4.0 * h * h);
            assert!((mixed - own.dispersion[2]).abs() < 1e-5);
        }
    }
}
