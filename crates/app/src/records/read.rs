//! Reads one resource, or one version of it.

use store::{Key, Method, Pending, Stored};

use super::{admit, patients_of};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, Refused, begin_authorise};
use crate::{App, Caller, Error, Kind, Result};

/// The current version, or `version` where it is given.
///
/// Errors: [`Kind::NotFound`] when it does not exist or is outside the caller's scope,
/// [`Kind::Gone`] when it (or that version) is a deletion.
pub fn read(app: &App, caller: &Caller, key: &Key, version: Option<u64>) -> Result<Stored> {
    let reading = begin(app, caller, key, version)?;
    reading.audited.wait()?;
    reading.outcome
}

/// What a read comes to, known to nobody before its audit entry is durable.
#[derive(Debug)]
pub struct Reading {
    outcome: Result<Stored>,
    audited: Pending,
}

impl Reading {
    /// The resource or the refusal, when the audit entry is durable.
    pub async fn done(self) -> Result<Stored> {
        self.audited.done().await?;
        self.outcome
    }
}

/// The same as [`read`], without waiting for the audit entry.
pub fn begin(app: &App, caller: &Caller, key: &Key, version: Option<u64>) -> Result<Reading> {
    let permit = match begin_authorise(app, caller, Action::reading(key.resource_type))? {
        Ok(permit) => permit,
        Err(Refused { error, audited }) => return Ok(Reading { outcome: Err(error), audited }),
    };
    let (stored, patients) = find(app, &permit, key, version)?;
    let reference = format!("{}/{}", key.resource_type, key.id);
    let event = Event::by(caller, Pattern::Read).patients(patients).data(reference);
    Ok(Reading { outcome: Ok(stored), audited: app.begin_audit(event)? })
}

/// The version and the patients that it is about.
fn find(
    app: &App,
    permit: &Permit,
    key: &Key,
    version: Option<u64>,
) -> Result<(Stored, Vec<fhir::Id>)> {
    let stored = match version {
        Some(version) => app.store().snapshot()?.vread(key, version)?,
        None => app.store().read(key)?,
    };
    let stored = stored.ok_or_else(Error::not_found)?;
    if stored.method == Method::Delete {
        // Whose it was cannot be told from a deletion, so only unlimited callers learn of it.
        return Err(if permit.is_unlimited() {
            Error::new(Kind::Gone, "the resource has been deleted")
        } else {
            Error::not_found()
        });
    }
    let admitted = admit(app, stored, permit.scope())?;
    let (stored, resource) = admitted.ok_or_else(Error::not_found)?;
    let patients = patients_of(&resource);
    Ok((stored, patients))
}
