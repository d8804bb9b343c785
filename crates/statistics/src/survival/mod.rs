//! Survival without single event times: Kaplan–Meier curves on a grid, and the log-rank test.

mod curve;
mod log_rank;
mod plan;

pub use curve::{Curve, CurveStep, Curves, RestrictedMean};
pub use log_rank::LogRankTest;
pub use plan::Survival;
