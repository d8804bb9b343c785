//! Is this the same person? Scores for pairs of patient records, each explained field by field,
//! and the searches that find the records worth comparing.
//!
//! The method is that of Fellegi and Sunter (1969) with comparators that know how demographics go
//! wrong (misspelt, familiar, exchanged and changed names, slips in dates and numbers), weights
//! by the frequency of the name, and relatives as alternatives to be ruled out: twins, siblings,
//! spouses, parents and namesakes must not merge. Weights and thresholds stand in `weights.toml`.
//!
//! Only [`Grade::Certain`] may be followed without a person's decision, and only when [`decide`]
//! finds it alone.

mod address;
mod birth;
mod blocking;
mod candidates;
pub mod clk;
mod compare;
pub mod evaluate;
mod field;
mod frequency;
mod identifier;
mod known;
mod model;
mod name;
mod nickname;
mod person;
mod rules;
mod score;
mod text;

pub use address::Address;
pub use birth::PartialDate;
pub use blocking::{BlockingKey, MAX_SEARCHES, blocking_keys};
pub use candidates::{Match, decide, match_patient};
pub use field::Field;
pub use frequency::{Frequencies, InvalidFrequencies};
pub use model::{InvalidModel, Model, Thresholds};
pub use name::Name;
pub use person::{Gender, MultipleBirth, Person};
pub use score::{FieldScore, Grade, Score};
