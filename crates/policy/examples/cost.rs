//! What one decision costs: 20 consents, an item with 100 labels.
//!
//! `cargo run --release -p consilium-policy --example cost`

#![expect(clippy::expect_used, clippy::print_stdout, reason = "prints figures; a fault ends it")]

use std::hint::black_box;
use std::time::Instant;

use consilium_policy::consent::{Compiled, Defaults, Item, Request, decide_all};
use consilium_policy::{Purpose, Role};
use fhir::Resource;

const CONSENTS: usize = 20;
const LABELS: usize = 100;
const ROUNDS: u32 = 20_000;

fn main() {
    let consents: Vec<Resource> = (0..CONSENTS).map(consent).collect();
    let compiled = Compiled::new(&consents);
    let item = item();
    let request = Request {
        recipient_org: "north".to_owned(),
        recipient_user: Some("urn:consilium:org:north|weber".to_owned()),
        role: Role::Clinician,
        purpose: Purpose::TREAT,
        custodian_org: "south".to_owned(),
        now_ms: 1_780_272_000_000,
        break_glass_enabled: true,
    };
    let defaults = Defaults::default();
    let one = std::slice::from_ref(&item);
    let each = |items: &[Item]| {
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            black_box(decide_all(black_box(&request), &compiled, &defaults, items));
        }
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
    };
    let alone = (0..5).map(|_| each(one)).fold(f64::INFINITY, f64::min);
    let many: Vec<Item> = std::iter::repeat_n(item, 100).collect();
    let begun = Instant::now();
    for _ in 0..ROUNDS / 100 {
        black_box(decide_all(&request, &compiled, &defaults, black_box(&many)));
    }
    let among = begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
    println!("{CONSENTS} consents, {LABELS} labels: {alone:.2} µs for one item alone");
    println!("{CONSENTS} consents, {LABELS} labels: {among:.2} µs an item among a hundred");
}

fn consent(n: usize) -> Resource {
    let provision = match n % 5 {
        0 => {
            r#"{"type":"deny","actor":[{"role":{"coding":[{"code":"IRCP"}]},"reference":{"reference":"Organization/west"}}]}"#
        }
        1 => {
            r#"{"type":"permit","purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"TREAT"}],"provision":[{"type":"deny","securityLabel":[{"code":"HIV"},{"code":"SDV"}]}]}"#
        }
        2 => {
            r#"{"type":"deny","securityLabel":[{"code":"V"}],"dataPeriod":{"start":"2022","end":"2022"}}"#
        }
        3 => {
            r#"{"type":"deny","data":[{"meaning":"authoredby","reference":{"reference":"Practitioner/4"}}]}"#
        }
        _ => {
            r#"{"type":"permit","securityLabel":[{"code":"R"}],"actor":[{"role":{"coding":[{"code":"IRCP"}]},"reference":{"reference":"Organization/north"}}]}"#
        }
    };
    let text = format!(
        r#"{{"resourceType":"Consent","id":"{n}","status":"active","scope":{{"coding":[{{"code":"patient-privacy"}}]}},"dateTime":"2026-01-{:02}","provision":{provision}}}"#,
        n + 1
    );
    Resource::parse(text).expect("a consent")
}

fn item() -> Item {
    let topics = ["PSY", "SUD", "ETHUD", "SEX", "STD", "GDIS"];
    let label = |n: usize| match topics.get(n) {
        Some(code) => {
            format!(
                r#"{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{code}"}}"#
            )
        }
        None => format!(r#"{{"system":"urn:example:labels","code":"L{n}"}}"#),
    };
    let labels: Vec<_> = (0..LABELS).map(label).collect();
    let text = format!(
        r#"{{"resourceType":"Observation","id":"1","meta":{{"security":[{}]}},"effectiveDateTime":"2023-02-03","code":{{"coding":[{{"system":"http://loinc.org","code":"718-7"}}]}}}}"#,
        labels.join(",")
    );
    Item::of(&Resource::parse(text).expect("an observation"))
}
