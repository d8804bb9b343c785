//! Checks the licence and origin of everything that the workspace is built from against
//! `deny.toml`, without a network.

use std::collections::HashSet;
use std::fs;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq, Licensee};

use crate::{Outcome, root, say};

/// Where packages may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Lists every package that may not be there.
pub fn run() -> Outcome {
    let rules: toml::Table = fs::read_to_string(root().join("deny.toml"))?.parse()?;
    let allowed = strings(&rules, "licenses", "allow")
        .map(|licence| Licensee::parse(licence).map_err(|e| format!("`{licence}`: {e}")))
        .collect::<Result<Vec<_>, _>>()?;
    let banned: HashSet<&str> = strings(&rules, "bans", "deny").collect();
    let metadata = metadata()?;
    let built = built()?;
    let (mut faults, mut seen) = (Vec::new(), 0);
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |name: &str| package[name].as_str().unwrap_or_default();
        let name = format!("{} {}", text("name"), text("version"));
        if !built.contains(&name) {
            continue;
        }
        seen += 1;
        if banned.contains(text("name")) {
            faults.push(format!("{name} is banned"));
        }
        if !package["source"].is_null() && text("source") != REGISTRY {
            faults.push(format!("{name} comes from `{}`", text("source")));
        }
        let expression = Expression::parse_mode(text("license"), spdx::ParseMode::LAX);
        let accepts = |needed: &LicenseReq| allowed.iter().any(|one| one.satisfies(needed));
        match expression {
            Ok(expression) if expression.evaluate(accepts) => {}
            _ => faults.push(format!("{name} has the licence `{}`", text("license"))),
        }
    }
    if faults.is_empty() {
        say(&format!("licences: {seen} packages, all allowed by deny.toml"));
        return Ok(());
    }
    Err(format!("{} faults\n  {}", faults.len(), faults.join("\n  ")).into())
}

fn metadata() -> Result<Value, Box<dyn std::error::Error>> {
    let text = cargo(&["metadata", "--format-version", "1", "--locked"])?;
    Ok(serde_json::from_str(&text)?)
}

/// Name and version of the packages that are compiled on Linux: the lock file and the metadata
/// also name those that no feature in use asks for.
fn built() -> Result<HashSet<String>, Box<dyn std::error::Error>> {
    let target = "x86_64-unknown-linux-gnu";
    let text = cargo(&["tree", "--workspace", "--locked", "--target", target, "--prefix", "none"])?;
    let name = |line: &str| {
        let mut words = line.split(' ');
        Some(format!("{} {}", words.next()?, words.next()?.trim_start_matches('v')))
    };
    Ok(text.lines().filter_map(name).collect())
}

fn cargo(arguments: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// The strings, or the `crate` of the tables, of a list in a section.
fn strings<'a>(rules: &'a toml::Table, section: &str, list: &str) -> impl Iterator<Item = &'a str> {
    let list = rules.get(section).and_then(|s| s.get(list)).and_then(toml::Value::as_array);
    list.into_iter().flatten().filter_map(|item| {
        item.as_str().or_else(|| item.get("crate").and_then(toml::Value::as_str))
    })
}
