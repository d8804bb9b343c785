//! Proves the shape of the house: floors, homes of heavy libraries, and how files open.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Outcome, root, say};

/// Heavy libraries and the only crates that may use them, tests aside (DESIGN, section 3).
const HOMES: [(&str, &[&str]); 11] = [
    ("rusqlite", &["store-sql"]),
    ("sqlite3mc-src", &["store-sql"]),
    ("cryptoki", &["node"]),
    ("tokio-postgres", &["store-sql"]),
    ("cedar-policy", &["policy"]),
    ("axum", &["api", "web", "node"]),
    ("reqwest", &["federation", "identity", "testkit"]),
    ("clap", &["node", "testkit", "xtask"]),
    ("askama", &["web"]),
    ("datafusion", &["lake"]),
    ("wasmtime", &["sandbox"]),
];
/// File names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "misc"];
/// Floors on which crates may lean on each other sideways; cargo itself refuses cycles.
const SIDEWAYS: [i64; 2] = [0, 2];

struct Crate {
    floor: i64,
    folder: PathBuf,
    dependencies: Vec<String>,
}

/// Checks everything and lists every fault.
pub fn run() -> Outcome {
    let crates = read_crates()?;
    let mut faults = Vec::new();
    for (name, one) in &crates {
        for dependency in &one.dependencies {
            check_floor(&crates, name, one, dependency, &mut faults);
            check_home(name, dependency, &mut faults);
        }
        check_files(&one.folder.join("src"), &mut faults)?;
        check_files(&one.folder.join("tests"), &mut faults)?;
    }
    if faults.is_empty() {
        say(&format!("tidy: {} crates, floors and homes hold", crates.len()));
        return Ok(());
    }
    Err(format!("{} faults\n  {}", faults.len(), faults.join("\n  ")).into())
}

fn read_crates() -> Result<BTreeMap<String, Crate>, Box<dyn std::error::Error>> {
    let root = root();
    let mut folders: Vec<PathBuf> = fs::read_dir(root.join("crates"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    folders.push(root.join("xtask"));
    let mut crates = BTreeMap::new();
    for folder in folders {
        let file = folder.join("Cargo.toml");
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let manifest: toml::Table = text.parse()?;
        let floor = manifest
            .get("package")
            .and_then(|package| {
                package.get("metadata")?.get("consilium")?.get("floor")?.as_integer()
            })
            .ok_or_else(|| format!("{} states no floor", file.display()))?;
        let dependencies = manifest
            .get("dependencies")
            .and_then(|list| list.as_table())
            .map(|list| list.keys().cloned().collect())
            .unwrap_or_default();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        crates.insert(name, Crate { floor, folder, dependencies });
    }
    Ok(crates)
}

fn check_floor(
    crates: &BTreeMap<String, Crate>,
    name: &str,
    one: &Crate,
    dependency: &str,
    faults: &mut Vec<String>,
) {
    let Some(other) = crates.get(dependency) else { return };
    let sideways = other.floor == one.floor && SIDEWAYS.contains(&one.floor);
    if other.floor >= one.floor && !sideways {
        faults.push(format!(
            "`{name}` (floor {}) depends on `{dependency}` (floor {})",
            one.floor, other.floor
        ));
    }
}

fn check_home(name: &str, dependency: &str, faults: &mut Vec<String>) {
    let home = HOMES.iter().find(|(library, _)| *library == dependency);
    if let Some((library, homes)) = home.filter(|(_, homes)| !homes.contains(&name)) {
        faults.push(format!("`{name}` uses `{library}`, whose home is {}", homes.join(", ")));
    }
}

fn check_files(folder: &Path, faults: &mut Vec<String>) -> Outcome {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            check_files(&path, faults)?;
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if EMPTY_NAMES.contains(&stem.as_str()) {
            faults.push(format!("{shown}: the name says nothing; name it after what is inside"));
        }
        if !fs::read_to_string(&path)?.starts_with("//!") {
            faults.push(format!("{shown}: does not open with `//!` saying what it is for"));
        }
    }
    Ok(())
}
