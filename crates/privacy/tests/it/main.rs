//! The crate through its public door.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and speaks by printing"
)]

extern crate consilium_privacy as privacy;

mod aggregate;
mod budget;
mod deidentify;
mod disclosure;
mod twin;

use std::path::PathBuf;

/// A generator with a printed seed.
pub fn random(seed: u64) -> rand_chacha::ChaCha20Rng {
    eprintln!("seed {seed}");
    rand::SeedableRng::seed_from_u64(seed)
}

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
