//! Fills a store with small resources, encrypts it anew while others read and write, and prints how
//! long they waited: `cargo run --release -p consilium-store-sql --example rekey -- FOLDER [RESOURCES]`.
#![expect(clippy::print_stdout, reason = "it is a program for the terminal")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use consilium_store_sql::sqlite::{Options, PageKey, SqliteStore};
use fhir::{Id, Resource};
use store::{Expect, Key, Method, Store as _, StoreError, Transaction, Write};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let mut args = std::env::args_os().skip(1);
    let folder = PathBuf::from(args.next().ok_or("usage: rekey FOLDER [RESOURCES]")?);
    let count: u64 = match args.next() {
        Some(count) => count.to_string_lossy().parse()?,
        None => 200_000,
    };
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as i64);
    let key = Some(PageKey::new([1; 32]));
    let store = SqliteStore::open(&folder, Options { key, ..Options::new(Arc::new(clock)) })?;
    for start in (0..count).step_by(500) {
        let writes = (start..(start + 500).min(count)).map(write).collect::<Outcome<_>>()?;
        store.commit(Transaction { writes, ..Transaction::default() })?;
    }
    println!("{} resources, {} bytes", count, store.figures()?.bytes);
    let over = AtomicBool::new(false);
    let (reads, writes) = (Waits::default(), Waits::default());
    std::thread::scope(|scope| -> Outcome<()> {
        let reading = scope.spawn(|| {
            reads.keep(&over, |turn| {
                let key = key_of(turn * 7_919 % count)?;
                store.read(&key).map(|_| ())
            })
        });
        let writing = scope.spawn(|| {
            writes.keep(&over, |turn| {
                let failed = |e: Box<dyn Error + Send + Sync>| StoreError::Failed(e.to_string());
                let writes = vec![write(turn % count).map_err(failed)?];
                store.commit(Transaction { writes, ..Transaction::default() }).map(|_| ())
            })
        });
        std::thread::sleep(Duration::from_secs(5));
        println!("before: read {}, write {}", reads.told(), writes.told());
        let began = Instant::now();
        let done = store.rekey(PageKey::new([2; 32]), &mut |_, _| true)?;
        let took = began.elapsed();
        // What waited for the exchange is over by then.
        std::thread::sleep(Duration::from_millis(500));
        println!("during: read {}, write {}", reads.told(), writes.told());
        println!("{done:?}, {took:?} in all");
        over.store(true, Ordering::Relaxed);
        for thread in [reading, writing] {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })?;
    println!("faults: {:?}", store.integrity()?);
    Ok(())
}

fn key_of(number: u64) -> Result<Key, StoreError> {
    let id = Id::new(format!("o{number}")).map_err(|e| StoreError::Failed(e.to_string()))?;
    Ok(Key { resource_type: "Observation", id })
}

fn write(number: u64) -> Outcome<Write> {
    let text = format!(
        r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"{}-1"}}]}},"subject":{{"reference":"Patient/p{}"}},"effectiveDateTime":"20{:02}-03-04","valueQuantity":{{"value":{},"unit":"mmol/l"}},"note":[{{"text":"{:x}"}}]}}"#,
        number % 900,
        number % 5_000,
        number % 25,
        number % 400,
        u128::from(number) * 0x9E37_79B9_7F4A_7C15_F39C_0605,
    );
    let resource = Resource::parse(text)?;
    Ok(Write::Put { key: key_of(number)?, resource, expect: Expect::Any, method: Method::Put })
}

/// How long somebody waited.
#[derive(Default)]
struct Waits {
    longest_us: AtomicU64,
    all_us: AtomicU64,
    count: AtomicU64,
}

impl Waits {
    /// Does something over and over, and notes how long each time takes.
    fn keep(
        &self,
        over: &AtomicBool,
        mut one: impl FnMut(u64) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for turn in 0.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let began = Instant::now();
            one(turn)?;
            let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.longest_us.fetch_max(took, Ordering::Relaxed);
            self.all_us.fetch_add(took, Ordering::Relaxed);
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Tells, and begins anew.
    fn told(&self) -> String {
        let take = |number: &AtomicU64| number.swap(0, Ordering::Relaxed);
        let (longest, all, count) =
            (take(&self.longest_us), take(&self.all_us), take(&self.count).max(1));
        format!("{count} times, {} µs at a time, {longest} µs at most", all / count)
    }
}
