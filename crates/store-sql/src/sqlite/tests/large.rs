//! Transactions that are made in slices: whole or not there, and others go first.

use std::path::Path;

use store::suite::{commit, delete, found, key, put, put_if, query};
use store::{Expect, Guard, SharedStore, StoreError, Transaction, Write};

use super::super::schema;
use super::{open, options};

/// More than are made in one piece.
const MANY: usize = 700;

fn observation(id: &str, code: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"{code}","display":"text of {code}"}}]}},"subject":{{"reference":"Patient/large"}},"effectiveDateTime":"2024-05-01","valueQuantity":{{"value":1.50,"unit":"mg"}}}}"#
    )
}

fn many(name: &str, code: &str) -> Vec<Write> {
    (0..MANY).map(|n| put(&observation(&format!("{name}-{n}"), code))).collect()
}

fn count(store: &SharedStore, search: &str) -> u64 {
    store.snapshot().unwrap().count(&query(search)).unwrap()
}

fn sound(store: &SharedStore) {
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
}

#[test]
fn a_large_transaction_is_what_a_small_one_would_be() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = open(folder.path());
    // One is there already, one was deleted, one is only referred to.
    let first = vec![
        put(&observation("a-3", "old")),
        put(&observation("a-5", "old")),
        put(r#"{"resourceType":"Basic","id":"b","subject":{"reference":"Patient/large"}}"#),
    ];
    commit(&store, first).unwrap();
    commit(&store, vec![delete("Observation/a-5")]).unwrap();
    let mut writes = many("a", "new");
    writes.push(put(r#"{"resourceType":"Patient","id":"large","name":[{"family":"Ash"}]}"#));
    writes.push(delete("Basic/b"));
    writes.push(delete("Basic/nothing"));
    writes.push(put(r#"{"resourceType":"AuditEvent","id":"e"}"#));
    let before = store.snapshot().unwrap();
    let made = commit(&store, writes).unwrap().versions;
    assert_eq!((before.seq(), before.count(&query("Observation?code=new")).unwrap()), (4, 0));
    let shown: Vec<_> = made.iter().flatten().map(|v| (v.seq, v.version, v.created)).collect();
    assert_eq!(shown.len(), MANY + 3);
    assert_eq!(shown[0], (5, 1, true));
    assert_eq!(shown[3], (8, 2, false));
    assert_eq!(shown[5], (10, 3, true));
    assert_eq!(shown[MANY], (5 + MANY as u64, 1, true));
    assert_eq!(made[MANY + 2], None);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(count(&store, "Observation?code=new"), MANY as u64);
    assert_eq!(count(&store, "Observation?code=old"), 0);
    assert_eq!(count(&store, "Observation?subject.name=ash&code:text=text"), MANY as u64);
    assert_eq!(found(&*snapshot, "Observation?code=new&_id=a-3"), "a-3");
    let stored = snapshot.read(&key("Observation/a-3")).unwrap().unwrap();
    assert!(stored.text.contains(r#""meta":{"versionId":"2","lastUpdated":""#), "{}", stored.text);
    assert!(stored.text.ends_with(r#""valueQuantity":{"value":1.50,"unit":"mg"}}"#));
    assert_eq!(
        snapshot.history(&store::HistoryOf::Instance(stored.key), 9, 0, 9).unwrap().len(),
        2
    );
    assert_eq!(snapshot.audit_head().unwrap().unwrap().seq, snapshot.seq());
    sound(&store);
    drop((before, snapshot, store));
    let store: SharedStore = open(folder.path());
    assert_eq!(count(&store, "Observation?code=new"), MANY as u64);
    sound(&store);
}

#[test]
fn what_is_refused_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = open(folder.path());
    commit(&store, vec![put(&observation("b-600", "old"))]).unwrap();
    let mut writes = many("b", "new");
    writes.remove(600);
    writes.push(put_if(&observation("b-600", "new"), Expect::Absent));
    let refused = commit(&store, writes).unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    let guards = vec![Guard::Found { query: query("Observation?code=old"), keys: Vec::new() }];
    let writes = many("c", "new");
    let refused = store.commit(Transaction { guards, writes, side: Vec::new() }).unwrap_err();
    assert!(matches!(refused, StoreError::GuardFailed), "{refused}");
    // The answer comes first; what it wrote is gone before the next large one begins.
    commit(&store, many("d", "other")).unwrap();
    assert_eq!(count(&store, "Observation?code=new"), 0);
    assert_eq!(count(&store, "Observation"), 1 + MANY as u64);
    sound(&store);
    // Rows that were made ahead are used by whoever writes the resource after all.
    commit(&store, many("c", "new")).unwrap();
    assert_eq!(count(&store, "Observation?code=new"), MANY as u64);
    sound(&store);
}

/// Keeps the writer from going on while it lives.
struct Pause(rusqlite::Connection);

impl Pause {
    fn new(path: &Path) -> Self {
        let conn = rusqlite::Connection::open(path.join("store.db")).unwrap();
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(conn)
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.0.execute_batch("COMMIT").unwrap();
    }
}

#[test]
fn others_go_first_unless_they_write_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = open(folder.path());
    let submit = |writes| store.submit(Transaction { writes, ..Transaction::default() });
    let pause = Pause::new(folder.path());
    let large = submit(many("e", "first"));
    let second = submit(many("f", "second"));
    let same = submit(vec![put_if(&observation("e-7", "third"), Expect::Version(1))]);
    let small = submit(vec![put(r#"{"resourceType":"Basic","id":"small"}"#)]);
    drop(pause);
    let seq = |pending: store::Pending| {
        let versions = pending.wait().unwrap().versions;
        versions.into_iter().flatten().map(|version| version.seq).collect::<Vec<_>>()
    };
    let (large, second, same, small) = (seq(large), seq(second), seq(same), seq(small));
    assert!(small[0] < large[0], "{small:?} {large:?}");
    assert!(large[MANY - 1] < second[0] && second[MANY - 1] < same[0]);
    assert!(large.windows(2).all(|pair| pair[0] + 1 == pair[1]), "one after the other");
    assert_eq!(count(&store, "Observation?code=third"), 1);
    assert_eq!(count(&store, "Observation?code=first"), MANY as u64 - 1);
    sound(&store);
}

#[test]
fn nobody_sees_half_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = open(folder.path());
    let searches = [
        "Observation?code=half",
        "Observation?code:text=text",
        "Observation?date=2024-05",
        "Observation?subject=Patient/large",
        "Observation?value-quantity=1.5",
        "Observation?code:missing=false",
        "Observation?status=final",
    ];
    let newest = |snapshot: &dyn store::Snapshot| {
        let query = query("Observation?code=half&_sort=-date");
        snapshot.find(&query, 5, false).unwrap().len()
    };
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            (0..3).for_each(|n| {
                commit(&store, many(&format!("h{n}"), "half")).unwrap();
            })
        });
        let mut seen = 0;
        while !writing.is_finished() {
            let snapshot = store.snapshot().unwrap();
            let all = snapshot.seq();
            assert_eq!(all % MANY as u64, 0);
            seen = seen.max(all);
            for search in searches {
                assert_eq!(snapshot.count(&query(search)).unwrap(), all, "{search}");
            }
            assert_eq!(newest(&*snapshot), if all > 0 { 5 } else { 0 });
            let beside = super::super::open_read_only(folder.path(), None).unwrap();
            assert_eq!(beside.count(&query(searches[2])).unwrap(), beside.seq());
            sound(&store);
        }
        writing.join().unwrap();
    });
    assert_eq!(count(&store, searches[0]), 3 * MANY as u64);
    sound(&store);
}

#[test]
fn a_parameter_that_comes_in_between_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = open(folder.path());
    let parameter = r#"{"resourceType":"SearchParameter","id":"s","url":"http://x.org/s","name":"s","status":"active","description":"s","code":"quantity-unit","base":["Observation"],"type":"token","expression":"(Observation.value as Quantity).unit"}"#;
    let submit = |writes| store.submit(Transaction { writes, ..Transaction::default() });
    let pause = Pause::new(folder.path());
    let large = submit(many("p", "code"));
    let small = submit(vec![put(parameter)]);
    drop(pause);
    let order = (small.wait().unwrap(), large.wait().unwrap());
    let first = |made: &store::Committed| made.versions[0].as_ref().map(|version| version.seq);
    assert!(first(&order.0) < first(&order.1));
    while !store.reindex_progress().unwrap().is_empty() {
        std::thread::yield_now();
    }
    let registry = store.registry();
    let params = [("quantity-unit".to_owned(), "mg".to_owned())];
    let search = store::query::parse(&registry, "Observation", &params).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.count(&search.query).unwrap(), MANY as u64);
    sound(&store);
}

/// Copies the database with its log cut off anywhere, as a crash might leave it.
#[test]
fn a_crash_leaves_all_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store: SharedStore = open(&path);
    commit(&store, vec![put(r#"{"resourceType":"Basic","id":"before"}"#)]).unwrap();
    let start = std::fs::metadata(path.join("store.db-wal")).unwrap().len();
    commit(&store, many("k", "crash")).unwrap();
    let end = std::fs::metadata(path.join("store.db-wal")).unwrap().len();
    assert!(end > start);
    let (mut whole, mut left) = (0, 0);
    for part in 0..=24 {
        let copy = folder.path().join(format!("copy{part}"));
        std::fs::create_dir(&copy).unwrap();
        for name in ["store.db", "store.db-wal"] {
            std::fs::copy(path.join(name), copy.join(name)).unwrap();
        }
        let log = std::fs::OpenOptions::new().write(true).open(copy.join("store.db-wal")).unwrap();
        log.set_len(start + (end - start) * part / 24).unwrap();
        left += usize::from(has_hidden(&copy));
        let opened: SharedStore = open(&copy);
        assert!(!has_hidden(&copy));
        let standing = count(&opened, "Observation?code=crash");
        assert!([0, MANY as u64].contains(&standing), "{standing} after part {part}");
        assert_eq!(opened.snapshot().unwrap().seq(), 1 + standing);
        whole += usize::from(standing > 0);
        sound(&opened);
        commit(&opened, many("k", "crash")).unwrap();
        assert_eq!(count(&opened, "Observation?code=crash"), MANY as u64);
        sound(&opened);
    }
    assert!(whole >= 1 && left >= 1, "{whole} were whole, {left} had to be cleaned");
}

fn has_hidden(path: &Path) -> bool {
    let conn = rusqlite::Connection::open(path.join("store.db")).unwrap();
    schema::configure(&conn, 1000).unwrap();
    conn.query_row("SELECT count(*) > 0 FROM hidden", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_failing_medium_leaves_nothing_and_is_cleaned_up() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = super::super::SqliteStore::open(folder.path(), options()).unwrap();
    let conn = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    for table in ["ix_date", "ix_token", "version"] {
        let trap = "CREATE TRIGGER trap BEFORE INSERT ON x BEGIN SELECT RAISE(ABORT, 'full'); END";
        conn.execute_batch(&trap.replace(" x ", &format!(" {table} "))).unwrap();
        let failed = commit(&store, many("m", "full")).unwrap_err().to_string();
        assert!(failed.contains("the store failed"), "{failed}");
        assert_eq!(count(&store, "Observation?code=full"), 0);
        conn.execute_batch("DROP TRIGGER trap").unwrap();
        commit(&store, vec![put(&observation("m-1", "small"))]).unwrap();
        assert!(!has_hidden(folder.path()));
        let snapshot = store.snapshot().unwrap();
        assert_eq!(found(&*snapshot, "Observation?status=final"), "m-1");
        drop(snapshot);
        commit(&store, vec![delete("Observation/m-1")]).unwrap();
        sound(&store);
    }
    commit(&store, many("m", "full")).unwrap();
    assert_eq!(count(&store, "Observation?code=full"), MANY as u64);
    sound(&store);
}
