//! De-identification.

mod anonymity;
mod dicom;
mod dicom_beyond;
mod lint;
mod notes;
mod properties;
mod recipes;
mod synthea;
