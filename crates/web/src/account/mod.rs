//! The own sign-in: passkeys, one-time codes, recovery codes.

pub mod factors;
pub mod one_time_codes;
pub mod recovery;
