//! What `cargo xtask bench` measures, one module for each part.

pub mod audit;
pub mod cohorts;
pub mod import;
pub mod lake;
pub mod matching;
pub mod memory;
pub mod peers;
pub mod permission;
pub mod reads;
pub mod record;
pub mod rounds;
pub mod scale;
pub mod server;
pub mod subscriptions;
pub mod sums;
pub mod unaudited;
pub mod wire;
pub mod workload;
pub mod writes;

use std::path::PathBuf;

/// What holds for all parts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder with Synthea's bundles; without it, patients are generated.
    pub data: Option<PathBuf>,
    /// Small sizes, to see that everything runs.
    pub quick: bool,
    /// Seed of everything that is made up.
    pub seed: u64,
    /// Questions for a longitudinal record in each setting.
    pub questions: usize,
}
