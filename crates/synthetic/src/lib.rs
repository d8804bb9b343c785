//! Synthetic patients: a pure engine that turns a seed into FHIR R4 resources at several hospitals,
//! and splits Synthea's bundles over hospitals in the same shape.
//!
//! [`generate`] makes people with plausible records over years. [`Splitter`] and [`split_bundle`]
//! take the bundles that Synthea writes, one patient each, and deal every resource to exactly one
//! hospital. Both give each hospital its own imperfect copy of the demographics ([`noise`]). Which
//! patients are the same person is in [`Person`] and [`truth`], for checks only.
//!
//! Nothing here reads a clock, a file or ambient randomness: the same arguments give the same bytes.
//! Names, addresses and telephone numbers are invented; Social Security numbers start with 9 and
//! are never issued.

mod ailment;
mod body;
mod calendar;
mod chance;
mod chart;
mod course;
mod demographics;
mod disease;
mod drugs;
mod itinerary;
mod lab;
mod measure;
mod measurement;
mod mistype;
mod names;
pub mod noise;
mod note;
mod people;
mod prevalence;
mod sites;
mod split;
mod story;
mod treat;
mod vaccines;
mod visits;
mod workup;
mod world;

pub use demographics::{Address, Demographics, SSN_SYSTEM};
pub use sites::{Site, organizations, shared, sites};
pub use split::{Directory, SplitError, Splitter, Survey, directory, has_patient, split_bundle};
pub use world::{MAX_PATIENTS, Options, Person, SitePatient, World, generate, truth};
