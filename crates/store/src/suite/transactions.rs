//! Transactions: all or nothing, under conditions, side by side.

use super::{Make, commit, delete, found, key, put, put_if, query};
use crate::{Expect, Guard, SharedStore, SideWrite, StoreError, Transaction, Write};

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","identifier":[{"value":"7"}]}"#;
const OTHER: &str = r#"{"resourceType":"Patient","id":"q","gender":"male"}"#;

fn side(key: &str, value: Option<&str>) -> SideWrite {
    let value = value.map(|value| value.as_bytes().to_vec());
    SideWrite { space: "accounts", key: key.as_bytes().to_vec(), value }
}

fn refused(store: &SharedStore, write: Write) -> String {
    commit(store, vec![write]).unwrap_err().to_string()
}

pub(super) fn expectations_are_checked(make: Make<'_>) {
    let store = make();
    let changed = "`Patient/p` has changed since it was read";
    assert_eq!(refused(&store, put_if(PATIENT, Expect::Version(1))), changed);
    commit(&store, vec![put_if(PATIENT, Expect::Absent)]).unwrap();
    assert_eq!(refused(&store, put_if(PATIENT, Expect::Absent)), changed);
    commit(&store, vec![put_if(PATIENT, Expect::Version(1))]).unwrap();
    let conflict = commit(&store, vec![put_if(PATIENT, Expect::Version(1))]).unwrap_err();
    let StoreError::Conflict { key: of, current } = conflict else { panic!("{conflict}") };
    assert_eq!((of, current), (key("Patient/p"), Some(2)));
    let deletion = |expect| Write::Delete { key: key("Patient/p"), expect };
    assert_eq!(refused(&store, deletion(Expect::Version(1))), changed);
    commit(&store, vec![deletion(Expect::Version(2))]).unwrap();
    assert_eq!(refused(&store, deletion(Expect::Version(3))), changed);
    assert_eq!(refused(&store, put_if(PATIENT, Expect::Version(3))), changed);
    commit(&store, vec![put_if(PATIENT, Expect::Absent)]).unwrap();
    let mut mistaken = put(OTHER);
    if let Write::Put { key, .. } = &mut mistaken {
        key.resource_type = "Group";
    }
    assert_eq!(refused(&store, mistaken), "the store failed: this cannot be stored as a `Group`");
}

pub(super) fn a_failing_transaction_leaves_nothing(make: Make<'_>) {
    let store = make();
    commit(&store, vec![put(PATIENT)]).unwrap();
    let writes = vec![put(OTHER), delete("Patient/p"), put_if(OTHER, Expect::Absent)];
    let side = vec![side("anna", Some("1"))];
    let failed = store.commit(Transaction { writes, side, ..Transaction::default() });
    assert!(matches!(failed, Err(StoreError::Conflict { current: Some(1), .. })), "{failed:?}");
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.seq(), 1);
    assert_eq!(found(&*snapshot, "Patient"), "p");
    assert_eq!(found(&*snapshot, "Patient?gender=male"), "");
    assert_eq!(snapshot.read(&key("Patient/q")).unwrap(), None);
    assert_eq!(snapshot.side("accounts", b"anna").unwrap(), None);
    let next = commit(&store, vec![put(OTHER)]).unwrap().versions[0].clone().unwrap();
    assert_eq!(next.seq, 2);
    assert!(store.integrity().unwrap().is_empty());
}

pub(super) fn later_writes_see_earlier_ones(make: Make<'_>) {
    let store = make();
    let writes = vec![
        put_if(OTHER, Expect::Absent),
        put_if(OTHER, Expect::Version(1)),
        delete("Patient/q"),
        put_if(&OTHER.replace("male", "female"), Expect::Absent),
    ];
    let committed = commit(&store, writes).unwrap().versions;
    let shown: Vec<_> = committed.into_iter().flatten().map(|v| (v.version, v.created)).collect();
    assert_eq!(shown, [(1, true), (2, false), (3, false), (4, true)]);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(found(&*snapshot, "Patient?gender=male"), "");
    assert_eq!(found(&*snapshot, "Patient?gender=female"), "q");
    assert_eq!(store.figures().unwrap().resources, 1);
}

pub(super) fn guards_are_checked_inside_the_write(make: Make<'_>) {
    let store = make();
    let guarded = |guards: Vec<Guard>, text: &str| {
        store.commit(Transaction { guards, writes: vec![put(text)], ..Transaction::default() })
    };
    let finds = |keys: Vec<&str>| Guard::Found {
        query: query("Patient?identifier=7"),
        keys: keys.into_iter().map(key).collect(),
    };
    assert!(matches!(guarded(vec![finds(vec!["Patient/p"])], OTHER), Err(StoreError::GuardFailed)));
    guarded(vec![finds(vec![])], PATIENT).unwrap();
    assert!(matches!(guarded(vec![finds(vec![])], PATIENT), Err(StoreError::GuardFailed)));
    guarded(vec![finds(vec!["Patient/p"])], &PATIENT.replace("\"p\"", "\"r\"")).unwrap();
    guarded(vec![finds(vec!["Patient/r", "Patient/p"])], OTHER).unwrap();
    let stands = |value: Option<&str>| Guard::Side {
        space: "accounts",
        key: b"anna".to_vec(),
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    assert!(matches!(guarded(vec![stands(Some("1"))], OTHER), Err(StoreError::GuardFailed)));
    let set = |guard, value| {
        let side = vec![side("anna", Some(value))];
        store.commit(Transaction { guards: vec![guard], side, ..Transaction::default() })
    };
    set(stands(None), "1").unwrap();
    assert!(matches!(set(stands(None), "2"), Err(StoreError::GuardFailed)));
    set(stands(Some("1")), "2").unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.side("accounts", b"anna").unwrap().as_deref(), Some(&b"2"[..]));
}

pub(super) fn conditional_creates_race_and_one_wins(make: Make<'_>) {
    let store = make();
    let pending: Vec<_> = (0..20)
        .map(|n| {
            let text = PATIENT.replace("\"p\"", &format!("\"p{n}\""));
            let guard = Guard::Found { query: query("Patient?identifier=7"), keys: Vec::new() };
            let guards = vec![guard];
            store.submit(Transaction { guards, writes: vec![put(&text)], side: Vec::new() })
        })
        .collect();
    let won = pending.into_iter().map(|pending| pending.wait().is_ok()).filter(|won| *won).count();
    assert_eq!(won, 1);
    assert_eq!(store.snapshot().unwrap().count(&query("Patient")).unwrap(), 1);
}

pub(super) fn side_values_are_kept_and_scanned(make: Make<'_>) {
    let store = make();
    let write = |side| store.commit(Transaction { side, ..Transaction::default() }).unwrap();
    write(vec![side("b/2", Some("x")), side("a", Some("")), side("b/1", Some("y"))]);
    write(vec![SideWrite { space: "sessions", key: b"b/3".to_vec(), value: Some(vec![0, 255]) }]);
    write(vec![SideWrite { space: "accounts", key: vec![b'b', 255], value: Some(vec![1]) }]);
    write(vec![side("a", None), side("c", None)]);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.side("accounts", b"a").unwrap(), None);
    assert_eq!(snapshot.side("sessions", b"b/3").unwrap(), Some(vec![0, 255]));
    let scan = |space, prefix: &[u8], limit| {
        let rows = snapshot.side_scan(space, prefix, limit).unwrap();
        rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(scan("accounts", b"b/", 9), [b"b/1".to_vec(), b"b/2".to_vec()]);
    assert_eq!(scan("accounts", b"", 2), [b"b/1".to_vec(), b"b/2".to_vec()]);
    assert_eq!(scan("accounts", b"b", 9).len(), 3);
    assert_eq!(scan("accounts", &[b'b', 255], 9), [vec![b'b', 255]]);
    assert_eq!(scan("outbox", b"", 9), Vec::<Vec<u8>>::new());
    assert_eq!(snapshot.seq(), 0);
}

pub(super) fn writers_at_the_same_time_lose_nothing(make: Make<'_>) {
    const WRITERS: usize = 4;
    const EACH: usize = 50;
    let store = make();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for n in 0..EACH {
                    // One resource of its own, and one that all of them change.
                    let own = format!(r#"{{"resourceType":"Basic","id":"b-{writer}-{n}"}}"#);
                    let shared =
                        format!(r#"{{"resourceType":"Group","id":"g","name":"{writer}"}}"#);
                    let committed = commit(store, vec![put(&own), put(&shared)]).unwrap();
                    assert_eq!(committed.versions.len(), 2);
                }
            });
        }
    });
    let snapshot = store.snapshot().unwrap();
    let shared = snapshot.read(&key("Group/g")).unwrap().unwrap();
    assert_eq!(shared.version as usize, WRITERS * EACH);
    assert_eq!(snapshot.seq() as usize, 2 * WRITERS * EACH);
    let all = snapshot.find(&query("Basic"), 1000, true).unwrap();
    assert_eq!(all.len(), WRITERS * EACH);
    assert!(store.integrity().unwrap().is_empty());
}
