//! Consilium: wire.
