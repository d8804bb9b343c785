//! Consilium: matching.
