//! Profiles, security labels and tags: those of one resource, those in use, and changing them
//! (FHIR R4, `$meta`, `$meta-add`, `$meta-delete`).

use std::collections::BTreeSet;

use fhir::edit::Edits;
use fhir::json::quote;
use fhir::{Document, Resource, Value};
use fhirpath::search::Registry;
use store::Key;
use store::query::parse as parse_query;

use super::condition::Standing;
use super::page::MAX_MATCHES;
use super::search::refused;
use super::write::{self, Written};
use super::{parse, read};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result};

/// The lists of a Meta that can be added to and taken from; the first holds addresses, the others
/// Codings.
const LISTS: [&str; 3] = ["profile", "security", "tag"];

/// What a change does to the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds what is missing.
    Add,
    /// Takes away what is there.
    Delete,
}

/// The Meta of one resource or one version of it, as JSON text.
pub fn of_one(app: &App, caller: &Caller, key: &Key, version: Option<u64>) -> Result<String> {
    let stored = read::read(app, caller, key, version)?;
    Ok(meta_of(&parse(&stored)?).map_or_else(|| "{}".into(), |meta| meta.raw().to_owned()))
}

/// The profiles, labels and tags that resources of the types carry, as the JSON text of a Meta.
///
/// Errors: [`Kind::TooCostly`] where more resources carry any than one search may find;
/// [`Kind::NotFound`] for who may see the own record only.
pub fn in_use(app: &App, caller: &Caller, types: &[&'static str]) -> Result<String> {
    let name = if let [one] = types { one } else { "*" };
    let permit = authorise(app, caller, Action::searching(name))?;
    if !permit.is_unlimited() {
        return Err(Error::not_found());
    }
    let snapshot = app.store().snapshot()?;
    let mut found: [BTreeSet<String>; 3] = Default::default();
    for resource_type in types {
        for list in LISTS {
            let params = [(format!("_{list}:missing"), "false".to_owned())];
            let search = parse_query(Registry::r4(), resource_type, &params);
            let query = search.map_err(|error| refused(&error))?.query;
            for piece in snapshot.find(&query, MAX_MATCHES, true)?.chunks(200) {
                for stored in snapshot.load(piece)? {
                    note(&parse(&stored)?, &mut found);
                }
            }
        }
    }
    drop(snapshot);
    app.audit(Event::by(caller, Pattern::Query).query(format!("{name}/$meta")))?;
    let lists = LISTS.iter().zip(found).filter(|(_, found)| !found.is_empty());
    let lists: Vec<String> = lists
        .map(|(list, found)| {
            let items: Vec<String> = found.into_iter().collect();
            format!("{}:[{}]", quote(list), items.join(","))
        })
        .collect();
    Ok(format!("{{{}}}", lists.join(",")))
}

/// Changes the lists of the current version and stores that as a new one; nothing is stored where
/// nothing changes. Returns the Meta that stands then.
pub fn change(
    app: &App,
    caller: &Caller,
    key: &Key,
    meta: &Document,
    change: Change,
) -> Result<String> {
    write::retry(|| {
        let stored = read::read(app, caller, key, None)?;
        let resource = parse(&stored)?;
        let Some(changed) = changed(&resource, meta.root(), change) else {
            return of_one(app, caller, key, None);
        };
        let resource = Resource::parse(changed)
            .map_err(|e| Error::invalid("structure", format!("the change is not valid: {e}")))?;
        let standing = Standing::Versions(vec![stored.version]);
        match write::update(app, caller, key.clone(), resource, &standing) {
            Ok(Written { version, .. }) => of_one(app, caller, key, Some(version)),
            // Somebody came in between; the next attempt starts from what they left.
            Err(error) if error.kind == Kind::Precondition => {
                Err(Error { kind: Kind::Conflict, ..error })
            }
            Err(error) => Err(error),
        }
    })
}

fn meta_of(resource: &Resource) -> Option<Value<'_>> {
    resource.get("meta")
}

fn note(resource: &Resource, found: &mut [BTreeSet<String>; 3]) {
    let Some(meta) = meta_of(resource) else { return };
    for (list, found) in LISTS.iter().zip(found) {
        let items = meta.get(list).into_iter().flat_map(Value::items);
        found.extend(items.map(|item| item.raw().to_owned()));
    }
}

/// The text with the lists changed; `None` where that changes nothing.
fn changed(resource: &Resource, wanted: Value<'_>, change: Change) -> Option<String> {
    let meta = meta_of(resource);
    let mut members: Vec<(String, String)> = Vec::new();
    let mut differs = false;
    for member in meta.into_iter().flat_map(Value::members) {
        if !LISTS.contains(&&*member.name()) {
            members.push((member.name().into_owned(), member.value.raw().to_owned()));
        }
    }
    for list in LISTS {
        let old: Vec<Value<'_>> =
            meta.and_then(|m| m.get(list)).into_iter().flat_map(Value::items).collect();
        let asked: Vec<Value<'_>> = wanted.get(list).into_iter().flat_map(Value::items).collect();
        let mut kept: Vec<&str> = Vec::new();
        for item in &old {
            let named = asked.iter().any(|other| is_same(*item, *other));
            if change == Change::Delete && named {
                differs = true;
            } else {
                kept.push(item.raw());
            }
        }
        if change == Change::Add {
            for item in &asked {
                if !old.iter().any(|other| is_same(*item, *other)) {
                    differs = true;
                    kept.push(item.raw());
                }
            }
        }
        if !kept.is_empty() {
            members.push((list.to_owned(), format!("[{}]", kept.join(","))));
        }
    }
    if !differs {
        return None;
    }
    let members: Vec<String> =
        members.into_iter().map(|(name, value)| format!("{}:{value}", quote(&name))).collect();
    let mut edits = Edits::default();
    edits.set(resource.root(), "meta", &format!("{{{}}}", members.join(",")), "id");
    Some(edits.apply(resource.text()))
}

/// Addresses are the same by text, Codings by system and code.
fn is_same(one: Value<'_>, other: Value<'_>) -> bool {
    match (one.as_str(), other.as_str()) {
        (Some(one), Some(other)) => one == other,
        (None, None) => {
            one.str_at("system") == other.str_at("system")
                && one.str_at("code") == other.str_at("code")
        }
        _ => false,
    }
}
