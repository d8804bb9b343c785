//! `cargo xtask check-catalog`: the catalogue's documents before the validators of others.
//!
//! What is not ours is fetched and not committed: programs from PyPI at the versions of [`PROGRAMS`], shapes
//! and schemas from their repositories at the commits of [`SOURCES`]. The id of a commit is the digest of
//! all that is in it, and git checks it. All of it is kept in `target/catalog`, so that a second run needs
//! no network.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Outcome, root, say, step};

/// How it is run.
#[derive(clap::Args)]
pub struct Arguments {
    /// Name what cannot be fetched, and check the rest
    #[arg(long)]
    partial: bool,
}

/// The validators.
const PROGRAMS: [&str; 4] =
    ["pyshacl==0.40.1", "mlcroissant==1.1.1", "jsonschema==4.26.0", "roc-validator==0.13.0"];
/// HealthDCAT-AP's shapes as the French health data hub uses them: a package of PyPI, of which only the
/// shapes are read (Apache-2.0).
const PACKAGE: &str = "dh-healthdcat==0.2.0 \
    --hash=sha256:7b34ef9b3578a421509572faa8ff7f38f40f535dc23d5117db75f8a56a3e6252";
const OF_PACKAGE: &str = "dh_healthdcat/validate/shapes/hdap-validator-sensitivity-shape.ttl";

/// A repository, and what is taken of it.
struct Source {
    what: &'static str,
    address: &'static str,
    commit: &'static str,
    /// Files and what they are called here. Shapes of one access right end in it.
    files: &'static [(&'static str, &'static str)],
}

const SOURCES: [Source; 4] = [
    Source {
        what: "DCAT-AP 3.0.1",
        address: "https://github.com/SEMICeu/DCAT-AP",
        commit: "7c531da7f154794da620fd0e57a3e8afe0286c0f",
        files: &[
            ("releases/3.0.1/html/shacl/shapes.ttl", "dcat-ap-3.0.1.ttl"),
            ("releases/3.0.1/html/shacl/range.ttl", "dcat-ap-3.0.1-range.ttl"),
            ("releases/3.0.1/html/shacl/deprecateduris.ttl", "dcat-ap-3.0.1-deprecated.ttl"),
        ],
    },
    Source {
        what: "HealthDCAT-AP, draft of the pilot",
        address: "https://github.com/CAVDgit/healthDCAT-AP.github.io",
        commit: "53039fc3061c46f60bdc55c021df281e405f890d",
        files: &[
            ("HealthDCAT-AP_opendata-shapes.ttl", "healthdcat-ap-pilot-public.ttl"),
            ("HealthDCAT-AP_protected-shapes.ttl", "healthdcat-ap-pilot-restricted.ttl"),
            ("HealthDCAT-AP_sensitive-shapes.ttl", "healthdcat-ap-pilot-non-public.ttl"),
            ("HealthDCAT-AP_ranges.ttl", "healthdcat-ap-pilot-ranges.ttl"),
        ],
    },
    Source {
        what: "HealthDCAT-AP Release 5",
        address: "https://github.com/ma3u/MinimumViableDataspace",
        commit: "573aba3d88a7392d32339a713f0ca543d60c55a3",
        files: &[(
            "resources/shacl/healthdcatap-shacl.ttl",
            "healthdcat-ap-release-5-non-public.ttl",
        )],
    },
    Source {
        what: "HealthDCAT-AP Release 8",
        address: "https://github.com/SemanticDataCharter/sdc_healthdcat_ap",
        commit: "4e4ca6064c972ed2195688c469996df61085bad9",
        files: &[
            (
                "data/healthdcat-ap-r8-cd7841f/validator/shapes/public-shapes.ttl",
                "healthdcat-ap-release-8-public.ttl",
            ),
            (
                "data/healthdcat-ap-r8-cd7841f/validator/shapes/restricted-shapes.ttl",
                "healthdcat-ap-release-8-restricted.ttl",
            ),
            (
                "data/healthdcat-ap-r8-cd7841f/validator/shapes/non-public-shapes.ttl",
                "healthdcat-ap-release-8-non-public.ttl",
            ),
            (
                "data/healthdcat-ap-r8-cd7841f/validator/ranges/range.ttl",
                "healthdcat-ap-release-8-range.ttl",
            ),
        ],
    },
];

/// Beacon v2.1.1: whole folders.
const BEACON: Source = Source {
    what: "GA4GH Beacon v2.1.1",
    address: "https://github.com/ga4gh-beacon/beacon-v2",
    commit: "47af89c8fd199d2674e5ca7fb504815ebc145e63",
    files: &[("framework/json", ""), ("models/json", "")],
};

/// What begins the line of a document that holds.
const HOLDS: &[u8] = b"holds: ";
/// The test in which an answer is released, and its crate with it.
const OF_RELEASE: &str =
    "an_answer_with_a_fault_waits_for_two_people_who_are_not_named_in_the_project";
/// What it calls its document.
const RELEASED: &[u8] = b"a released answer";

/// Fetches what is missing, then checks what the engines write and what a node serves.
pub fn run(arguments: &Arguments) -> Outcome {
    let space = root().join("target/catalog");
    fs::create_dir_all(&space)?;
    let programs = programs(&space)?;
    let (shapes, mut missing) = shapes(&space, &programs)?;
    let schemas = match fetched(&space, &BEACON) {
        Ok(folder) => Some(folder),
        Err(fault) => {
            missing.push(format!("{}: {fault}", BEACON.what));
            None
        }
    };
    for one in &missing {
        say(&format!("cannot be fetched: {one}"));
    }
    if !missing.is_empty() && !arguments.partial {
        return Err("not everything was fetched; `--partial` checks the rest".into());
    }
    let mut test = Command::new("cargo");
    // Of the whole workspace, so that nothing is compiled anew with other features.
    test.args(["test", "--quiet", "--workspace", "--test", "formats", "--test", "it", "--"]);
    test.args(["--include-ignored", "--nocapture", "outside::", OF_RELEASE]).current_dir(root());
    test.env("CONSILIUM_PYTHON", &programs).env("CONSILIUM_SHACL", &shapes);
    match &schemas {
        Some(folder) => test.env("CONSILIUM_BEACON", folder),
        None => test.env_remove("CONSILIUM_BEACON"),
    };
    // A line for each document is on the standard error; the other output is that of programs without such
    // tests.
    let count = documents(test.stdout(Stdio::null()))?;
    match missing.len() {
        0 => say(&format!("every document holds, {count} checks")),
        missing => say(&format!(
            "every document holds, {count} checks; {missing} of the above were not asked"
        )),
    }
    Ok(())
}

/// Runs the tests and passes their lines on. How many tell of a document that holds: where a filter matches no
/// test there are none, and nothing was checked.
fn documents(test: &mut Command) -> Result<usize, Box<dyn std::error::Error>> {
    let what = "the catalogue's documents";
    let mut child = test.stderr(Stdio::piped()).spawn().map_err(|e| format!("{what}: {e}"))?;
    let lines = child.stderr.take();
    let counted = lines.map(|lines| count(BufReader::new(lines), &mut io::stderr().lock()));
    let status = child.wait()?;
    if !status.success() {
        return Err(format!("{what} failed ({status})").into());
    }
    let (all, released) = counted.transpose()?.unwrap_or_default();
    match all > 0 && released > 0 {
        true => Ok(all),
        false => Err(format!(
            "{all} documents were checked, {released} of them released answers: a filter matches no test"
        )
        .into()),
    }
}

/// Passes lines on, and counts those of documents that hold, and among them those of released answers, which
/// have a filter of their own.
fn count(mut lines: impl BufRead, out: &mut impl Write) -> io::Result<(usize, usize)> {
    let (mut all, mut released) = (0, 0);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if let Some(document) = line.strip_prefix(HOLDS) {
            all += 1;
            released += usize::from(document.starts_with(RELEASED));
        }
        // A closed pipe is the reader's choice, and the tests go on.
        let _ = out.write_all(&line);
        line.clear();
    }
    Ok((all, released))
}

/// A virtual environment with the validators: its folder of programs.
fn programs(space: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let folder = space.join("python");
    let (bin, mark) = (folder.join("bin"), folder.join("installed"));
    let wanted = PROGRAMS.join("\n");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(bin);
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    step("python3 -m venv (Debian: python3-venv)", &mut make)?;
    let mut install = Command::new(bin.join("pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check"]).args(PROGRAMS);
    step("install the validators from PyPI", &mut install)?;
    fs::write(mark, wanted)?;
    Ok(bin)
}

/// A folder with all shapes that can be had, and what cannot.
fn shapes(
    space: &Path,
    programs: &Path,
) -> Result<(PathBuf, Vec<String>), Box<dyn std::error::Error>> {
    let folder = space.join("shapes");
    // What another version of this task has fetched is not asked.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let mut missing = Vec::new();
    match packaged(space, programs) {
        Ok(shape) => {
            fs::copy(shape, folder.join("healthdcat-ap-hdh-non-public.ttl"))?;
        }
        Err(fault) => missing.push(format!("HealthDCAT-AP of the health data hub: {fault}")),
    }
    for source in &SOURCES {
        match fetched(space, source) {
            Ok(from) => {
                for (file, name) in source.files {
                    fs::copy(from.join(file), folder.join(name))?;
                }
            }
            Err(fault) => missing.push(format!("{}: {fault}", source.what)),
        }
    }
    Ok((folder, missing))
}

/// The shapes of the package, whose digest pip checks.
fn packaged(space: &Path, programs: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let folder = space.join("package");
    let shape = folder.join(OF_PACKAGE);
    if shape.exists() {
        return Ok(shape);
    }
    let list = space.join("package.txt");
    fs::write(&list, PACKAGE)?;
    let mut install = Command::new(programs.join("pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    install.args(["--require-hashes", "--upgrade", "--target"]).arg(&folder).arg("-r").arg(&list);
    step("fetch dh-healthdcat from PyPI", &mut install)?;
    Ok(shape)
}

/// A folder with what is taken of a repository at its commit.
fn fetched(space: &Path, source: &Source) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let folder = space.join(source.commit);
    let mark = folder.join(".git/fetched");
    if mark.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    git(&folder, &["init", "--quiet"])?;
    git(&folder, &["fetch", "--quiet", "--depth", "1", source.address, source.commit])?;
    let mut checkout = vec!["checkout", "--quiet", source.commit, "--"];
    checkout.extend(source.files.iter().map(|(file, _)| *file));
    git(&folder, &checkout)?;
    fs::write(mark, source.address)?;
    Ok(folder)
}

/// Git in a folder. It asks nobody for a password, and gives up on a connection that stands still.
fn git(folder: &Path, arguments: &[&str]) -> Outcome {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "http.lowSpeedLimit=1000"]);
    command.args(["-c", "http.lowSpeedTime=30"]).args(arguments).env("GIT_TERMINAL_PROMPT", "0");
    let output = command.output().map_err(|e| format!("git: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().unwrap_or("git failed").to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_counted_and_their_lines_passed_on() {
        let text = "skipped: a catalogue: no shapes\nholds: a catalogue: mlcroissant\n\
                    holds: a released answer: rocrate-validator\nit holds: no";
        let mut out = Vec::new();
        assert_eq!(count(text.as_bytes(), &mut out).unwrap(), (2, 1));
        assert_eq!(out, text.as_bytes());
        // As cargo says it where no test was chosen.
        assert_eq!(count(io::empty(), &mut out).unwrap(), (0, 0));
    }

    #[test]
    fn a_filter_that_matches_no_test_is_a_fault() {
        let told = |text: &str| {
            let mut command = Command::new("sh");
            documents(command.args(["-c", "printf \"$1\" >&2", "sh", text]))
                .map_err(|e| e.to_string())
        };
        assert_eq!(told("holds: a released answer: x\n"), Ok(1));
        for text in ["", "holds: a catalogue: x\n", "skipped: everything\n"] {
            assert!(told(text).unwrap_err().contains("a filter matches no test"), "{text}");
        }
        assert!(documents(&mut Command::new("false")).unwrap_err().to_string().contains("failed"));
    }
}
