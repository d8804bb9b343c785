//! Cohorts: who meets criteria with time relations, step by step, and how many different people that
//! is across institutions.
//!
//! A [`criteria::Cohort`] is the question, with its exact meaning. An [`Index`] holds the people of one
//! institution in memory and counts them ([`Index::count`]): exact numbers, for that institution alone.
//! [`distinct`] turns those who were found into a noisy sketch from which, together with the sketches of
//! other institutions, the number of different people is estimated. [`reading`] makes events of FHIR resources.
//!
//! Everything is pure: the day of the question, threads, keys and noise are parameters.

mod bits;
mod block;
mod count;
pub mod criteria;
pub mod day;
mod dictionary;
pub mod distinct;
pub mod event;
mod index;
mod meets;
mod plan;
pub mod reading;

pub use count::{Attrition, CountError, Counting, Left, MAX_THREADS};
pub use index::{Builder, Index, IndexError, MAX_CODES, MAX_ENCOUNTERS, MAX_EVENTS, Size};
