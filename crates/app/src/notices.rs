//! Word between persons in charge at two institutions, and what it is about: matters that are followed
//! to their end, each a FHIR Task at both sides.

pub mod matter;
pub mod overdue;
pub(crate) mod post;

pub use matter::{Kind, Matter, State};
