//! How many resources a core validates in a second, by CPU time. Also lists what is found:
//! `measure --issues`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement for developers"
)]

#[path = "../tests/it/shared.rs"]
mod shared;

use validation::{Level, Options, Severity, Validator};

fn cpu_ms() -> f64 {
    // Fields 14 and 15: ticks of user and system time, 100 in a second.
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) * 10.0
}

fn main() {
    let issues = std::env::args().any(|a| a == "--issues");
    let before = cpu_ms();
    let packages =
        [shared::package("us_core_610.tgz").unwrap(), shared::package("ips_v110.tgz").unwrap()];
    println!("packages read in {:.0} ms", cpu_ms() - before);
    let before = cpu_ms();
    let mut layer = terminology::Layer::new();
    for document in packages.iter().flat_map(|package| &package.terms) {
        let _ = layer.add_resource(document.root());
    }
    let codes = terminology::Terminology::new(vec![std::sync::Arc::new(layer)]);
    println!("terminology made in {:.0} ms", cpu_ms() - before);
    let before = cpu_ms();
    let validator = Validator::new(&packages).unwrap();
    println!("validator made in {:.0} ms", cpu_ms() - before);
    let mut sets: Vec<(&str, Vec<(String, fhir::Document)>)> = Vec::new();
    let name = |d: &fhir::Document| {
        let root = d.root();
        format!(
            "{}/{}",
            root.str_at("resourceType").unwrap_or_default(),
            root.str_at("id").unwrap_or_default()
        )
    };
    let named = |docs: Vec<fhir::Document>| docs.into_iter().map(|d| (name(&d), d)).collect();
    sets.push(("r4 examples", named(shared::r4_examples().unwrap())));
    sets.push(("us core examples", shared::package_examples("us_core_610.tgz").unwrap()));
    sets.push(("ips examples", shared::package_examples("ips_v110.tgz").unwrap()));
    sets.push(("synthea", named(shared::synthea().unwrap())));
    for (set, documents) in &sets {
        for level in [Level::Structure, Level::Base, Level::Profiles] {
            let options = Options { level, ..Options::new(1_700_000_000_000) };
            let before = cpu_ms();
            let mut errors = 0;
            let mut resources = 0usize;
            for (name, document) in documents {
                let entries = document.root().get("entry").map_or(0, |e| e.items().count());
                resources += entries.max(1);
                let found = validator.validate(document.root(), options, &codes);
                errors += found.iter().filter(|i| i.is_error()).count();
                if issues && level == Level::Profiles {
                    for i in found.iter().filter(|i| {
                        i.severity == Severity::Error
                            || i.code == validation::Code::NotSupported
                                && i.message.contains("not checked:")
                                && !i.message.contains("not available")
                    }) {
                        println!(
                            "{set}\t{name}\t{:?}\t{}\t{}\t{}",
                            i.severity,
                            i.expression,
                            i.message,
                            i.profile.as_deref().unwrap_or("")
                        );
                    }
                }
            }
            let ms = cpu_ms() - before;
            println!(
                "{set} {level:?}: {resources} resources, {errors} errors, {ms:.0} ms, {:.0}/s",
                resources as f64 / ms * 1000.0
            );
        }
    }
}
