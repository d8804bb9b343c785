//! The matcher through its public door: figures on populations whose truth is known, families
//! that must not merge, and properties that every pair of records must have.

mod families;
mod figures;
mod population;
mod properties;
mod synthea;
