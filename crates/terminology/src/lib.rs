//! Code systems, value sets and concept maps: what a code means.
//!
//! A [`Terminology`] answers over [`Layer`]s of definitions: those that are part of the program
//! ([`embedded`]), those that were loaded from files ([`load`]), and the resources of a node's
//! store. It does no input or output and can be shared between threads.

mod compile;
mod concept_map;
mod error;
mod expand;
mod filter;
mod grammar;
mod layer;
pub mod load;
mod lookup;
mod pack;
mod render;
mod subsumes;
mod system;
mod terms;
mod text;
mod translate;
mod validate;
mod value_set;
mod versions;

pub use compile::Membership;
pub use concept_map::{ConceptMap, Element, Group, Mapping, Unmapped};
pub use error::Error;
pub use expand::{Entry, Expand, Expansion, MAX_EXPANSION};
pub use grammar::{GRAMMARS, Grammar};
pub use layer::{Definition, Kind, Layer};
pub use lookup::Found;
pub use pack::{embedded, write as write_pack};
pub use render::{definition, expansion, lookup as lookup_answer, translation, validation};
pub use subsumes::Subsumption;
pub use system::{
    Builder, CodeSystem, Concept, Content, DamagedFile, Designation, Details, Head, Property,
    PropertyValue, Row,
};
pub use terms::Terminology;
pub use translate::{Match, Translate, Translation};
pub use validate::{Checked, CodingRef, Issue, Severity, Validate};
pub use value_set::{Component, Filter, Listed, ValueSet};
pub use versions::Versions;
