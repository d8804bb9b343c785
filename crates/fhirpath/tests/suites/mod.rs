//! Outside conformance suites that need nothing but FHIR data and FHIRPath, one module each. The
//! tests of this crate and `cargo xtask conformance` run the same code.

pub mod fhirpath_patch;
pub mod fhirpath_r4;
pub mod json_patch;
pub mod sql_on_fhir;

use fhir::{Kind, Value};

/// Outcome of one suite.
pub struct Suite {
    /// Name for the report.
    pub name: &'static str,
    /// Cases run.
    pub total: usize,
    /// Cases that failed: name and what went wrong.
    pub failed: Vec<(String, String)>,
    /// Cases that are known to fail, each with the reason.
    pub exceptions: &'static [(&'static str, &'static str)],
}

impl Suite {
    /// A suite without outcomes.
    pub fn new(name: &'static str, exceptions: &'static [(&'static str, &'static str)]) -> Self {
        Self { name, total: 0, failed: Vec::new(), exceptions }
    }

    /// Counts a case.
    pub fn count(&mut self, case: &str, outcome: Result<(), String>) {
        self.total += 1;
        if let Err(fault) = outcome {
            self.failed.push((case.to_owned(), fault));
        }
    }

    /// Cases that failed without being known to, and known ones that do not fail any more.
    pub fn surprises(&self) -> Vec<String> {
        let known = |case: &str| self.exceptions.iter().any(|(name, _)| *name == case);
        let failed = |case: &str| self.failed.iter().any(|(name, _)| name == case);
        let new = self.failed.iter().filter(|(case, _)| !known(case));
        let gone = self.exceptions.iter().filter(|(case, _)| !failed(case));
        new.map(|(case, fault)| format!("{case}: {fault}"))
            .chain(gone.map(|(case, _)| format!("{case}: passes, but is listed as an exception")))
            .collect()
    }

    /// The report: `name passed/total`, then one line for each exception and each surprise.
    pub fn report(&self) -> String {
        let mut out = format!("{} {}/{}", self.name, self.total - self.failed.len(), self.total);
        for (case, reason) in self.exceptions {
            out += &format!("\n  exception {case}: {reason}");
        }
        for surprise in self.surprises() {
            out += &format!("\n  FAILED {surprise}");
        }
        out
    }
}

/// A value in one form, whatever the order of its members and its white space: strings by their
/// characters, numbers by their digits as written.
pub fn canonical(value: Value<'_>) -> String {
    match value.kind() {
        Kind::Object => {
            let mut members: Vec<_> =
                value.members().map(|m| format!("{:?}:{}", m.name(), canonical(m.value))).collect();
            members.sort();
            format!("{{{}}}", members.join(","))
        }
        Kind::Array => {
            let items: Vec<_> = value.items().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Kind::String => format!("{:?}", value.as_str().unwrap_or_default()),
        _ => value.raw().to_owned(),
    }
}
