//! Accounts and sessions through the public door, over the in-memory store.
#![cfg(test)]

mod accounts;
mod authenticator;
mod passkeys;
mod properties;
mod sessions;
mod signing_in;
mod support;
