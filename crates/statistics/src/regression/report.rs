//! The maximum as a model: back in the units of the variables, with standard errors.

use nalgebra::{DMatrix, DVector};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::Kind;
use super::ascent::End;
use super::moments::Moments;
use crate::answer::{Coefficient, Model};
use crate::design::Design;
use crate::rounds::Failure;

/// The model of a maximum.
pub(super) fn model(
    end: &End,
    design: &Design,
    kind: Kind,
    found: &Moments,
) -> Result<Model, Failure> {
    let rows = found.rows as f64;
    let names = design.names();
    let back = back(end, design);
    let estimate = &back * DVector::from_column_slice(&end.state.estimate);
    let width = end.state.estimate.len();
    let residual_df = found.rows as i64 - width as i64;
    let unit = end.state.outcome.scale;
    let residuals = -2.0 * end.log_likelihood * unit * unit;
    let dispersion = match kind {
        Kind::Gaussian if residual_df > 0 && end.covariance.is_some() => {
            Some(residuals / residual_df as f64)
        }
        Kind::NegativeBinomial => Some(end.state.log_dispersion.exp()),
        _ => None,
    };
    if kind == Kind::Gaussian && end.covariance.is_some() && residual_df <= 0 {
        return Err(Failure::TooLittle(format!(
            "{rows} complete rows leave none over to {width} coefficients"
        )));
    }
    let covariance = end.covariance.as_ref().map(|inner| {
        let level =
            if kind == Kind::Gaussian { dispersion.unwrap_or(0.0) / (unit * unit) } else { 1.0 };
        &back * inner * back.transpose() * level
    });
    let is_estimated = estimated(end, design);
    let mut coefficients = Vec::new();
    let mut aliased = Vec::new();
    let mut places = Vec::new();
    for (place, name) in names.into_iter().enumerate() {
        if !is_estimated.get(place).copied().unwrap_or(false) {
            aliased.push(name);
            continue;
        }
        let mut value = estimate.get(place).copied().unwrap_or(0.0);
        if place == 0 && design.has_intercept && kind == Kind::Gaussian {
            value += end.state.outcome.centre;
        }
        let variance = covariance.as_ref().and_then(|c| c.get((place, place)).copied());
        let se = variance.map(f64::sqrt);
        let p = se.map(|se| tail(value / se, kind, residual_df));
        places.push(place);
        coefficients.push(Coefficient { name, estimate: value, se, p });
    }
    Ok(Model {
        coefficients,
        aliased,
        events: matches!(design.outcome, crate::design::Outcome::Event(..)).then_some(found.events),
        residual_df,
        covariance: covariance.map_or_else(Vec::new, |all| {
            let own = all.select_rows(&places).select_columns(&places);
            own.row_iter().map(|row| row.iter().copied().collect()).collect()
        }),
        log_likelihood: log_likelihood(end, kind, rows, residuals),
        dispersion,
    })
}

/// Of a linear model at the variance that maximises it; none where the estimates are penalised or
/// there are no residuals.
fn log_likelihood(end: &End, kind: Kind, rows: f64, residuals: f64) -> Option<f64> {
    end.covariance.as_ref()?;
    if kind != Kind::Gaussian {
        return Some(end.log_likelihood);
    }
    let logarithms = end.weights.map_or(0.0, |(logarithms, _)| logarithms);
    let each = (std::f64::consts::TAU * residuals / rows).ln() + 1.0;
    Some(0.5 * (logarithms - rows * each)).filter(|value| value.is_finite())
}

/// Coefficients of the design out of estimates of the directions (but for the outcome's centre).
fn back(end: &End, design: &Design) -> DMatrix<f64> {
    let state = &end.state;
    let skip = usize::from(design.has_intercept);
    let unit = state.outcome.scale;
    let mut out = DMatrix::zeros(design.width(), state.basis.len());
    for (mut to, direction) in out.column_iter_mut().zip(&state.basis) {
        let mut shift = 0.0;
        let scales = state.scale.iter().zip(&state.centre);
        for ((place, part), (scale, centre)) in direction.iter().enumerate().skip(skip).zip(scales)
        {
            if let Some(entry) = to.get_mut(place) {
                *entry = part / scale * unit;
            }
            shift += part / scale * centre * unit;
        }
        if let (true, Some(entry), Some(part)) =
            (design.has_intercept, to.get_mut(0), direction.first())
        {
            *entry = part * unit - shift;
        }
    }
    out
}

/// Which columns of the design are in any direction.
fn estimated(end: &End, design: &Design) -> Vec<bool> {
    (0..design.width())
        .map(|place| {
            let mut parts = end.state.basis.iter().filter_map(|direction| direction.get(place));
            parts.any(|part| *part != 0.0)
        })
        .collect()
}

/// Two-sided probability of a statistic as far from 0.
fn tail(statistic: f64, kind: Kind, df: i64) -> f64 {
    if statistic.is_nan() {
        return 1.0;
    }
    let beyond = statistic.abs();
    let one = match kind {
        Kind::Gaussian => StudentsT::new(0.0, 1.0, df as f64).map(|law| law.sf(beyond)).ok(),
        _ => Some(Normal::standard().sf(beyond)),
    };
    (2.0 * one.unwrap_or(0.5)).min(1.0)
}
