//! Accounts of people and programs: made, changed and ended by operators, and followed by resources
//! that say who works here and as what (ADR 22).
//!
//! The account decides; the resources say it. Every person is a `Person`, whoever works here a
//! `Practitioner` with a `PractitionerRole` for each time that a role was held, a program a `Device`.
//! They are written in the commit of the change ([`follow`]), under ids of the node's own that nobody
//! else may write ([`kept`]), so that no role can be had by writing a resource.

pub mod add;
pub mod change;
pub(crate) mod follow;
pub mod kept;
pub mod list;
pub(crate) mod resources;
pub mod start;

use fhir::Id;
use identity::{Account, Role};
use store::{Key, Method, Snapshot, Stored};

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, User};

/// How ids begin that the node keeps for accounts.
pub(crate) const PREFIX: &str = "account-";
/// The code system of the roles, served by the node's terminology.
pub const ROLES: &str = "https://consilium.health/fhir/CodeSystem/role";

/// Whether accounts of a role work for the institution, as Practitioner with a PractitionerRole.
pub fn is_staff(role: Role) -> bool {
    !matches!(role, Role::Patient | Role::Proxy | Role::Service | Role::Representative)
}

/// Asks whether the caller may change accounts; whoever holds the node's folder (no caller) may.
///
/// Errors: [`Kind::Forbidden`], and [`Kind::StepUp`] where the second factor is not fresh.
pub fn may_manage(app: &App, caller: Option<&Caller>) -> Result<()> {
    match caller {
        Some(caller) => {
            authorise(app, caller, Action::of(policy::Action::ManageAccounts)).map(|_| ())
        }
        None => Ok(()),
    }
}

/// An entry about a change of an account: DICOM's "user security attributes changed".
fn event<'a>(caller: Option<&'a Caller>, note: &str, account: &Account) -> Result<Event<'a>> {
    let event = match caller {
        Some(caller) => Event::by(caller, Pattern::Credential).note(note),
        None => Event::by_node(Pattern::Credential).note(format!("{note} by the operator")),
    };
    let event = event.patients(account.patient.clone());
    Ok(match account.role {
        Role::Service => event.data(format!("Device/{}", id_of(account)?)),
        _ => event.data(format!("Person/{}", id_of(account)?)),
    })
}

/// The id of an account's resources, which says nothing about the account.
pub(crate) fn id_of_account(account: &str) -> Result<Id> {
    let hash = crypto::hash::hex(&crypto::hash::sha256(account.as_bytes()));
    let short: String = hash.chars().take(40).collect();
    Id::new(format!("{PREFIX}{short}"))
        .map_err(|e| Error::internal(format!("an id is faulty: {e}")))
}

fn id_of(account: &Account) -> Result<Id> {
    id_of_account(&account.id)
}

/// The account with this username.
///
/// Errors: [`Kind::NotFound`].
fn named(app: &App, username: &str) -> Result<Account> {
    let found = app.identity().accounts().find(username);
    let found = found.map_err(|e| Error::internal(e.to_string()))?;
    found.ok_or_else(|| Error::new(Kind::NotFound, "there is no account with this username"))
}

/// A version that is not deleted.
fn live(snapshot: &dyn Snapshot, key: &Key) -> Result<Option<Stored>> {
    Ok(snapshot.read(key)?.filter(|stored| stored.method != Method::Delete))
}

/// Who a user is as a resource: `RelatedPerson/x` while acting for a patient, `Patient/x`,
/// `Practitioner/x`, or the `Person/x` of an account that is none of these.
pub fn fhir_user(app: &App, user: &User) -> Result<Option<String>> {
    if let Some(acting) = &user.acting {
        return Ok(Some(format!("RelatedPerson/{}", acting.related)));
    }
    let found = app.identity().accounts().get(&user.id);
    let found = found.map_err(|e| Error::internal(e.to_string()))?;
    let Some(account) = found.filter(|account| account.role != Role::Service) else {
        return Ok(None);
    };
    if let Some(patient) = account.patient {
        return Ok(Some(format!("Patient/{patient}")));
    }
    if account.practitioner.is_some() {
        return Ok(account.practitioner);
    }
    let key = Key { resource_type: "Person", id: id_of_account(&user.id)? };
    let stored = live(&*app.store().snapshot()?, &key)?;
    Ok(stored.map(|stored| format!("Person/{}", stored.key.id)))
}
