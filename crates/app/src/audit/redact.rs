//! Which lines of an audit entry a patient may see, so that what the access log says of it can be
//! proved without showing the rest.
//!
//! An entry tells more than a patient may read: other people whom the same search found, the question
//! as it was typed, ids of accounts, addresses of machines, how staff signed in. Entries are written
//! in lines ([`super::event`]) and shown line by line; what is not named here stays hidden.

use crypto::entry::Redacted;
use fhir::{Id, Resource};
use store::Stored;

use super::accesses::view;
use crate::{App, Result};

/// How the line of an entity that refers to a resource begins.
const REFERRED: &str = "{\"what\":{\"reference\":\"";

/// What may be shown of an entry to the patient `patient`, whom it is about. `reason` tells whether
/// what was stated as evidence may be. `None` where the entry was written before entries could be
/// shown in part.
pub fn redact(text: &str, patient: &Id, reason: bool) -> Option<Redacted> {
    let lines = || text.split('\n').map(plain);
    let about =
        |line: &str| line.starts_with(REFERRED) && line.contains("/object-role\",\"code\":\"1\"}");
    let alone = lines().filter(|line| about(line)).count() == 1;
    let own = format!("{REFERRED}Patient/{patient}\"");
    Redacted::of(text, |at, line| {
        let line = plain(line);
        let is_own = line.starts_with(&own);
        at == 0 || is_frame(line) || is_own && (alone || about(line)) || {
            let is_evidence = line.starts_with("{\"type\":\"evidence\"");
            let is_theirs = line.starts_with("{\"type\":\"seen:")
                || line.starts_with(REFERRED) && !line.starts_with(&format!("{REFERRED}Patient/"));
            is_evidence && reason || is_theirs && alone
        }
    })
}

/// An entry of this node as the resource that `patient`, whom it is about, may read: tagged as
/// incomplete, as its other lines are missing. `None` where it was written before entries could be
/// shown in part.
pub(crate) fn shown(app: &App, stored: Stored, patient: &Id) -> Result<Option<(Stored, Resource)>> {
    let event = crate::records::parse(&stored)?;
    let reason = view(&event, &app.org().id).is_some_and(|access| access.shows_reason(true));
    let Some(redacted) = redact(&stored.text, patient, reason) else { return Ok(None) };
    let text = fhir::subset::tagged(redacted.json());
    let stored = Stored { text, ..stored };
    let resource = crate::records::parse(&stored)?;
    Ok(Some((stored, resource)))
}

/// What was done, when, why, by whom and for whom: what every line of the access log says.
fn is_frame(line: &str) -> bool {
    let begins = |start: &str| line.starts_with(start);
    // A program that asked for somebody is named by its id.
    let is_program = begins("{\"type\":{\"coding\"") && line.contains("\"who\":{\"identifier\"");
    begins("}")
        || begins("]")
        || begins("\"type\":{")
        || begins("\"purposeOfEvent\":")
        || begins("\"agent\":[")
        || begins("{\"type\":{\"coding\"") && !is_program
        || begins("{\"what\":{\"identifier\"")
}

/// A line without the comma before it.
fn plain(line: &str) -> &str {
    line.strip_prefix(',').unwrap_or(line)
}
