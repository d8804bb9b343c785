//! Consent: what patients decide, how it reaches every holder of their records, and how it is
//! overridden in an emergency.

pub mod break_glass;
pub mod decide;
pub mod deliver;
pub mod paper;
pub mod people;
pub mod point_of_care;
pub mod research;
pub mod simulate;
pub mod standing;
pub(crate) mod token;
pub(crate) mod who;
