//! Who is behind a request.

use fhir::Id;

use crate::account::{Account, Role};
use crate::passkey::Standing;

/// How long a second factor counts as fresh, in milliseconds.
pub const FRESH_MFA_MS: i64 = 300_000;

/// A person or program that is signed in, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account.
    pub account_id: String,
    /// Its username.
    pub username: String,
    /// What pages call the person.
    pub display_name: String,
    /// The role at this moment.
    pub role: Role,
    /// The Patient of an account of role patient.
    pub patient: Option<Id>,
    /// Reference to the Practitioner, where there is one.
    pub practitioner: Option<String>,
    /// Id of the RelatedPerson as whom the session acts for a patient; whether that may still be is
    /// for others to say.
    pub acting: Option<String>,
    /// Authentication methods (RFC 8176): `pwd`, `otp`, `pop` and `user` for a passkey, and `mfa`
    /// where they are two factors.
    pub amr: Vec<&'static str>,
    /// What stands between the session and the node's work.
    pub standing: Standing,
    /// When the user signed in, in milliseconds since the Unix epoch.
    pub auth_time_ms: i64,
    /// When a second factor was last given.
    pub mfa_time_ms: Option<i64>,
    /// When the session began.
    pub created_ms: i64,
    /// When the session was last used, to the minute.
    pub last_seen_ms: i64,
    /// When the session ends even if it is used all the time.
    pub expires_ms: i64,
}

impl Principal {
    /// Whether a second factor was given within the last five minutes. One that lies in the future
    /// is not fresh: the clock is wrong.
    pub fn is_mfa_fresh(&self, now_ms: i64) -> bool {
        is_fresh(self.mfa_time_ms, now_ms)
    }

    pub(crate) fn new(
        account: &Account,
        session: &crate::session::Record,
        standing: Standing,
        limit_ms: i64,
    ) -> Self {
        Self {
            amr: session.amr(),
            standing,
            account_id: account.id.clone(),
            username: account.username.as_str().to_owned(),
            display_name: account.display_name.clone(),
            role: account.role,
            patient: account.patient.clone(),
            practitioner: account.practitioner.clone(),
            acting: session.acting.clone(),
            auth_time_ms: session.auth_time_ms,
            mfa_time_ms: session.mfa_time_ms,
            created_ms: session.created_ms,
            last_seen_ms: session.last_seen_ms,
            expires_ms: session.created_ms.saturating_add(limit_ms),
        }
    }
}

/// Whether `at_ms` lies within the last five minutes.
pub(crate) fn is_fresh(at_ms: Option<i64>, now_ms: i64) -> bool {
    let age = |given: i64| now_ms.checked_sub(given);
    at_ms.and_then(age).is_some_and(|age| (0..=FRESH_MFA_MS).contains(&age))
}
