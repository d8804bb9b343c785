//! Whole synthetic records as published, split over three hospitals.

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use consilium_record::Record;
use fhir::{Document, Resource};

use crate::support::empty;

fn folder() -> PathBuf {
    let shared = std::env::var_os("CONSILIUM_SHARED").map(PathBuf::from);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    shared.unwrap_or_else(|| root.join("../shared")).join("data/synthea")
}

#[test]
fn real_records_stay_whole_and_nothing_is_linked_that_is_not_there() {
    let Ok(files) = std::fs::read_dir(folder()) else {
        eprintln!("skipped: {} is absent", folder().display());
        return;
    };
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let (mut items, mut slowest) = (0, Duration::ZERO);
    for file in files.iter().filter(|file| file.to_string_lossy().ends_with(".json.gz")).take(20) {
        let mut text = String::new();
        let opened = std::fs::File::open(file).unwrap();
        flate2::read::GzDecoder::new(opened).read_to_string(&mut text).unwrap();
        let (record, count) = split(&text);
        let begun = Instant::now();
        let bundle = record.bundle(&[], "r", 0);
        slowest = slowest.max(begun.elapsed());
        let parsed = Document::parse(bundle).unwrap();
        let entries = parsed.root().get("entry").unwrap();
        let originals = entries
            .items()
            .filter(|entry| !entry.str_at("fullUrl").unwrap().starts_with("urn:uuid:"));
        assert_eq!(originals.count(), count, "{}", file.display());
        items += count;
        let view = record.view();
        // Each resource was given to one hospital, so only true repetitions can meet.
        let linked: usize = view.clusters.iter().map(|cluster| cluster.items.len()).sum();
        eprintln!(
            "{count} items, {linked} in {} clusters, {} conflicts",
            view.clusters.len(),
            view.conflicts.len()
        );
    }
    eprintln!("{items} items in all; slowest bundle {slowest:?}");
    assert!(items > 5_000);
}

/// Gives entry n to hospital n mod 3, the Patient under the id it is known by there.
fn split(text: &str) -> (Record, usize) {
    let bundle = Document::parse(text).unwrap();
    let mut record = empty();
    let mut count = 0;
    for (number, entry) in bundle.root().get("entry").unwrap().items().enumerate() {
        let source = number % 3;
        let resource = Resource::parse(entry.get("resource").unwrap().raw()).unwrap();
        if resource.type_name() == "Patient" {
            let patient = fhir::edit::stamp(resource.document(), &format!("p{source}"), 1, "");
            record.add(source, Resource::parse(patient).unwrap()).unwrap();
        } else {
            record.add(source, resource).unwrap();
        }
        count += 1;
    }
    (record, count)
}
