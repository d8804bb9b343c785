//! Who may do what, and which data may go where: facts in, decision and reasons out.
//!
//! Two engines answer one after the other. [`Engine`] decides role × purpose × relation × action
//! under conditions such as a fresh second factor, with the Cedar policies of `policies/`; its
//! whole matrix is printed by [`table::print`]. [`consent`] then decides item by item what the
//! patient's FHIR Consents and the network's default let another organisation see.
//!
//! Both are pure: no input or output, no clock, no chance. The time is a parameter.

pub mod agreement;
pub mod consent;
pub mod label;
pub mod labels;
pub mod obligations;
pub mod purpose;
mod states;
pub mod table;

mod engine;
mod memo;
mod question;

pub use engine::{Engine, PolicyError};
pub use purpose::Purpose;
pub use question::{Action, BreakGlass, Content, Decision, Question, Reason, Relation, Role};
