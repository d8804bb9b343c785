//! Setting up one-time codes, also in place of those of a phone that is gone: the secret before
//! holds until a code of the new one has been given.

use store::Write;

use super::{Sessions, short};
use crate::hidden::Hidden;
use crate::passkey::{Ceremony, PasskeyError};
use crate::session::{SessionError, place};

type Result<T> = std::result::Result<T, PasskeyError>;

/// A secret that is to be put into an authenticator.
#[derive(Clone, Debug)]
pub struct NewCodes {
    /// Names the set-up when it is confirmed; good for five minutes and one try.
    pub ceremony: String,
    /// The secret.
    pub secret: Hidden<Vec<u8>>,
    /// The account's username, for the authenticator's list.
    pub username: String,
}

/// What came of a code for a new secret.
#[derive(Debug)]
pub enum Confirmed {
    /// The secret holds.
    Done,
    /// The code was wrong; the same secret waits on.
    Wrong(NewCodes),
}

impl Sessions {
    /// Begins setting up one-time codes for the session's account. Nothing changes yet.
    ///
    /// Errors: [`PasskeyError::FactorNeeded`] or [`PasskeyError::SignInNeeded`] where the session
    /// has not proved enough lately.
    pub fn begin_one_time_codes(
        &self,
        token: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<NewCodes> {
        let place = place(token).ok_or(SessionError::Unknown)?;
        let (_, record, account) = self.load(&place, now_ms)?;
        self.may_change_factors(&record, &account, now_ms)?;
        let secret = self.accounts.new_totp_secret()?;
        self.new_codes(place, secret, account.username.as_str(), address, now_ms)
    }

    fn new_codes(
        &self,
        place: Vec<u8>,
        secret: Hidden<Vec<u8>>,
        username: &str,
        address: &str,
        now_ms: i64,
    ) -> Result<NewCodes> {
        let ceremony = Ceremony::OneTimeCodes(place, secret.clone());
        let random = self.accounts.random();
        let ceremony = self.ceremonies.begin(ceremony, &short(address), random, now_ms)?;
        Ok(NewCodes { ceremony, secret, username: username.to_owned() })
    }

    /// Takes a code of the new secret: from then on that one holds and no other. `entry` is
    /// committed with it.
    ///
    /// Errors: as beginning, and [`PasskeyError::Expired`].
    pub fn confirm_one_time_codes(
        &self,
        token: &str,
        ceremony: &str,
        code: &str,
        entry: &[Write],
        address: &str,
        now_ms: i64,
    ) -> Result<Confirmed> {
        let own = place(token).ok_or(SessionError::Unknown)?;
        let secret = match self.ceremonies.take(ceremony, now_ms) {
            Some(Ceremony::OneTimeCodes(place, secret)) if place == own => secret,
            _ => return Err(PasskeyError::Expired),
        };
        let (_, record, account) = self.load(&own, now_ms)?;
        self.may_change_factors(&record, &account, now_ms)?;
        let accounts = self.accounts();
        match accounts.replace_totp(&account.id, &secret, code, entry, now_ms) {
            Ok(true) => Ok(Confirmed::Done),
            Ok(false) => {
                let username = account.username.as_str();
                let again = self.new_codes(own, secret, username, address, now_ms)?;
                Ok(Confirmed::Wrong(again))
            }
            Err(error) => Err(error.into()),
        }
    }
}
