//! Import: files into a fresh node, and what it takes on disk.

use std::path::{Path, PathBuf};
use std::time::Instant;

use synthetic::sites;
use tempfile::TempDir;

use super::Settings;
use crate::client::Fault;
use crate::figures::{Table, cpu_seconds};
use crate::network::{Place, prepare};
use crate::population;

/// Patients that are generated where there is no data.
const PATIENTS: usize = 150;
const QUICK_PATIENTS: usize = 20;
/// Files of a quick run, the directory files among them.
const QUICK_FILES: usize = 8;

/// A node that holds the data; its folder is removed with it.
pub struct Filled {
    /// Where the node lives.
    pub place: Place,
    /// Resources that it took.
    pub resources: u64,
    /// Holds the folder.
    pub folder: TempDir,
}

/// Imports everything into a fresh node and prints how fast that was and how much it takes on
/// disk. Blocks.
pub fn measure(settings: &Settings, table: &mut Table) -> Result<Filled, Fault> {
    table.part("import");
    let folder = tempfile::Builder::new().prefix("consilium-bench-").tempdir()?;
    let (files, what) = files(settings, folder.path())?;
    let place = prepare(folder.path(), &sites(1))?.into_iter().next().ok_or("no hospital")?;
    let read: u64 = files.iter().map(|file| size(file)).sum();
    table.fact("data", &format!("{} files, {:.1} MB, {what}", files.len(), read as f64 / 1e6));
    let (started, cpu) = (Instant::now(), cpu_seconds()?);
    let node = place.open()?;
    let summary = node::import::run(&node.app, &files, true);
    let cpu_importing = cpu_seconds()? - cpu;
    // Closing writes everything into the main file, so that what is measured is what stays.
    drop(node);
    let (whole, cpu) = (started.elapsed(), cpu_seconds()? - cpu);
    if let Some((file, _, reason)) = summary.refused.first() {
        let count = summary.refused.len();
        return Err(
            format!("{count} not stored, the first in `{}`: {reason}", file.display()).into()
        );
    }
    let stored = summary.stored as f64;
    table.fact("resources", &summary.stored.to_string());
    table.fact("resources/s, wall clock", &format!("{:.0}", stored / summary.seconds.max(1e-9)));
    table.fact("seconds with opening and closing", &format!("{:.1}", whole.as_secs_f64()));
    table.fact("CPU seconds until acknowledged", &format!("{cpu_importing:.1}"));
    let rate = stored / cpu.max(1e-9);
    let what = "resources per CPU second, opening and closing included";
    table.aimed(what, &format!("{rate:.0}"), ">= 5,000", rate >= 5000.0);
    let bytes = folder_size(&place.folder.join("store"))?;
    let each = bytes as f64 / stored.max(1.0);
    let what = "KiB on disk per resource, index and audit included";
    let shown = format!("{:.2} ({:.1} MB)", each / 1024.0, bytes as f64 / 1e6);
    table.aimed(what, &shown, "<= 1.0", each <= 1024.0);
    Ok(Filled { place, resources: summary.stored, folder })
}

fn files(settings: &Settings, folder: &Path) -> Result<(Vec<PathBuf>, &'static str), Fault> {
    if let Some(data) = &settings.data {
        let mut files = node::import::files(std::slice::from_ref(data))?;
        if settings.quick {
            files.truncate(QUICK_FILES);
        }
        return Ok((files, "Synthea's bundles"));
    }
    let patients = if settings.quick { QUICK_PATIENTS } else { PATIENTS };
    let world = population::generated(&sites(3), settings.seed, patients);
    let data = folder.join("data");
    std::fs::create_dir(&data)?;
    Ok((population::write_bundles(&world, &data)?, "generated, because Synthea's are absent"))
}

fn size(file: &Path) -> u64 {
    file.metadata().map_or(0, |meta| meta.len())
}

/// Bytes of all files in a folder and those below.
pub fn folder_size(folder: &Path) -> Result<u64, Fault> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() {
            folder_size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(sum)
}
