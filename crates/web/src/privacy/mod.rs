//! Pages of the privacy officer: uses of emergency access, refusals, and the witnesses of audit
//! logs.

pub mod break_glass;
pub mod denials;
pub mod witnesses;
