//! The packages of profiles that a node knows: `.tgz` files in its folder `packages`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use validation::Package;

use crate::command::say;
use crate::wiring::Fault;

/// Name of the folder in the node's folder.
const FOLDER: &str = "packages";

/// What to do with packages.
#[derive(Subcommand)]
pub enum Task {
    /// Let a node know the profiles and value sets of a FHIR package
    Load {
        /// The node's folder; the package counts from the node's next start
        #[arg(long)]
        dir: PathBuf,
        /// The package, a `.tgz` as implementation guides are published
        file: PathBuf,
    },
    /// List the packages that a node knows
    List {
        /// The node's folder
        #[arg(long)]
        dir: PathBuf,
    },
}

/// Carries out the task.
pub fn run(task: &Task) -> Result<(), Fault> {
    match task {
        Task::Load { dir, file } => load(dir, file),
        Task::List { dir } => {
            let packages = read(dir)?;
            packages.iter().for_each(|package| say(&line(package)));
            if packages.is_empty() {
                say("nothing was loaded; see `consilium package load --help`");
            }
            Ok(())
        }
    }
}

/// The packages in a node's folder, by file name; none where there is no such folder.
pub fn read(dir: &Path) -> Result<Vec<Package>, Fault> {
    let folder = dir.join(FOLDER);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "tgz"));
    files.sort();
    files.iter().map(|file| open(file)).collect()
}

/// Reads one package.
pub fn open(file: &Path) -> Result<Package, Fault> {
    let bytes =
        std::fs::read(file).map_err(|e| format!("cannot read `{}`: {e}", file.display()))?;
    Package::read(&bytes).map_err(|e| format!("`{}`: {e}", file.display()).into())
}

fn load(dir: &Path, file: &Path) -> Result<(), Fault> {
    if !dir.join(crate::config::FILE).exists() {
        return Err(format!("`{}` is not the folder of a node", dir.display()).into());
    }
    let package = open(file)?;
    let present = read(dir)?;
    let folder = dir.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    // Another version of the same package is replaced: profiles go by their address.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = package.name.chars().filter(|c| plain(*c)).collect();
    let target = folder.join(format!("{name}.tgz"));
    let fresh = folder.join(format!("{name}.new"));
    std::fs::copy(file, &fresh)?;
    std::fs::rename(&fresh, &target)?;
    say(&format!("loaded {}", line(&package)));
    let names: Vec<&str> = present.iter().map(|package| package.name.as_str()).collect();
    let missing = package.missing(&names);
    if !missing.is_empty() {
        say(&format!(
            "it builds on packages that are not loaded, so what depends on them is not checked: {}",
            missing.join(", ")
        ));
    }
    Ok(())
}

fn line(package: &Package) -> String {
    let (profiles, terms) = (package.profiles.urls().count(), package.terms.len());
    format!("{} {}: {profiles} profiles, {terms} terms", package.name, package.version)
}
