//! What must never leave: generated patients with consents and labelled resources, and an
//! independent reading of the consent rules that says what is forbidden.
//!
//! A test makes a [`World`], asks through whatever door it tests, and looks whether the marker of a
//! resource came out for which [`Oracle::forbidden`] is true:
//!
//! ```ignore
//! let world = World::generate(&Shape { seed: 7, patients: 10, ..Shape::default() });
//! let patient = &world.patients[0];
//! let oracle = Oracle::new(&world, patient, &defaults);
//! for held in &patient.resources {
//!     if oracle.forbidden(&request, &held.resource) {
//!         assert!(!answer.contains(&held.marker));
//!     }
//! }
//! ```

mod generate;
mod oracle;
mod provision;

pub use generate::{Held, Patient, Shape, World};
pub use oracle::Oracle;
