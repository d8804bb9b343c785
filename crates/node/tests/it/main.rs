//! Whole-path tests: real nodes with their stores, keys and doors in one process, spoken to over
//! HTTP as people's programs and other hospitals do.

// Helpers of tests may fail the test as tests themselves do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod audit;
mod client;
mod hospitals;
mod network;
mod paging;
mod refusals;
mod rest;
mod searches;
mod transactions;
