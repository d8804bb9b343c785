//! Researchers' own programs: taken in here or fetched from whoever coordinates a project that names
//! them, shown to those who decide, and run in the sandbox over the rows of a data set.
//!
//! A program is known by the SHA-256 of its bytes and by nothing else. A project names it with what it
//! may read, ask for and use ([`wire::research::NamedProgram`]); who approves the project approves that, and
//! every party holds what is asked and what the bytes do to it by itself. What a program is and what holds
//! whatever it does is in the crate `sandbox`.

mod machine;
mod named;
mod run;
mod shelf;

pub use named::Draft;
pub use shelf::{Described, MOST, bytes, upload};

pub(crate) use machine::State;
pub(crate) use named::{name, of, verify};
pub(crate) use run::{Conversation, Halt, Run, begin, contribute};
pub(crate) use shelf::{give, take, wanted};

/// The side space of the bytes of programs, and of how often they failed over rows.
pub(crate) const SPACE: &str = "programs";
/// The rule by which a program, or what is asked of it, is refused.
pub(crate) const RULE: &str = "program";
