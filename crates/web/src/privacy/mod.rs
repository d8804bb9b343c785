//! Pages of the privacy officer: uses of emergency access, and refusals.

pub mod break_glass;
pub mod denials;
