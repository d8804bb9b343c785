//! Consilium: fhirpath.
