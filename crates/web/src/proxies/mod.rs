//! Pages about people who act for a patient: the patient's own list of them, the choice for whom
//! somebody acts, and the privacy officer's list.

pub mod acting;
pub mod limits;
pub mod mine;
pub mod office;
pub mod relationship;
