//! Consilium: testkit.
