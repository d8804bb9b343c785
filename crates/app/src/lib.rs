//! Use cases: the one place where the order authenticate → authorise → snapshot → engine →
//! commit with audit exists.
//!
//! A use case is a plain blocking function over [`App`]; the edges run it off the async threads
//! with [`App::run`]. Those that talk to other nodes are async.

pub mod accounts;
pub mod agreements;
pub mod apps;
pub mod audit;
pub mod authorise;
pub mod budget;
pub mod bulk;
pub mod caller;
pub mod catalog;
pub mod cohorts;
pub mod consent;
pub mod error;
pub mod extracts;
pub mod governance;
pub mod jobs;
pub mod lake;
pub mod later;
pub mod locator;
pub mod notices;
pub mod notify;
pub mod operate;
pub mod programs;
pub mod projects;
pub mod proxies;
pub mod records;
pub mod release;
pub mod rounds;
pub mod services;
pub mod session;
pub mod terminology;
pub mod views;
pub mod workspace;

pub use caller::{Caller, Evidence, Granted, User};
pub use error::{Error, Kind, Result};
pub use services::{App, Organisation, Services, Settings};
