//! Whole-path tests: real nodes with their stores, keys and doors in one process, spoken to over
//! HTTP as people's programs and other hospitals do.


mod client;
mod hospitals;

mod paging;

mod rest;
mod searches;
mod transactions;
