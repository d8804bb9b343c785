//! De-identification.

mod anonymity;
mod dicom;
mod lint;
mod notes;
mod properties;
mod recipes;
mod synthea;
