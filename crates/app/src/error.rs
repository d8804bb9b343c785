//! Why a use case was refused or failed: about ten kinds, each with a message for the caller.
//!
//! HTTP statuses are chosen at the edge. A message never carries personal data, a token or a body.

use store::StoreError;

/// The result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of refusal or failure it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be understood. The code is an OperationOutcome issue code.
    Invalid(&'static str),
    /// Nobody is signed in, or the session has ended.
    Unauthenticated,
    /// A second factor is needed, or the last one is older than `max_age_s`.
    StepUp {
        /// How old the second factor may be, in seconds.
        max_age_s: u32,
    },
    /// The caller may know that it exists and may not have it.
    Forbidden,
    /// It does not exist, or the caller may not know that it does.
    NotFound,
    /// It was deleted, or the page of results has expired.
    Gone,
    /// Something else changed it first.
    Conflict,
    /// A condition that the caller stated does not hold.
    Precondition,
    /// Several resources match where one is needed.
    MultipleMatches,
    /// The content breaks a rule.
    Unprocessable,
    /// It would cost more than the node is willing to spend.
    TooCostly,
    /// Not offered.
    NotSupported,
    /// The node is overloaded for the moment.
    Busy,
    /// The node failed. The message is for the operator's log and is not shown.
    Internal,
}

/// A refusal or failure with its message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind it is.
    pub kind: Kind,
    /// What to tell, in English: lower case, no full stop, says what to do.
    pub message: String,
    /// The rule that decided, where policy did.
    pub rule: Option<String>,
    /// The whole OperationOutcome in JSON, where there is more to tell than the message.
    pub outcome: Option<String>,
    /// The element at fault in FHIRPath, `Bundle.entry[3]` for example.
    pub expression: Option<String>,
}

impl Error {
    /// A new error.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), rule: None, outcome: None, expression: None }
    }

    /// The same error, naming the rule that decided.
    pub fn by_rule(self, rule: impl Into<String>) -> Self {
        Self { rule: Some(rule.into()), ..self }
    }

    /// The same error with a whole OperationOutcome in JSON.
    pub fn explained(self, outcome: String) -> Self {
        Self { outcome: Some(outcome), ..self }
    }

    /// The same error, naming the element at fault in FHIRPath.
    pub fn at(self, expression: impl Into<String>) -> Self {
        Self { expression: Some(expression.into()), ..self }
    }

    /// A request that cannot be understood; `code` is an OperationOutcome issue code.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid(code), message)
    }

    /// Absent, or not to be known of: one message for both.
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "there is no such resource, or you may not see it")
    }

    /// The node's own fault.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Conflict { .. } | StoreError::GuardFailed => Kind::Conflict,
            StoreError::AuditImmutable => Kind::NotSupported,
            StoreError::TooCostly { .. } => Kind::TooCostly,
            StoreError::Busy => Kind::Busy,
            StoreError::Failed(_) => Kind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}
