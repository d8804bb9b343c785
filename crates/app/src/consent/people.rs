//! Whom a patient can name in a consent: people of this institution, those of other institutions who
//! have asked for the record, and people who belong to the patient.
//!
//! No institution gives others a list of its staff. Of those elsewhere a patient knows whom the own
//! access log names, and that is whom they want to name.

use fhir::{Id, Resource, Value};
use fhirpath::search::Registry;
use identity::Role;
use policy::consent::{ORGANISATION_URN, Person, user_of};
use store::Snapshot;
use store::query::parse;

use super::decide::authorised;
use crate::audit::Event;
use crate::audit::accesses::{self, MAX_ACCESSES};
use crate::audit::event::Pattern;
use crate::records::parse as parse_stored;
use crate::{App, Caller, Error, Result};

/// Most people that one search returns.
pub const MAX_FOUND: usize = 20;
/// Characters of a name that a search for staff needs, so that nobody pages through all of them.
pub const MIN_NAME: usize = 3;
/// Accounts that are looked through.
const MAX_ACCOUNTS: usize = 10_000;
/// Most related persons of one patient that are looked at.
const MAX_RELATED: usize = 50;

/// Somebody whom a consent can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Somebody {
    /// As consents name them: `urn:consilium:org:north|weber` or `RelatedPerson/7`.
    pub key: String,
    /// The name to show.
    pub name: String,
}

impl Somebody {
    /// The organisation and the account there, for staff.
    pub fn staff(&self) -> Option<(&str, &str)> {
        self.key.strip_prefix(ORGANISATION_URN)?.split_once('|')
    }

    pub(super) fn person(&self) -> Person<'_> {
        let name = &self.name;
        match self.staff() {
            Some((organisation, account)) => Person::Staff { organisation, account, name },
            None => Person::Related { reference: &self.key, name },
        }
    }
}

/// The people with `text` in their name, at most [`MAX_FOUND`]; of this institution's staff only for
/// a text of at least [`MIN_NAME`] characters. For the patient and for those who may keep consents.
///
/// Errors: [`crate::Kind::NotFound`] for somebody else's record, [`crate::Kind::Forbidden`].
pub fn find(app: &App, caller: &Caller, patient: &Id, text: &str) -> Result<Vec<Somebody>> {
    authorised(app, caller, patient)?;
    let text = text.trim().to_lowercase();
    let query = format!("Patient/{patient}/people");
    app.audit(Event::by(caller, Pattern::Query).patients([patient.clone()]).query(query))?;
    let mut found = related(&*app.store().snapshot()?, patient)?;
    found.extend(askers(app, patient)?);
    if text.chars().count() >= MIN_NAME {
        found.extend(staff(app)?);
    }
    found.retain(|one| one.name.to_lowercase().contains(&text));
    let mut seen = std::collections::HashSet::new();
    found.retain(|one| seen.insert(one.key.clone()));
    found.truncate(MAX_FOUND);
    Ok(found)
}

/// Who is behind a key that a form sent back. The caller has been authorised.
///
/// Errors: [`crate::Kind::Invalid`] for somebody whom this patient cannot name.
pub(super) fn named(app: &App, patient: &Id, key: &str) -> Result<Somebody> {
    let unknown = || Error::invalid("value", "nobody is known by this name; search again");
    let probe = Somebody { key: key.to_owned(), name: String::new() };
    let known = match probe.staff() {
        Some((org, account)) if org == app.org().id => {
            let found = app.identity().accounts().get(account).map_err(unread)?;
            let found =
                found.filter(|account| account.role == Role::Clinician && !account.disabled);
            return found
                .map(|account| Somebody { key: key.to_owned(), name: account.display_name })
                .ok_or_else(unknown);
        }
        Some(_) => askers(app, patient)?,
        None => related(&*app.store().snapshot()?, patient)?,
    };
    known.into_iter().find(|one| one.key == key).ok_or_else(unknown)
}

fn unread(fault: identity::Fault) -> Error {
    Error::internal(fault.to_string())
}

/// The clinicians of this institution.
fn staff(app: &App) -> Result<Vec<Somebody>> {
    let accounts = app.identity().accounts().list(MAX_ACCOUNTS).map_err(unread)?;
    let treats = accounts.into_iter().filter(|a| a.role == Role::Clinician && !a.disabled);
    let own = &app.org().id;
    let somebody = |account: identity::Account| Somebody {
        key: user_of(own, &account.id),
        name: account.display_name,
    };
    Ok(treats.map(somebody).collect())
}

/// People of other institutions who have asked for the record, as this institution's log names them.
fn askers(app: &App, patient: &Id) -> Result<Vec<Somebody>> {
    let mut found: Vec<Somebody> = Vec::new();
    for (access, stored) in accesses::find(app, patient, MAX_ACCESSES)? {
        if access.organisation == app.org().id || access.user.is_empty() {
            continue;
        }
        let event = parse_stored(&stored)?;
        let Some(account) = account(&event) else { continue };
        let key = user_of(&access.organisation, &account);
        if found.iter().all(|one| one.key != key) {
            found.push(Somebody { key, name: access.user });
        }
    }
    Ok(found)
}

/// The account of who asked, from an entry of the audit.
fn account(event: &Resource) -> Option<String> {
    let asks = |agent: &Value<'_>| agent.get("requestor").and_then(Value::as_bool) == Some(true);
    let requestor = event.root().get("agent")?.items().find(asks)?;
    let value = requestor.path(&["who", "identifier", "value"])?.as_str()?;
    Some(value.into_owned())
}

/// The related persons of the patient.
fn related(snapshot: &dyn Snapshot, patient: &Id) -> Result<Vec<Somebody>> {
    let params = [("patient".to_owned(), format!("Patient/{patient}"))];
    let search = parse(Registry::r4(), "RelatedPerson", &params)
        .map_err(|e| Error::internal(e.to_string()))?;
    let found = snapshot.find(&search.query, MAX_RELATED, false)?;
    let mut list = Vec::new();
    for stored in snapshot.load(&found)? {
        let person = parse_stored(&stored)?;
        let key = format!("RelatedPerson/{}", stored.key.id);
        list.push(Somebody { name: name_of(&person).unwrap_or_else(|| key.clone()), key });
    }
    Ok(list)
}

/// The first name of a person, as it is written or put together from its parts.
fn name_of(person: &Resource) -> Option<String> {
    let name = person.root().get("name")?.items().next()?;
    if let Some(text) = name.str_at("text") {
        return Some(text.into_owned());
    }
    let given = name.get("given").into_iter().flat_map(|list| list.items());
    let parts = given.chain(name.get("family"));
    let parts: Vec<String> = parts.filter_map(|part| Some(part.as_str()?.into_owned())).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}
