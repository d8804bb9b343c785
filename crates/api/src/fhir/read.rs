//! Reads: the current version of a resource, or one version of it.

use app::records::read;
use app::{App, Caller, Error};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use store::{Key, Stored};

use super::{Answered, Asked, answer, binary, key, prefer};
use crate::outcome::Failure;

/// `GET [type]/[id]`.
pub async fn read_(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    check_parameters(query.as_deref(), &headers)?;
    let key = key(&kind, &id)?;
    let stored = stored(&app, caller, key, None).await?;
    if stored.key.resource_type == "Binary" {
        return binary::content(stored, &headers, query.as_deref());
    }
    Ok(answer::resource(stored, &headers))
}

/// `GET [type]/[id]/_history/[version]`.
pub async fn vread(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id, version)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    check_parameters(query.as_deref(), &headers)?;
    let key = key(&kind, &id)?;
    let version = version.parse().map_err(|_| Error::not_found())?;
    let stored = stored(&app, caller, key, Some(version)).await?;
    if stored.key.resource_type == "Binary" {
        return binary::content(stored, &headers, query.as_deref());
    }
    Ok(answer::resource(stored, &headers))
}

async fn stored(
    app: &App,
    caller: Caller,
    key: Key,
    version: Option<u64>,
) -> Result<Stored, Error> {
    app.run_short(move |app| read::begin(app, &caller, &key, version)).await?.done().await
}

/// A read knows the parameters of the answer's form and no others.
fn check_parameters(query: Option<&str>, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(()) };
    if prefer::is_lenient(headers) {
        return Ok(());
    }
    for (name, _) in form_urlencoded::parse(query.as_bytes()) {
        if !matches!(name.as_ref(), "_format" | "_pretty" | "_summary" | "_elements") {
            let name: String = name.chars().take(40).collect();
            let message = format!("a read does not know the parameter `{name}`");
            return Err(Error::invalid("not-supported", message).into());
        }
    }
    Ok(())
}
