//! Statistics of many sites beside the statistics of their pooled rows.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where it finds something wrong, and says its figures"
)]

mod analyses;
mod boosting;
mod comparing;
mod describing;
mod formulas;
mod hard;
mod likelihood;
mod network;
mod pooled;
mod pooling;
mod splits;
mod structuring;
mod surviving;
mod tables;
mod weighing;
