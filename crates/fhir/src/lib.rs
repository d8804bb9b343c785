//! FHIR R4 (4.0.1) as data: lossless JSON, ids, dates, textual edits, typed views and the
//! published definitions.
//!
//! A resource is its own bytes. [`json::Document`] parses them once into a compact table that
//! points back into the text, so decimals keep their digits, unknown content stays, and member
//! order is what the author wrote. Changes are textual edits ([`edit`]); nothing is
//! re-serialised.

pub mod definitions;
pub mod edit;
pub mod id;
pub mod json;
pub mod patch;
pub mod pretty;
pub mod resource;
pub mod subset;
pub mod time;
pub mod tree;
pub mod xml;

pub use definitions::{definitions, resource_type, resource_types};
pub use id::{Id, InvalidId};
pub use json::{Document, Kind, ParseError, Value};
pub use resource::{InvalidResource, Resource};
