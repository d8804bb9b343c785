//! What validation finds.

use std::ops::Range;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The content is not valid.
    Error,
    /// The content is valid, and something about it is not as it should be.
    Warning,
    /// Something worth knowing, such as what could not be checked.
    Information,
}

impl Severity {
    /// The code of `OperationOutcome.issue.severity`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

/// What sort of finding it is: the codes of `OperationOutcome.issue.code` that validation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The structure of the content is wrong.
    Structure,
    /// An element is missing.
    Required,
    /// A value is not permitted.
    Value,
    /// A rule in FHIRPath is broken.
    Invariant,
    /// A code is not in the value set.
    CodeInvalid,
    /// An extension is not known, or stands where it must not.
    Extension,
    /// Something that the content points to was not found.
    NotFound,
    /// Something could not be checked.
    NotSupported,
    /// The content has more findings than are listed.
    TooCostly,
}

impl Code {
    /// The code as `OperationOutcome.issue.code` spells it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Required => "required",
            Self::Value => "value",
            Self::Invariant => "invariant",
            Self::CodeInvalid => "code-invalid",
            Self::Extension => "extension",
            Self::NotFound => "not-found",
            Self::NotSupported => "not-supported",
            Self::TooCostly => "too-costly",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How grave it is.
    pub severity: Severity,
    /// What sort it is.
    pub code: Code,
    /// FHIRPath to the element, from the resource that was given.
    pub expression: String,
    /// What is wrong and what to do, for a person.
    pub message: String,
    /// The profile whose rule it is; `None` for the rules of the type itself.
    pub profile: Option<String>,
    /// Where the element stands in the text, in bytes.
    pub range: Range<usize>,
}

impl Issue {
    /// Whether the content is refused because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Line and column of a byte in a text, both from 1, the column in characters.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before.get(start..).unwrap_or_default().chars().count() + 1)
}

/// The findings as an OperationOutcome, in JSON. Without findings it says that all is well, since
/// an OperationOutcome has at least one issue.
pub fn operation_outcome(issues: &[Issue], text: &str) -> String {
    use fhir::json::quote;
    if issues.is_empty() {
        return r#"{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational","details":{"text":"no issues were found"}}]}"#.into();
    }
    let mut out = String::from(r#"{"resourceType":"OperationOutcome","issue":["#);
    for (at, issue) in issues.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let (line, column) = line_and_column(text, issue.range.start);
        let place = format!("line {line}, column {column}");
        let rule = match &issue.profile {
            Some(profile) => format!("{place}; profile {profile}"),
            None => place,
        };
        out.push_str(&format!(
            r#"{{"severity":"{}","code":"{}","details":{{"text":{}}},"diagnostics":{},"expression":[{}]}}"#,
            issue.severity.code(),
            issue.code.code(),
            quote(&issue.message),
            quote(&rule),
            quote(&issue.expression),
        ));
    }
    out.push_str("]}");
    out
}
