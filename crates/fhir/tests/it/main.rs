//! What the crate promises, seen from outside.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail and speak this way")]

mod examples;
mod json_patch;
mod xml;
mod xml_patch;

use std::path::PathBuf;

use consilium_fhir::{Kind, Value};

/// The folder of outside test material, or `None` and a word about it where it is absent.
fn shared(path: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("CONSILIUM_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: `{}` is absent; set CONSILIUM_SHARED", found.display());
    None
}

/// A value in one form, whatever the order of its members: strings by their characters, numbers
/// by their digits as written.
fn canonical(value: Value<'_>) -> String {
    match value.kind() {
        Kind::Object => {
            let member = |m: consilium_fhir::json::Member<'_>| {
                format!("{:?}:{}", m.name(), canonical(m.value))
            };
            let mut members: Vec<_> = value.members().map(member).collect();
            members.sort();
            format!("{{{}}}", members.join(","))
        }
        Kind::Array => {
            let items: Vec<_> = value.items().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Kind::String => format!("{:?}", value.as_str().unwrap()),
        _ => value.raw().to_owned(),
    }
}
