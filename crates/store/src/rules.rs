//! What every backend checks before it writes.

use crate::{Expect, Method, StoreError, Write};

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
        Write::Delete { key, expect } => {
            if key.resource_type == AUDIT_TYPE {
                return Err(StoreError::AuditImmutable);
            }
            (key, *expect)
        }
    };
    let holds = match expect {
        Expect::Any => true,
        Expect::Absent => live.is_none(),
        Expect::Version(version) => live == Some(version),
    };
    if holds { Ok(()) } else { Err(StoreError::Conflict { key: key.clone(), current: live }) }
}
