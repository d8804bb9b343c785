//! `POST /network/v1/match`: is this person known to you?

use serde::{Deserialize, Serialize};

use crate::raw::Raw;

/// Asks for patients that may be the same person (the question of FHIR `Patient/$match`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchRequest {
    /// A FHIR R4 `Patient` with the demographics to match on.
    pub patient: Raw,
    /// At most how many candidates to return.
    #[serde(default = "default_count")]
    pub count: u32,
    /// Whether only certain matches are wanted.
    #[serde(default)]
    pub only_certain: bool,
    /// Digest of the statements on which the asker's agreements with the responder rest, so that a
    /// responder that knows others notices; lower-case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreements: Option<String>,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchResponse {
    /// The sum of it.
    pub outcome: MatchOutcome,
    /// Best first.
    pub candidates: Vec<Candidate>,
}

/// The sum of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchOutcome {
    /// Exactly one candidate is certain.
    Certain,
    /// There are candidates, and a person must decide.
    Possible,
    /// There is no candidate, or none whose existence may be known.
    NoMatch,
}

/// One patient that may be the person asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// Its `Patient` id at the responder.
    pub patient_id: String,
    /// Probability of being the same person, 0 to 1.
    pub score: f64,
    /// The score as a word.
    pub grade: Grade,
    /// How each field contributed.
    pub fields: Vec<FieldScore>,
    /// A FHIR `Patient` with no more than what tells people apart.
    pub patient: Raw,
}

/// The words of the FHIR `match-grade` code system, without `certainly-not`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// The same person beyond reasonable doubt.
    Certain,
    /// Probably the same person.
    Probable,
    /// Perhaps the same person.
    Possible,
}

/// The part one field had in a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldScore {
    /// Which field, such as `birthDate`.
    pub name: String,
    /// How well it agrees, in the matcher's words, such as `exact`, `close`, `differs`, `missing`.
    pub agreement: String,
    /// Its weight in bits (log2 of the likelihood ratio); negative speaks against a match.
    pub weight: f64,
}

fn default_count() -> u32 {
    10
}
