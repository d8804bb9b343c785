//! Pages of the patient: the own record (made by [`crate::clinician::record`] for
//! [`Audience::Patient`](crate::clinician::record::Audience::Patient)), who saw it and what the patient
//! objects to, who may see it.

pub mod accesses;
pub mod grant;
pub mod objections;
pub mod permissions;
pub mod preview;
pub mod simulation;
