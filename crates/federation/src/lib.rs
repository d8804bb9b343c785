//! Consilium: federation.
