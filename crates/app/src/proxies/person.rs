//! The Person of an account: one resource that links what somebody is here, as a patient, as a
//! Practitioner, and as RelatedPersons of others.

use fhir::{Id, Resource};
use identity::Account;
use serde_json::{Value as Json, json};
use store::{Expect, Key, Method, Snapshot, Write};

use super::arrangement::parsed;
use crate::accounts::resources::{MAX_LINKS, person, without_version};
use crate::{App, Error, Result};

/// Where an account's Person is kept.
pub(super) fn key(account: &str) -> Result<Key> {
    Ok(Key { resource_type: "Person", id: crate::accounts::id_of_account(account)? })
}

/// The references that a Person links.
pub(super) fn links(person: &Resource) -> Vec<String> {
    let list = person.root().get("link");
    let targets = list.iter().flat_map(|list| list.items());
    let targets = targets.filter_map(|link| link.path(&["target", "reference"])?.as_str());
    targets.map(|text| text.into_owned()).collect()
}

/// The write that links `related` to the account's Person, or takes the link away; it stands on what
/// `assurance` says (FHIR identity-assuranceLevel).
pub(super) fn linked(
    app: &App,
    snapshot: &dyn Snapshot,
    account: &Account,
    related: &Id,
    assurance: Option<&'static str>,
) -> Result<Write> {
    let key = key(&account.id)?;
    let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
    let before = stored.as_ref().and_then(|stored| without_version(&stored.text));
    let target = format!("RelatedPerson/{related}");
    let mut list = crate::accounts::follow::related(before.as_ref());
    list.retain(|link| {
        link.pointer("/target/reference").and_then(Json::as_str) != Some(target.as_str())
    });
    list.extend(
        assurance.map(|level| json!({"target": {"reference": target}, "assurance": level})),
    );
    if list.len() >= MAX_LINKS {
        return Err(Error::new(crate::Kind::Busy, "this account acts for too many patients"));
    }
    let person = person(app, &key.id, account, &list);
    let expect = stored.map_or(Expect::Absent, |stored| Expect::Version(stored.version));
    Ok(Write::Put { key, resource: parsed(&person)?, expect, method: Method::Put })
}
