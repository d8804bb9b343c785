//! Statistics of many sites beside the statistics of their pooled rows.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where it finds something wrong, and says its figures"
)]

mod analyses;
mod boosting;
mod collinear;
mod comparing;
mod describing;
mod forms;
mod formulas;
mod hard;
mod likelihood;
mod network;
mod perceptrons;
mod pooled;
mod pooling;
mod replay;
mod splits;
mod stages;
mod structuring;
mod surviving;
mod tables;
mod weighing;
