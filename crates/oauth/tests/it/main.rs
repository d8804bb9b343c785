//! Properties of scopes: granting never adds anything, and what is written is read again.
#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

mod properties;
