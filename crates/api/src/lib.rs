//! Consilium: api.
