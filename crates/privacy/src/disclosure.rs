//! Output checking: may a finding leave?
//!
//! Each part of an answer is checked by the rules for its statistical kind (the "statbarns" of Green,
//! Ritchie, Bailey, Smith: *SACRO, semi-automated checking of research outputs*, 2023) and gets a
//! [`Verdict`] with its [`Evidence`]; the whole is [`Class::Safe`] where every part passed. A reason
//! names rule and place, never a value, and is safe to show to the author; the evidence holds values
//! and is for checkers only.
//!
//! The input types are the crate's own: whoever has an answer says what of it is a table, a model, a
//! curve or a summary.

mod check;
mod flow;
mod linked;
mod model;
mod rounding;
mod rules;
mod statbarn;
mod summary;
mod survival;
mod table;

pub use check::{Checked, Class, DisclosureError, Evidence, Part, Review, Rule, Verdict, check};
pub use linked::check_linked;
pub use model::Model;
pub use rounding::{midpoint, to_base};
pub use rules::Rules;
pub use statbarn::Statbarn;
pub use summary::Summary;
pub use survival::{Step, Survival};
pub use table::{Contributions, SuppressedTable, Table};
