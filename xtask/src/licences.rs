//! Checks the licence and origin of everything that the workspace is built from against
//! `deny.toml`, without a network.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
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
        let clarified = match text("license").is_empty() {
            true => clarified(&rules, text("name"), text("manifest_path"))?,
            false => None,
        };
        let licence = clarified.as_deref().unwrap_or(text("license"));
        let expression = Expression::parse_mode(licence, spdx::ParseMode::LAX);
        let accepts = |needed: &LicenseReq| allowed.iter().any(|one| one.satisfies(needed));
        match expression {
            Ok(expression) if expression.evaluate(accepts) => {}
            _ => faults.push(format!("{name} has the licence `{licence}`")),
        }
    }
    if faults.is_empty() {
        say(&format!("licences: {seen} packages, all allowed by deny.toml"));
        return Ok(());
    }
    Err(format!("{} faults\n  {}", faults.len(), faults.join("\n  ")).into())
}

/// The licence that `[[licenses.clarify]]` states for a package that names none, if every licence file
/// named there is the one that was read: its CRC-32 is the stated one, as cargo-deny checks it.
fn clarified(
    rules: &toml::Table,
    name: &str,
    manifest: &str,
) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let all = rules.get("licenses").and_then(|section| section.get("clarify"));
    let mut all = all.and_then(toml::Value::as_array).into_iter().flatten();
    let Some(rule) = all.find(|rule| rule.get("crate").and_then(toml::Value::as_str) == Some(name))
    else {
        return Ok(None);
    };
    let files = rule.get("license-files").and_then(toml::Value::as_array);
    let files =
        files.filter(|files| !files.is_empty()).ok_or("a clarified licence needs a file")?;
    for file in files {
        let path = file.get("path").and_then(toml::Value::as_str).unwrap_or_default();
        let stated = file.get("hash").and_then(toml::Value::as_integer);
        let mut crc = flate2::Crc::new();
        crc.update(&fs::read(Path::new(manifest).with_file_name(path))?);
        if stated != Some(i64::from(crc.sum())) {
            return Ok(None);
        }
    }
    Ok(rule.get("expression").and_then(toml::Value::as_str).map(str::to_owned))
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
