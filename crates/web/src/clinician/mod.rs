//! Pages of the clinician: find a patient, say why, read the record, open it in an emergency.

pub mod ask;
pub mod break_glass;
pub mod find;
pub mod from_record;
pub mod notices;
pub mod propose;
pub mod record;
