//! The Person of an account: one resource that links what somebody is here, as a patient, as a
//! Practitioner, and as RelatedPersons of others.

use fhir::{Id, Resource};
use identity::Account;
use serde_json::{Value as Json, json};
use store::{Expect, Key, Method, Snapshot, Write};

use super::PERSON_PREFIX;
use super::arrangement::parsed;
use crate::records::parse;
use crate::{App, Error, Result};

/// Most links of one Person; nobody acts for more patients than that.
const MAX_LINKS: usize = 200;

/// Where an account's Person is kept. The id says nothing about the account.
pub(super) fn key(account: &str) -> Result<Key> {
    let hash = crypto::hash::hex(&crypto::hash::sha256(account.as_bytes()));
    let short: String = hash.chars().take(40).collect();
    let id = Id::new(format!("{PERSON_PREFIX}{short}"))
        .map_err(|e| Error::internal(format!("an id is faulty: {e}")))?;
    Ok(Key { resource_type: "Person", id })
}

/// An account as an identifier.
pub(super) fn identifier(app: &App, account: &str) -> Json {
    json!({"system": format!("urn:consilium:org:{}", app.org().id), "value": account})
}

/// The references that a Person links.
pub(super) fn links(person: &Resource) -> Vec<String> {
    let list = person.root().get("link");
    let targets = list.iter().flat_map(|list| list.items());
    let targets = targets.filter_map(|link| link.path(&["target", "reference"])?.as_str());
    targets.map(|text| text.into_owned()).collect()
}

/// The write that links `related` to the account's Person, or takes the link away. The account's own
/// identities stand on the operator's word (level 3), the RelatedPerson on what `assurance` says
/// (FHIR identity-assuranceLevel).
pub(super) fn linked(
    app: &App,
    snapshot: &dyn Snapshot,
    account: &Account,
    related: &Id,
    assurance: Option<&'static str>,
) -> Result<Write> {
    let key = key(&account.id)?;
    let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
    let before: Option<Json> = match &stored {
        Some(stored) => serde_json::from_str(parse(stored)?.text()).ok(),
        None => None,
    };
    let target = format!("RelatedPerson/{related}");
    let of_others = |link: &&Json| {
        let reference = link.pointer("/target/reference").and_then(Json::as_str);
        reference.is_some_and(|text| text.starts_with("RelatedPerson/") && text != target)
    };
    let old = before.as_ref().and_then(|person| person.get("link")).and_then(Json::as_array);
    let mut list: Vec<Json> = old.into_iter().flatten().filter(of_others).cloned().collect();
    let link = |reference: &str, level: &str| json!({"target": {"reference": reference}, "assurance": level});
    let own = account.patient.as_ref().map(|patient| format!("Patient/{patient}"));
    for reference in own.iter().chain(&account.practitioner) {
        list.insert(0, link(reference, "level3"));
    }
    list.extend(assurance.map(|level| link(&target, level)));
    if list.len() > MAX_LINKS {
        return Err(Error::new(crate::Kind::Busy, "this account acts for too many patients"));
    }
    let mut person = json!({
        "resourceType": "Person",
        "id": key.id.as_str(),
        "identifier": [identifier(app, &account.id)],
        "name": [{"text": account.display_name}],
        "active": true,
    });
    if !list.is_empty() {
        person["link"] = list.into();
    }
    let expect = stored.map_or(Expect::Absent, |stored| Expect::Version(stored.version));
    Ok(Write::Put { key, resource: parsed(&person)?, expect, method: Method::Put })
}
