//! What data sets say of themselves, to people and to programs: HealthDCAT-AP, Croissant, Beacon v2 and
//! RO-Crate.
//!
//! A [`Catalogue`] describes the data sets of an institution ([`description`]); from it come a graph in
//! Turtle and JSON-LD ([`health_dcat`]), a Croissant description ([`croissant`]) and the bodies of a
//! Beacon ([`beacon`]). [`quality`] judges columns by their summaries. [`packed`] describes what was asked
//! and what was answered as Five Safes RO-Crates. All of it is made of descriptions, never of rows: a
//! count comes in with noise and rounded ([`NoisyCount`]), and equal input gives equal bytes.

pub mod beacon;
pub mod count;
pub mod croissant;
pub mod description;
pub mod graph;
pub mod health_dcat;
pub mod packed;
pub mod quality;
pub mod words;

pub use count::{CountRule, NoisyCount, Percent, Shown};
pub use description::{Catalogue, Dataset, Gap};
pub use words::{Date, Email, Invalid, Iri, Language, Slug, Texts};
