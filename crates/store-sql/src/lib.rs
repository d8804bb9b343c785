//! Consilium: store-sql.
