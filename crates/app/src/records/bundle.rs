//! Batch and transaction Bundles (FHIR R4 http, section on batch and transaction).
//!
//! A transaction is one store transaction: all of it or nothing. Its order inside the Bundle does
//! not matter; deletions come first, then creations, then updates, then reads.

use std::collections::{HashMap, HashSet};

use fhir::{Id, Resource, Value};
use store::query::Query;
use store::{Expect, Guard, Key, Method, Snapshot, Stored, Transaction, Write};

use super::write::{
    Written, check_content, check_id, condition, existing, matching, multiple, retry,
};
use super::{patients_of, references};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Error, Kind, Result, consent};

/// Most entries in one Bundle.
pub const MAX_ENTRIES: usize = 50_000;

/// One entry's request, checked.
#[derive(Debug)]
pub struct Entry {
    /// `fullUrl`, by which other entries refer to it.
    pub full_url: Option<String>,
    /// What to do.
    pub request: Request,
}

/// What one entry asks for.
#[derive(Debug)]
pub enum Request {
    /// `POST Type`, with `ifNoneExist`.
    Create {
        /// The type to create.
        resource_type: &'static str,
        /// The content.
        resource: Resource,
        /// The search that must find nothing.
        if_none_exist: Option<Vec<(String, String)>>,
    },
    /// `PUT Type/id`, with `ifMatch`.
    Update {
        /// Which resource.
        key: Key,
        /// The content.
        resource: Resource,
        /// The version that must stand.
        if_match: Option<u64>,
    },
    /// `DELETE Type/id`.
    Delete {
        /// Which resource.
        key: Key,
    },
    /// `GET` of anything: answered by the edge after the writes, from its own doors.
    Get {
        /// The address relative to the base.
        url: String,
    },
}

/// The answer to one entry.
#[derive(Debug)]
pub enum Answer {
    /// A create or update.
    Written(Written),
    /// A deletion, with what it did where there was something to delete.
    Deleted(Option<Written>),
    /// A read for the edge to answer.
    Get {
        /// The address relative to the base.
        url: String,
    },
    /// A refusal; only in a batch.
    Failed(Error),
}

/// Reads the entries of a Bundle. The error names the entry at fault, counted from 0.
pub fn entries(bundle: Value<'_>) -> Result<Vec<Result<Entry>>> {
    let list: Vec<Value<'_>> =
        bundle.get("entry").map(|entry| entry.items().collect()).unwrap_or_default();
    if list.len() > MAX_ENTRIES {
        return Err(Error::new(
            Kind::TooCostly,
            format!("a bundle has at most {MAX_ENTRIES} entries; split it"),
        ));
    }
    Ok(list
        .into_iter()
        .enumerate()
        .map(|(at, value)| entry(value).map_err(|e| at_entry(e, at)))
        .collect())
}

fn at_entry(error: Error, at: usize) -> Error {
    Error { message: format!("entry {at}: {}", error.message), ..error }
}

fn entry(value: Value<'_>) -> Result<Entry> {
    let required = |name: &str| Error::invalid("required", format!("`{name}` is missing"));
    let request = value.get("request").ok_or_else(|| required("request"))?;
    let method = request.str_at("method").ok_or_else(|| required("request.method"))?;
    let url = request.str_at("url").ok_or_else(|| required("request.url"))?;
    let full_url = value.str_at("fullUrl").map(|url| url.into_owned());
    let resource = || {
        let text = value.get("resource").ok_or_else(|| required("resource"))?.raw();
        Resource::parse(text).map_err(|e| Error::invalid("structure", e.to_string()))
    };
    let request = match method.as_ref() {
        "POST" => {
            let resource_type = known_type(&url)?;
            let if_none_exist = request.str_at("ifNoneExist").map(|query| query_pairs(&query));
            Request::Create { resource_type, resource: resource()?, if_none_exist }
        }
        "PUT" => {
            let key = key_of(&url)?;
            let if_match = request.str_at("ifMatch").map(|tag| etag(&tag)).transpose()?;
            let resource = resource()?;
            check_id(&resource, &key.id)?;
            Request::Update { key, resource, if_match }
        }
        "DELETE" => Request::Delete { key: key_of(&url)? },
        "GET" | "HEAD" => Request::Get { url: url.into_owned() },
        other => {
            let message = format!("method `{}` is not offered in a bundle", short(other));
            return Err(Error::new(Kind::NotSupported, message));
        }
    };
    Ok(Entry { full_url, request })
}

fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

fn known_type(name: &str) -> Result<&'static str> {
    fhir::definitions::resource_type(name.trim_start_matches('/')).ok_or_else(|| {
        Error::invalid("not-supported", format!("`{}` is not a resource type of R4", short(name)))
    })
}

fn key_of(url: &str) -> Result<Key> {
    if url.contains('?') {
        return Err(Error::new(
            Kind::NotSupported,
            "conditional update and delete are not offered; name the resource by `Type/id`",
        ));
    }
    let (kind, id) = url
        .trim_start_matches('/')
        .split_once('/')
        .ok_or_else(|| Error::invalid("value", "`request.url` must be `Type/id`"))?;
    let id = Id::new(id).map_err(|e| Error::invalid("value", e.to_string()))?;
    Ok(Key { resource_type: known_type(kind)?, id })
}

/// Splits and decodes `a=b&c=d` (application/x-www-form-urlencoded).
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.trim_start_matches('?').as_bytes()).into_owned().collect()
}

/// Reads a weak entity tag `W/"3"`.
pub fn etag(tag: &str) -> Result<u64> {
    let inner = tag.trim().trim_start_matches("W/").trim_matches('"');
    inner.parse().map_err(|_| {
        Error::invalid("value", "an entity tag is written `W/\"n\"` with the version number n")
    })
}

/// Carries out a batch: every entry by itself.
pub fn batch(app: &App, caller: &Caller, entries: Vec<Result<Entry>>) -> Vec<Answer> {
    let one = |entry: Entry| -> Result<Answer> {
        Ok(match entry.request {
            Request::Create { resource_type, resource, if_none_exist } => {
                Answer::Written(super::write::create(
                    app,
                    caller,
                    resource_type,
                    resource,
                    if_none_exist.as_deref(),
                )?)
            }
            Request::Update { key, resource, if_match } => {
                Answer::Written(super::write::update(app, caller, key, resource, if_match)?)
            }
            Request::Delete { key } => {
                Answer::Deleted(super::write::delete(app, caller, key, None)?)
            }
            Request::Get { url } => Answer::Get { url },
        })
    };
    entries.into_iter().map(|entry| entry.and_then(one).unwrap_or_else(Answer::Failed)).collect()
}

/// Carries out a transaction: everything or nothing. Answers are in the order of the entries.
pub fn transaction(app: &App, caller: &Caller, entries: Vec<Result<Entry>>) -> Result<Vec<Answer>> {
    let entries: Vec<Entry> = entries.into_iter().collect::<Result<_>>()?;
    for (at, entry) in entries.iter().enumerate() {
        check(app, caller, entry).map_err(|e| at_entry(e, at))?;
    }
    retry(|| Plan::make(app, &entries)?.commit(app, caller, &entries))
}

fn check(app: &App, caller: &Caller, entry: &Entry) -> Result<()> {
    match &entry.request {
        Request::Create { resource_type, resource, .. } => {
            let permit = authorise(app, caller, Action::writing(resource_type))?;
            check_content(resource, resource_type, &permit)?;
            super::validate::enforce(app, resource)
        }
        Request::Update { key, resource, .. } => {
            let permit = authorise(app, caller, Action::writing(key.resource_type))?;
            // Overwriting somebody else's resource is prevented by giving limited callers no
            // updates in transactions; they have the plain interaction.
            if !permit.is_unlimited() {
                return Err(Error::new(Kind::Forbidden, "update one resource at a time")
                    .by_rule("own-record"));
            }
            check_content(resource, key.resource_type, &permit)?;
            super::validate::enforce(app, resource)
        }
        Request::Delete { key } => {
            let permit = authorise(app, caller, Action::writing(key.resource_type))?;
            match permit.is_unlimited() {
                true => Ok(()),
                false => Err(Error::new(Kind::Forbidden, "delete one resource at a time")
                    .by_rule("own-record")),
            }
        }
        Request::Get { .. } => Ok(()),
    }
}

/// Where one entry's answer comes from.
enum Slot {
    Write(usize),
    Found(Written),
    Get,
}

/// A transaction ready to commit.
struct Plan {
    writes: Vec<Write>,
    guards: Vec<Guard>,
    slots: Vec<Slot>,
}

impl Plan {
    fn make(app: &App, entries: &[Entry]) -> Result<Self> {
        let snapshot = app.store().snapshot()?;
        let mut guards = Vec::new();
        let mut targets: Vec<Target> = Vec::with_capacity(entries.len());
        let mut known: HashMap<String, String> = HashMap::new();
        let mut touched: HashSet<Key> = HashSet::new();
        for (at, entry) in entries.iter().enumerate() {
            let target =
                target(app, &*snapshot, entry, &mut guards).map_err(|e| at_entry(e, at))?;
            if let Some(key) = target.key() {
                if !touched.insert(key.clone()) && !matches!(target, Target::Found(_)) {
                    let message = "the same resource occurs twice in the transaction";
                    return Err(at_entry(Error::invalid("duplicate", message), at));
                }
                if let Some(url) = &entry.full_url {
                    let reference = format!("{}/{}", key.resource_type, key.id);
                    if known.insert(url.clone(), reference).is_some() {
                        let message = "the same `fullUrl` occurs twice in the transaction";
                        return Err(at_entry(Error::invalid("duplicate", message), at));
                    }
                }
            }
            targets.push(target);
        }
        let mut plan = Self { writes: Vec::new(), guards, slots: Vec::new() };
        plan.slots = plan.order(&*snapshot, entries, targets, &known)?;
        Ok(plan)
    }

    /// Turns targets into writes: deletions, then creations, then updates.
    fn order(
        &mut self,
        snapshot: &dyn Snapshot,
        entries: &[Entry],
        targets: Vec<Target>,
        known: &HashMap<String, String>,
    ) -> Result<Vec<Slot>> {
        let mut slots: Vec<Option<Slot>> = targets.iter().map(|_| None).collect();
        let mut cache: HashMap<String, String> = HashMap::new();
        for phase in 0..3 {
            for (at, (entry, target)) in entries.iter().zip(&targets).enumerate() {
                let write = match (phase, target, &entry.request) {
                    (0, Target::Write(key), Request::Delete { .. }) => {
                        Write::Delete { key: key.clone(), expect: Expect::Any }
                    }
                    (1, Target::Write(key), Request::Create { resource, .. }) => {
                        let resource = self
                            .resolved(snapshot, resource, known, &mut cache)
                            .map_err(|e| at_entry(e, at))?;
                        let (key, expect) = (key.clone(), Expect::Absent);
                        Write::Put { key, resource, expect, method: Method::Post }
                    }
                    (2, Target::Write(key), Request::Update { resource, if_match, .. }) => {
                        let resource = self
                            .resolved(snapshot, resource, known, &mut cache)
                            .map_err(|e| at_entry(e, at))?;
                        let expect = if_match.map_or(Expect::Any, Expect::Version);
                        Write::Put { key: key.clone(), resource, expect, method: Method::Put }
                    }
                    _ => continue,
                };
                slots[at] = Some(Slot::Write(self.writes.len()));
                self.writes.push(write);
            }
        }
        Ok(slots
            .into_iter()
            .zip(targets)
            .map(|(slot, target)| match (slot, target) {
                (Some(slot), _) => slot,
                (None, Target::Found(written)) => Slot::Found(written),
                (None, _) => Slot::Get,
            })
            .collect())
    }

    /// The content with temporary ids and conditional references replaced.
    fn resolved(
        &mut self,
        snapshot: &dyn Snapshot,
        resource: &Resource,
        known: &HashMap<String, String>,
        cache: &mut HashMap<String, String>,
    ) -> Result<Resource> {
        references::rewrite(resource.clone(), known, &mut |reference| {
            if let Some(found) = cache.get(reference) {
                return Ok(Some(found.clone()));
            }
            let (query, key) = conditional_reference(snapshot, reference)?;
            self.guards.push(Guard::Found { query, keys: vec![key.clone()] });
            let found = format!("{}/{}", key.resource_type, key.id);
            cache.insert(reference.to_owned(), found.clone());
            Ok(Some(found))
        })
    }

    fn commit(self, app: &App, caller: &Caller, entries: &[Entry]) -> Result<Vec<Answer>> {
        let mut event = Event::by(caller, Pattern::Transaction).note(format!(
            "{} entries, {} writes",
            entries.len(),
            self.writes.len()
        ));
        let mut side = Vec::new();
        for write in &self.writes {
            if let Write::Put { resource, .. } = write {
                event = event.patients(patients_of(resource));
            }
            side.extend(consent::deliver::after_write(app, write)?);
        }
        let mut writes = self.writes;
        writes.push(event.write(app)?);
        let committed = app.store().commit(Transaction { guards: self.guards, writes, side })?;
        let written = |at: usize| committed.versions.get(at).cloned().flatten();
        Ok(self
            .slots
            .into_iter()
            .zip(entries)
            .map(|(slot, entry)| match (slot, &entry.request) {
                (Slot::Write(at), Request::Delete { .. }) => {
                    Answer::Deleted(written(at).as_ref().map(Written::from))
                }
                (Slot::Write(at), _) => match written(at) {
                    Some(version) => Answer::Written(Written::from(&version)),
                    None => Answer::Failed(Error::internal("the store did not say what it wrote")),
                },
                (Slot::Found(written), _) => Answer::Written(written),
                (Slot::Get, Request::Get { url }) => Answer::Get { url: url.clone() },
                (Slot::Get, _) => Answer::Deleted(None),
            })
            .collect())
    }
}

/// What an entry acts on.
enum Target {
    Write(Key),
    Found(Written),
    None,
}

impl Target {
    fn key(&self) -> Option<&Key> {
        match self {
            Self::Write(key) => Some(key),
            Self::Found(written) => Some(&written.key),
            Self::None => None,
        }
    }
}

fn target(
    app: &App,
    snapshot: &dyn Snapshot,
    entry: &Entry,
    guards: &mut Vec<Guard>,
) -> Result<Target> {
    Ok(match &entry.request {
        Request::Create { resource_type, if_none_exist, .. } => {
            if let Some(params) = if_none_exist {
                let query = condition(resource_type, params)?;
                match matching(snapshot, &query)?.as_slice() {
                    [] => guards.push(Guard::Found { query, keys: Vec::new() }),
                    [key] => return Ok(Target::Found(existing(snapshot, key)?)),
                    _ => return Err(multiple()),
                }
            }
            Target::Write(Key { resource_type, id: app.new_id() })
        }
        Request::Update { key, if_match: Some(version), .. } => {
            // The same answer as to a plain update whose stated version does not stand.
            if snapshot.read(key)?.is_none_or(|stored| stored.version != *version) {
                return Err(Error::new(
                    Kind::Precondition,
                    "the version in `request.ifMatch` is not the one that stands",
                ));
            }
            Target::Write(key.clone())
        }
        Request::Update { key, .. } | Request::Delete { key } => Target::Write(key.clone()),
        Request::Get { .. } => Target::None,
    })
}

/// The one resource that a conditional reference names.
pub fn conditional_reference(snapshot: &dyn Snapshot, reference: &str) -> Result<(Query, Key)> {
    let (kind, params) = reference.split_once('?').unwrap_or((reference, ""));
    let query = condition(known_type(kind)?, &query_pairs(params))?;
    let mut keys = matching(snapshot, &query)?;
    match (keys.pop(), keys.pop()) {
        (Some(key), None) => Ok((query, key)),
        (None, _) => Err(Error::new(
            Kind::Precondition,
            format!("a conditional reference to `{kind}` matches nothing"),
        )),
        _ => Err(multiple()),
    }
}

/// What an entry's `resource` shows after the write, for `Prefer: return=representation`.
pub fn representation(app: &App, written: &Written) -> Result<Option<Stored>> {
    Ok(app.store().snapshot()?.load(&[written.seq])?.pop())
}
