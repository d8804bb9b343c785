//! The whole path: questions over made-up and Synthea people, against a second reading of the rules.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and speaks by printing"
)]

extern crate consilium_population as population;

mod distinct;
mod generated;
mod naive;
mod oracle;
mod questions;
mod synthea;
mod updates;

use std::path::PathBuf;

/// A folder of the shared material; `None`, said aloud, where it is absent.
fn shared(folder: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("CONSILIUM_SHARED") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
    };
    let found = root.join(folder);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: `{}` is absent; set CONSILIUM_SHARED", found.display());
    None
}
