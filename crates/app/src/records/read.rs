//! Reads one resource, or one version of it.

use store::{Key, Method, Stored};

use super::{in_scope, parse, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// The current version, or `version` where it is given.
///
/// Errors: [`Kind::NotFound`] when it does not exist or is outside the caller's scope,
/// [`Kind::Gone`] when it (or that version) is a deletion.
pub fn read(app: &App, caller: &Caller, key: &Key, version: Option<u64>) -> Result<Stored> {
    let permit = authorise(app, caller, Action::reading(key.resource_type))?;
    let snapshot = app.store().snapshot()?;
    let stored = match version {
        Some(version) => snapshot.vread(key, version)?,
        None => snapshot.read(key)?,
    };
    drop(snapshot);
    let stored = stored.ok_or_else(Error::not_found)?;
    if stored.method == Method::Delete {
        // Whose it was cannot be told from a deletion, so only unlimited callers learn of it.
        return Err(if permit.is_unlimited() {
            Error::new(Kind::Gone, "the resource has been deleted")
        } else {
            Error::not_found()
        });
    }
    let resource = parse(&stored)?;
    if !in_scope(&resource, permit.scope()) {
        return Err(Error::not_found());
    }
    let reference = format!("{}/{}", key.resource_type, key.id);
    let event = Event::by(caller, Pattern::Read).patients(patients_of(&resource)).data(reference);
    app.audit(event)?;
    Ok(stored)
}
