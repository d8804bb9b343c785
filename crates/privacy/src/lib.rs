//! What leaves an institution when a question is asked of its patients, and in which form.

pub mod aggregate;
pub mod budget;
pub mod deidentify;
pub mod disclosure;
pub mod twin;
