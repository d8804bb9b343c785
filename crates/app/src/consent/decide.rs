//! The patient's one action: permit or withdraw, for one organisation or for all.

use fhir::{Id, Resource};
use policy::consent::{Choice, Kind as Decision, Party, build};
use store::{Expect, Key, Method, Transaction, Write};

use super::deliver;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Scope, authorise};
use crate::{App, Caller, Error, Result};

/// Records a decision of `patient` about `organisation` (`None` for all) and sends it to every
/// institution that holds their record. For the patient, and for those who may keep consents on
/// a patient's behalf. Returns the id of the Consent.
pub fn decide(
    app: &App,
    caller: &Caller,
    patient: &Id,
    organisation: Option<&str>,
    decision: Decision,
) -> Result<Id> {
    let permit = authorise(app, caller, Action::writing("Consent"))?;
    if let Scope::Patient(own) = permit.scope()
        && own != patient
    {
        return Err(Error::not_found());
    }
    let key = Key { resource_type: "Patient", id: patient.clone() };
    let known = app.store().snapshot()?.read(&key)?;
    if known.is_none_or(|stored| stored.method == Method::Delete) {
        return Err(Error::not_found());
    }
    let name = organisation.map(|id| name_of(app, id)).transpose()?;
    let party = organisation.zip(name.as_deref()).map(|(id, name)| Party { id, name });
    let reference = format!("Patient/{patient}");
    let text = build(&Choice {
        patient: &reference,
        organisation: party,
        decision,
        date_ms: app.now_ms(),
        custodian: Party { id: &app.org().id, name: &app.org().name },
    });
    let resource =
        Resource::parse(text).map_err(|e| Error::internal(format!("a consent is not valid: {e}")))?;
    let id = app.new_id();
    let key = Key { resource_type: "Consent", id: id.clone() };
    let write = Write::Put { key, resource, expect: Expect::Absent, method: Method::Post };
    let side = deliver::after_write(app, &write)?;
    let event = Event::by(caller, Pattern::Create)
        .patients([patient.clone()])
        .data(format!("Consent/{id}"));
    let writes = vec![write, event.write(app)?];
    app.store().commit(Transaction { writes, side, ..Default::default() })?;
    Ok(id)
}

fn name_of(app: &App, org: &str) -> Result<String> {
    if org == app.org().id {
        return Ok(app.org().name.clone());
    }
    let members = app.network().others();
    members
        .into_iter()
        .find(|member| member.id.as_str() == org)
        .map(|member| member.display_name)
        .ok_or_else(|| Error::invalid("value", "there is no such organisation in the network"))
}
