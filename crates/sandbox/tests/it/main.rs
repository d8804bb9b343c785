//! Programs through the sandbox: true ones give what the pooled rows give, hostile ones get nowhere.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its data has failed")]

extern crate consilium_sandbox as sandbox;

mod asking;
mod bytes;
mod component;
mod cost;
mod hostile;
mod rounds;
mod told;
