//! The audit log.

use crypto::entry::leaf_of;

use super::{Make, commit, delete, found, key, put, put_if, query};
use crate::{AUDIT_START, Expect, Guard, Key, StoreError, Transaction, Write};

fn event(id: &str) -> String {
    format!(r#"{{"resourceType":"AuditEvent","id":"{id}","recorded":"2026-01-01T00:00:00Z"}}"#)
}

pub(super) fn the_log_covers_every_entry(make: Make<'_>) {
    let store = make();
    assert_eq!(store.snapshot().unwrap().audit_head().unwrap(), None);
    let patient = r#"{"resourceType":"Patient","id":"p"}"#;
    commit(&store, vec![put(patient), put(&event("e1"))]).unwrap();
    commit(&store, vec![put(&event("e2")), put(&event("e3")), put(patient)]).unwrap();
    // Refused together with its access: the log must not know it.
    let refused = vec![put(&event("e4")), put_if(patient, Expect::Absent)];
    assert!(commit(&store, refused).is_err());
    commit(&store, vec![put(&event("e5"))]).unwrap();
    let snapshot = store.snapshot().unwrap();
    let leaves = snapshot.audit_leaves(1, 99).unwrap();
    assert_eq!(
        leaves.iter().map(|leaf| (leaf.number, leaf.seq)).collect::<Vec<_>>(),
        [(1, 2), (2, 3), (3, 4), (4, 6)]
    );
    for leaf in &leaves {
        let text = &snapshot.load(&[leaf.seq]).unwrap()[0].text;
        assert_eq!(leaf.hash, leaf_of(text.as_bytes()));
    }
    assert_eq!(snapshot.audit_head().unwrap().as_ref(), leaves.last());
    assert_eq!(snapshot.audit_leaves(2, 2).unwrap(), leaves[1..3]);
    assert_eq!(snapshot.audit_leaves(5, 2).unwrap(), []);
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
    assert_eq!((snapshot.seq(), snapshot.audit_leaves(1, 9).unwrap().len()), (1, 1));
}

/// An entry as the program makes it.
fn unread(id: &str, rest: &str) -> Write {
    Write::Audit { key: key(&format!("AuditEvent/{id}")), text: format!("{AUDIT_START}{rest}}}") }
}

pub(super) fn an_unread_entry_is_like_a_read_one(make: Make<'_>) {
    let store = make();
    let rest = r#""action":"R","recorded":"2026-01-01T00:00:00Z""#;
    let read = put(&format!(r#"{{"resourceType":"AuditEvent","id":"e1",{rest}}}"#));
    commit(&store, vec![read, unread("e2", rest)]).unwrap();
    let snapshot = store.snapshot().unwrap();
    let text = |id: &str| {
        let stored = snapshot.read(&key(&format!("AuditEvent/{id}"))).unwrap().unwrap();
        assert_eq!(Some(&stored), store.read(&stored.key).unwrap().as_ref());
        stored.text.replace(id, "e")
    };
    assert_eq!(text("e1"), text("e2"));
    assert_eq!(snapshot.audit_leaves(1, 9).unwrap().len(), 2);
    for write in [unread("e2", rest), delete("AuditEvent/e2")] {
        let refused = commit(&store, vec![write]);
        assert!(matches!(refused, Err(StoreError::AuditImmutable)), "{refused:?}");
    }
    let strange = Write::Audit { key: key("AuditEvent/e3"), text: "{}".to_owned() };
    assert!(commit(&store, vec![strange]).is_err());
    let misplaced = Write::Audit { key: key("Patient/e3"), text: format!("{AUDIT_START}{rest}}}") };
    assert!(commit(&store, vec![misplaced]).is_err());
}

pub(super) fn entries_are_found_as_soon_as_they_are_written(make: Make<'_>) {
    let store = make();
    let about = r#""entity":[{"what":{"reference":"Patient/a"}}]"#;
    let day = |day: u32| format!(r#""action":"R","recorded":"2026-01-{day:02}T00:00:00Z",{about}"#);
    commit(&store, vec![put(r#"{"resourceType":"Patient","id":"a"}"#)]).unwrap();
    for number in 1..=9 {
        let entry = unread(&format!("e{number}"), &day(number));
        if number % 2 == 0 {
            commit(&store, vec![entry]).unwrap();
        } else {
            commit(&store, vec![entry, put(r#"{"resourceType":"Patient","id":"a"}"#)]).unwrap();
        }
        let newest = format!("e{number}");
        let snapshot = store.snapshot().unwrap();
        let all = found(&*snapshot, "AuditEvent?action=R&_sort=-date");
        assert_eq!(all.split(' ').next(), Some(newest.as_str()));
        assert_eq!(all.split(' ').count(), number as usize);
        let wide = snapshot.count(&query("AuditEvent?entity=Patient/a")).unwrap();
        assert_eq!(wide, u64::from(number));
    }
    commit(&store, vec![unread("e10", &day(10))]).unwrap();
    assert_eq!(
        found(&*store.snapshot().unwrap(), "Patient?_has:AuditEvent:entity:date=2026-01-10"),
        "a"
    );
    commit(&store, vec![unread("e11", &day(11))]).unwrap();
    assert_eq!(
        found(&*store.snapshot().unwrap(), "AuditEvent?date=2026-01-11&entity:Patient._id=a"),
        "e11"
    );
    commit(&store, vec![unread("e12", &day(12))]).unwrap();
    let snapshot = store.snapshot().unwrap();
    let everything = snapshot.compartment(&key("Patient/a").id, &|_| true).unwrap();
    assert_eq!(everything.len(), 13, "the patient and twelve entries");
    // A condition that is checked inside the write sees them too.
    commit(&store, vec![unread("e13", &day(13))]).unwrap();
    let expected = |keys: Vec<Key>| {
        let guards = vec![Guard::Found { query: query("AuditEvent?date=2026-01-13"), keys }];
        let writes = vec![put(r#"{"resourceType":"Patient","id":"b"}"#)];
        store.commit(Transaction { guards, writes, ..Transaction::default() })
    };
    assert!(matches!(expected(Vec::new()), Err(StoreError::GuardFailed)));
    assert!(expected(vec![key("AuditEvent/e13")]).is_ok());
}
