//! The demo's patients: generated, or Synthea bundles dealt to the hospitals.

use std::io::{IsTerminal, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use synthetic::{Options, Site, Survey, World, directory, has_patient, split_bundle, truth};

use crate::import;
use crate::wiring::Fault;

/// Patients that are generated.
const PATIENTS: usize = 150;

/// Makes patients up.
pub fn generate(sites: &[Site], seed: u64, now_ms: i64) -> World {
    synthetic::generate(&Options { seed, patients: PATIENTS, sites, now_ms })
}

/// Reads Synthea bundles and deals each patient's record to the hospitals.
pub fn load(folder: &Path, sites: &[Site], seed: u64) -> Result<World, Fault> {
    let files = import::files(&[folder.to_owned()])?;
    let mut directories: Vec<(String, String)> = Vec::new();
    let mut patients = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = read(file)?;
        match has_patient(&name, &text)? {
            true => patients.push((name, text)),
            false => directories.push((name, text)),
        }
    }
    if patients.is_empty() {
        return Err(format!("`{}` holds no bundle with a Patient", folder.display()).into());
    }
    let known = directory(directories.iter().map(|(name, text)| (&**name, &**text)))?;
    let mut survey = Survey::new(known);
    for (name, text) in &patients {
        survey.add(name, text)?;
    }
    let splitter = survey.finish(sites)?;
    let mut world = World { persons: Vec::new(), shared: splitter.shared() };
    for (name, text) in &patients {
        world.persons.push(split_bundle(name, text, &splitter, seed)?);
    }
    Ok(world)
}

fn read(file: &Path) -> Result<String, Fault> {
    let mut text = String::new();
    import::open(file)
        .and_then(|mut reader| reader.read_to_string(&mut text))
        .map_err(|e| format!("`{}`: {e}", file.display()))?;
    Ok(text)
}

/// Writes what checks need and no node reads: who is who, and where the data came from.
pub fn write_truth(
    folder: &Path,
    world: &World,
    data: Option<&Path>,
    seed: u64,
) -> Result<(), Fault> {
    let data = data.map(std::path::absolute).transpose()?;
    let demo = json!({"data": data, "seed": seed});
    std::fs::write(folder.join("demo.json"), demo.to_string())?;
    std::fs::write(folder.join("truth.json"), truth(&world.persons))?;
    Ok(())
}

/// A bar over all resources of all hospitals.
pub fn progress(world: &World, headless: bool) -> ProgressBar {
    let own: usize =
        world.persons.iter().flat_map(|p| p.at.values()).map(|known| known.resources.len()).sum();
    let bar = ProgressBar::new(own as u64);
    if headless || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("loading {bar:30} {pos}/{len} resources");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
