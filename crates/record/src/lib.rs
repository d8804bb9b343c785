//! Many sources, one longitudinal view of a patient, without destroying anything.
//!
//! A [`Record`] takes resources as they arrive from each [`Source`] and keeps every one as it
//! was written. Over them it computes, whenever asked, a [`View`]:
//!
//! * [`Cluster`]s link items that state the same fact, with the evidence for it. A cluster is a
//!   clique: each two of its items are the same fact by a rule, so nothing is chained together.
//! * [`Conflict`]s name what sources disagree on, in a sentence that a clinician can act on.
//! * [`Summary`] is what a page shows: rows that know which items and organisations they are from.
//!
//! [`Record::bundle`] writes the same as a FHIR Bundle. Nothing here reads a clock, and the order
//! in which items arrive never changes the result.

mod amount;
mod bundle;
mod cluster;
mod conflict;
mod demographics;
mod dose;
mod drug;
mod entry;
mod fact;
mod read;
mod record;
mod same;
mod source;
mod splice;
mod summary;
mod view;

pub use cluster::{Cluster, ClusterReason, Rule};
pub use conflict::{Conflict, ConflictKind, Severity};
pub use record::{AddError, Item, ItemRef, MAX_ITEMS, MAX_SOURCES, Record};
pub use source::{Source, SourceState, SourceStatus};
pub use summary::{
    Document, Flag, Measurement, Moment, Origin, Person, Point, ReferenceRange, Row, Section,
    Series, Summary,
};
pub use view::View;
