//! The patients that are measured with: Synthea's where they are, generated ones elsewhere.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use fhir::Document;
use synthetic::{Options, Site, Survey, World, directory, has_patient, split_bundle};

use crate::client::Fault;

/// Synthea's bundles as they are in their files.
#[derive(Clone)]
pub struct Bundles {
    /// Name and text of the bundles with a patient.
    pub patients: Vec<(String, String)>,
    /// Name and text of the bundles with institutions and practitioners.
    pub directories: Vec<(String, String)>,
}

/// The folder with Synthea's bundles: the one `given`, else that of the shared data
/// (`CONSILIUM_SHARED`, by default beside the checkout), else none.
pub fn synthea(given: Option<&Path>) -> Option<PathBuf> {
    let shared = || {
        std::env::var_os("CONSILIUM_SHARED").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            PathBuf::from,
        )
    };
    let folder = given.map_or_else(|| shared().join("data/synthea"), Path::to_owned);
    folder.is_dir().then_some(folder)
}

impl Bundles {
    /// Reads every bundle in `folder`.
    pub fn read(folder: &Path) -> Result<Self, Fault> {
        let mut bundles = Self { patients: Vec::new(), directories: Vec::new() };
        for file in node::import::files(&[folder.to_owned()])? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut text = String::new();
            node::import::open(&file)
                .and_then(|mut reader| reader.read_to_string(&mut text))
                .map_err(|e| format!("`{}`: {e}", file.display()))?;
            match has_patient(&name, &text)? {
                true => bundles.patients.push((name, text)),
                false => bundles.directories.push((name, text)),
            }
        }
        if bundles.patients.is_empty() {
            return Err(format!("`{}` holds no bundle with a Patient", folder.display()).into());
        }
        Ok(bundles)
    }

    /// The same with nothing but patients and encounters, which is all that decides who is known
    /// where.
    pub fn only_demographics(&self) -> Result<Self, Fault> {
        let mut patients = Vec::new();
        for (name, text) in &self.patients {
            let bundle = Document::parse(text.as_str())?;
            let entries: Vec<&str> = bundle
                .root()
                .get("entry")
                .iter()
                .flat_map(|list| list.items())
                .filter(|entry| {
                    let kind = entry.path(&["resource", "resourceType"]);
                    kind.is_some_and(|kind| kind.is_str("Patient") || kind.is_str("Encounter"))
                })
                .map(|entry| entry.raw())
                .collect();
            let entries = entries.join(",");
            let text = format!(
                "{{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{entries}]}}"
            );
            patients.push((name.clone(), text));
        }
        Ok(Self { patients, directories: self.directories.clone() })
    }

    /// Deals every patient's record to `sites`, as the demo does.
    pub fn split(&self, sites: &[Site], seed: u64) -> Result<World, Fault> {
        let known = directory(self.directories.iter().map(|(name, text)| (&**name, &**text)))?;
        let mut survey = Survey::new(known);
        for (name, text) in &self.patients {
            survey.add(name, text)?;
        }
        let splitter = survey.finish(sites)?;
        let mut world = World { persons: Vec::new(), shared: splitter.shared() };
        for (name, text) in &self.patients {
            world.persons.push(split_bundle(name, text, &splitter, seed)?);
        }
        Ok(world)
    }
}

/// Now, in milliseconds since the Unix epoch.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `patients` generated people over `sites`.
pub fn generated(sites: &[Site], seed: u64, patients: usize) -> World {
    synthetic::generate(&Options { seed, patients, sites, now_ms: now_ms() })
}

/// Writes a world as files that `consilium import` takes, one bundle for each person's record at
/// each hospital, and returns their paths.
pub fn write_bundles(world: &World, folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    let mut write = |name: String, texts: &[String]| -> Result<(), Fault> {
        let entries: Vec<String> =
            texts.iter().map(|text| format!("{{\"resource\":{text}}}")).collect();
        let entries = entries.join(",");
        let path = folder.join(name);
        let text = format!(
            "{{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[{entries}]}}"
        );
        std::fs::write(&path, text)?;
        files.push(path);
        Ok(())
    };
    write("0-hospitalInformation.json".into(), &world.shared)?;
    for person in &world.persons {
        for (org, known) in &person.at {
            write(format!("{}-{org}.json", person.file), &known.resources)?;
        }
    }
    Ok(files)
}
