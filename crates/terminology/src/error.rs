//! Why a question about terminology has no answer.

/// Why a question about terminology has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The value set is not known.
    #[error("the value set `{0}` is not known to this server")]
    UnknownValueSet(String),
    /// The concept map is not known.
    #[error("the concept map `{0}` is not known to this server")]
    UnknownConceptMap(String),
    /// The code system is not known, or known by name only.
    #[error("the content of the code system `{0}` is not available on this server")]
    NoContent(String),
    /// The code is not in the code system.
    #[error("the code `{code}` is not in the code system `{system}`")]
    UnknownCode {
        /// The code system.
        system: String,
        /// The code.
        code: String,
    },
    /// The answer would be too large, or finding it too much work.
    #[error("{0}")]
    TooCostly(String),
    /// The question cannot be understood.
    #[error("{0}")]
    Invalid(String),
    /// The question is understood but not supported.
    #[error("{0}")]
    NotSupported(String),
}

impl Error {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// The code of FHIR's `issue-type` that fits.
    pub fn issue_type(&self) -> &'static str {
        match self {
            Self::UnknownValueSet(_) | Self::UnknownConceptMap(_) | Self::NoContent(_) => {
                "not-found"
            }
            Self::UnknownCode { .. } => "not-found",
            Self::TooCostly(_) => "too-costly",
            Self::Invalid(_) => "invalid",
            Self::NotSupported(_) => "not-supported",
        }
    }
}
