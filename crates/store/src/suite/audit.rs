//! The audit chain.

use crypto::chain::GENESIS;
use crypto::chain_hash;

use super::{Make, commit, delete, put, put_if};
use crate::{Expect, StoreError};

fn event(id: &str) -> String {
    format!(r#"{{"resourceType":"AuditEvent","id":"{id}","recorded":"2026-01-01T00:00:00Z"}}"#)
}

pub(super) fn the_chain_covers_every_entry(make: Make<'_>) {
    let store = make();
    assert_eq!(store.snapshot().unwrap().audit_head().unwrap(), None);
    let patient = r#"{"resourceType":"Patient","id":"p"}"#;
    commit(&store, vec![put(patient), put(&event("e1"))]).unwrap();
    commit(&store, vec![put(&event("e2")), put(&event("e3")), put(patient)]).unwrap();
    // Refused together with its access: the chain must not know it.
    let refused = vec![put(&event("e4")), put_if(patient, Expect::Absent)];
    assert!(commit(&store, refused).is_err());
    commit(&store, vec![put(&event("e5"))]).unwrap();
    let snapshot = store.snapshot().unwrap();
    let links = snapshot.audit_links(1, 99).unwrap();
    assert_eq!(
        links.iter().map(|link| (link.number, link.seq)).collect::<Vec<_>>(),
        [(1, 2), (2, 3), (3, 4), (4, 6)]
    );
    let mut hash = GENESIS;
    for link in &links {
        let text = &snapshot.load(&[link.seq]).unwrap()[0].text;
        hash = chain_hash(&hash, text.as_bytes());
        assert_eq!(link.hash, hash);
    }
    assert_eq!(snapshot.audit_head().unwrap().as_ref(), links.last());
    assert_eq!(snapshot.audit_links(2, 2).unwrap(), links[1..3]);
    assert_eq!(snapshot.audit_links(5, 2).unwrap(), []);
}

pub(super) fn entries_cannot_be_changed(make: Make<'_>) {
    let store = make();
    commit(&store, vec![put(&event("e1"))]).unwrap();
    for write in [put(&event("e1")), delete("AuditEvent/e1")] {
        let refused = commit(&store, vec![write]);
        assert!(matches!(refused, Err(StoreError::AuditImmutable)), "{refused:?}");
    }
    let twice = commit(&store, vec![put(&event("e2")), put(&event("e2"))]);
    assert!(matches!(twice, Err(StoreError::AuditImmutable)), "{twice:?}");
    let snapshot = store.snapshot().unwrap();
    assert_eq!((snapshot.seq(), snapshot.audit_links(1, 9).unwrap().len()), (1, 1));
}
