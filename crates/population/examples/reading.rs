//! How many resources a CPU second reads into events.
//!
//! `cargo run --release -p consilium-population --example reading -- FOLDER`, where FOLDER holds transaction bundles as
//! `.json.gz`. Unpacking is not counted; parsing a resource's own text and indexing are printed apart.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]

extern crate consilium_population as population;

use std::error::Error;
use std::io::Read as _;
use std::time::Instant;

use fhir::Document;
use population::Builder;
use population::event::Person;
use population::reading::{Read, events_of};

/// Repetitions; the fastest is printed.
const TURNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give a folder of bundles")?;
    let mut texts: Vec<Vec<String>> = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let file = file?.path();
        if file.extension().is_none_or(|extension| extension != "gz") {
            continue;
        }
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(file)?).read_to_string(&mut text)?;
        let bundle = Document::parse(text)?;
        let entries = bundle.root().get("entry").into_iter().flat_map(|entries| entries.items());
        let own = entries.filter_map(|entry| entry.get("resource"));
        texts.push(own.map(|resource| resource.raw().to_owned()).collect());
    }
    let count: usize = texts.iter().map(Vec::len).sum();
    let bytes: usize = texts.iter().flatten().map(String::len).sum();
    println!("{count} resources, {:.1} MB", bytes as f64 / 1e6);
    let (mut parsing, mut reading, mut indexing) = (f64::MAX, f64::MAX, f64::MAX);
    let mut events = 0;
    for _ in 0..TURNS {
        let started = Instant::now();
        let mut documents: Vec<Vec<Document>> = Vec::new();
        for own in &texts {
            documents.push(
                own.iter().map(|text| Document::parse(text.as_str())).collect::<Result<_, _>>()?,
            );
        }
        parsing = parsing.min(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let none = |_: &str| Vec::new();
        let mut people = Vec::new();
        for own in &documents {
            let (mut person, mut all) = (Person::default(), Vec::new());
            for document in own {
                match events_of(document.root(), &none) {
                    Read::Person(read) => person = read,
                    Read::Events { events, .. } => all.extend(events),
                    Read::Nothing => {}
                }
            }
            people.push((person, all));
        }
        reading = reading.min(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let mut builder = Builder::new();
        for (key, (person, own)) in (0..).zip(people) {
            builder.add(key, person, own)?;
        }
        events = builder.finish()?.size().events;
        indexing = indexing.min(started.elapsed().as_secs_f64());
    }
    let rate = |seconds: f64| count as f64 / seconds;
    println!("{events} events");
    println!("parsing: {:.0} resources/s", rate(parsing));
    println!("reading: {:.0} resources/s, {:.0} events/s", rate(reading), events as f64 / reading);
    println!("indexing: {:.0} events/s", events as f64 / indexing);
    println!("all of it: {:.0} resources/s on one thread", rate(parsing + reading + indexing));
    Ok(())
}
