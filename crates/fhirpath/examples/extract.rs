//! Measures search extraction: `cargo run --release -p consilium-fhirpath --example extract FILE`
//! with one resource in the file, a Bundle, or one resource a line (NDJSON). Prints
//! microseconds for each resource type, parsing apart from extraction.

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use consilium_fhirpath::search::Registry;
use fhir::Resource;

const ROUNDS: u32 = 200;

#[derive(Default)]
struct Figures {
    resources: u32,
    bytes: usize,
    entries: usize,
    parsing: Duration,
    extraction: Duration,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a file with resources")?;
    let resources = resources(&std::fs::read_to_string(path)?)?;
    let mut start = Instant::now();
    let registry = Registry::r4();
    println!("registry made in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    start = Instant::now();
    for resource in &resources {
        registry.extract(resource);
    }
    println!("first round in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    for resource in &resources {
        let held = figures.entry(resource.type_name().to_owned()).or_default();
        held.resources += 1;
        held.bytes += resource.text().len();
        held.entries += registry.extract(resource).len();
        held.extraction += best(|| {
            std::hint::black_box(registry.extract(std::hint::black_box(resource)));
        });
        held.parsing += best(|| {
            let text = resource.text().to_owned();
            let _ = std::hint::black_box(Resource::parse(std::hint::black_box(text)));
        });
    }
    println!("type                          count   bytes entries  parse µs extract µs");
    for (name, held) in figures {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(held.resources);
        let count = held.resources as usize;
        println!(
            "{name:28} {count:6} {:7} {:7} {:9.2} {:10.2}",
            held.bytes / count,
            held.entries / count,
            each(held.parsing),
            each(held.extraction),
        );
    }
    Ok(())
}

/// The shortest of many rounds, which other programs disturb least.
fn best(work: impl Fn()) -> Duration {
    let round = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

fn resources(text: &str) -> Result<Vec<Resource>, Box<dyn std::error::Error>> {
    if let Ok(resource) = Resource::parse(text.to_owned()) {
        let inner = resource.get("entry").into_iter().flat_map(|entries| entries.items());
        let inner: Vec<_> = inner.filter_map(|entry| entry.get("resource")).collect();
        if inner.is_empty() {
            return Ok(vec![resource]);
        }
        return Ok(inner
            .into_iter()
            .map(|v| Resource::parse(v.raw()))
            .collect::<Result<_, _>>()?);
    }
    Ok(text.lines().map(Resource::parse).collect::<Result<_, _>>()?)
}
