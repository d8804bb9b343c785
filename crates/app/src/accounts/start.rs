//! Brings the resources of accounts up that were made before there were any. Done at every start: it
//! writes what is missing or says something else than the account, and nothing a second time.

use identity::{Account, Role};

use super::follow::{Specialty, follow, own_practitioner};
use super::is_staff;
use super::list::MOST;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::{App, Error, Result};

/// Brings the resources of every account up. Returns how many accounts there was something to write
/// of.
pub fn bring_up(app: &App) -> Result<usize> {
    let failed = |e: identity::Fault| Error::internal(e.to_string());
    let all = app.identity().accounts().list(MOST).map_err(failed)?;
    let mut changed = 0;
    for account in all {
        changed += usize::from(bring_up_one(app, &account)?);
    }
    Ok(changed)
}

fn bring_up_one(app: &App, account: &Account) -> Result<bool> {
    let names_one = account.practitioner.is_some();
    let mut named = account.clone();
    if is_staff(account.role) && !names_one {
        named.practitioner = Some(own_practitioner(account)?);
    }
    let mut writes = follow(app, None, &named, &Specialty::Kept)?;
    if writes.is_empty() && named == *account {
        return Ok(false);
    }
    let kind = if account.role == Role::Service { "Device" } else { "Person" };
    let note = format!("the resources of account {} were brought up", account.id);
    let event = Event::by_node(Pattern::Configure).note(note).patients(account.patient.clone());
    writes.push(event.data(format!("{kind}/{}", super::id_of(account)?)).write(app)?);
    match &named.practitioner {
        Some(own) if !names_one => {
            let accounts = app.identity().accounts();
            let done = accounts.name_practitioner(&account.id, own, &writes);
            done.map_err(|e| Error::internal(e.to_string()))?;
        }
        _ => {
            app.store().commit(store::Transaction { writes, ..Default::default() })?;
        }
    }
    Ok(true)
}
