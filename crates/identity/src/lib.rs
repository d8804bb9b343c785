//! Consilium: identity.
