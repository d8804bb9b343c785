//! The change feed.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Make, commit, delete, put};
use crate::Method;

pub(super) fn changes_are_gapless_and_ordered(make: Make<'_>) {
    let store = make();
    let watch = store.watch();
    assert_eq!(*watch.borrow(), 0);
    let text = r#"{"resourceType":"Basic","id":"a"}"#;
    commit(&store, vec![put(text), put(&text.replace("\"a\"", "\"b\""))]).unwrap();
    commit(&store, vec![delete("Basic/c"), delete("Basic/a")]).unwrap();
    assert_eq!(*watch.borrow(), 3);
    let snapshot = store.snapshot().unwrap();
    let shown = |after, limit| {
        let changes = snapshot.changes(after, limit).unwrap();
        let show =
            |c: &crate::Change| format!("{} {} v{} {:?}", c.seq, c.key.id, c.version, c.method);
        changes.iter().map(show).collect::<Vec<_>>()
    };
    assert_eq!(shown(0, 9), ["1 a v1 Put", "2 b v1 Put", "3 a v2 Delete"]);
    assert_eq!(shown(1, 1), ["2 b v1 Put"]);
    assert_eq!(shown(3, 9), Vec::<String>::new());
    assert_eq!(snapshot.changes(2, 1).unwrap()[0].method, Method::Delete);
}

pub(super) fn a_reader_that_follows_sees_everything_once(make: Make<'_>) {
    const WRITES: u64 = 300;
    let store = make();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..WRITES {
                let text = format!(r#"{{"resourceType":"Basic","id":"b{}"}}"#, n % 17);
                commit(&store, vec![put(&text)]).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let (mut cursor, mut last_ms) = (0, i64::MIN);
        loop {
            let finished = done.load(Ordering::SeqCst);
            let snapshot = store.snapshot().unwrap();
            let changes = snapshot.changes(cursor, 50).unwrap();
            for change in &changes {
                assert_eq!(change.seq, cursor + 1);
                cursor = change.seq;
                let stored = &snapshot.load(&[cursor]).unwrap()[0];
                assert_eq!((&stored.key, stored.version), (&change.key, change.version));
                assert!(stored.last_updated_ms >= last_ms);
                last_ms = stored.last_updated_ms;
            }
            if changes.is_empty() && finished {
                break;
            }
        }
        assert_eq!(cursor, WRITES);
    });
    assert_eq!(*store.watch().borrow(), WRITES);
}
