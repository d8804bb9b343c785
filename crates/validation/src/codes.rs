//! Validation without a terminology.

use fhirpath::Codes;

/// Knows no code: what depends on one is reported as not checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCodes;

impl Codes for NoCodes {
    fn is_member(&self, _: &str, _: Option<&str>, _: &str) -> Option<bool> {
        None
    }

    fn is_code(&self, _: &str, _: &str) -> Option<bool> {
        None
    }

    fn is_same_or_above(&self, _: &str, _: &str, _: &str) -> Option<bool> {
        None
    }
}
