//! The audit: what an entry says (IHE BALP shape), who may read it, and the proof that nobody
//! rewrote it.

pub mod accesses;
pub mod alarm;
pub(crate) mod asked;
pub mod event;
pub mod ledger;
pub mod line;
pub mod objection;
pub mod proof;
pub mod reconcile;
pub mod redact;
mod text;
pub mod verify;
pub mod watch;
pub mod witness;
pub mod witnessed;

pub use event::{Agent, Event, Outcome, SignedIn};
