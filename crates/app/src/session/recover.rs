//! Somebody has lost password, passkeys and codes: the operator, who knows them, gives the account
//! back. It is done on the page of accounts or at the node's folder, recorded, and leaves the person to set up a second factor.

use identity::{Hidden, Password};

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Caller, Error, Kind, Result};

/// How long the code is good, in milliseconds.
pub const CODE_MS: i64 = 24 * 60 * 60 * 1000;

/// What the person signs in with, shown once.
pub struct Recovered {
    /// The new password.
    pub password: Hidden<String>,
    /// The recovery code.
    pub code: Hidden<String>,
    /// A new secret for one-time codes, where it was asked for.
    pub totp_secret: Option<Hidden<Vec<u8>>>,
}

impl std::fmt::Debug for Recovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recovered").finish_non_exhaustive()
    }
}

/// Gives the account `username` back: every session and everything that apps were allowed ends, its
/// passkeys, one-time codes and recovery codes are taken away, and it has a new password and one
/// recovery code for a day. Done by the operator who is signed in, or, without a caller, by whoever
/// holds the node's folder.
///
/// Errors: [`Kind::StepUp`] where the second factor is not fresh; [`Kind::Forbidden`] for the
/// operator's own account; [`Kind::NotFound`] where there is no such account, or it is a program's.
pub fn recover(
    app: &App,
    caller: Option<&Caller>,
    username: &str,
    one_time_codes: bool,
) -> Result<Recovered> {
    crate::accounts::may_manage(app, caller)?;
    let failed = |e: identity::AccountError| Error::internal(e.to_string());
    let accounts = app.identity().accounts();
    let found = accounts.find(username).map_err(|e| Error::internal(e.to_string()))?;
    let account = found.filter(|account| account.role != identity::Role::Service);
    let account = account.ok_or_else(|| {
        Error::new(Kind::NotFound, "there is no account of a person with this username")
    })?;
    if caller.is_some_and(|caller| caller.user.id == account.id) {
        let message = "change your own sign-in on the page `/account`";
        return Err(Error::new(Kind::Forbidden, message).by_rule("own-account"));
    }
    let password = crate::accounts::add::made_password(app);
    let note = format!("account {} was recovered by the operator", account.id);
    let event = match caller {
        Some(caller) => Event::by(caller, Pattern::Credential),
        None => Event::by_node(Pattern::Credential),
    };
    let entry = [event.note(note).write(app)?];
    let now_ms = app.now_ms();
    let times = (now_ms, now_ms.saturating_add(CODE_MS));
    let new = Password::plain(password.clone());
    let code = accounts.recover(&account.id, &new, &entry, times).map_err(failed)?;
    let totp_secret = match one_time_codes {
        false => None,
        true => {
            let secret = accounts.new_totp_secret().map_err(|e| Error::internal(e.to_string()))?;
            accounts.set_totp(&account.id, Some(&secret)).map_err(failed)?;
            Some(secret)
        }
    };
    Ok(Recovered { password: Hidden::new(password), code, totp_secret })
}
