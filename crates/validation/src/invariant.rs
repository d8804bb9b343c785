//! Rules in FHIRPath.

use fhir::definitions::{Constraint, Severity as Published};
use fhirpath::Expr;

use crate::issue::Severity;

/// Rules that the walk checks itself, faster than by their expressions, or that hold for
/// everything that has passed the check of structure.
pub(crate) const NATIVE: [&str; 11] = [
    "ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "dom-6", "txt-1", "txt-2", "ref-1",
    "per-1",
];

/// A rule, parsed.
#[derive(Debug)]
pub(crate) struct Invariant {
    pub key: String,
    pub severity: Severity,
    pub human: String,
    /// `None` where the expression is not FHIRPath that can be parsed.
    pub expression: Option<Expr>,
}

impl Invariant {
    /// Parses a rule; `None` for those without expression and those checked natively.
    pub fn new(key: &str, severity: Severity, human: &str, expression: &str) -> Option<Self> {
        let wanted = !expression.is_empty() && !NATIVE.contains(&key);
        wanted.then(|| Self {
            key: key.to_owned(),
            severity,
            human: human.to_owned(),
            expression: Expr::parse(expression).ok(),
        })
    }

    /// Parses a rule of a published type.
    pub fn published(constraint: &Constraint) -> Option<Self> {
        let severity = match constraint.severity {
            Published::Error => Severity::Error,
            Published::Warning => Severity::Warning,
        };
        let expression = constraint.expression.unwrap_or_default();
        Self::new(constraint.key, severity, constraint.human, expression)
    }
}
