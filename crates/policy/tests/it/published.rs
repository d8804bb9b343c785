//! The resources that HL7 publishes with FHIR R4.
//!
//! The outermost provisions of its Consent examples mostly have no `type`, which leaves open
//! whether they permit or deny. The engine takes them as not understood, so the one thing to check
//! is that none of them opens anything and that those with a clear denial deny.

use std::io::Read;

use consilium_policy::consent::{Compiled, Defaults, Item, Request, decide_all};
use fhir::Resource;

use crate::short::{record, request};

fn examples() -> Option<Vec<Resource>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let shared = std::env::var("CONSILIUM_SHARED").unwrap_or_else(|_| default.to_owned());
    let path = std::path::Path::new(&shared).join("conformance/r4-examples.ndjson.gz");
    let Ok(bytes) = std::fs::read(&path) else {
        println!("SKIPPED: no published examples at {}", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).expect("gzip");
    Some(text.lines().map(|line| Resource::parse(line).expect("a resource")).collect())
}

#[test]
fn published_consents_open_nothing() {
    let Some(examples) = examples() else { return };
    let (mut consents, mut denying) = (0, Vec::new());
    for example in examples.iter().filter(|example| example.type_name() == "Consent") {
        consents += 1;
        let compiled = Compiled::new([example]);
        let decide = |request: &Request, compiled: &Compiled| -> Vec<bool> {
            let decided = decide_all(request, compiled, &Defaults::default(), &record());
            decided.iter().map(|decision| decision.is_permitted()).collect()
        };
        for asked in
            ["f001<south TREAT", "south<f001 TREAT", "north<south TREAT", "north<south HRESCH"]
        {
            let request = request(asked);
            let before = decide(&request, &Compiled::default());
            let after = decide(&request, &compiled);
            let opened = before.iter().zip(&after).any(|(before, after)| after > before);
            assert!(!opened, "{:?} {asked}", example.id());
            if asked.starts_with("f001") && after < before {
                denying.push(example.id().expect("id").to_string());
            }
        }
    }
    assert!(consents >= 12, "{consents}");
    for id in ["consent-example-notOrg", "consent-example-Out", "consent-example-Emergency"] {
        assert!(denying.iter().any(|found| found == id), "{id} of {denying:?}");
    }
}

#[test]
fn every_published_resource_is_an_item() {
    let Some(examples) = examples() else { return };
    let items: Vec<_> = examples.iter().map(Item::of).collect();
    let dated = items.iter().filter(|item| item.when.is_some()).count();
    let authored = items.iter().filter(|item| !item.authors.is_empty()).count();
    println!("{} published resources: {dated} dated, {authored} with authors", items.len());
    assert!(items.len() > 700 && dated > 350 && authored > 150, "{dated} {authored}");
}
