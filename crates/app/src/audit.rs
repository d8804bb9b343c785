//! The audit: what an entry says (IHE BALP shape), who may read it, and the proof that nobody
//! rewrote it.

pub mod accesses;
pub mod event;
mod text;
pub mod verify;

pub use event::{Agent, Event, Outcome};
