//! What was asked and what was answered, each as a Five Safes RO-Crate 0.4 (RO-Crate Metadata 1.2).
//!
//! Here is the metadata file `ro-crate-metadata.json`; who packs the crate writes it beside the files
//! that it lists with digest and size. The order of entities and of their properties is fixed, so that
//! the same project gives the same bytes.
//!
//! Sources: RO-Crate Metadata Specification 1.2; Five Safes RO-Crate profile 0.4 (TRE-FX, 2023).

mod action;
mod check;
mod entity;
mod file;
mod request;
mod result;

pub use action::{Action, Actor, Phase, Status};
pub use check::{Fault, check};
pub use entity::metadata_name;
pub use file::PackedFile;
pub use request::{Organization, Person, Project, Request, request};
pub use result::{Answered, result};

/// Most files of a crate.
pub const MOST_FILES: usize = 1_000;
/// Most people, approvals or checks of a crate.
pub const MOST_ACTIONS: usize = 1_000;
/// The profile that a crate follows.
pub const PROFILE: &str = "https://w3id.org/5s-crate/0.4";
/// The version of RO-Crate.
pub const VERSION: &str = "https://w3id.org/ro/crate/1.2";
