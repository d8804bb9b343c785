//! Whether a resource is what its type and its profiles say.
//!
//! A [`Validator`] holds the published definitions of R4 and the profiles of the packages it was
//! given. [`Validator::validate`] walks an instance once by its type: structure, formats, numbers,
//! bindings, rules in FHIRPath, references, extensions. Each profile is then a second, much
//! smaller walk, since a profile is kept only as what it says beyond its type (`slim.rs`).

mod codes;
mod invariant;
mod issue;
mod pack;
mod package;
mod place;
mod profile;
mod shape;
mod slim;

mod validator;
mod walk;

pub use codes::NoCodes;
pub use issue::{Code, Issue, Severity, line_and_column, operation_outcome};
pub use pack::{InvalidPack, Pack};
pub use package::{InvalidPackage, MAX_FILES, MAX_UNPACKED_BYTES, Package};
pub use validator::{Level, MAX_ISSUES, Options, Validator};
