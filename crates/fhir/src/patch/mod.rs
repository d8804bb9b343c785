//! Changes to a resource that travel as documents. JSON Patch is here; FHIRPath Patch, which
//! needs FHIRPath, is `fhirpath::patch`.

pub mod equality;
pub mod json;
pub mod pointer;
