//! `consilium validate`: what is not valid in files.

use std::path::PathBuf;
use std::process::ExitCode;

use fhir::Document;
use terminology::Terminology;
use validation::{Issue, Level, Options, Package, Severity, Validator, line_and_column};

use crate::command::say;
use crate::packages;
use crate::terminology::{Shelf, terms_of};
use crate::wiring::Fault;

/// What to validate, and by what.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files of JSON, or of NDJSON with one resource a line
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Address of a profile that every resource must fulfil; may be repeated
    #[arg(long)]
    profile: Vec<String>,
    /// A package of profiles and value sets, a `.tgz`; may be repeated
    #[arg(long)]
    package: Vec<PathBuf>,
    /// The folder of a node whose packages and loaded code systems count too
    #[arg(long)]
    dir: Option<PathBuf>,
    /// structure, base or profiles (those that the resource claims)
    #[arg(long, default_value = "profiles")]
    level: Level,
    /// Unknown profiles and modifier extensions are errors
    #[arg(long)]
    strict: bool,
    /// Print errors only
    #[arg(long)]
    errors: bool,
}

/// Prints findings with file, line and column. The exit code is 0 where there is no error, 1
/// where there is one.
pub fn run(arguments: &Arguments, now_ms: i64) -> Result<ExitCode, Fault> {
    let node = arguments.dir.as_deref();
    let mut packages: Vec<Package> = node.map(packages::read).transpose()?.unwrap_or_default();
    for file in &arguments.package {
        packages.push(packages::open(file)?);
    }
    let codes = Terminology::new(match node {
        Some(dir) => Shelf::new(dir, &packages).read()?.unwrap_or_default(),
        None => terms_of(&packages).into_iter().collect(),
    });
    let validator = Validator::new(&packages)?;
    if let Some(unknown) = arguments.profile.iter().find(|profile| !validator.knows(profile)) {
        return Err(format!("the profile `{unknown}` is not known; name its `--package`").into());
    }
    let options = Options {
        level: arguments.level,
        profiles: &arguments.profile,
        strict: arguments.strict,
        now_ms,
    };
    let (mut resources, mut faulty) = (0, 0);
    for file in &arguments.files {
        let text = std::fs::read_to_string(file)
            .map_err(|e| format!("cannot read `{}`: {e}", file.display()))?;
        for (first_line, part) in parts(&text) {
            resources += 1;
            let place = |byte: usize| {
                let (line, column) = line_and_column(part, byte);
                format!("{}:{}:{column}", file.display(), first_line + line - 1)
            };
            let document = match Document::parse(part) {
                Ok(document) => document,
                Err(error) => {
                    faulty += 1;
                    let line = first_line + error.line - 1;
                    say(&format!(
                        "{}:{line}:{}: error: {}",
                        file.display(),
                        error.column,
                        error.reason
                    ));
                    continue;
                }
            };
            let found = validator.validate(document.root(), options, &codes);
            faulty += usize::from(found.iter().any(Issue::is_error));
            let shown = |issue: &&Issue| !arguments.errors || issue.severity == Severity::Error;
            for issue in found.iter().filter(shown) {
                say(&line(&place(issue.range.start), issue));
            }
        }
    }
    say(&format!("{resources} resources, {faulty} not valid"));
    Ok(if faulty == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(place: &str, issue: &Issue) -> String {
    let profile = issue.profile.as_ref().map(|url| format!(" [{url}]")).unwrap_or_default();
    format!("{place}: {}: {}: {}{profile}", issue.severity.code(), issue.expression, issue.message)
}

/// The resources in a text with the lines they start at: one, or one a line.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let lines = || text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let several = lines().count() > 1
        && lines().all(|(_, line)| line.starts_with('{') && line.trim_end().ends_with('}'));
    match several {
        true => lines().map(|(at, line)| (at + 1, line)).collect(),
        false => vec![(1, text)],
    }
}
