//! Measures the lake over a file with one resource a line: how fast it takes resources in, what small
//! batches cost, how large it is, and how long queries take.
//!
//! `cargo run --release -p consilium-lake --example materialise -- FILE.ndjson`
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use consilium_lake::{Change, Engine, Lake, Limits, Rules, views};
use crypto::SystemRandom;
use crypto::aead::AeadKey;
use fhir::Resource;

/// Changes of a batch while the lake is built.
const BATCH: usize = 1_000;

struct Line {
    kind: String,
    id: String,
    person: Option<String>,
    text: String,
}

fn read(path: &str) -> Result<Vec<Line>, Box<dyn Error>> {
    let mut lines = Vec::new();
    for text in std::fs::read_to_string(path)?.lines() {
        let resource = Resource::parse(text)?;
        let kind = resource.type_name().to_owned();
        let id = resource.id().map(|id| id.to_string()).unwrap_or_default();
        let reference = ["subject", "patient"].into_iter().find_map(|name| {
            resource.get(name)?.str_at("reference").map(std::borrow::Cow::into_owned)
        });
        let person = match kind.as_str() {
            "Patient" => Some(id.clone()),
            _ => reference.and_then(|text| text.strip_prefix("Patient/").map(str::to_owned)),
        };
        lines.push(Line { kind, id, person, text: text.to_owned() });
    }
    Ok(lines)
}

fn changes(lines: &[Line]) -> Vec<Change<'_>> {
    lines
        .iter()
        .map(|line| Change {
            resource_type: &line.kind,
            id: &line.id,
            person: line.person.as_deref(),
            content: Some(&line.text),
        })
        .collect()
}

/// Seconds of CPU that this process has used (user and system).
fn cpu() -> f64 {
    // Fields 14 and 15 of stat(5), in ticks of 1/100 s.
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: u64 = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    ticks as f64 / 100.0
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which file?")?;
    let lines = read(&path)?;
    let changes = changes(&lines);
    let home = tempfile::tempdir()?;
    let open = |folder: &std::path::Path| -> Result<Lake, Box<dyn Error>> {
        let key = AeadKey::new(&[1; 32])?;
        Ok(Lake::open(folder.to_owned(), key, Arc::new(SystemRandom), views()?, [])?)
    };
    let lake = open(home.path())?;
    let (start, wall) = (cpu(), Instant::now());
    let (mut upto, mut resources, mut rows, mut faults) = (0, 0, 0, 0);
    for batch in changes.chunks(BATCH) {
        upto += batch.len() as u64;
        let applied = lake.apply(upto, batch, 0)?;
        resources += applied.resources;
        rows += applied.rows;
        faults += applied.faults + applied.odd;
    }
    let taken = cpu() - start;
    lake.flush()?;
    let whole = cpu() - start;
    println!("{} changes, {resources} of them in views, {rows} rows, {faults} faults", lines.len());
    println!(
        "taken in: {taken:.2} CPU s = {:.0} resources in views per CPU s; on disk: {whole:.2} CPU s = {:.0}; {:.2} s",
        resources as f64 / taken,
        resources as f64 / whole,
        wall.elapsed().as_secs_f64()
    );
    let size = lake.size();
    println!("{size:?}: {:.1} bytes a row", size.disk_bytes as f64 / size.rows as f64);
    let mut times: Vec<Duration> = Vec::new();
    for batch in changes.chunks(10).take(300) {
        let begun = Instant::now();
        upto += batch.len() as u64;
        lake.apply(upto, batch, 0)?;
        times.push(begun.elapsed());
    }
    times.sort();
    println!(
        "batches of 10: median {:?}, 99 % {:?}",
        times.get(times.len() / 2),
        times.get(times.len() * 99 / 100)
    );
    let begun = Instant::now();
    lake.flush()?;
    println!("commit after them: {:?}", begun.elapsed());
    drop(lake);
    let begun = Instant::now();
    let lake = open(home.path())?;
    println!("opened again: {:?}", begun.elapsed());
    let engine = Engine::new(Limits::default())?;
    for sql in [
        "SELECT count(*) FROM observation",
        "SELECT code, count(*) AS n, avg(value) AS v FROM observation GROUP BY code ORDER BY n DESC LIMIT 5",
        "SELECT gender, count(*) AS n, avg(o.value) AS v FROM patient p JOIN observation o
            ON o.patient_key = p.patient_key WHERE o.code = '8302-2' GROUP BY gender",
    ] {
        for round in 0..2 {
            let (begun, used) = (Instant::now(), cpu());
            let frame = engine.rows(&lake.snapshot(), sql).await?;
            let rows = (begun.elapsed(), cpu() - used);
            let (begun, used) = (Instant::now(), cpu());
            let answer = engine.aggregates(&lake.snapshot(), sql, Rules::default()).await?;
            let guarded = (begun.elapsed(), cpu() - used);
            println!(
                "round {round}: {} rows in {rows:?}; {} groups guarded in {guarded:?}: {}",
                frame.rows,
                answer.frame.rows,
                sql.split_whitespace().collect::<Vec<_>>().join(" ")
            );
        }
    }
    Ok(())
}
