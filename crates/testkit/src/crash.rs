//! What `cargo xtask crash` does: a real node as a child process, killed at random points; and
//! what it had promised by then.

pub mod child;
pub mod load;
pub mod promise;
pub mod rounds;
