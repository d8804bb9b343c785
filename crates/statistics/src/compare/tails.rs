//! Tail probabilities and quantiles of the distributions that tests refer to.

use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor, Normal, StudentsT};

/// Probability of a value further from 0 than this, either side, under the standard normal.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    (2.0 * Normal::standard().sf(z.abs())).min(1.0)
}

/// The quantile of the standard normal.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// Probability of a value further from 0 than this under Student's t; none without freedom.
pub(crate) fn t_two_sided(t: f64, df: f64) -> Option<f64> {
    let law = StudentsT::new(0.0, 1.0, df).ok()?;
    t.is_finite().then(|| (2.0 * law.sf(t.abs())).min(1.0))
}

/// The quantile of Student's t.
pub(crate) fn t_quantile(p: f64, df: f64) -> Option<f64> {
    Some(StudentsT::new(0.0, 1.0, df).ok()?.inverse_cdf(p))
}

/// Probability of a greater value under chi-squared.
pub(crate) fn chi_squared_above(value: f64, df: f64) -> Option<f64> {
    let law = ChiSquared::new(df).ok()?;
    value.is_finite().then(|| law.sf(value.max(0.0)))
}

/// Probability of a greater value under F.
pub(crate) fn f_above(value: f64, df1: f64, df2: f64) -> Option<f64> {
    let law = FisherSnedecor::new(df1, df2).ok()?;
    value.is_finite().then(|| law.sf(value.max(0.0)))
}
