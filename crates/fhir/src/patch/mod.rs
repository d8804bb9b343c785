//! Changes to a resource that travel as documents. JSON Patch and XML Patch are here; FHIRPath Patch, which
//! needs FHIRPath, is `fhirpath::patch`.

pub mod equality;
pub mod json;
pub mod pointer;
pub mod xml;
