//! Statistics whose data stay where they are: a question is answered in rounds of sums.
//!
//! A [`Question`] names an [`Analysis`] of the variables of a data set, whose [`Dictionary`] every
//! institution shares. In each [`Round`] every site computes a vector out of its own rows
//! ([`Question::contribute`]); nothing but the sum of these vectors over the sites goes into
//! [`Progress::take`], which asks for the next round or gives the [`Answer`]. Whoever adds the
//! vectors need not see one of them: the privacy crate adds them in secret.
//!
//! Where mathematics allows, the answer is the one that the pooled rows give, to rounding.

pub mod answer;
mod basis;
pub mod boosting;
mod columns;
pub mod compare;
pub mod csv;
pub mod describe;
mod design;
pub mod dictionary;
pub mod formula;
pub mod frame;
mod likeness;
mod logit;
pub mod meta;
pub mod mixed;
pub mod perceptron;
mod plan;
pub mod program;
pub mod question;
pub mod regression;
pub mod rounds;
pub mod structure;
mod sum;
pub mod survival;
pub mod validation;
pub mod weighting;

pub use answer::Answer;
pub use dictionary::{Dictionary, Kind, Variable};
pub use formula::Formula;
pub use frame::{Column, Frame};
pub use question::{Analysis, Question};
pub use regression::{Penalty, Regression, Ties};
pub use rounds::{Contribution, Entry, Failure, Layout, Progress, Refusal, Round, Step, Sums};
