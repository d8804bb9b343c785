//! FHIRPath (normative release 1, with the additions of FHIR R4) and the extraction of search
//! index entries that is driven by it.
//!
//! [`search`] turns a resource into index entries by the published SearchParameters.

pub mod search;
