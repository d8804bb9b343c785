//! `consilium import`: files and folders of Bundles and NDJSON, plain, gzip or zstd.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use app::App;
use app::records::import::{Import, Report};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

/// Most bytes of one file or line after decompression.
const MAX_BYTES: u64 = 1 << 30;
/// Most faults that are printed; the rest is counted.
const MAX_SHOWN: usize = 50;

/// What became of all files.
#[derive(Debug, Default)]
pub struct Summary {
    /// Files read.
    pub files: usize,
    /// Resources stored.
    pub stored: u64,
    /// Entries and files that were not stored: `(file, entry, reason)`.
    pub refused: Vec<(PathBuf, Option<usize>, String)>,
    /// Conditional references that match nothing.
    pub unresolved: usize,
    /// Seconds it took.
    pub seconds: f64,
}

impl Summary {
    /// The lines that a person reads at the end.
    pub fn lines(&self) -> Vec<String> {
        let rate = self.stored as f64 / self.seconds.max(1e-9);
        let mut lines: Vec<String> = self
            .refused
            .iter()
            .take(MAX_SHOWN)
            .map(|(file, entry, reason)| match entry {
                Some(entry) => format!("not stored: {} entry {entry}: {reason}", file.display()),
                None => format!("not stored: {}: {reason}", file.display()),
            })
            .collect();
        if self.refused.len() > MAX_SHOWN {
            lines.push(format!("and {} more not stored", self.refused.len() - MAX_SHOWN));
        }
        if self.unresolved > 0 {
            lines.push(format!(
                "{} conditional references match nothing here and were kept as they are; import \
                 the files with their targets first",
                self.unresolved
            ));
        }
        lines.push(format!(
            "{} resources from {} files in {:.1} s ({rate:.0}/s), {} not stored",
            self.stored,
            self.files,
            self.seconds,
            self.refused.len()
        ));
        lines
    }
}

/// Every file under `paths`, in the order of their names, so that files meant to come first can
/// say so by name.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in paths {
        if !path.exists() {
            return Err(format!("`{}` does not exist", path.display()));
        }
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.map_err(|e| e.to_string())?;
            let wanted = entry.depth() == 0 || is_data(entry.path());
            if entry.file_type().is_file() && wanted {
                files.push(entry.into_path());
            }
        }
    }
    Ok(files)
}

fn is_data(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    [".json", ".ndjson", ".jsonl"].iter().any(|ending| name.ends_with(ending))
}

/// Imports `files` into the store of `app` on as many threads as the machine has. Directory files
/// are finished before the others start, because the others refer to what is in them.
pub fn run(app: &App, files: &[PathBuf], quiet: bool) -> Summary {
    let started = Instant::now();
    let bar = progress(files.len() as u64, quiet);
    let import = Import::new(app);
    let stored = AtomicU64::new(0);
    let faults = Mutex::new(Vec::new());
    let unresolved = AtomicUsize::new(0);
    let (before, after): (Vec<_>, Vec<_>) = files.iter().partition(|file| is_directory(file));
    let one = |file: &Path| {
        read(&import, file, &mut |report: Report, offset| {
            let total =
                stored.fetch_add(report.stored as u64, Ordering::Relaxed) + report.stored as u64;
            unresolved.fetch_add(report.unresolved, Ordering::Relaxed);
            let refused = report.refused.into_iter();
            faults
                .lock()
                .extend(refused.map(|(at, why)| (file.to_owned(), Some(at + offset), why)));
            bar.set_message(format!(
                "{total} resources, {:.0}/s",
                total as f64 / started.elapsed().as_secs_f64()
            ));
        })
        .unwrap_or_else(|reason| faults.lock().push((file.to_owned(), None, reason)));
        bar.inc(1);
    };
    for batch in [before, after] {
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(2, usize::from).min(16);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(file) = batch.get(next.fetch_add(1, Ordering::Relaxed)) {
                        one(file);
                    }
                });
            }
        });
    }
    bar.finish_and_clear();
    let mut refused = faults.into_inner();
    refused.sort();
    Summary {
        files: files.len(),
        stored: stored.into_inner(),
        refused,
        unresolved: unresolved.into_inner(),
        seconds: started.elapsed().as_secs_f64(),
    }
}

/// Whether a file holds institutions and practitioners, by the names that Synthea gives them.
fn is_directory(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.contains("hospitalInformation") || name.contains("practitionerInformation")
}

fn progress(files: u64, quiet: bool) -> ProgressBar {
    let bar = ProgressBar::new(files);
    if quiet || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files  {msg}  {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Opens a file, decompressing by its ending.
pub fn open(file: &Path) -> std::io::Result<Box<dyn Read>> {
    let reader = File::open(file)?;
    let name = file.to_string_lossy().to_lowercase();
    Ok(if name.ends_with(".gz") {
        Box::new(flate2::read::MultiGzDecoder::new(reader))
    } else if name.ends_with(".zst") {
        Box::new(zstd::stream::read::Decoder::new(reader)?)
    } else {
        Box::new(reader)
    })
}

/// Reads one file and hands each report on together with the number of lines before it.
fn read(
    import: &Import<'_>,
    file: &Path,
    done: &mut dyn FnMut(Report, usize),
) -> Result<(), String> {
    let label = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = label.to_lowercase();
    let reader = open(file).map_err(|e| e.to_string())?;
    if !(name.contains(".ndjson") || name.contains(".jsonl")) {
        let mut text = Vec::new();
        reader.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(|e| e.to_string())?;
        if text.len() as u64 > MAX_BYTES {
            return Err("larger than 1 GiB; split it or use NDJSON".into());
        }
        done(import.take(&label, text).map_err(|e| e.message)?, 0);
        return Ok(());
    }
    let mut reader = BufReader::new(reader);
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut number = 0;
    loop {
        let mut line = Vec::new();
        let size = reader
            .by_ref()
            .take(MAX_BYTES)
            .read_until(b'\n', &mut line)
            .map_err(|e| e.to_string())?;
        if size > 0 {
            lines.push(line);
        }
        let full = lines.len() == 400 || lines.iter().map(Vec::len).sum::<usize>() > 4 << 20;
        if full || (size == 0 && !lines.is_empty()) {
            let count = lines.len();
            done(
                import.take_lines(&label, std::mem::take(&mut lines)).map_err(|e| e.message)?,
                number,
            );
            number += count;
        }
        if size == 0 {
            return Ok(());
        }
    }
}
