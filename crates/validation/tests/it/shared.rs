//! The published examples and packages, from the folder that `CONSILIUM_SHARED` names (`../shared`
//! beside the checkout where it names none).

use std::io::Read;
use std::path::{Path, PathBuf};

use fhir::Document;
use validation::Package;

/// A file or folder of the shared folder; says aloud where it is absent.
pub fn path(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("CONSILIUM_SHARED").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = shared.unwrap_or(root).join(name);
    if !path.exists() {
        eprintln!("SKIPPED: `{}` is not there; set CONSILIUM_SHARED", path.display());
        return None;
    }
    Some(path)
}

fn unzipped(path: &Path) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// The published R4 examples.
pub fn r4_examples() -> Option<Vec<Document>> {
    let text = unzipped(&path("conformance/r4-examples.ndjson.gz")?);
    Some(text.lines().map(|line| Document::parse(line).unwrap()).collect())
}

/// The Synthea bundles.
pub fn synthea() -> Option<Vec<Document>> {
    let mut files: Vec<_> = std::fs::read_dir(path("data/synthea")?)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    Some(files.iter().map(|file| Document::parse(unzipped(file)).unwrap()).collect())
}

/// The bytes of a package.
pub fn package_bytes(name: &str) -> Option<Vec<u8>> {
    Some(std::fs::read(path("definitions")?.join(name)).unwrap())
}

/// A package.
pub fn package(name: &str) -> Option<Package> {
    Some(Package::read(&package_bytes(name)?).unwrap())
}

/// The example instances in a package, by file name.
pub fn package_examples(name: &str) -> Option<Vec<(String, Document)>> {
    let bytes = package_bytes(name)?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let Some(name) = path.strip_prefix("package/example/") else { continue };
        if !name.ends_with(".json") || name.starts_with('.') {
            continue;
        }
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let document = Document::parse(text).unwrap();
        if document.root().get("resourceType").is_some() {
            found.push((name.to_owned(), document));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Some(found)
}
