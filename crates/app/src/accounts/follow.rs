//! The resources follow the account: what is to be written when one was made or changed.

use fhir::{Id, Resource};
use identity::{Account, Role};
use serde_json::Value as Json;
use store::{Expect, Key, Method, Snapshot, Write};

use super::resources::{self, MAX_LINKS, without_version};
use super::{id_of, is_staff, live};
use crate::records::validate;
use crate::{App, Error, Kind, Result};

/// What is said of the specialty of whoever holds a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Specialty {
    /// As it was.
    #[default]
    Kept,
    /// None.
    None,
    /// This one.
    Is(String),
}

/// What is to be written so that the resources say what the account says from now on; nothing where
/// they say it already. `before` is the account as it was, where it was.
pub(crate) fn follow(
    app: &App,
    before: Option<&Account>,
    after: &Account,
    specialty: &Specialty,
) -> Result<Vec<Write>> {
    let snapshot = app.store().snapshot()?;
    let mut writing = Writing { app, snapshot: &*snapshot, writes: Vec::new() };
    if after.role == Role::Service {
        let id = id_of(after)?;
        writing.put("Device", &id, |_| resources::device(app, &id, after))?;
        return Ok(writing.writes);
    }
    writing.practitioner(before, after)?;
    writing.person(after)?;
    writing.roles(before, after, specialty)?;
    Ok(writing.writes)
}

/// The id of the PractitionerRole that an account holds now: each time it takes up a role has its own.
fn role_id(account: &Account) -> Result<Id> {
    Id::new(format!("{}-{:x}", id_of(account)?, account.role_since_ms.max(0)))
        .map_err(|e| Error::internal(format!("an id is faulty: {e}")))
}

/// The specialty of an account, as whoever chose it wrote it.
pub(super) fn specialty(snapshot: &dyn Snapshot, account: &Account) -> Result<Option<String>> {
    let key = Key { resource_type: "PractitionerRole", id: role_id(account)? };
    let role = live(snapshot, &key)?.and_then(|stored| without_version(&stored.text));
    Ok(role.as_ref().and_then(resources::specialty_text))
}

/// The Practitioner that the node makes for an account that names none.
pub(super) fn own_practitioner(account: &Account) -> Result<String> {
    Ok(format!("Practitioner/{}", id_of(account)?))
}

struct Writing<'a> {
    app: &'a App,
    snapshot: &'a dyn Snapshot,
    writes: Vec<Write>,
}

impl Writing<'_> {
    fn practitioner(&mut self, before: Option<&Account>, after: &Account) -> Result<()> {
        let id = id_of(after)?;
        let own = format!("Practitioner/{id}");
        let names = |account: &Account| account.practitioner.as_ref() == Some(&own);
        let app = self.app;
        if names(after) {
            self.put("Practitioner", &id, |old| resources::practitioner(app, &id, after, old))?;
        } else if before.is_some_and(names) {
            // Somebody else's from now on: nobody is meant by the one that was made.
            let mut closed = after.clone();
            closed.disabled = true;
            self.put("Practitioner", &id, |old| resources::practitioner(app, &id, &closed, old))?;
        }
        Ok(())
    }

    fn person(&mut self, account: &Account) -> Result<()> {
        let id = id_of(account)?;
        // The Person of a patient who was erased is not made again.
        if let Some(patient) = &account.patient {
            let key = Key { resource_type: "Patient", id: patient.clone() };
            if live(self.snapshot, &key)?.is_none() {
                return Ok(());
            }
        }
        let app = self.app;
        self.put("Person", &id, |old| {
            let related: Vec<Json> = related(old.as_ref());
            resources::person(app, &id, account, &related)
        })
    }

    fn roles(
        &mut self,
        before: Option<&Account>,
        after: &Account,
        specialty: &Specialty,
    ) -> Result<()> {
        let app = self.app;
        let now = if is_staff(after.role) { Some(role_id(after)?) } else { None };
        let held = before.filter(|before| is_staff(before.role)).map(role_id).transpose()?;
        let mut kept = None;
        if let Some(id) = &held {
            let key = Key { resource_type: "PractitionerRole", id: id.clone() };
            let stored = live(self.snapshot, &key)?;
            let old = stored.and_then(|stored| without_version(&stored.text));
            kept = old.as_ref().and_then(|old| old.get("specialty").cloned());
            if let Some(old) = old.filter(|_| held != now) {
                self.put("PractitionerRole", id, |_| resources::ended(old, app.now_ms()))?;
            }
        }
        let Some(id) = now else { return Ok(()) };
        let Some(practitioner) = after.practitioner.clone() else { return Ok(()) };
        let specialty = match specialty {
            Specialty::Kept => kept,
            Specialty::None => None,
            Specialty::Is(text) => Some(resources::specialty(text)),
        };
        let ends = after.disabled && before.is_some_and(|before| !before.disabled);
        self.put("PractitionerRole", &id, |old| {
            let specialty = specialty.or_else(|| {
                let old = old.as_ref().filter(|_| before.is_none());
                old.and_then(|old| old.get("specialty").cloned())
            });
            let mut role = resources::role(app, &id, after, &practitioner, specialty.as_ref());
            if let Some(end) = old.as_ref().and_then(|old| old.pointer("/period/end")) {
                role["period"]["end"] = end.clone();
            }
            if ends { resources::ended(role, app.now_ms()) } else { role }
        })
    }

    /// Adds the write of what `make` makes of the resource that stands, where it says something new.
    fn put(
        &mut self,
        resource_type: &'static str,
        id: &Id,
        make: impl FnOnce(Option<Json>) -> Json,
    ) -> Result<()> {
        let key = Key { resource_type, id: id.clone() };
        let stored = live(self.snapshot, &key)?;
        let before = stored.as_ref().and_then(|stored| without_version(&stored.text));
        let new = make(before.clone());
        if before.as_ref() == Some(&new) {
            return Ok(());
        }
        let links = new.get("link").and_then(Json::as_array).map_or(0, Vec::len);
        if links > MAX_LINKS {
            return Err(Error::new(Kind::Busy, "this account acts for too many patients"));
        }
        let resource = Resource::parse(new.to_string())
            .map_err(|e| Error::internal(format!("a resource of an account is not valid: {e}")))?;
        let expect = stored.map_or(Expect::Absent, |stored| Expect::Version(stored.version));
        let write = Write::Put { key, resource, expect, method: Method::Put };
        validate::enforce_write(self.app, &write)?;
        self.writes.push(write);
        Ok(())
    }
}

/// The links of a Person to RelatedPersons.
pub(crate) fn related(person: Option<&Json>) -> Vec<Json> {
    let links = person.and_then(|person| person.get("link")).and_then(Json::as_array);
    let is_related = |link: &&Json| {
        let reference = link.pointer("/target/reference").and_then(Json::as_str);
        reference.is_some_and(|text| text.starts_with("RelatedPerson/"))
    };
    links.into_iter().flatten().filter(is_related).cloned().collect()
}
