//! The consent engine through its public door.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers outside of test functions are tests too; figures and skips are told aloud"
)]

mod labels;
mod pcf;
mod performance;
mod properties;
mod published;
mod scenarios;
mod short;
