//! Sign-in, second factor and sessions, each recorded.

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Kind, Result, User};

/// A session just opened.
pub struct SignedIn {
    /// The bearer token or cookie value; shown once.
    pub token: String,
    /// Seconds until the session ends at the latest.
    pub expires_in_s: i64,
    /// Who signed in.
    pub user: User,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user.id).finish_non_exhaustive()
    }
}
