//! What the crate promises, seen from outside.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail and speak this way")]

extern crate consilium_fhirpath as fhirpath;

mod constraints;
mod definitions;
mod extraction;
mod limits;
mod patch;
mod published;
#[path = "../suites/mod.rs"]
mod suites;
mod views;

use std::path::PathBuf;

/// The folder of outside test material, or `None` and a word about it where it is absent.
fn shared(path: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("CONSILIUM_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: `{}` is absent; set CONSILIUM_SHARED", found.display());
    None
}
