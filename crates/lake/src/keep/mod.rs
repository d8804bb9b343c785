//! Tables on disk and in memory, kept current from the change feed.

mod apply;
mod disk;
mod export;
mod flush;
mod index;
mod manifest;
mod open;
mod part;
mod rows;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;

pub use apply::{Applied, Change};
pub use flush::{FLUSH_ROWS, GROW, MAX_PART_ROWS};
pub use open::{Lake, Size};
pub use snapshot::Snapshot;

pub(crate) use part::Stop;
pub(crate) use snapshot::{Seen, TableView};
