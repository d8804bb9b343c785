//! Measures the engine: what opening the definitions costs in time and memory, and how fast codes
//! are validated. `cargo run --release -p consilium-terminology --example codes`.

use std::hint::black_box;
use std::time::Instant;

use terminology::{CodingRef, Expand, Kind, Terminology, Validate, embedded};

const ROUNDS: u32 = 200_000;

/// Resident memory in KiB, where the system tells.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn main() {
    let before = resident_kib();
    let start = Instant::now();
    let terms = Terminology::new(Vec::new());
    eprintln!("open: {:?}, {} KiB", start.elapsed(), resident_kib().saturating_sub(before));
    for (what, set, system, code) in [
        (
            "listed",
            "http://hl7.org/fhir/ValueSet/administrative-gender",
            "http://hl7.org/fhir/administrative-gender",
            "female",
        ),
        (
            "listed in the value set",
            "http://hl7.org/fhir/ValueSet/doc-typecodes",
            "http://loinc.org",
            "11488-4",
        ),
        (
            "filtered",
            "http://terminology.hl7.org/ValueSet/v3-ActEncounterCode",
            "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "AMB",
        ),
        (
            "grammar",
            "http://hl7.org/fhir/ValueSet/ucum-units",
            "http://unitsofmeasure.org",
            "mg/dL",
        ),
    ] {
        let start = Instant::now();
        let first = terms.member(set, Some(system), code);
        let first_time = start.elapsed();
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let _ = black_box(terms.member(black_box(set), Some(system), code));
        }
        let member = start.elapsed() / ROUNDS;
        let coding = CodingRef { system: Some(system), code, ..CodingRef::default() };
        let wanted = Validate { codings: vec![coding], ..Validate::default() };
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let _ = black_box(terms.validate_in_value_set(black_box(set), &wanted));
        }
        let validate = start.elapsed() / ROUNDS;
        eprintln!(
            "{what}: {first:?}; first {first_time:?}, member {member:?}, validate {validate:?}"
        );
    }
    let start = Instant::now();
    let layer = embedded();
    let known = layer.list(Kind::ValueSet).into_iter();
    let flat = Expand { count: Some(10), ..Expand::default() };
    let expanded = known.filter(|(url, _)| terms.expand(url, &flat).is_ok()).count();
    eprintln!(
        "{expanded} value sets expanded: {:?}; all decoded: {} KiB",
        start.elapsed(),
        resident_kib().saturating_sub(before)
    );
}
