//! What must never leave, over generated patients.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers outside of test functions are tests too; seeds and figures are told aloud"
)]

mod leaks;
