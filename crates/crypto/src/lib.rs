//! Consilium: crypto.
