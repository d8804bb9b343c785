//! Pages about apps: what one asks for, what was allowed, which can be opened, which are
//! registered.

pub mod allowed;
pub mod consent;
pub mod offered;
pub mod onward;
pub mod patient;
pub mod registry;
pub mod wording;
