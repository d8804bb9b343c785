//! Output checking: what passes, what fails and why, and what may be shown instead.

mod findings;
mod tables;
