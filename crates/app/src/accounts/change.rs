//! An operator changes an account: its name, role, specialty, as whom it is known here, and whether
//! it may sign in.

use fhir::Id;
use identity::{Account, Amendment, Role};

use super::add::{Stop, check_known, checked_specialty};
use super::follow::{Specialty, follow, own_practitioner};
use super::{event, is_staff, may_manage, named};
use crate::{App, Caller, Error, Kind, Result};

/// What is to change; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What pages call the person.
    pub name: Option<String>,
    /// What the person is.
    pub role: Option<Role>,
    /// The Patient of an account of role patient.
    pub patient: Option<Id>,
    /// `Practitioner/x` of this institution; inside, `None` has the node make one.
    pub practitioner: Option<Option<String>>,
    /// The specialty; inside, `None` for none.
    pub specialty: Option<Option<String>>,
    /// Whether signing in is forbidden.
    pub disabled: Option<bool>,
}

/// Changes the account `username`, with the resources that say who it is. Another role, another
/// Practitioner or Patient, and disabling end every session and what apps were allowed; the
/// PractitionerRole that was held ends, and another begins.
///
/// Errors: [`Kind::NotFound`]; [`Kind::Forbidden`] for an operator's own role or end;
/// [`Kind::Conflict`] where nobody would be left to run the node; [`Kind::Unprocessable`] says
/// what does not fit together.
pub fn change(
    app: &App,
    caller: Option<&Caller>,
    username: &str,
    change: &Change,
) -> Result<Account> {
    may_manage(app, caller)?;
    let account = named(app, username)?;
    check_own(caller, &account, change)?;
    let role = change.role.unwrap_or(account.role);
    if (role == Role::Service) != (account.role == Role::Service) {
        let message = "an account of a program stays one; make another account";
        return Err(Error::new(Kind::Unprocessable, message));
    }
    let patient = match role {
        Role::Patient => change.patient.clone().or_else(|| account.patient.clone()),
        _ => change.patient.clone(),
    };
    let practitioner = practitioner(&account, role, change)?;
    // Who was erased since is not asked for again: the account of an erased patient can be closed.
    let patient_anew = patient.as_ref().filter(|id| Some(*id) != account.patient.as_ref());
    let practitioner_anew = change
        .practitioner
        .as_ref()
        .and_then(Option::as_ref)
        .filter(|one| account.practitioner.as_ref() != Some(one));
    let snapshot = app.store().snapshot()?;
    check_known(&*snapshot, role, patient_anew, practitioner_anew.map(String::as_str))?;
    drop(snapshot);
    let specialty = match &change.specialty {
        None => Specialty::Kept,
        Some(None) => Specialty::None,
        Some(Some(text)) => Specialty::Is(checked_specialty(role, text)?),
    };
    let amendment = Amendment {
        display_name: change.name.clone(),
        role: change.role,
        patient: Some(patient),
        practitioner: Some(practitioner),
        disabled: change.disabled,
    };
    let accounts = app.identity().accounts();
    let changed = accounts.amend(&account.id, &amendment, app.now_ms(), |before, after| {
        let mut writes = follow(app, Some(before), after, &specialty)?;
        let note = told(before, after, change.specialty.is_some());
        writes.push(event(caller, &note, after)?.write(app)?);
        Ok::<_, Stop>(writes)
    });
    changed.map_err(Error::from)
}

/// Nobody gives themself another role, or ends their own account.
fn check_own(caller: Option<&Caller>, account: &Account, change: &Change) -> Result<()> {
    let is_own = caller.is_some_and(|caller| caller.user.id == account.id);
    let takes_role = change.role.is_some_and(|role| role != account.role);
    if is_own && (takes_role || change.disabled == Some(true)) {
        let message = "another operator changes your role or ends your account; ask one";
        return Err(Error::new(Kind::Forbidden, message).by_rule("own-account"));
    }
    Ok(())
}

/// As which Practitioner the account is known from now on.
fn practitioner(account: &Account, role: Role, change: &Change) -> Result<Option<String>> {
    if !is_staff(role) {
        return Ok(None);
    }
    let chosen = match &change.practitioner {
        Some(chosen) => chosen.clone(),
        None => account.practitioner.clone(),
    };
    match chosen {
        Some(reference) => Ok(Some(reference)),
        None => own_practitioner(account).map(Some),
    }
}

/// What is said of it in the audit: no names and no secrets.
fn told(before: &Account, after: &Account, specialty: bool) -> String {
    let mut said = Vec::new();
    if before.role != after.role {
        said.push(format!("is {} and was {}", after.role.code(), before.role.code()));
    }
    if before.disabled != after.disabled {
        let word = if after.disabled { "may not sign in any more" } else { "may sign in again" };
        said.push(word.to_owned());
    }
    if before.practitioner != after.practitioner || before.patient != after.patient {
        said.push("is linked to another resource".to_owned());
    }
    if before.display_name != after.display_name {
        said.push("is named otherwise".to_owned());
    }
    if specialty {
        said.push("has its specialty stated".to_owned());
    }
    if said.is_empty() {
        said.push("stays as it is".to_owned());
    }
    format!("account {} {}", after.id, said.join(", "))
}
