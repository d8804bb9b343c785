//! Consilium: app.
