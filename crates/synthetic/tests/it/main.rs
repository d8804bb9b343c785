//! Scenarios through the public door.

mod generated;
mod splits;
mod tools;
