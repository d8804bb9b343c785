//! Where items come from, and how each source answered.

use fhir::Id;

/// An organisation that holds part of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Short id of the organisation, `north` for example.
    pub org: String,
    /// Name as people know it.
    pub name: String,
    /// Address of its node without the `/fhir` path, `https://north.example:8443` for example.
    pub base_url: String,
    /// The ids under which the patient is known there. Where there are any, items about other
    /// patients of that source are refused.
    pub patients: Vec<Id>,
}

impl Source {
    /// Canonical URI of the organisation, as written into `meta.source`.
    pub fn uri(&self) -> String {
        format!("urn:consilium:org:{}", self.org)
    }

    /// Absolute address of a resource of this source.
    pub fn full_url(&self, type_name: &str, id: &str) -> String {
        format!("{}/fhir/{type_name}/{id}", self.base_url.trim_end_matches('/'))
    }
}

/// How far the answer of one source can be relied on to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceState {
    /// Everything that was asked for has arrived.
    Answered,
    /// The source does not know the patient.
    NoMatch,
    /// The source has a patient who may be this one; a person has to decide.
    PossibleMatch,
    /// The source has more and may not give it.
    Withheld,
    /// No answer within the deadline.
    TimedOut,
    /// Some of the answer arrived.
    Partial,
    /// The source could not be reached.
    Unreachable,
    /// The source refused the question, or could not prove who it is.
    Refused,
    /// The source was not asked: by what it has published, nothing like this patient is known there.
    NotAsked,
}

impl SourceState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Answered,
        Self::NoMatch,
        Self::PossibleMatch,
        Self::Withheld,
        Self::TimedOut,
        Self::Partial,
        Self::Unreachable,
        Self::Refused,
        Self::NotAsked,
    ];

    /// Code in `https://consilium.health/fhir/CodeSystem/source-status`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoMatch => "no-match",
            Self::PossibleMatch => "possible-match",
            Self::Withheld => "withheld",
            Self::TimedOut => "timed-out",
            Self::Partial => "partial",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::NotAsked => "not-asked",
        }
    }

    /// The state with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// What the code means, in a few words.
    pub fn display(self) -> &'static str {
        match self {
            Self::Answered => "Answered in full",
            Self::NoMatch => "Patient not known there",
            Self::PossibleMatch => "A possible match waits for a decision",
            Self::Withheld => "Withheld",
            Self::TimedOut => "No answer in time",
            Self::Partial => "Answered in part",
            Self::Unreachable => "Could not be reached",
            Self::Refused => "Refused",
            Self::NotAsked => "Not asked: nothing like this patient is known there",
        }
    }

    /// Code of FHIR R4 value set issue-type that says the same to any FHIR client.
    pub(crate) fn issue_type(self) -> &'static str {
        match self {
            Self::Answered => "informational",
            Self::NoMatch => "not-found",
            Self::PossibleMatch => "multiple-matches",
            Self::Withheld => "suppressed",
            Self::TimedOut => "timeout",
            Self::Partial => "incomplete",
            Self::Unreachable => "transient",
            Self::Refused => "security",
            Self::NotAsked => "informational",
        }
    }

    /// Code of FHIR R4 value set issue-severity: a warning where something may be missing.
    pub(crate) fn issue_severity(self) -> &'static str {
        match self {
            Self::Answered | Self::NoMatch | Self::NotAsked => "information",
            _ => "warning",
        }
    }
}

/// What one source has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Which source: its number in the record.
    pub source: usize,
    /// How it answered.
    pub state: SourceState,
    /// How many resources it said it would send, where it said so.
    pub expected: Option<usize>,
    /// Sentences for the reader: why it did not answer, what it asks of whoever reads on.
    pub notes: Vec<String>,
}
