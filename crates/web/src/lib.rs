//! Consilium: web.
