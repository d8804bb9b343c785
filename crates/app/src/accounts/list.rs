//! Which accounts there are.

use std::collections::HashMap;

use identity::{Account, Role};

use super::{follow, id_of, named};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Result};

/// Most accounts that are looked at.
pub const MOST: usize = 100_000;
/// Accounts on a page.
pub const PAGE: usize = 50;

/// Which accounts are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Words that stand in the username or the name, in any case.
    pub text: String,
    /// Only of this role.
    pub role: Option<Role>,
    /// Only those that may, or may not, sign in.
    pub disabled: Option<bool>,
    /// How many are passed over.
    pub offset: usize,
}

/// One account as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The account.
    pub account: Account,
    /// What somebody is specialised in.
    pub specialty: Option<String>,
    /// When somebody signed in last whose session has not been swept away, milliseconds since the
    /// Unix epoch.
    pub signed_in_ms: Option<i64>,
    /// The resource that says who it is: `Person/x`, or `Device/x` of a program.
    pub resource: String,
}

/// A page of accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The page, in the order of the usernames.
    pub rows: Vec<Row>,
    /// All that are wanted.
    pub total: usize,
}

/// The accounts that are wanted, by username.
///
/// Errors: [`crate::Kind::Forbidden`] for others than operators and privacy officers.
pub fn list(app: &App, caller: Option<&Caller>, wanted: &Wanted) -> Result<Listed> {
    may_read(app, caller, "accounts")?;
    let all = app.identity().accounts().list(MOST).map_err(|e| Error::internal(e.to_string()))?;
    let words = wanted.text.trim().to_lowercase();
    let is_wanted = |account: &Account| {
        let has = |text: &str| text.to_lowercase().contains(&words);
        (has(account.username.as_str()) || has(&account.display_name))
            && wanted.role.is_none_or(|role| account.role == role)
            && wanted.disabled.is_none_or(|disabled| account.disabled == disabled)
    };
    let found: Vec<Account> = all.into_iter().filter(is_wanted).collect();
    let total = found.len();
    let signed_in = last_seen(app)?;
    let page = found.into_iter().skip(wanted.offset).take(PAGE);
    let rows = page.map(|account| row(app, account, &signed_in)).collect::<Result<_>>()?;
    Ok(Listed { rows, total })
}

/// One account by its username.
///
/// Errors: [`crate::Kind::NotFound`].
pub fn show(app: &App, caller: Option<&Caller>, username: &str) -> Result<Row> {
    may_read(app, caller, "accounts?username")?;
    row(app, named(app, username)?, &last_seen(app)?)
}

/// Refuses whoever may not, and records who looks.
fn may_read(app: &App, caller: Option<&Caller>, query: &str) -> Result<()> {
    let Some(caller) = caller else { return Ok(()) };
    authorise(app, caller, Action::of(policy::Action::ReadAccounts))?;
    app.audit(Event::by(caller, Pattern::Query).query(query))
}

fn row(app: &App, account: Account, signed_in: &HashMap<String, i64>) -> Result<Row> {
    let specialty = follow::specialty(&*app.store().snapshot()?, &account)?;
    let kind = if account.role == Role::Service { "Device" } else { "Person" };
    Ok(Row {
        resource: format!("{kind}/{}", id_of(&account)?),
        signed_in_ms: signed_in.get(&account.id).copied(),
        specialty,
        account,
    })
}

fn last_seen(app: &App) -> Result<HashMap<String, i64>> {
    app.identity().last_signed_in(MOST).map_err(|e| Error::internal(e.to_string()))
}
