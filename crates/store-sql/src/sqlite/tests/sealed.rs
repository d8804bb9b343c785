//! A store whose pages are encrypted: it does all that another does, and its files tell nothing.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use store::suite::{commit, put};
use store::{SharedStore, suite};

use super::super::{Form, Options, PageKey, SqliteStore, faults, form, open_read_only};
use super::options;

fn sealed() -> Options {
    Options { key: Some(PageKey::new([7; 32])), dictionary_after: 50, ..options() }
}

fn open(path: &Path) -> SharedStore {
    SqliteStore::open(path, sealed()).unwrap()
}

fn fill(store: &SharedStore) {
    for number in 0..120 {
        let text = format!(
            r#"{{"resourceType":"Patient","id":"p{number}","name":[{{"family":"Mustermannova","given":["Xaverine{number}"]}}],"birthDate":"1949-11-07","identifier":[{{"system":"urn:pid","value":"ZQX-{number}"}}]}}"#
        );
        commit(store, vec![put(&text)]).unwrap();
    }
}

/// Every file below a folder, read whole.
fn bytes_below(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|file| std::fs::read(file).unwrap()).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

#[test]
fn passes_the_suite_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let number = AtomicI64::new(0);
    suite::run(&|| {
        let number = number.fetch_add(1, Ordering::Relaxed);
        open(&folder.path().join(number.to_string()))
    });
}

#[test]
fn neither_the_file_nor_its_log_tells_a_name() {
    let words = ["mustermannova", "xaverine", "zqx-", "create table"];
    let (plain, secret) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(form(secret.path()).unwrap(), Form::Absent);
    let stores =
        [SqliteStore::open(plain.path(), options()).unwrap() as SharedStore, open(secret.path())];
    stores.iter().for_each(fill);
    // While they are open, with all that is in the logs; the plain one shows that looking works.
    assert!(secret.path().join("store.db-wal").metadata().unwrap().len() > 10_000);
    let (told, untold) = (bytes_below(plain.path()), bytes_below(secret.path()));
    for word in words {
        assert!(holds(&told, word) && !holds(&untold, word), "{word}");
    }
    drop(stores);
    let untold = bytes_below(secret.path());
    assert!(words.iter().all(|word| !holds(&untold, word)));
    assert_eq!(form(plain.path()).unwrap(), Form::Plain);
    assert_eq!(form(secret.path()).unwrap(), Form::Sealed);
    let key = PageKey::new([7; 32]);
    assert_eq!(faults(secret.path(), Some(&key)).unwrap(), Vec::<String>::new());
    assert_eq!(open_read_only(secret.path(), Some(&key)).unwrap().seq(), 120);
}

#[test]
fn another_key_opens_nothing_and_harms_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fill(&open(folder.path()));
    let before = std::fs::read(folder.path().join("store.db")).unwrap();
    let other = PageKey::new([8; 32]);
    let options = Options { key: Some(other.clone()), ..options() };
    let refused = SqliteStore::open(folder.path(), options).err().unwrap().to_string();
    assert!(refused.contains("does not open with this node's key"), "{refused}");
    assert!(open_read_only(folder.path(), Some(&other)).is_err());
    assert!(open_read_only(folder.path(), None).is_err());
    assert_eq!(before, std::fs::read(folder.path().join("store.db")).unwrap());
    assert_eq!(open(folder.path()).snapshot().unwrap().seq(), 120);
}

#[test]
fn a_page_that_was_changed_is_found() {
    use std::io::{Seek, SeekFrom, Write};
    let folder = tempfile::tempdir().unwrap();
    fill(&open(folder.path()));
    let path = folder.path().join("store.db");
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(3 * 4096 + 100)).unwrap();
    file.write_all(&[0xff; 8]).unwrap();
    drop(file);
    let found = faults(folder.path(), Some(&PageKey::new([7; 32])));
    assert!(found.is_err() || !found.unwrap().is_empty());
}
