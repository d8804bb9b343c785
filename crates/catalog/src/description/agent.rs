//! Institutions: who publishes, who decides on access, whom to ask.

use serde::{Deserialize, Serialize};

use super::Concept;
use crate::words::{Email, Iri, Texts};

/// An institution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// Its address as an identifier, such as one of ROR.
    pub iri: Iri,
    /// Its name.
    pub name: Texts,
    /// What it is, of the health publisher types of HealthDCAT-AP.
    pub kind: Option<Concept>,
    /// What it does, in a sentence. Formats that allow one take the English one or the first.
    pub note: Texts,
    /// For mail.
    pub email: Email,
    /// Its page.
    pub homepage: Iri,
    /// Its number, as people dial it.
    pub telephone: Option<String>,
    /// Whether it is a trusted data holder (Regulation (EU) 2025/327, article 72).
    pub is_trusted_holder: bool,
}

/// Whom to ask about a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The name of the office.
    pub name: Texts,
    /// For mail.
    pub email: Email,
    /// Its page.
    pub page: Iri,
}
