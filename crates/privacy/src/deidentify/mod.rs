//! De-identification: a record as it may be shown to people who must not know whose it is.
//!
//! A [`Recipe`] says for every element what becomes of it; what no rule names is redacted. It is
//! compiled once ([`CompiledRecipe`]) and applied to one resource at a time under a
//! [`ProjectKey`], for one [`Subject`]. [`safe_harbor`] tells how a recipe answers the eighteen
//! identifiers of 45 CFR 164.514(b)(2). Free text is searched by [`text`], tables are generalised
//! by [`anonymity`], what remains of the risk is told by [`risk`], and [`dicom`] does for files of
//! images what recipes do for resources.

pub mod anonymity;
mod apply;
mod attached;
mod compile;
mod dates;
pub mod dicom;
mod keys;
mod leaf;
mod path;
pub mod postal;
mod recipe;
mod reference;
pub mod risk;
pub mod safe_harbor;
pub mod shipped;
mod subject;
pub mod text;

pub use apply::{Context, Counts, Deidentified};
pub use compile::{CompiledRecipe, InvalidRecipe};
pub use keys::ProjectKey;
pub use recipe::{Action, Basis, Generalise, MAX_RULES, Recipe, Rule};
pub use reference::Links;
pub use subject::Subject;
