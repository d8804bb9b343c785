//! Pages encrypted anew while the store is used, and what a crash leaves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use store::suite::{commit, put};
use store::{Key, SharedStore, Store as _};

use super::super::{Options, PageKey, SqliteStore, faults, open_read_only, opens};
use super::options;

fn key(number: u8) -> PageKey {
    PageKey::new([number; 32])
}

fn open(path: &Path, number: u8) -> Arc<SqliteStore> {
    let options = Options { key: Some(key(number)), dictionary_after: 500, ..options() };
    SqliteStore::open(path, options).unwrap()
}

fn patient(number: u64) -> String {
    let filling = "Quillfeather ".repeat(40);
    format!(
        r#"{{"resourceType":"Patient","id":"p{number}","name":[{{"family":"F{number}","text":"{filling}"}}]}}"#
    )
}

fn fill(store: &SharedStore, numbers: std::ops::Range<u64>) {
    for number in numbers {
        commit(store, vec![put(&patient(number))]).unwrap();
    }
}

fn has(store: &SqliteStore, number: u64) -> bool {
    let id = fhir::Id::new(format!("p{number}")).unwrap();
    store.read(&Key { resource_type: "Patient", id }).unwrap().is_some()
}

fn databases(path: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "db")).collect();
    found.sort();
    found
}

#[test]
fn a_store_that_is_written_and_read_gets_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1);
    let shared: SharedStore = store.clone();
    fill(&shared, 0..400);
    let before = store.snapshot().unwrap();
    let (over, written) = (AtomicBool::new(false), AtomicU64::new(400));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let number = written.load(Ordering::Relaxed);
                fill(&shared, number..number + 1);
                written.store(number + 1, Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let newest = written.load(Ordering::Relaxed) - 1;
                assert!(has(&store, newest), "what is acknowledged is read");
            }
        });
        // More than once: files are numbered on.
        for round in 2..5 {
            let mut seen = (0, 0);
            let done = store.rekey(key(round), &mut |copied, all| {
                seen = (copied, all);
                true
            });
            let done = done.unwrap();
            assert!(done.pages > 50 && seen.1 > 50 && seen.0 <= seen.1, "{done:?} {seen:?}");
        }
        over.store(true, Ordering::Relaxed);
    });
    // A snapshot from before goes on with its file, which goes with it.
    assert_eq!(before.seq(), 400);
    assert_eq!(before.changes(0, 1_000).unwrap().len(), 400);
    assert_eq!(databases(folder.path()).len(), 2);
    drop(before);
    let newest = folder.path().join("store.3.db");
    assert_eq!(databases(folder.path()), std::slice::from_ref(&newest));
    let all = written.load(Ordering::Relaxed);
    assert!((0..all).all(|number| has(&store, number)));
    assert!(store.figures().unwrap().bytes > 100_000);
    fill(&shared, all..all + 1);
    assert!(open_read_only(folder.path(), Some(&key(4))).unwrap().seq() > all);
    drop((shared, store));
    assert!(faults(folder.path(), Some(&key(4))).unwrap().is_empty());
    assert!(opens(folder.path(), &key(4)) && !opens(folder.path(), &key(1)));
    let store = open(folder.path(), 4);
    assert!((0..=all).all(|number| has(&store, number)));
}

#[test]
fn whatever_a_crash_leaves_opens_with_one_of_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fill(&(open(path, 1) as SharedStore), 0..100);
    // While the copy is made: a part beside the old file.
    std::fs::write(path.join("store.1.part"), "half of it").unwrap();
    let store = open(path, 1);
    assert!(!path.join("store.1.part").exists() && has(&store, 99));
    drop(store);
    let old = std::fs::read(path.join("store.db")).unwrap();
    let store = open(path, 1);
    store.rekey(key(2), &mut |_, _| true).unwrap();
    fill(&(store as SharedStore), 100..110);
    // After the copy has its number and before the old file is removed.
    std::fs::write(path.join("store.db"), old).unwrap();
    // Somebody with the old key harms nothing.
    let options = Options { key: Some(key(1)), ..options() };
    assert!(SqliteStore::open(path, options).is_err());
    assert_eq!(databases(path).len(), 2);
    let store = open(path, 2);
    assert!((0..110).all(|number| has(&store, number)));
    assert_eq!(databases(path), [path.join("store.1.db")]);
}

#[test]
fn what_cannot_be_encrypted_anew_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path(), options()).unwrap();
    fill(&(store.clone() as SharedStore), 0..3);
    let error = store.rekey(key(2), &mut |_, _| true).unwrap_err().to_string();
    assert!(error.contains("consilium store seal"), "{error}");
    // Somebody does not want to go on.
    let sealed = tempfile::tempdir().unwrap();
    let store = open(sealed.path(), 1);
    fill(&(store.clone() as SharedStore), 0..300);
    assert!(store.rekey(key(2), &mut |_, _| false).is_err());
    assert_eq!(std::fs::read_dir(sealed.path()).unwrap().count(), 4, "no part is left");
    // No room for the copy: a folder is in its place.
    let sealed = tempfile::tempdir().unwrap();
    let store = open(sealed.path(), 1);
    fill(&(store.clone() as SharedStore), 0..3);
    std::fs::create_dir(sealed.path().join("store.1.part")).unwrap();
    assert!(store.rekey(key(2), &mut |_, _| true).is_err());
    fill(&(store.clone() as SharedStore), 3..6);
    std::fs::remove_dir(sealed.path().join("store.1.part")).unwrap();
    store.rekey(key(2), &mut |_, _| true).unwrap();
    assert!((0..6).all(|number| has(&store, number)));
}
