//! The newest versions of some kinds, for those who keep what they have derived from resources and
//! must know, without reading, whether it still holds.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Seq;
use crate::rules::AUDIT_TYPE;

/// Numbers of the newest versions written since the store was opened. They may run ahead of what is committed, never behind: what was
/// derived from a snapshot holds if the snapshot's number is at least the one told here.
#[derive(Debug, Default)]
pub struct Newest {
    consent: AtomicU64,
    record: AtomicU64,
}

impl Newest {
    /// Notes a version that is about to be committed.
    pub fn note(&self, resource_type: &str, seq: Seq) {
        if resource_type == AUDIT_TYPE {
            return;
        }
        self.record.fetch_max(seq, Ordering::Release);
        if resource_type == "Consent" {
            self.consent.fetch_max(seq, Ordering::Release);
        }
    }

    /// Of a Consent.
    pub fn consent(&self) -> Seq {
        self.consent.load(Ordering::Acquire)
    }

    /// Of anything but an AuditEvent.
    pub fn record(&self) -> Seq {
        self.record.load(Ordering::Acquire)
    }
}
