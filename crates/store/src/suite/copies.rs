//! Versions that are forgotten, and stores that are made out of others.

use super::{Make, commit, delete, found, key, put, query};
use crate::query::Query;
use crate::{
    HistoryOf, Restored, Seq, SharedStore, SideWrite, Snapshot, StoreError, Stored, Transaction,
    Write,
};

const AUDIT: &str = r#"{"resourceType":"AuditEvent","id":"e1","recorded":"2026-01-01T00:00:00Z"}"#;

fn patient(id: &str, gender: &str) -> Write {
    put(&format!(r#"{{"resourceType":"Patient","id":"{id}","gender":"{gender}"}}"#))
}

fn forget(reference: &str, below: u64) -> Write {
    Write::Forget { key: key(reference), below }
}

fn shown(stored: &[Stored]) -> Vec<String> {
    stored.iter().map(|s| format!("{} {} v{}", s.seq, s.key.id, s.version)).collect()
}

fn everything(snapshot: &dyn Snapshot) -> Vec<Stored> {
    let changes = snapshot.changes(0, 1000).unwrap();
    let seqs: Vec<Seq> = changes.iter().map(|change| change.seq).collect();
    snapshot.load(&seqs).unwrap()
}

/// Patients a (three versions), b (two and deleted), c; an audit entry.
fn filled(make: Make<'_>) -> SharedStore {
    let store = make();
    commit(&store, vec![patient("a", "male"), patient("b", "male")]).unwrap();
    commit(&store, vec![patient("a", "other"), patient("b", "female"), put(AUDIT)]).unwrap();
    commit(&store, vec![patient("c", "male"), patient("a", "female")]).unwrap();
    commit(&store, vec![delete("Patient/b")]).unwrap();
    store
}

pub(super) fn forgotten_versions_are_gone_and_the_rest_stays(make: Make<'_>) {
    let store = filled(make);
    let committed = commit(&store, vec![forget("Patient/a", 3), forget("Patient/x", 9)]).unwrap();
    assert_eq!(committed.versions, [None, None]);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.seq(), 8);
    assert_eq!(snapshot.vread(&key("Patient/a"), 2).unwrap(), None);
    assert_eq!(snapshot.vread(&key("Patient/a"), 3).unwrap().unwrap().seq, 7);
    let history = |of: &HistoryOf| shown(&snapshot.history(of, Seq::MAX, 0, 99).unwrap());
    assert_eq!(history(&HistoryOf::Instance(key("Patient/a"))), ["7 a v3"]);
    assert_eq!(
        history(&HistoryOf::Type("Patient")),
        ["8 b v3", "7 a v3", "6 c v1", "4 b v2", "2 b v1"]
    );
    assert_eq!(found(&*snapshot, "Patient"), "c a");
    assert_eq!(found(&*snapshot, "Patient?gender=female"), "a");
    // A purge: deleted and everything before the deletion forgotten, in one transaction.
    let purge = vec![delete("Patient/a"), forget("Patient/a", u64::MAX)];
    commit(&store, purge).unwrap();
    commit(&store, vec![forget("Patient/b", u64::MAX)]).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(shown(&everything(&*snapshot)), ["5 e1 v1", "6 c v1", "8 b v3", "9 a v4"]);
    assert_eq!(snapshot.load(&[1, 3, 7]).unwrap(), []);
    // Numbers go on; a resource may come back.
    let version = commit(&store, vec![patient("a", "male")]).unwrap().versions[0].clone().unwrap();
    assert_eq!((version.version, version.seq, version.created), (5, 10, true));
    let snapshot = store.snapshot().unwrap();
    assert_eq!(found(&*snapshot, "Patient?gender=male"), "c a");
    let of = HistoryOf::Instance(key("Patient/a"));
    let history = snapshot.history(&of, Seq::MAX, 0, 99).unwrap();
    assert_eq!(shown(&history), ["10 a v5", "9 a v4"]);
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
}

pub(super) fn audit_entries_are_never_forgotten(make: Make<'_>) {
    let store = filled(make);
    let refused = commit(&store, vec![delete("Patient/a"), forget("AuditEvent/e1", u64::MAX)]);
    assert!(matches!(refused, Err(StoreError::AuditImmutable)), "{refused:?}");
    assert_eq!(store.snapshot().unwrap().seq(), 8);
}

pub(super) fn a_store_made_of_another_is_the_same(make: Make<'_>) {
    let source = filled(make);
    commit(&source, vec![forget("Patient/a", 2)]).unwrap();
    let side = |space, key: &[u8], value: &[u8]| SideWrite {
        space,
        key: key.to_vec(),
        value: Some(value.to_vec()),
    };
    let values = vec![side("b", b"k", b"v"), side("a", &[0, 255], &[]), side("b", b"l", b"w")];
    source.commit(Transaction { side: values, ..Transaction::default() }).unwrap();
    let from = source.snapshot().unwrap();
    assert_eq!(from.side_spaces().unwrap(), ["a", "b"]);
    let target = make();
    let versions = everything(&*from);
    for part in versions.chunks(3) {
        target.restore(Restored { versions: part.to_vec(), side: Vec::new() }).unwrap();
    }
    let side = [("b", "k", "v"), ("b", "x", "y")]
        .map(|(space, key, value)| (space.to_owned(), key.into(), Some(value.into())));
    target.restore(Restored { versions: Vec::new(), side: side.to_vec() }).unwrap();
    let gone = vec![("b".to_owned(), b"x".to_vec(), None)];
    target.restore(Restored { versions: Vec::new(), side: gone }).unwrap();
    assert_eq!(*target.watch().borrow(), 8);
    let to = target.snapshot().unwrap();
    assert_eq!(everything(&*to), versions);
    assert_eq!(to.audit_head().unwrap(), from.audit_head().unwrap());
    assert_eq!(to.side_scan("b", b"", 9).unwrap(), [(b"k".to_vec(), b"v".to_vec())]);
    for url in ["Patient", "Patient?gender=female", "Patient?gender=male", "AuditEvent"] {
        assert_eq!(found(&*to, url), found(&*from, url), "{url}");
        assert_eq!(to.count(&query(url)).unwrap(), from.count(&query(url)).unwrap(), "{url}");
    }
    assert_eq!(to.count(&Query::every("Patient")).unwrap(), 2);
    assert_eq!(target.integrity().unwrap(), Vec::<String>::new());
    // It goes on as the other would.
    let next = commit(&target, vec![patient("b", "male")]).unwrap().versions[0].clone().unwrap();
    assert_eq!((next.version, next.seq, next.created), (4, 9, true));
}

pub(super) fn what_does_not_follow_is_not_taken_in(make: Make<'_>) {
    let source = filled(make);
    let versions = everything(&*source.snapshot().unwrap());
    let target = make();
    let take = |versions: Vec<Stored>| target.restore(Restored { versions, side: Vec::new() });
    take(versions[..4].to_vec()).unwrap();
    let mut other = versions[4..].to_vec();
    other[2].version = 2;
    for refused in [versions[3..].to_vec(), versions[..4].to_vec(), other] {
        assert!(take(refused).is_err());
        assert_eq!(target.snapshot().unwrap().seq(), 4);
    }
    take(versions[4..].to_vec()).unwrap();
    assert_eq!(everything(&*target.snapshot().unwrap()), versions);
}
