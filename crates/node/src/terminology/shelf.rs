//! What the node's folder holds of terminology, as layers for the shelf, at start and whenever the
//! files change.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::terminology::{CodeSystem, Definition, Kind, Layer};
use app::App;
use fhir::Document;
use tokio::sync::watch;
use validation::Package;

use super::{FOLDER, MAX_BYTES, Report, address};
use crate::wiring::Fault;

/// How often a running node looks whether the files have changed.
const EVERY: Duration = Duration::from_secs(1);
/// The most files that are taken in.
const MAX_FILES: usize = 10_000;

/// When a file was written, and its length: another of either is another content.
type Stamp = (SystemTime, u64);
type Stamps = BTreeMap<PathBuf, Stamp>;

/// What was read of the node's folder.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    /// The value sets and code systems of the node's packages.
    packages: Option<Arc<Layer>>,
    files: BTreeMap<PathBuf, (Stamp, Vec<Definition>)>,
    /// The folder as it was when it was last read, whether it could be or not.
    seen: Option<Stamps>,
}

impl Shelf {
    /// The shelf of the node in `dir`, with the terms of its packages; nothing is read yet.
    pub fn new(dir: &Path, packages: &[Package]) -> Self {
        let packages = terms_of(packages);
        Self { folder: dir.join(FOLDER), packages, files: BTreeMap::new(), seen: None }
    }

    /// All layers, where the folder has changed since it was last read; `None` where it has not.
    /// Only files that are new or have changed are read. Where one cannot be read, what was there
    /// before stays, and it is tried again when the folder changes.
    pub fn read(&mut self) -> Result<Option<Vec<Arc<Layer>>>, Fault> {
        let stamps = stamps(&self.folder)?;
        if self.seen.as_ref() == Some(&stamps) {
            return Ok(None);
        }
        self.seen = Some(stamps.clone());
        let mut files = BTreeMap::new();
        for (path, stamp) in stamps {
            let known = self.files.get(&path).filter(|(known, _)| *known == stamp);
            let definitions = match known {
                Some((_, definitions)) => definitions.clone(),
                None => definitions(&path)?,
            };
            files.insert(path, (stamp, definitions));
        }
        self.files = files;
        let mut loaded = Layer::new();
        for definition in self.files.values().flat_map(|(_, definitions)| definitions) {
            loaded.add(definition.clone());
        }
        let loaded = (!loaded.is_empty()).then(|| Arc::new(loaded));
        Ok(Some(self.packages.iter().cloned().chain(loaded).collect()))
    }
}

/// The value sets, code systems and concept maps of packages; `None` where there is none.
pub fn terms_of(packages: &[Package]) -> Option<Arc<Layer>> {
    let mut layer = Layer::new();
    let terms = packages.iter().flat_map(|p| p.terms.iter().map(move |term| (p, term)));
    for (package, document) in terms {
        if let Err(error) = layer.add_resource(document.root()) {
            tracing::warn!(package = package.name, %error, "a term of a package is left out");
        }
    }
    (!layer.is_empty()).then(|| Arc::new(layer))
}

fn stamps(folder: &Path) -> Result<Stamps, Fault> {
    let mut stamps = Stamps::new();
    if !folder.exists() {
        return Ok(stamps);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "cts" || extension == "zst") {
            let about = std::fs::metadata(&path)?;
            stamps.insert(path, (about.modified()?, about.len()));
        }
        if stamps.len() > MAX_FILES {
            let folder = folder.display();
            return Err(format!("`{folder}` holds more than {MAX_FILES} files").into());
        }
    }
    Ok(stamps)
}

fn definitions(file: &Path) -> Result<Vec<Definition>, Fault> {
    let bytes = std::fs::read(file)?;
    let fault = |error: &dyn std::fmt::Display| format!("`{}`: {error}", file.display());
    if CodeSystem::is_file(&bytes) {
        let system = CodeSystem::from_bytes(&bytes).map_err(|e| fault(&e))?;
        return Ok(vec![Definition::System(Arc::new(system))]);
    }
    let mut text = String::new();
    let decoder = zstd::Decoder::new(bytes.as_slice()).map_err(|e| fault(&e))?;
    decoder.take(MAX_BYTES).read_to_string(&mut text).map_err(|e| fault(&e))?;
    let mut all = Vec::new();
    for line in text.lines() {
        let document = Document::parse(line).map_err(|e| fault(&e))?;
        match Definition::read(document.root()) {
            Ok(definition) => all.push(definition),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "a definition was passed over");
            }
        }
    }
    Ok(all)
}

/// Keeps a running node up with its folder: what `consilium terminology load` leaves there answers
/// questions a moment later.
pub async fn watch(app: App, mut shelf: Shelf, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = every.tick() => {}
        }
        let read = tokio::task::spawn_blocking(move || {
            let read = shelf.read();
            (shelf, read)
        });
        let Ok((back, read)) = read.await else {
            tracing::error!("the terminology in the node's folder is no longer followed");
            return;
        };
        shelf = back;
        match read {
            Ok(None) => {}
            Ok(Some(layers)) => {
                let definitions: usize = layers.iter().map(|layer| layer.len()).sum();
                app.terminology().load(layers);
                tracing::info!(definitions, "the terminology was read anew");
            }
            Err(error) => tracing::error!(%error, "the terminology could not be read anew"),
        }
    }
}

/// A line for each code system that was loaded: address and version, codes, bytes in memory; and
/// the number of value sets and concept maps.
pub fn list(dir: &Path) -> Result<Report, Fault> {
    let mut report = Report::new();
    for layer in Shelf::new(dir, &[]).read()?.unwrap_or_default() {
        for (url, version) in layer.list(Kind::CodeSystem) {
            let version = Some(version).filter(|version| !version.is_empty());
            if let Some(system) = layer.system(url, version) {
                let (address, count, bytes) = (address(system), system.len(), system.bytes());
                report.push(format!("{address}: {count} codes, {bytes} bytes in memory"));
            }
        }
        let sets = layer.list(Kind::ValueSet).len();
        let maps = layer.list(Kind::ConceptMap).len();
        report.push(format!("{sets} value sets and {maps} concept maps"));
    }
    if report.is_empty() {
        report.push("nothing was loaded; see `consilium terminology load --help`".into());
    }
    Ok(report)
}
