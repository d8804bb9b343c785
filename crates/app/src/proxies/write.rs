//! The one transaction by which an arrangement begins, changes or ends.

use fhir::Id;
use store::{Expect, Guard, Key, Method, SideWrite, Snapshot, Transaction, Write};

use super::arrangement::Arrangement;
use super::{Basis, person};
use crate::audit::Event;
use crate::records::validate;
use crate::{App, Error, Result};

/// Writes `arrangement` as it is to be, with the link of its account and an entry in the audit, and
/// whatever else belongs to it.
pub(super) fn commit(
    app: &App,
    arrangement: &Arrangement,
    event: Event<'_>,
    (guards, side): (Vec<Guard>, Vec<SideWrite>),
) -> Result<()> {
    let snapshot = app.store().snapshot()?;
    let now = app.now_ms();
    let mut writes = Vec::new();
    for resource in arrangement.resources(app, now)? {
        let resource_type = fhir::resource_type(resource.type_name())
            .ok_or_else(|| Error::internal("a resource of a proxy has no type"))?;
        let key = Key { resource_type, id: arrangement.id.clone() };
        let expect = standing(&*snapshot, &key)?;
        writes.push(Write::Put { key, resource, expect, method: Method::Put });
    }
    let account = app.identity().accounts().get(&arrangement.account);
    let account = account.map_err(|e| Error::internal(e.to_string()))?;
    if let Some(account) = account {
        let assurance = arrangement.active.then(|| assurance(arrangement.basis));
        let link = person::linked(app, &*snapshot, &account, &arrangement.id, assurance)?;
        writes.push(link);
    }
    for write in &writes {
        validate::enforce_write(app, write)?;
    }
    let event = event
        .patients([arrangement.patient.clone()])
        .data(format!("RelatedPerson/{}", arrangement.id))
        .data(format!("Consent/{}", arrangement.id));
    writes.push(event.write(app)?);
    app.store().commit(Transaction { guards, writes, side })?;
    Ok(())
}

/// How sure it is that the account is the RelatedPerson's (FHIR identity-assuranceLevel): who came
/// with a code is known by that alone, who was recorded by an officer was seen.
fn assurance(basis: Basis) -> &'static str {
    match basis {
        Basis::Invited => "level2",
        _ => "level3",
    }
}

fn standing(snapshot: &dyn Snapshot, key: &Key) -> Result<Expect> {
    let stored = snapshot.read(key)?.filter(|stored| stored.method != Method::Delete);
    Ok(stored.map_or(Expect::Absent, |stored| Expect::Version(stored.version)))
}

/// An id for something new.
pub(super) fn new_id(app: &App) -> Result<Id> {
    let chance = crypto::hash::hex(&app.new_secret());
    let short: String = chance.chars().take(32).collect();
    Id::new(format!("{}{short}", super::PREFIX))
        .map_err(|e| Error::internal(format!("an id is faulty: {e}")))
}
