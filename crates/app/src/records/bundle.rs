//! Transaction Bundles (FHIR R4 http, section on batch and transaction): what the entries ask for.
//! How they become one store transaction is in [`plan`].
//!
//! A transaction is all of it or nothing. Its order inside the Bundle does not matter; deletions
//! come first, then creations, then updates and patches, then reads.
//!
//! Conditions, and references by a search, look at what the caller may search and at nothing else;
//! what is hidden from them is treated as what does not exist, by the same words.

mod pending;
mod plan;

use std::collections::HashMap;

use fhir::{Id, Resource, Value};
use store::{Key, Snapshot, Stored};

use super::condition::{Params, Standing, at_most_one, condition};
use super::patch::Patch;
use super::write::{Written, check_id, retry};
use crate::terminology::Lists;
use crate::{App, Caller, Error, Kind, Result, notify};

pub use super::condition::query_pairs;

/// Most entries in one Bundle.
pub const MAX_ENTRIES: usize = 50_000;

/// One entry's request, checked.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `fullUrl`, by which other entries refer to it.
    pub full_url: Option<String>,
    /// What to do.
    pub request: Request,
}

/// What one entry asks for.
#[derive(Clone, Debug)]
pub enum Request {
    /// `POST Type`, with `ifNoneExist`.
    Create {
        /// The type to create.
        resource_type: &'static str,
        /// The content.
        resource: Resource,
        /// The search that must find nothing.
        if_none_exist: Option<Params>,
    },
    /// `PUT Type/id` or `PUT Type?search`.
    Update {
        /// Which resource.
        target: Target,
        /// The content.
        resource: Resource,
        /// What must stand.
        standing: Standing,
    },
    /// `PATCH Type/id` or `PATCH Type?search`.
    Patch {
        /// Which resource.
        target: Target,
        /// What to change.
        patch: Patch,
        /// What must stand.
        standing: Standing,
    },
    /// `DELETE Type/id` or `DELETE Type?search`.
    Delete {
        /// Which resource.
        target: Target,
        /// What must stand.
        standing: Standing,
    },
    /// `GET` or `HEAD` of anything: answered by the edge after the writes, from its own doors.
    Get {
        /// The address relative to the base.
        url: String,
    },
}

/// What an entry acts on.
#[derive(Clone, Debug)]
pub enum Target {
    /// One resource.
    Key(Key),
    /// What a search finds.
    Search {
        /// The type searched.
        resource_type: &'static str,
        /// The search.
        params: Params,
    },
}

impl Target {
    /// The type of what it acts on.
    pub fn resource_type(&self) -> &'static str {
        match self {
            Self::Key(key) => key.resource_type,
            Self::Search { resource_type, .. } => resource_type,
        }
    }
}

/// The answer to one entry.
#[derive(Debug)]
pub enum Answer {
    /// A create, update or patch.
    Written(Written),
    /// A deletion, with what it did where there was something to delete.
    Deleted(Option<Written>),
    /// A read for the edge to answer.
    Get {
        /// The address relative to the base.
        url: String,
    },
}

/// Reads the entries of a transaction. The error names the first entry at fault.
pub fn entries(app: &App, bundle: Value<'_>) -> Result<Vec<Entry>> {
    let list: Vec<Value<'_>> =
        bundle.get("entry").map(|entry| entry.items().collect()).unwrap_or_default();
    check_count(list.len())?;
    let base = format!("{}/fhir/", app.org().base_url);
    let one = |(at, value)| entry(value, &base).map_err(|e| at_entry(e, at));
    list.into_iter().enumerate().map(one).collect()
}

/// Refuses a Bundle with too many entries.
pub fn check_count(count: usize) -> Result<()> {
    match count {
        0..=MAX_ENTRIES => Ok(()),
        _ => Err(Error::new(
            Kind::TooCostly,
            format!("a bundle has at most {MAX_ENTRIES} entries; split it"),
        )),
    }
}

/// The same error, naming the entry at fault, counted from 0.
pub fn at_entry(error: Error, at: usize) -> Error {
    Error { message: format!("entry {at}: {}", error.message), ..error }
        .at(format!("Bundle.entry[{at}]"))
}

fn required(name: &str) -> Error {
    Error::invalid("required", format!("`{name}` is missing"))
}

fn entry(value: Value<'_>, base: &str) -> Result<Entry> {
    let request = value.get("request").ok_or_else(|| required("request"))?;
    let method = request.str_at("method").ok_or_else(|| required("request.method"))?;
    let url = request.str_at("url").ok_or_else(|| required("request.url"))?;
    let url = relative(&url, base);
    let full_url = value.str_at("fullUrl").map(|url| url.into_owned());
    if full_url.as_deref().is_some_and(|url| url.contains("/_history/")) {
        let message = "`fullUrl` must not name a version (invariant bdl-8)";
        return Err(Error::invalid("invariant", message));
    }
    let resource = || {
        let text = value.get("resource").ok_or_else(|| required("resource"))?.raw();
        Resource::parse(text).map_err(|e| Error::invalid("structure", e.to_string()))
    };
    let request = match method.as_ref() {
        "POST" => {
            let resource_type = known_type(url)?;
            let if_none_exist = request.str_at("ifNoneExist").map(|query| query_pairs(&query));
            Request::Create { resource_type, resource: resource()?, if_none_exist }
        }
        "PUT" => {
            let (target, resource) = (target(url)?, resource()?);
            if let Target::Key(key) = &target {
                check_id(&resource, &key.id)?;
            }
            Request::Update { target, resource, standing: standing(request)? }
        }
        "PATCH" => {
            let (target, patch) = (target(url)?, Patch::of_entry(&resource()?)?);
            Request::Patch { target, patch, standing: standing(request)? }
        }
        "DELETE" => Request::Delete { target: target(url)?, standing: standing(request)? },
        "GET" | "HEAD" => Request::Get { url: url.to_owned() },
        other => {
            let message = format!("method `{}` is not offered in a bundle", short(other));
            return Err(Error::invalid("not-supported", message));
        }
    };
    Ok(Entry { full_url, request })
}

/// An address of this node without its base.
pub fn relative<'a>(url: &'a str, base: &str) -> &'a str {
    url.strip_prefix(base).unwrap_or(url).trim_start_matches('/')
}

fn standing(request: Value<'_>) -> Result<Standing> {
    match (request.str_at("ifMatch"), request.str_at("ifNoneMatch")) {
        (Some(tags), _) => Standing::if_match(&tags),
        (None, Some(tag)) if tag.trim() == "*" => Ok(Standing::Nothing),
        (None, Some(_)) => Err(Error::invalid(
            "not-supported",
            "`request.ifNoneMatch` of a write can only be `*`; state versions in `request.ifMatch`",
        )),
        (None, None) => Ok(Standing::Anything),
    }
}

fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

fn known_type(name: &str) -> Result<&'static str> {
    fhir::definitions::resource_type(name).ok_or_else(|| {
        let message = match name.contains('$') {
            true => "operations are not offered in a transaction; send a batch".to_owned(),
            false => format!("`{}` is not a resource type of R4", short(name)),
        };
        Error::invalid("not-supported", message)
    })
}

fn target(url: &str) -> Result<Target> {
    if let Some((kind, query)) = url.split_once('?') {
        let resource_type = known_type(kind)?;
        return Ok(Target::Search { resource_type, params: query_pairs(query) });
    }
    let (kind, id) = url.split_once('/').ok_or_else(|| {
        Error::invalid("value", "`request.url` must be `Type/id` or `Type?search`")
    })?;
    let id = Id::new(id).map_err(|e| Error::invalid("value", e.to_string()))?;
    Ok(Target::Key(Key { resource_type: known_type(kind)?, id }))
}

/// Carries out a transaction: everything or nothing. Answers are in the order of the entries.
pub fn transaction(app: &App, caller: &Caller, entries: &[Entry]) -> Result<Vec<Answer>> {
    let accepted = notify::accept::accept_all(app, caller, entries)?;
    let entries = accepted.as_deref().unwrap_or(entries);
    let leave = plan::check(app, caller, entries)?;
    retry(|| plan::Plan::make(app, caller, entries, &leave)?.commit(app, caller, entries))
}

/// The one resource that a conditional reference names, by what the store holds.
pub(crate) fn conditional_reference(
    app: &App,
    lists: &Lists<'_>,
    snapshot: &dyn Snapshot,
    reference: &str,
) -> Result<(store::query::Query, Key)> {
    let (kind, params) = reference.split_once('?').unwrap_or((reference, ""));
    let query = condition(app, lists, known_type(kind)?, &query_pairs(params))?;
    match at_most_one(snapshot, query.clone())? {
        (Some(key), _) => Ok((query, key)),
        (None, _) => Err(unmatched(kind)),
    }
}

fn unmatched(kind: &str) -> Error {
    Error::new(Kind::Precondition, format!("a conditional reference to `{kind}` matches nothing"))
}

/// What a write left standing, for `Prefer: return=representation`.
pub fn representation(app: &App, written: &Written) -> Result<Option<Stored>> {
    Ok(app.store().snapshot()?.load(&[written.seq])?.pop())
}

/// What stands after the writes of a transaction, by number, for `Prefer: return=representation`.
pub fn representations(app: &App, answers: &[Answer]) -> Result<HashMap<store::Seq, Stored>> {
    let written = answers.iter().filter_map(|answer| match answer {
        Answer::Written(written) => Some(written.seq),
        Answer::Deleted(_) | Answer::Get { .. } => None,
    });
    let stored = app.store().snapshot()?.load(&written.collect::<Vec<_>>())?;
    Ok(stored.into_iter().map(|stored| (stored.seq, stored)).collect())
}
