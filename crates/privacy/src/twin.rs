//! A synthetic twin of a table: rows that look like it and belong to nobody, for writing and trying
//! analyses outside.
//!
//! The way is that of MST (McKenna, Miklau, Sheldon, Journal of Privacy and Confidentiality 11, 2021):
//!
//! 1. [`Table`] says what the columns can hold; numbers are counted between edges that the dictionary
//!    gives, never the data.
//! 2. [`Counts`] are the counts of every column and every pair of columns. They add up over sites, so
//!    that they can come out of a secret sum ([`Counts::to_vector`], [`Counts::of_vector`]).
//! 3. [`measure`] adds noise to the counts of every column, chooses privately which pairs to keep (a
//!    tree of them, or less where noise would drown them) and adds noise to these. It spends a stated
//!    [`crate::budget::Cost`] and no more. Where the sum itself was made noisy
//!    ([`crate::aggregate::Summation::add_noise`]), [`Measured::of_noisy`] takes it as it comes.
//! 4. [`Twin::fit`] makes the noisy counts agree with each other, and [`Twin::rows`] draws rows. Both see
//!    noisy counts only, so that no number of rows costs more.
//!
//! What a twin keeps is the law of each column and of the pairs in the tree; everything else is as if
//! independent given these. Nothing may be concluded from it about people; [`distance`] says how far it
//! is off.

mod counts;
mod distance;
mod fit;
mod measure;
mod rows;
mod table;

pub use counts::Counts;
pub use distance::{Distance, distance};
pub use fit::Twin;
pub use measure::{Measured, measure};
pub use rows::MOST_ROWS;
pub use table::{Cells, Column, MOST_CELLS, MOST_COLUMNS, MOST_COUNTS, Table, TwinError, Value};
