//! What every backend checks before it writes.

use fhir::{Document, Resource};

use crate::{AUDIT_START, Expect, Method, Seq, StoreError, Stored, Write};

/// The type whose entries can only be added.
pub const AUDIT_TYPE: &str = "AuditEvent";

/// The type whose resources say what can be searched by.
pub const PARAMETER_TYPE: &str = "SearchParameter";

/// What stands of a resource when a write reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its newest version.
    pub version: u64,
    /// Whether that version is not a deletion.
    pub live: bool,
}

/// Whether a write may go ahead where `current` stands (`None` where there never was a version).
pub fn permit(write: &Write, current: Option<Standing>) -> Result<(), StoreError> {
    let live = current.filter(|standing| standing.live).map(|standing| standing.version);
    let (key, expect) = match write {
        Write::Put { key, resource, expect, method } => {
            if resource.type_name() != key.resource_type || *method == Method::Delete {
                let wanted = key.resource_type;
                return Err(StoreError::Failed(format!("this cannot be stored as a `{wanted}`")));
            }
            if key.resource_type == AUDIT_TYPE && current.is_some() {
                return Err(StoreError::AuditImmutable);
            }
            (key, *expect)
        }
        Write::Audit { key, text } => {
            if key.resource_type != AUDIT_TYPE || !text.starts_with(AUDIT_START) {
                return Err(StoreError::Failed("this is not an audit entry".into()));
            }
            if current.is_some() {
                return Err(StoreError::AuditImmutable);
            }
            (key, Expect::Absent)
        }
        Write::Delete { key, expect } => {
            if key.resource_type == AUDIT_TYPE {
                return Err(StoreError::AuditImmutable);
            }
            (key, *expect)
        }
        Write::Forget { key, .. } if key.resource_type == AUDIT_TYPE => {
            return Err(StoreError::AuditImmutable);
        }
        Write::Forget { key, .. } => (key, Expect::Any),
    };
    let holds = match expect {
        Expect::Any => true,
        Expect::Absent => live.is_none(),
        Expect::Version(version) => live == Some(version),
    };
    if holds { Ok(()) } else { Err(StoreError::Conflict { key: key.clone(), current: live }) }
}

/// Whether a version of another store may follow what is here: `newest` is the number and time of
/// the newest version of all, `current` what stands of the resource. Returns the resource, or
/// `None` for a deletion.
pub fn continues(
    stored: &Stored,
    newest: (Seq, i64),
    current: Option<Standing>,
) -> Result<Option<Resource>, StoreError> {
    let refuse = |reason: &str| {
        let seq = stored.seq;
        Err(StoreError::Failed(format!("version `{seq}` cannot be taken in: {reason}")))
    };
    if stored.seq <= newest.0 || stored.last_updated_ms < newest.1 {
        return refuse("it is older than what is here");
    }
    // Versions between may have been forgotten.
    if current.is_some_and(|current| stored.version <= current.version) || stored.version == 0 {
        return refuse("it does not follow the version before it");
    }
    let audit = stored.key.resource_type == AUDIT_TYPE;
    if audit && (current.is_some() || stored.version != 1 || stored.method == Method::Delete) {
        return Err(StoreError::AuditImmutable);
    }
    if stored.method == Method::Delete {
        return if stored.text.is_empty() { Ok(None) } else { refuse("a deletion has no text") };
    }
    let parsed = Document::parse(stored.text.clone()).map_err(Into::into);
    match parsed.and_then(Resource::from_document) {
        Ok(resource)
            if resource.type_name() == stored.key.resource_type
                && resource.id().as_ref() == Some(&stored.key.id) =>
        {
            Ok(Some(resource))
        }
        _ => refuse("its text is not the resource that it should be"),
    }
}
