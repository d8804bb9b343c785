//! Audit entries that are not indexed yet: whatever is asked, they are there.

use std::path::Path;

use rusqlite::Connection;
use store::suite::{commit, found, key, put, query};
use store::{AUDIT_START, SharedStore, Store, Write};

use super::super::open_read_only;
use super::open;

fn entry(number: usize) -> Write {
    let start = format!(r#"{AUDIT_START}"action":"R","recorded":"2026-01-01T00:00:00Z","#);
    let text = format!(r#"{start}"agent":[{{"name":"Agent {number}","requestor":true}}]}}"#);
    Write::Audit { key: key(&format!("AuditEvent/e{number}")), text }
}

/// As after a crash: the entries behind the first `listed` are not in the index.
fn forget_index(folder: &Path, listed: i64) {
    let conn = Connection::open(folder.join("store.db")).unwrap();
    let behind = format!(
        "(SELECT v.rid FROM audit a JOIN version v ON v.seq = a.seq WHERE a.number > {listed})"
    );
    for table in ["ix_token", "ix_text", "ix_date"] {
        conn.execute(&format!("DELETE FROM {table} WHERE rid IN {behind}"), []).unwrap();
    }
    conn.execute(&format!("UPDATE resource SET day = NULL, span = NULL WHERE rid IN {behind}"), [])
        .unwrap();
    conn.execute("UPDATE meta SET value = ?1 WHERE name = 'listed'", [listed]).unwrap();
}

#[test]
fn closing_a_store_leaves_none_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = open(folder.path());
    commit(&store, (0..1_200).map(entry).collect()).unwrap();
    drop(store);
    let conn = Connection::open(folder.path().join("store.db")).unwrap();
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT value FROM meta WHERE name = 'listed'"), 1_200);
    assert_eq!(count("SELECT count(*) FROM ix_text"), 1_200);
}

#[test]
fn a_crash_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = open(folder.path());
    commit(&store, (0..1_200).map(entry).collect()).unwrap();
    drop(store);
    forget_index(folder.path(), 7);
    let store: SharedStore = open(folder.path());
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.count(&query("AuditEvent?action=R")).unwrap(), 1_200);
    assert_eq!(found(&*snapshot, "AuditEvent?agent-name=agent 1199"), "e1199");
    assert_eq!(found(&*snapshot, "AuditEvent?date=2026-01-01&agent-name:exact=Agent 8"), "e8");
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
}

#[test]
fn who_only_reads_finds_them_in_the_texts() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = open(folder.path());
    commit(&store, (0..20).map(entry).collect()).unwrap();
    drop(store);
    forget_index(folder.path(), 5);
    let beside = open_read_only(folder.path(), None).unwrap();
    assert_eq!(beside.count(&query("AuditEvent?action=R")).unwrap(), 20);
    assert_eq!(found(&*beside, "AuditEvent?agent-name:exact=Agent 19"), "e19");
    assert_eq!(found(&*beside, "AuditEvent?action=D"), "");
}

#[test]
fn a_snapshot_moves_on_only_to_search_the_audit() {
    let folder = tempfile::tempdir().unwrap();
    let store: SharedStore = open(folder.path());
    let patient = |id: &str| put(&format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#));
    commit(&store, vec![patient("a"), entry(1)]).unwrap();
    let snapshot = store.snapshot().unwrap();
    commit(&store, vec![patient("b"), entry(2)]).unwrap();
    assert_eq!(found(&*snapshot, "Patient"), "a");
    assert_eq!(snapshot.seq(), 2);
    assert!(found(&*snapshot, "AuditEvent?action=R").starts_with("e1"));
    let later = store.snapshot().unwrap();
    assert_eq!(found(&*later, "AuditEvent?action=R"), "e1 e2");
}

#[test]
fn those_who_search_wait_for_all_that_were_written_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let shared: SharedStore = store.clone();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for part in 0..40 {
                commit(&shared, (part * 50..(part + 1) * 50).map(entry).collect()).unwrap();
            }
        });
        let mut seen = 0;
        while !writer.is_finished() {
            let before = store.snapshot().unwrap().audit_head().unwrap().map_or(0, |h| h.number);
            let snapshot = store.snapshot().unwrap();
            seen = snapshot.count(&query("AuditEvent?action=R")).unwrap();
            assert!(seen >= before, "{seen} found, {before} written before");
            assert_eq!(seen, snapshot.audit_head().unwrap().map_or(0, |head| head.number));
        }
        assert!(seen <= 2_000);
    });
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.count(&query("AuditEvent?action=R")).unwrap(), 2_000);
}
