//! Pages of the privacy officer: uses of emergency access, refusals, objections of patients,
//! consents on paper, the witnesses of audit logs and their comparison.

pub mod break_glass;
pub mod denials;
pub mod objections;
pub mod papers;
pub mod reconciliation;
pub mod whom;
pub mod witnesses;
