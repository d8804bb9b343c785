//! Agreements between institutions: what their FHIR `Contract` says, how it stands, and what it
//! lets one of them ask of another.
//!
//! An agreement is a set of signed statements about texts. [`Terms`] is one text, read by
//! [`read`] in a strict profile of FHIR R4 Contract (understood completely or refused by name) and
//! written by [`Terms::text`] in the one form that is signed. [`Dossier`] is the set of statements
//! about one agreement: what it comes to at a given time depends on the set alone and not on the
//! order in which the statements arrived, so that all parties come to the same. [`Agreed`] is what
//! holds at a node, and answers which data of whom may go to whom for what.

mod cover;
mod difference;
mod dossier;
mod element;
mod obligation;
mod read;
mod terms;
#[cfg(test)]
mod tests;
mod write;

pub use cover::{Agreed, Cover, Covering, common};
pub use difference::{Difference, Part, differences};
pub use dossier::{Breach, Dossier, Entered, Said, Standing, State, Statement, Version};
pub use obligation::Obligation;
pub use read::{Fault, draft, read};
pub use terms::{Class, Clause, MAX_TEXT, Party, Terms};
