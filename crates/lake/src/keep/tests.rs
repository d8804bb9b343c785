//! A lake against a model: random feeds, commits, replays and power failures.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crypto::aead::AeadKey;
use crypto::{MacKey, SystemRandom};
use datafusion::arrow::array::AsArray;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::disk::Folder;
use super::*;
use crate::Definition;

const NAMES: &str = r#"{"resourceType":"ViewDefinition","name":"names","resource":"Patient",
    "select":[{"column":[{"name":"patient_key","path":"getResourceKey()"}]},
    {"forEach":"name","column":[{"name":"family","path":"family"}]}]}"#;
const GENDERS: &str = r#"{"resourceType":"ViewDefinition","name":"genders","resource":"Patient",
    "select":[{"column":[{"name":"patient_key","path":"getResourceKey()"},{"name":"gender","path":"gender"}]}]}"#;

/// Numbers that look random, the same for the same seed (xorshift64*, Vigna 2016).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

fn folder(path: &Path) -> Arc<Folder> {
    let key = AeadKey::new(&[7; 32]).unwrap();
    Arc::new(Folder::open(path.to_owned(), key, Arc::new(SystemRandom)).unwrap())
}

fn definitions() -> Vec<Definition> {
    [NAMES, GENDERS].map(|text| Definition::read(text).unwrap()).into()
}

/// A feed: for each sequence number who changed, and to what.
type Feed = Vec<(u64, Option<String>)>;

fn feed(chance: &mut Chance, length: usize) -> Feed {
    let one = |chance: &mut Chance, sequence: usize| {
        let id = chance.below(25);
        if chance.below(5) == 0 {
            return (id, None);
        }
        let names: Vec<String> =
            (0..chance.below(4)).map(|at| format!(r#"{{"family":"f{sequence}-{at}"}}"#)).collect();
        let names = match names.is_empty() {
            true => String::new(),
            false => format!(r#","name":[{}]"#, names.join(",")),
        };
        (
            id,
            Some(format!(
                r#"{{"resourceType":"Patient","id":"p{id}","gender":"g{sequence}"{names}}}"#
            )),
        )
    };
    (1..=length).map(|sequence| one(chance, sequence)).collect()
}

/// The rows of both tables after the first `upto` changes, as the model has them.
fn expected(feed: &Feed, upto: usize) -> (Vec<String>, Vec<String>) {
    let mut state = BTreeMap::new();
    for (id, content) in &feed[..upto] {
        state.insert(*id, content.clone());
    }
    let (mut names, mut genders) = (Vec::new(), Vec::new());
    for (id, content) in state {
        let Some(content) = content else { continue };
        let resource = fhir::Resource::parse(content).unwrap();
        let gender = resource.root().str_at("gender").unwrap().into_owned();
        genders.push(format!("Patient/p{id} {gender}"));
        for name in resource.get("name").into_iter().flat_map(|list| list.items()) {
            names.push(format!("Patient/p{id} {}", name.str_at("family").unwrap()));
        }
    }
    names.sort();
    genders.sort();
    (names, genders)
}

fn rows(lake: &Lake, table: &str) -> Vec<String> {
    let snapshot = lake.snapshot();
    let table = snapshot.table(table).unwrap();
    let mut rows = Vec::new();
    for part in 0..table.parts.len() {
        let read = table.read(part, &[0, 1], &snapshot.seen, &mut |batch| {
            let (a, b) = (batch.column(0).as_string_view(), batch.column(1).as_string_view());
            rows.extend(a.iter().zip(b).map(|(a, b)| format!("{} {}", a.unwrap(), b.unwrap())));
            Ok(())
        });
        read.unwrap();
    }
    rows.sort();
    rows
}

fn check(lake: &Lake, feed: &Feed, upto: usize, what: &str) {
    let (names, genders) = expected(feed, upto);
    assert_eq!(rows(lake, "names"), names, "{what}");
    assert_eq!(rows(lake, "genders"), genders, "{what}");
}

fn apply(lake: &Lake, feed: &Feed, from: usize, upto: usize) -> Result<Applied, crate::Fault> {
    let ids: Vec<String> = feed.iter().map(|(id, _)| format!("p{id}")).collect();
    let changes: Vec<Change<'_>> = feed[from..upto]
        .iter()
        .zip(&ids[from..upto])
        .map(|((_, content), id)| Change {
            resource_type: "Patient",
            id,
            person: Some(id),
            content: content.as_deref(),
        })
        .collect();
    lake.apply(upto as u64, &changes, 0)
}

/// The rows of all files of parts, whoever sees them.
fn on_disk(disk: &Arc<Folder>, home: &Path) -> usize {
    let files = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name());
    let parts = files.filter_map(|name| name.to_str()?.ends_with(".rows").then_some(name));
    let rows = |name: std::ffi::OsString| {
        let mut bytes = Vec::new();
        disk.read(name.to_str().unwrap()).unwrap().read_to_end(&mut bytes).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
        reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>()
    };
    parts.map(rows).sum()
}

/// Random batches, commits, scrubbings, replays and reopenings, some of them after the power failed in the
/// middle of a commit: the lake always shows what the feed says up to its position.
#[test]
fn a_lake_is_its_feed_whatever_happens() {
    for seed in 0..60 {
        let mut chance = Chance::new(seed);
        let feed = feed(&mut chance, 120);
        let home = tempfile::tempdir().unwrap();
        let mut disk = folder(home.path());
        let mut lake = Lake::of(Arc::clone(&disk), definitions(), Default::default()).unwrap();
        let mut at = 0;
        for turn in 0..40 {
            let what = format!("seed {seed}, turn {turn}");
            match chance.below(10) {
                0..=3 => {
                    let upto = (at + 1 + chance.below(9) as usize).min(feed.len());
                    // Sometimes part of a batch comes a second time.
                    let from = at - (chance.below(3) as usize).min(at);
                    if upto > at {
                        apply(&lake, &feed, from, upto).unwrap();
                        at = upto;
                    }
                }
                4 => {
                    let before = apply(&lake, &feed, at / 2, at).unwrap();
                    assert_eq!(before, Applied::default(), "{what}: a replay changes nothing");
                }
                5 => {
                    lake.flush().unwrap();
                    assert_eq!(lake.position(), at as u64, "{what}");
                }
                6 => {
                    disk.steps.store(chance.below(14) as i64, Ordering::SeqCst);
                    let committed = lake.position();
                    let flushed = lake.flush();
                    check(&lake, &feed, at, &format!("{what}: after a failed commit"));
                    if flushed.is_err() {
                        assert_eq!(lake.position(), committed, "{what}");
                    }
                    drop(lake);
                    disk = folder(home.path());
                    lake = Lake::of(Arc::clone(&disk), definitions(), Default::default()).unwrap();
                    at = lake.position() as usize;
                }
                7 => {
                    while lake.scrub().unwrap() {
                        check(&lake, &feed, at, &what);
                    }
                    assert_eq!((lake.size().gone, lake.position()), (0, at as u64), "{what}");
                    assert_eq!(on_disk(&disk, home.path()), lake.size().rows, "{what}");
                }
                8 => {
                    disk.steps.store(chance.below(14) as i64, Ordering::SeqCst);
                    while let Ok(true) = lake.scrub() {}
                    check(&lake, &feed, at, &format!("{what}: after a failed scrubbing"));
                    drop(lake);
                    disk = folder(home.path());
                    lake = Lake::of(Arc::clone(&disk), definitions(), Default::default()).unwrap();
                    at = lake.position() as usize;
                }
                _ => {
                    drop(lake);
                    disk = folder(home.path());
                    lake = Lake::of(Arc::clone(&disk), definitions(), Default::default()).unwrap();
                    at = lake.position() as usize;
                }
            }
            check(&lake, &feed, at, &what);
        }
        lake.flush().unwrap();
        drop(lake);
        let left = folder(home.path());
        let lake = Lake::of(left, definitions(), Default::default()).unwrap();
        check(&lake, &feed, at, &format!("seed {seed}, at the end"));
        assert!(lake.size().parts <= 12, "seed {seed}: {:?}", lake.size());
    }
}

#[test]
fn a_full_memory_takes_nothing_more_until_it_could_be_committed() {
    let home = tempfile::tempdir().unwrap();
    let disk = folder(home.path());
    let lake = Lake::of(Arc::clone(&disk), definitions(), Default::default()).unwrap();
    let patient = |id: usize| {
        Some(format!(
            r#"{{"resourceType":"Patient","id":"p{id}","gender":"g","name":[{{"family":"f"}}]}}"#
        ))
    };
    let feed: Feed = (0..FLUSH_ROWS + 1).map(|id| (id as u64, patient(id))).collect();
    let full = FLUSH_ROWS as u64;
    disk.steps.store(0, Ordering::SeqCst);
    assert!(apply(&lake, &feed, 0, FLUSH_ROWS).is_err(), "the disk is full");
    assert_eq!(lake.applied(), full, "what was taken in stays");
    assert!(apply(&lake, &feed, FLUSH_ROWS, FLUSH_ROWS + 1).is_err());
    assert_eq!((lake.applied(), lake.position()), (full, 0), "and nothing more comes");
    disk.steps.store(i64::MAX, Ordering::SeqCst);
    apply(&lake, &feed, FLUSH_ROWS, FLUSH_ROWS + 1).unwrap();
    assert_eq!((lake.applied(), lake.position()), (full + 1, full));
    check(&lake, &feed, FLUSH_ROWS + 1, "after the disk has room again");
}

#[test]
fn nothing_is_on_disk_in_the_clear_and_nothing_opens_changed() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::of(folder(home.path()), definitions(), Default::default()).unwrap();
    let feed: Feed = vec![(
        1,
        Some(r#"{"resourceType":"Patient","id":"p1","gender":"unmistakable","name":[{"family":"Lovelace"}]}"#.into()),
    )];
    apply(&lake, &feed, 0, 1).unwrap();
    lake.flush().unwrap();
    drop(lake);
    let mut files = 0;
    for entry in std::fs::read_dir(home.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for word in [&b"Lovelace"[..], b"unmistakable", b"PAR1", b"genders", b"family"] {
            assert!(!bytes.windows(word.len()).any(|w| w == word), "{path:?}");
        }
        files += 1;
        let mut changed = bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let opened = Lake::of(folder(home.path()), definitions(), Default::default());
        let seen = opened.map(|lake| rows_or_fault(&lake));
        assert!(!matches!(seen, Ok(Ok(()))), "{path:?} opens although it was changed");
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(files, 3);
    let other = AeadKey::new(&[8; 32]).unwrap();
    let other = Folder::open(home.path().to_owned(), other, Arc::new(SystemRandom)).unwrap();
    assert!(Lake::of(Arc::new(other), definitions(), Default::default()).is_err());
}

fn rows_or_fault(lake: &Lake) -> Result<(), crate::Fault> {
    let snapshot = lake.snapshot();
    for table in &snapshot.tables {
        for part in 0..table.parts.len() {
            table.read(part, &[0, 1], &snapshot.seen, &mut |_| Ok(()))?;
        }
    }
    Ok(())
}

#[test]
fn a_changed_view_is_built_from_the_start_and_the_others_stay() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::of(folder(home.path()), definitions(), Default::default()).unwrap();
    let feed = feed(&mut Chance::new(1), 50);
    apply(&lake, &feed, 0, 50).unwrap();
    lake.flush().unwrap();
    drop(lake);
    let other = GENDERS.replace("\"gender\",\"path\":\"gender\"", "\"sex\",\"path\":\"gender\"");
    let two = || [NAMES, &other].map(|text| Definition::read(text).unwrap()).into();
    let lake = Lake::of(folder(home.path()), two(), Default::default()).unwrap();
    assert_eq!((lake.position(), lake.rebuilding()), (0, vec!["genders".to_owned()]));
    apply(&lake, &feed, 0, 30).unwrap();
    assert_eq!(rows(&lake, "names"), expected(&feed, 50).0, "the other table keeps what it has");
    assert_eq!(rows(&lake, "genders"), expected(&feed, 30).1);
    apply(&lake, &feed, 30, 50).unwrap();
    check(&lake, &feed, 50, "rebuilt");
    lake.flush().unwrap();
    assert_eq!((lake.position(), lake.rebuilding()), (50, Vec::new()));
}

#[test]
fn patients_who_are_left_out_are_seen_by_nobody_from_then_on() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::of(folder(home.path()), definitions(), Default::default()).unwrap();
    let feed = feed(&mut Chance::new(3), 60);
    apply(&lake, &feed, 0, 40).unwrap();
    lake.flush().unwrap();
    apply(&lake, &feed, 40, 60).unwrap();
    let all = rows(&lake, "genders");
    let gone: Vec<String> = all.iter().take(3).map(|row| row.replace("Patient/", "")).collect();
    let ids: Vec<&str> = gone.iter().map(|row| row.split(' ').next().unwrap()).collect();
    lake.leave_out(ids.iter().copied());
    assert_eq!(rows(&lake, "genders"), all[3..]);
    for row in rows(&lake, "names") {
        assert!(!ids.iter().any(|id| row.starts_with(&format!("Patient/{id} "))));
    }
    let exported = exported(&lake, "genders", 1);
    assert_eq!(exported.len(), all.len() - 3);
    lake.leave_out([]);
    assert_eq!(rows(&lake, "genders"), all);
}

/// The rows of a table as it is handed out under a key: each a key and what stands beside it.
fn exported(lake: &Lake, table: &str, key: u8) -> BTreeMap<String, String> {
    let mut file = Vec::new();
    let rows = lake.snapshot().export(table, &MacKey::new(&[key; 32]), &mut file).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
    let mut found = BTreeMap::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        assert_eq!(batch.num_columns(), 2, "nothing that is hidden");
        let (keys, values) = (batch.column(0).as_string_view(), batch.column(1).as_string_view());
        for (key, value) in keys.iter().zip(values) {
            found.insert(key.unwrap().to_owned(), value.unwrap_or_default().to_owned());
        }
    }
    if table == "genders" {
        assert_eq!(found.len(), rows, "each has a key of its own");
    }
    found
}

#[test]
fn what_is_handed_out_can_be_joined_and_leads_back_to_no_record() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::of(folder(home.path()), definitions(), Default::default()).unwrap();
    let feed = feed(&mut Chance::new(5), 60);
    apply(&lake, &feed, 0, 40).unwrap();
    lake.flush().unwrap();
    apply(&lake, &feed, 40, 60).unwrap();
    let (genders, names) = (exported(&lake, "genders", 1), exported(&lake, "names", 1));
    assert!(!names.is_empty());
    let inside = rows(&lake, "genders");
    let values: BTreeSet<&str> = genders.values().map(String::as_str).collect();
    let expected: BTreeSet<&str> = inside.iter().filter_map(|row| row.split(' ').nth(1)).collect();
    assert_eq!(values, expected, "what is no key is as it was");
    for key in genders.keys() {
        assert!(key.len() == 32 && key.bytes().all(|b| b.is_ascii_hexdigit()), "{key}");
    }
    assert!(names.keys().all(|key| genders.contains_key(key)), "tables of one key can be joined");
    let other = exported(&lake, "genders", 2);
    assert!(other.keys().all(|key| !genders.contains_key(key)), "those of two keys cannot");
}

#[test]
fn a_large_feed_is_committed_by_itself_and_parts_stay_few() {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::of(folder(home.path()), definitions(), Default::default()).unwrap();
    let total = FLUSH_ROWS + 5_000;
    let ids: Vec<String> = (0..total).map(|at| format!("p{at}")).collect();
    let texts: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"resourceType":"Patient","id":"{id}","gender":"g"}}"#))
        .collect();
    let changes: Vec<Change<'_>> = ids
        .iter()
        .zip(&texts)
        .map(|(id, text)| Change {
            resource_type: "Patient",
            id,
            person: Some(id),
            content: Some(text),
        })
        .collect();
    let mut upto = 0;
    for batch in changes.chunks(500) {
        upto += batch.len() as u64;
        lake.apply(upto, batch, 0).unwrap();
    }
    assert!(lake.position() >= FLUSH_ROWS as u64, "committed by itself");
    let size = lake.size();
    assert_eq!(size.rows, total);
    let snapshot = lake.snapshot();
    assert!(snapshot.table("genders").unwrap().parts.len() <= 34);
    drop(snapshot);
    lake.flush().unwrap();
    assert!(lake.size().parts <= 2, "{:?}", lake.size());
}
