//! Consilium: record.
