//! Opening: locks, older and newer tables, an index that was built by other rules; and failures.

use store::SharedStore;
use store::suite::{commit, found, put, store_all};

use super::super::conn::{Conn, Use};
use super::super::{Driver, Place, open_read_only, schema};
use super::{clock, open, server};
use crate::postgres::{Options, PostgresStore};

/// Runs statements beside the store.
fn beside<T>(place: &Place, work: impl FnOnce(&Conn) -> T) -> T {
    let driver = Driver::start().unwrap();
    let conn = Conn::open(&driver.handle().unwrap(), place, Use::Write).unwrap();
    work(&conn)
}

fn refusal(place: &Place) -> String {
    let opened = PostgresStore::open(place, Options::new(clock()));
    opened.err().unwrap().to_string()
}

fn patient(id: &str, family: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"{family}"}}]}}"#)
}

#[test]
fn a_store_belongs_to_one_process_and_can_be_read_beside_it() {
    let Some(place) = server::place() else { return };
    assert!(open_read_only(&place).err().unwrap().to_string().contains("there is no store"));
    let store: SharedStore = open(&place);
    store_all(&store, &[&patient("a", "Ash")]);
    assert!(refusal(&place).contains("is open already"));
    let snapshot = open_read_only(&place).unwrap();
    store_all(&store, &[&patient("b", "Ash")]);
    assert_eq!(found(&*snapshot, "Patient?family=ash"), "a");
    drop(snapshot);
    drop(store);
    let store: SharedStore = open(&place);
    assert_eq!(found(&*store.snapshot().unwrap(), "Patient?family=ash"), "a b");
    assert_eq!(*store.watch().borrow(), 2);
}

#[test]
fn older_tables_are_brought_up_to_date_and_newer_ones_refused() {
    let Some(place) = server::place() else { return };
    // A store as a program of schema 1 left it.
    let store: SharedStore = open(&place);
    store_all(&store, &[&patient("a", "Ash"), &patient("b", "Birch"), &patient("a", "Cedar")]);
    store_all(&store, &[r#"{"resourceType":"AuditEvent","id":"e"}"#]);
    let leaf = store.snapshot().unwrap().audit_head().unwrap().unwrap();
    let text = store.snapshot().unwrap().load(&[leaf.seq]).unwrap().remove(0).text;
    drop(store);
    beside(&place, |conn| {
        let link = crate::chain::links(&[text.as_str()]).remove(0).to_vec();
        conn.execute("UPDATE audit SET hash = $1", &[&link]).unwrap();
        conn.batch("DELETE FROM schema_step WHERE number > 1; DROP TABLE ix_words, custom")
            .unwrap();
        assert_eq!(schema::version(conn).unwrap(), 1);
    });
    assert!(open_read_only(&place).is_err());
    let store: SharedStore = open(&place);
    assert_eq!(found(&*store.snapshot().unwrap(), "Patient?family=cedar,birch"), "a b");
    assert_eq!(store.snapshot().unwrap().audit_head().unwrap(), Some(leaf));
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
    drop(store);
    beside(&place, |conn| {
        assert_eq!(schema::version(conn).unwrap(), schema::SCHEMA);
        conn.batch("INSERT INTO schema_step(number, name) VALUES(99, 'later')").unwrap();
    });
    assert!(refusal(&place).contains("the store has schema `99`"), "{}", refusal(&place));
}

#[test]
fn a_half_built_index_is_finished() {
    let Some(place) = server::place() else { return };
    let store: SharedStore = open(&place);
    let texts: Vec<String> = (0..9).map(|n| patient(&format!("p{n}"), "Ash")).collect();
    store_all(&store, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    drop(store);
    // Five of nine were done when the program ended.
    beside(&place, |conn| {
        let goal = schema::current_index(None);
        conn.batch(&format!(
            "DELETE FROM ix_text WHERE rid > 5;
             DELETE FROM ix_words WHERE rid > 5; DELETE FROM meta WHERE name = 'index';
             UPDATE ix_text SET text = 'done already' WHERE rid <= 5;
             INSERT INTO meta(name, value) VALUES('rebuilding', '{goal} 5')"
        ))
        .unwrap();
    });
    let store: SharedStore = open(&place);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(found(&*snapshot, "Patient?family=ash"), "p5 p6 p7 p8");
    drop(snapshot);
    drop(store);
    // Half built by another release: everything is built anew.
    beside(&place, |conn| {
        conn.batch(
            "DELETE FROM meta WHERE name = 'index';
             INSERT INTO meta(name, value) VALUES('rebuilding', 'other 5')",
        )
        .unwrap();
    });
    let store: SharedStore = open(&place);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(found(&*snapshot, "Patient?family=ash").split(' ').count(), 9);
}

#[test]
fn a_lost_connection_fails_what_is_under_way_and_the_next_write_succeeds() {
    let Some(place) = server::place() else { return };
    let store: SharedStore = open(&place);
    store_all(&store, &[&patient("a", "Ash")]);
    beside(&place, |conn| {
        let sql = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l
                   WHERE l.locktype = 'advisory' AND l.pid <> pg_backend_pid()
                     AND (l.classid::int8 << 32 | l.objid::int8)
                         = hashtextextended('consilium ' || $1, 0)";
        assert_eq!(conn.rows(sql, &[&current_schema(conn)]).unwrap().len(), 1);
    });
    // The writer may learn of it only by the failure of the next write.
    let mut tries = 0;
    while commit(&store, vec![put(&patient("b", "Birch"))]).is_err() {
        tries += 1;
        assert!(tries < 50, "the store does not recover");
    }
    store_all(&store, &[&patient("c", "Cedar")]);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(found(&*snapshot, "Patient"), "a b c");
    assert_eq!(snapshot.seq(), *store.watch().borrow());
    assert_eq!(store.integrity().unwrap(), Vec::<String>::new());
}

fn current_schema(conn: &Conn) -> String {
    conn.row("SELECT current_schema()::text", &[]).unwrap().unwrap().get(0)
}

#[test]
fn damage_is_reported() {
    let Some(place) = server::place() else { return };
    let store: SharedStore = open(&place);
    store_all(&store, &[&patient("a", "Ash"), &patient("a", "Birch"), &patient("b", "Birch")]);
    beside(&place, |conn| {
        conn.batch("DELETE FROM version WHERE seq = 1; UPDATE resource SET ms = 0 WHERE id = 'b'")
            .unwrap();
    });
    let faults = store.integrity().unwrap().join("\n");
    for fault in ["1 sequence numbers are missing", "1 resources do not agree"] {
        assert!(faults.contains(fault), "{faults}");
    }
}

#[test]
fn hostile_texts_are_stored_and_found() {
    let Some(place) = server::place() else { return };
    let store: SharedStore = open(&place);
    let long = "x".repeat(60_000);
    let text = format!(
        r#"{{"resourceType":"Patient","id":"a","name":[{{"family":"Nul\u0000l{long}"}}],
            "identifier":[{{"system":"urn:{long}","value":"{long}"}}]}}"#
    );
    commit(&store, vec![put(&text), put(&text.replace("\"a\"", "\"b\"").replace("xx", "yx"))])
        .unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(found(&*snapshot, &format!("Patient?identifier=urn:{long}|{long}")), "a");
    assert_eq!(found(&*snapshot, &format!("Patient?family:contains=l{long}")), "a");
    assert_eq!(found(&*snapshot, &format!("Patient?family=null{long}")), "");
}
