//! Consilium: policy.
