//! Loads a folder of transaction bundles (`*.json`, `*.json.gz`) into an empty store and prints what
//! it cost: `cargo run --release -p consilium-store-sql --example load -- BUNDLES [STORE]`, where STORE
//! is a folder for SQLite or an address `postgres://…`.
//! Resources keep their ids; `urn:uuid:x` becomes `Type/x`. With `-` for BUNDLES only the reading of
//! what is there already is measured. A third argument `sealed` encrypts the pages of an SQLite store,
//! a fourth is its memory for pages in MiB.
#![expect(clippy::print_stdout, reason = "it is a program for the terminal")]

use std::collections::HashMap;
use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use consilium_store_sql::postgres::{self, Place, PostgresStore};
use consilium_store_sql::sqlite::{Options, PageKey, SEALED_CACHE_MB, SqliteStore};
use fhir::{Document, Id, Resource, edit};
use store::query::search;
use store::{Expect, Key, Method, SharedStore, Snapshot, Transaction, Write};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let mut args = std::env::args_os().skip(1);
    let bundles = PathBuf::from(args.next().ok_or("usage: load BUNDLES [STORE]")?);
    let to = match args.next() {
        Some(to) => to.to_string_lossy().into_owned(),
        None => {
            let name = format!("consilium-load-{}", std::process::id());
            std::env::temp_dir().join(name).to_string_lossy().into_owned()
        }
    };
    let key = args.next().filter(|word| word == "sealed").map(|_| PageKey::new([7; 32]));
    let mut files: Vec<PathBuf> = match bundles.as_os_str() == "-" {
        true => Vec::new(),
        false => std::fs::read_dir(&bundles)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.to_string_lossy().contains(".json"))
            .collect(),
    };
    files.sort();
    // Reading the definitions is not part of loading.
    search("Patient", &[("name", "x")])?;
    let store = open(&to, key.as_ref())?;
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let loaded = load(&store, &files)?;
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!("{loaded} resources in {wall:.2} s, {cpu:.2} s of processor time");
    println!(
        "{:.0} resources/s, {:.0} per processor second",
        loaded as f64 / wall,
        loaded as f64 / cpu
    );
    let before = store.figures()?;
    drop(store);
    let store = open(&to, key.as_ref())?;
    let figures = store.figures()?;
    println!(
        "{} bytes ({} before closing), {:.0} per resource",
        figures.bytes,
        before.bytes,
        figures.bytes as f64 / figures.resources as f64
    );
    if !Place::is_one(&to) {
        sizes(Path::new(&to), key.as_ref())?;
    }
    let snapshot = store.snapshot()?;
    point_reads(&*snapshot)?;
    searches(&*snapshot)?;
    drop(snapshot);
    let (wall, faults) = (Instant::now(), store.integrity()?);
    println!("integrity: {faults:?} in {:.2} s", wall.elapsed().as_secs_f64());
    small_commits(&store)?;
    Ok(())
}

fn open(to: &str, key: Option<&PageKey>) -> Outcome<SharedStore> {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as i64);
    Ok(match Place::is_one(to) {
        true => PostgresStore::open(&Place::parse(to)?, postgres::Options::new(Arc::new(clock)))?,
        false => {
            let mut options = Options { key: key.cloned(), ..Options::new(Arc::new(clock)) };
            match std::env::args().nth(4) {
                Some(stated) => options.cache_mb = stated.parse()?,
                None if key.is_some() => options.cache_mb = SEALED_CACHE_MB,
                None => {}
            }
            SqliteStore::open(Path::new(to), options)?
        }
    })
}

fn load(store: &SharedStore, files: &[PathBuf]) -> Outcome<usize> {
    let next = AtomicUsize::new(0);
    let worker = || -> Outcome<usize> {
        let mut loaded = 0;
        let mut pending = Vec::new();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let writes = read_bundle(file)?;
            loaded += writes.len();
            pending.push(store.submit(Transaction { writes, ..Transaction::default() }));
        }
        for pending in pending {
            pending.wait()?;
        }
        Ok(loaded)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(worker)).collect();
        let mut loaded = 0;
        for worker in workers {
            loaded += worker.join().map_err(|_| "a worker panicked")??;
        }
        Ok(loaded)
    })
}

fn read_bundle(file: &Path) -> Outcome<Vec<Write>> {
    let bytes = std::fs::read(file)?;
    let mut text = String::new();
    match file.extension().is_some_and(|extension| extension == "gz") {
        true => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text)?,
        false => (&bytes[..]).read_to_string(&mut text)?,
    };
    let bundle = Document::parse(text)?;
    let entries: Vec<_> = bundle.root().get("entry").into_iter().flat_map(|e| e.items()).collect();
    let mut names: HashMap<String, String> = HashMap::new();
    for entry in &entries {
        if let (Some(url), Some(resource)) = (entry.str_at("fullUrl"), entry.get("resource"))
            && let (Some(kind), Some(id)) = (resource.str_at("resourceType"), resource.str_at("id"))
        {
            names.insert(url.into_owned(), format!("{kind}/{id}"));
        }
    }
    let mut writes = Vec::with_capacity(entries.len());
    for resource in entries.iter().filter_map(|entry| entry.get("resource")) {
        let start = resource.range().start;
        let mut edits = edit::Edits::default();
        edit::walk_references(resource, &mut |reference| {
            if let Some(name) = reference.as_str().and_then(|old| names.get(old.as_ref())) {
                let range = reference.range();
                edits.replace(range.start - start..range.end - start, format!("\"{name}\""));
            }
        });
        let resource = Resource::parse(edits.apply(resource.raw()))?;
        let resource_type = fhir::definitions::resource_type(resource.type_name());
        let key = Key {
            resource_type: resource_type.ok_or("an unknown resource type")?,
            id: resource.id().ok_or("a resource without id")?,
        };
        writes.push(Write::Put { key, resource, expect: Expect::Any, method: Method::Put });
    }
    Ok(writes)
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn sizes(folder: &Path, key: Option<&PageKey>) -> Outcome<()> {
    let conn = rusqlite::Connection::open(folder.join("store.db"))?;
    if let Some(key) = key {
        conn.execute_batch(&key.statements())?;
    }
    let sql = "SELECT name, sum(pgsize), sum(unused), sum(ncell) FROM dbstat GROUP BY name
               ORDER BY 2 DESC LIMIT 16";
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, bytes, unused): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let cells: i64 = row.get(3)?;
        println!("  {name:<16} {bytes:>10} bytes, {unused:>9} unused, {cells:>8} cells");
    }
    Ok(())
}

fn point_reads(snapshot: &dyn Snapshot) -> Outcome<()> {
    let mut keys = Vec::new();
    for change in snapshot.changes(0, usize::MAX)? {
        keys.push(change.key);
    }
    // A fixed walk that jumps about.
    let count = 100_000;
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    let mut bytes = 0;
    for n in 0..count {
        let key = keys.get(n * 7_919 % keys.len()).ok_or("nothing was loaded")?;
        bytes += snapshot.read(key)?.map_or(0, |stored| stored.text.len());
    }
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "{count} point reads of {} bytes: {:.0}/s, {:.0} per processor second",
        bytes / count,
        count as f64 / wall,
        count as f64 / cpu
    );
    Ok(())
}

fn searches(snapshot: &dyn Snapshot) -> Outcome<()> {
    let patients = snapshot.find(&search("Patient", &[])?, 10, false)?;
    let patient = snapshot.load(&patients[patients.len() - 1..])?.remove(0).key.id;
    let id = patient.as_str();
    for (kind, params) in [
        ("Observation", vec![("patient", id)]),
        ("Observation", vec![("patient", id), ("_sort", "-date")]),
        ("Observation", vec![("patient", id), ("date", "ge2015"), ("_sort", "-date")]),
        ("Observation", vec![("patient", id), ("category", "vital-signs"), ("_sort", "-date")]),
        ("Observation", vec![("patient", id), ("status:not", "final")]),
        ("Observation", vec![("code", "8302-2"), ("_sort", "-date")]),
        ("Observation", vec![("code", "8302-2"), ("value-quantity", "gt180")]),
        ("Observation", vec![("date", "ge2020-01-01"), ("date", "lt2020-02-01")]),
        ("Condition", vec![("patient", id), ("clinical-status", "active")]),
        ("Patient", vec![("name", "a")]),
        ("Patient", vec![("_sort", "family,given")]),
        ("Encounter", vec![("subject:Patient.gender", "female"), ("_sort", "date")]),
        ("Observation", vec![]),
    ] {
        let query = search(kind, &params)?;
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..11 {
            let wall = Instant::now();
            found = snapshot.find(&query, 1_000_000, true)?.len();
            times.push(wall.elapsed().as_micros());
        }
        times.sort_unstable();
        let shown: Vec<String> = params
            .iter()
            .map(|(name, value)| format!("{name}={}", if *value == id { "x" } else { value }))
            .collect();
        println!("{:>8} us, {found:>6} found: {kind}?{}", times[5], shown.join("&"));
    }
    let wall = Instant::now();
    let members = snapshot.compartment(&Id::new(id)?, &|_| true)?;
    let found = wall.elapsed().as_micros();
    let texts = snapshot.load(&members)?.len();
    println!(
        "{found:>8} us, {texts:>6} found: compartment; {} us with texts",
        wall.elapsed().as_micros()
    );
    Ok(())
}

/// Many writers with one resource each: what a flush to disk costs when it is shared.
fn small_commits(store: &SharedStore) -> Outcome<()> {
    const EACH: usize = 200;
    for writers in [1, 16] {
        let wall = Instant::now();
        let write = |writer: usize| -> Outcome<()> {
            for n in 0..EACH {
                let id = Id::new(format!("c-{writer}-{n}"))?;
                let text =
                    format!(r#"{{"resourceType":"Basic","id":"{id}","code":{{"text":"x"}}}}"#);
                let put = Write::Put {
                    key: Key { resource_type: "Basic", id },
                    resource: Resource::parse(text)?,
                    expect: Expect::Any,
                    method: Method::Put,
                };
                store.commit(Transaction { writes: vec![put], ..Transaction::default() })?;
            }
            Ok(())
        };
        std::thread::scope(|scope| -> Outcome<()> {
            let threads: Vec<_> = (0..writers).map(|w| scope.spawn(move || write(w))).collect();
            for thread in threads {
                thread.join().map_err(|_| "a writer panicked")??;
            }
            Ok(())
        })?;
        let rate = (writers * EACH) as f64 / wall.elapsed().as_secs_f64();
        println!("{writers:>2} writers, one resource each time: {rate:.0} durable commits/s");
    }
    Ok(())
}
