//! What `cargo xtask crash` does: a real node as a child process, killed at random points; and
//! what it had promised by then.

use std::path::PathBuf;

pub mod child;
pub mod deliveries;
pub mod load;
pub mod promise;
pub mod rounds;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program `consilium`.
    pub binary: PathBuf,
    /// Where the node's folder is made.
    pub folder: PathBuf,
    /// How many times the serving node is killed.
    pub rounds: u32,
    /// Seed of the points in time and of what is written.
    pub seed: u64,
}
