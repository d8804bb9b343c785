//! Consilium: synthetic.
