//! Consilium: node.
