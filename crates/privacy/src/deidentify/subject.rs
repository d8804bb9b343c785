//! Whose record a resource is part of: what dates move by, and what free text may name.

use fhir::Resource;

use super::dates;
use super::text::Known;

/// The patient that a resource is about, or nobody.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    pub(super) patient: Option<String>,
    pub(super) birth_year: Option<i16>,
    pub(super) known: Known,
}

impl Subject {
    /// Nobody: an organisation, a medication. Dates cannot be shifted then, and ages are left out.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// The patient of a Patient resource, with the names, addresses, numbers and identifiers that
    /// it holds as values to look for in texts.
    pub fn of(patient: &Resource) -> Self {
        let mut known = Known::default();
        known.learn(patient);
        Self {
            patient: patient.id().map(|id| id.as_str().to_owned()),
            birth_year: patient.root().str_at("birthDate").and_then(|text| dates::year(&text)),
            known,
        }
    }

    /// Adds the values of somebody else who may be named in the texts of this record:
    /// Practitioner, RelatedPerson, Organization, Location.
    pub fn with(mut self, other: &Resource) -> Self {
        self.known.learn(other);
        self
    }

    /// Whether the person may be older than 89 in the reference year; also where nobody knows.
    pub(super) fn may_be_old(&self, reference_year: i16) -> bool {
        self.birth_year.is_none_or(|year| !dates::shown(year, reference_year))
    }
}
