//! Work on stores at the command line: import, copy, check, back up, restore, purge, retain; with
//! SQLite, and with a PostgreSQL where `CONSILIUM_TEST_POSTGRES` names one.

use std::path::Path;
use std::process::Command;

use consilium_node::config::Config;
use store::query::search;
use store::{HistoryOf, Key, Seq, Snapshot};

fn consilium(arguments: &[&str]) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_consilium")).args(arguments).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

pub fn works(arguments: &[&str]) -> String {
    let (success, text) = consilium(arguments);
    assert!(success, "{arguments:?}: {text}");
    text
}

pub fn fails(arguments: &[&str]) -> String {
    let (success, text) = consilium(arguments);
    assert!(!success, "{arguments:?}: {text}");
    text
}

pub fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A new node in `folder/name` that keeps its records where `store` says.
fn node(folder: &Path, name: &str, store: Option<&str>) -> String {
    let home = folder.join(name);
    works(&["init", "--dir", path(&home), "--organisation", "north", "--name", "North"]);
    if let Some(store) = store {
        let file = home.join("node.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let changed = text.replace("store = \"store\"", &format!("store = {store:?}"));
        assert_ne!(text, changed);
        std::fs::write(&file, changed).unwrap();
    }
    path(&home).to_owned()
}

/// Imports patients `a` and `b` with an observation each, of a value.
fn import(folder: &Path, home: &str, value: u32) {
    let mut lines = String::new();
    for id in ["a", "b"] {
        lines += &format!(
            "{{\"resourceType\":\"Patient\",\"id\":\"{id}\",\"name\":[{{\"family\":\"Ash\"}}]}}\n"
        );
        lines += &format!(
            "{{\"resourceType\":\"Observation\",\"id\":\"o{id}\",\"status\":\"final\",\"code\":{{\"text\":\"x\"}},\
             \"subject\":{{\"reference\":\"Patient/{id}\"}},\"valueQuantity\":{{\"value\":{value}}}}}\n"
        );
    }
    let file = folder.join("data.ndjson");
    std::fs::write(&file, lines).unwrap();
    works(&["import", "--dir", home, "--quiet", path(&file)]);
}

/// What the store of a node holds.
pub fn opened(home: &str) -> Box<dyn Snapshot> {
    let home = Path::new(home);
    Config::read(home).unwrap().location(home).unwrap().open_read_only().unwrap()
}

fn found(snapshot: &dyn Snapshot, resource_type: &'static str, params: &[(&str, &str)]) -> usize {
    snapshot.find(&search(resource_type, params).unwrap(), 99, true).unwrap().len()
}

fn key(resource_type: &'static str, id: &str) -> Key {
    Key { resource_type, id: fhir::Id::new(id).unwrap() }
}

fn versions(snapshot: &dyn Snapshot, key: Key) -> usize {
    snapshot.history(&HistoryOf::Instance(key), Seq::MAX, i64::MIN, 99).unwrap().len()
}

#[test]
fn a_backup_brings_back_every_moment_it_saw() {
    let folder = tempfile::tempdir().unwrap();
    let home = node(folder.path(), "north", None);
    let backups = folder.path().join("backups");
    let keys = format!("{home}/keys");
    import(folder.path(), &home, 1);
    works(&["backup", "--dir", &home, path(&backups)]);
    import(folder.path(), &home, 2);
    works(&["backup", "--dir", &home, path(&backups)]);
    let second = {
        let snapshot = opened(&home);
        snapshot.load(&[snapshot.seq()]).unwrap()[0].last_updated_ms
    };
    import(folder.path(), &home, 3);
    works(&["backup", "--dir", &home, path(&backups)]);
    assert!(works(&["store", "check", "--dir", &home, "--all"]).contains("audit: "));

    // Everything.
    let whole = node(folder.path(), "whole", None);
    works(&["restore", "--dir", &whole, "--keys", &keys, path(&backups)]);
    let (before, after) = (opened(&home), opened(&whole));
    let all: Vec<Seq> = (1..=before.seq()).collect();
    assert_eq!(before.load(&all).unwrap(), after.load(&all).unwrap());
    assert_eq!(before.audit_head().unwrap(), after.audit_head().unwrap());
    assert_eq!(found(&*after, "Observation", &[("value-quantity", "3")]), 2);
    works(&["store", "check", "--dir", &whole, "--all"]);
    works(&["audit", "verify", "--dir", &whole]);

    // The moment when the second import had ended.
    let earlier = node(folder.path(), "earlier", None);
    let moment = fhir::time::instant(second);
    works(&["restore", "--dir", &earlier, "--keys", &keys, path(&backups), "--to", &moment]);
    let then = opened(&earlier);
    assert_eq!(found(&*then, "Observation", &[("value-quantity", "2")]), 2);
    assert_eq!(versions(&*then, key("Observation", "oa")), 2);
    assert!(then.seq() < before.seq());
    drop(then);
    // And from there to the end: what is there is not taken in twice.
    works(&["restore", "--dir", &earlier, "--keys", &keys, path(&backups)]);
    let then = opened(&earlier);
    assert_eq!(before.load(&all).unwrap(), then.load(&all).unwrap());
    assert_eq!(before.audit_head().unwrap(), then.audit_head().unwrap());
    works(&["store", "check", "--dir", &earlier, "--all"]);

    // What is damaged or somebody else's is refused before anything is taken in.
    let other = node(folder.path(), "other", None);
    import(folder.path(), &other, 9);
    assert!(fails(&["backup", "--dir", &other, path(&backups)]).contains("another store"));
    assert!(
        fails(&["restore", "--dir", &other, "--keys", &keys, path(&backups)])
            .contains("an empty one")
    );
    let increment = std::fs::read_dir(&backups)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.to_string_lossy().ends_with(".feed.sealed"))
        .max()
        .unwrap();
    let bytes = std::fs::read(&increment).unwrap();
    std::fs::write(&increment, &bytes[..bytes.len() - 20]).unwrap();
    let fresh = node(folder.path(), "fresh", None);
    assert!(
        fails(&["restore", "--dir", &fresh, "--keys", &keys, path(&backups)]).contains("damaged")
    );
}

#[test]
fn a_purged_patient_is_gone_and_does_not_come_back_with_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let home = node(folder.path(), "north", None);
    let backups = folder.path().join("backups");
    let keys = format!("{home}/keys");
    import(folder.path(), &home, 1);
    works(&["backup", "--dir", &home, path(&backups)]);
    import(folder.path(), &home, 2);
    assert!(works(&["purge", "--dir", &home, "--patient", "a"]).contains("2 resources removed"));
    fails(&["purge", "--dir", &home, "--patient", "nobody"]);
    works(&["backup", "--dir", &home, path(&backups)]);
    let restored = node(folder.path(), "restored", None);
    let text = works(&["restore", "--dir", &restored, "--keys", &keys, path(&backups)]);
    assert!(text.contains("2 versions stay closed"), "{text}");
    for home in [&home, &restored] {
        let snapshot = opened(home);
        assert_eq!(found(&*snapshot, "Patient", &[]), 1);
        for (key, left) in
            [(key("Patient", "a"), 1), (key("Observation", "oa"), 1), (key("Patient", "b"), 2)]
        {
            assert_eq!(versions(&*snapshot, key), left);
        }
        let tombstone = snapshot.read(&key("Patient", "a")).unwrap().unwrap();
        assert!(tombstone.text.is_empty());
        works(&["store", "check", "--dir", home, "--all"]);
        works(&["audit", "verify", "--dir", home]);
    }
}

#[test]
fn what_is_too_old_goes_and_the_audit_stays() {
    let folder = tempfile::tempdir().unwrap();
    let home = node(folder.path(), "north", None);
    import(folder.path(), &home, 1);
    import(folder.path(), &home, 2);
    let types = ["retain", "--dir", &home, "--type", "AuditEvent", "--days", "0"];
    assert!(fails(&types).contains("audit entry cannot be"));
    works(&["retain", "--dir", &home, "--type", "Observation", "--days", "0"]);
    works(&["retain", "--dir", &home, "--type", "Patient", "--days", "1"]);
    let snapshot = opened(&home);
    assert_eq!(versions(&*snapshot, key("Observation", "oa")), 1);
    assert_eq!(versions(&*snapshot, key("Patient", "a")), 2);
    drop(snapshot);
    works(&["retain", "--dir", &home, "--type", "Observation", "--days", "0", "--current"]);
    let snapshot = opened(&home);
    assert_eq!(found(&*snapshot, "Observation", &[]), 0);
    works(&["store", "check", "--dir", &home, "--all"]);
    works(&["audit", "verify", "--dir", &home]);
}

#[test]
fn a_node_moves_to_postgres_and_back() {
    let Ok(address) = std::env::var("CONSILIUM_TEST_POSTGRES") else {
        eprintln!("SKIPPED: CONSILIUM_TEST_POSTGRES names no PostgreSQL");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let between = if address.contains('?') { '&' } else { '?' };
    let address = format!("{address}{between}schema=move_{}", std::process::id());
    let home = node(folder.path(), "north", None);
    import(folder.path(), &home, 1);
    import(folder.path(), &home, 2);
    let text = works(&["store", "copy", &home, &address]);
    assert!(text.contains("both hold the same"), "{text}");
    // Again: nothing is left to do; and into something else it does not go.
    assert!(works(&["store", "copy", &home, &address]).contains("0 versions"));
    let other = node(folder.path(), "other", None);
    import(folder.path(), &other, 7);
    assert!(fails(&["store", "copy", &other, &address]).contains("an empty one"));

    let moved = node(folder.path(), "moved", Some(&address));
    import(folder.path(), &moved, 3);
    works(&["store", "check", "--dir", &moved, "--all"]);
    works(&["audit", "verify", "--dir", &moved]);
    works(&["purge", "--dir", &moved, "--patient", "b"]);
    let backups = folder.path().join("backups");
    let keys = format!("{moved}/keys");
    works(&["backup", "--dir", &moved, path(&backups)]);
    let back = node(folder.path(), "back", None);
    works(&["restore", "--dir", &back, "--keys", &keys, path(&backups)]);
    let snapshot = opened(&back);
    assert_eq!(found(&*snapshot, "Observation", &[("value-quantity", "3")]), 1);
    assert_eq!(versions(&*snapshot, key("Observation", "oa")), 3);
    assert_eq!(versions(&*snapshot, key("Patient", "b")), 1);
    works(&["store", "check", "--dir", &back, "--all"]);
    assert!(!text.contains("secret"));
}
