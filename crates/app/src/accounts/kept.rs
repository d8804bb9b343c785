//! What of an account's resources is the node's own: nobody else writes it, by whatever door. A
//! Practitioner that the node made may be completed by whoever may write a Practitioner; who it is,
//! and whether it is active, follows the account.

use fhir::Resource;
use store::{Expect, Key, Method, Write};

use super::resources::without_version;
use super::{PREFIX, live};
use crate::{App, Error, Kind, Result};

/// What of a Practitioner follows the account.
const FOLLOWS: [&str; 3] = ["identifier", "active", "name"];

/// Whether a resource is the node's own alone.
pub(crate) fn is_own(resource_type: &str, id: &str) -> bool {
    matches!(resource_type, "Person" | "PractitionerRole" | "Device") && id.starts_with(PREFIX)
}

fn is_completed_by_others(resource_type: &str, id: &str) -> bool {
    resource_type == "Practitioner" && id.starts_with(PREFIX)
}

/// Refuses to have a resource written that is the node's own.
pub(crate) fn check_free(resource_type: &str, id: &str) -> Result<()> {
    if is_own(resource_type, id) { Err(kept()) } else { Ok(()) }
}

/// Refuses to have a resource deleted, or replaced unseen, that the node keeps for an account.
pub(crate) fn check_removable(resource_type: &str, id: &str) -> Result<()> {
    let is_kept = is_own(resource_type, id) || is_completed_by_others(resource_type, id);
    if is_kept { Err(kept()) } else { Ok(()) }
}

/// Refuses to have changed what follows the account of a Practitioner, and sees to it that the
/// write replaces what was looked at.
pub(crate) fn check_write(app: &App, write: &mut Write) -> Result<()> {
    let Write::Put { key, resource, expect, method } = write else { return Ok(()) };
    if *method != Method::Delete && is_completed_by_others(key.resource_type, key.id.as_str()) {
        *expect = checked(app, key, resource, *expect)?;
    }
    Ok(())
}

/// The same for the parts of a write. Returns what must stand.
pub(crate) fn checked(app: &App, key: &Key, resource: &Resource, expect: Expect) -> Result<Expect> {
    if !is_completed_by_others(key.resource_type, key.id.as_str()) {
        return Ok(expect);
    }
    let stored = live(&*app.store().snapshot()?, key)?.ok_or_else(kept)?;
    let (old, new) = (without_version(&stored.text), without_version(resource.text()));
    let (Some(old), Some(new)) = (old, new) else { return Err(kept()) };
    if FOLLOWS.iter().any(|name| old.get(name) != new.get(name)) {
        return Err(kept());
    }
    Ok(match expect {
        Expect::Any => Expect::Version(stored.version),
        stated => stated,
    })
}

fn kept() -> Error {
    Error::new(
        Kind::Forbidden,
        "this follows an account of this node; have an operator change the account on the page \
         `/operator/accounts`",
    )
    .by_rule("kept-by-the-node")
}
