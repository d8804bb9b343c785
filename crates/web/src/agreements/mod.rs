//! Agreements between institutions: the list, one to be read and signed, the form of a draft, and
//! what a patient is told of them.

pub mod form;
pub mod list;
pub mod mine;
pub mod one;
pub mod wording;
