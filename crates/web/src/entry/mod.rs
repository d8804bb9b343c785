//! The door: sign-in and the second factor.

pub mod outside;
pub mod sign_in;
pub mod step_up;
