//! How many resources one core de-identifies in a second.
//!
//! `cargo run --release -p consilium-privacy --example deidentify -- FOLDER [RECIPE]`, where FOLDER
//! holds transaction bundles as `.json.gz`, one patient each.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]

extern crate consilium_privacy as privacy;

use std::error::Error;
use std::io::Read as _;
use std::time::Instant;

use fhir::{Document, Resource};
use privacy::deidentify::text::Finder;
use privacy::deidentify::{Context, Links, ProjectKey, Subject, postal, shipped};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let folder = words.next().ok_or("give a folder of bundles")?;
    let names: Vec<String> = match words.next() {
        Some(name) => vec![name],
        None => shipped::RECIPES.iter().map(|(name, _)| (*name).to_owned()).collect(),
    };
    let mut links = Links::default();
    let mut patients = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let file = file?.path();
        if file.extension().is_none_or(|extension| extension != "gz") {
            continue;
        }
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(file)?).read_to_string(&mut text)?;
        let bundle = Document::parse(text)?;
        links.add_bundle(bundle.root());
        let entries = bundle.root().get("entry").into_iter().flat_map(|entries| entries.items());
        let resources: Vec<Resource> = entries
            .filter_map(|entry| entry.get("resource"))
            .map(|resource| Resource::parse(resource.raw()))
            .collect::<Result<_, _>>()?;
        let patient = resources.iter().find(|resource| resource.type_name() == "Patient");
        patients.push((patient.map_or_else(Subject::nobody, Subject::of), resources));
    }
    let key = ProjectKey::new(&[7; 32], "measure")?;
    let (areas, finder) = (postal::Areas::default(), Finder::new());
    let context =
        Context { key: &key, reference_year: 2021, areas: &areas, links: &links, finder: &finder };
    for name in names {
        let started = Instant::now();
        let recipe = shipped::recipe(&name).ok_or("no such recipe")??;
        let compiled = started.elapsed();
        let started = Instant::now();
        let (mut count, mut read, mut written) = (0, 0, 0);
        for (subject, resources) in &patients {
            for resource in resources {
                written += recipe.apply(resource, subject, &context).text.len();
                read += resource.text().len();
                count += 1;
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{name}: {count} resources, {:.0}/s, {:.1} MB/s read, {written} bytes written, \
             compiled in {compiled:?}",
            f64::from(count) / seconds,
            read as f64 / 1e6 / seconds,
        );
    }
    Ok(())
}
