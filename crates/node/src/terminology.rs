//! `consilium terminology`: takes in files of LOINC, SNOMED CT, RxNorm, ICD-10-CM and FHIR that the
//! operator holds, and keeps them compactly in the node's folder, from where [`Shelf`] takes them.
//!
//! In the folder `terminology` a file `….cts` is one code system
//! ([`terminology::CodeSystem::to_bytes`]) and a file `….ndjson.zst` the value sets and concept maps
//! of one source. Loading again replaces what has the same address and version.

mod shelf;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use ::terminology::CodeSystem;
use ::terminology::load::{self, Form, Rf2};
use fhir::{Document, Value};

use crate::wiring::Fault;

pub use shelf::{Shelf, list, terms_of, watch};

const FOLDER: &str = "terminology";
/// The longest file that is read as a whole, after decompression.
const MAX_BYTES: u64 = 1 << 30;
/// How much of a file tells its form.
const START_BYTES: u64 = 4096;

/// What was taken in: a line for each source.
pub type Report = Vec<String>;

/// Takes in files and folders. `version` is stated for distributions that do not say theirs
/// (LOINC, RxNorm, ICD-10-CM order files). `progress` hears what is being read.
pub fn load(
    dir: &Path,
    paths: &[PathBuf],
    version: Option<&str>,
    progress: &mut dyn FnMut(&str),
) -> Result<Report, Fault> {
    let forms = forms(paths)?;
    if forms.is_empty() {
        return Err("no file of a known form was found; archives other than `.tgz` must be \
                    unpacked first"
            .into());
    }
    let folder = dir.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let mut report = Report::new();
    let mut keep = |system: &CodeSystem| -> Result<(), Fault> {
        let file = folder.join(format!("{}.cts", file_name(&address(system))));
        write(&file, &system.to_bytes()?)?;
        let bytes = std::fs::metadata(&file)?.len();
        let count = system.len();
        report.push(format!("{}: {count} codes, {bytes} bytes", address(system)));
        Ok(())
    };
    let of = |form| forms.get(&form).map(Vec::as_slice).unwrap_or_default();
    if let Some(table) = largest(of(Form::Loinc))? {
        progress(&format!("reading LOINC from `{}`", table.display()));
        let hierarchy = largest(of(Form::LoincHierarchy))?.map(|path| open(&path)).transpose()?;
        keep(&load::loinc(open(&table)?, hierarchy, version)?)?;
    }
    if !of(Form::SnomedConcepts).is_empty() {
        progress("reading SNOMED CT");
        let all = |form| of(form).iter().map(|path| open(path)).collect::<Result<Vec<_>, Fault>>();
        let files = Rf2 {
            concepts: all(Form::SnomedConcepts)?,
            descriptions: all(Form::SnomedDescriptions)?,
            relationships: all(Form::SnomedRelationships)?,
            languages: all(Form::SnomedLanguage)?,
        };
        keep(&load::snomed(files, version)?)?;
    }
    if let Some(concepts) = largest(of(Form::RxnormConcepts))? {
        progress(&format!("reading RxNorm from `{}`", concepts.display()));
        let relations = largest(of(Form::RxnormRelations))?.map(|path| open(&path)).transpose()?;
        keep(&load::rxnorm(open(&concepts)?, relations, version)?)?;
    }
    if let Some(order) = largest(of(Form::Icd10cmOrder))? {
        progress(&format!("reading ICD-10-CM from `{}`", order.display()));
        keep(&load::icd10cm_order(open(&order)?, version)?)?;
    } else if let Some(list) = largest(of(Form::Icd10cmTabular))? {
        progress(&format!("reading ICD-10-CM from `{}`", list.display()));
        let mut text = String::new();
        open(&list)?.take(MAX_BYTES).read_to_string(&mut text)?;
        keep(&load::icd10cm_tabular(&text, version)?)?;
    }
    for path in of(Form::Fhir).iter().chain(of(Form::Gzip)) {
        progress(&format!("reading FHIR definitions from `{}`", path.display()));
        let taken = definitions(&folder, path, &mut keep)?;
        if taken > 0 {
            progress(&format!("{taken} value sets and concept maps"));
        }
    }
    Ok(report)
}

/// The files under `paths` by their forms. Of SNOMED CT only snapshots are taken.
fn forms(paths: &[PathBuf]) -> Result<BTreeMap<Form, Vec<PathBuf>>, Fault> {
    let mut forms: BTreeMap<Form, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        if !path.exists() {
            return Err(format!("`{}` does not exist", path.display()).into());
        }
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            let history = name.contains("_Full") || name.contains("_Delta");
            if !entry.file_type().is_file() || history && name.ends_with(".txt") {
                continue;
            }
            let mut start = Vec::new();
            File::open(entry.path())?.take(START_BYTES).read_to_end(&mut start)?;
            if let Some(form) = Form::of(&start) {
                forms.entry(form).or_default().push(entry.into_path());
            }
        }
    }
    Ok(forms)
}

fn open(path: &Path) -> Result<BufReader<File>, Fault> {
    let file = File::open(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

/// The largest file: extracts of a table lie beside it and open alike.
fn largest(paths: &[PathBuf]) -> Result<Option<PathBuf>, Fault> {
    let mut best: Option<(u64, &PathBuf)> = None;
    for path in paths {
        let length = std::fs::metadata(path)?.len();
        if best.is_none_or(|(longest, _)| length > longest) {
            best = Some((length, path));
        }
    }
    Ok(best.map(|(_, path)| path.clone()))
}

/// Reads FHIR resources from a JSON, NDJSON or package file. Code systems go to `keep`, the rest
/// into one file; returns how many that are.
fn definitions(
    folder: &Path,
    path: &Path,
    keep: &mut dyn FnMut(&CodeSystem) -> Result<(), Fault>,
) -> Result<usize, Fault> {
    let mut others = Vec::new();
    let mut take = |resource: Value<'_>| -> Result<(), Fault> {
        match resource.str_at("resourceType").as_deref() {
            Some("CodeSystem") => {
                let system = CodeSystem::read(resource)
                    .map_err(|error| format!("`{}`: {error}", path.display()))?;
                keep(&system)?;
            }
            Some("ValueSet" | "ConceptMap") if resource.get("url").is_some() => {
                // Line breaks of a resource are white space between its members, never content.
                others.push(resource.raw().replace(['\n', '\r'], " "));
            }
            _ => {}
        }
        Ok(())
    };
    let mut start = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut start)?;
    if start == [0x1f, 0x8b] {
        let mut unpacked = BufReader::new(flate2::read::MultiGzDecoder::new(open(path)?));
        if unpacked.fill_buf()?.starts_with(b"{") {
            each_line(unpacked, &mut take)?;
        } else {
            package(unpacked, &mut take)?;
        }
    } else {
        each_line(open(path)?, &mut take)?;
    }
    let count = others.len();
    let stem = path.file_name().map_or_else(Default::default, |name| name.to_string_lossy());
    let file = folder.join(format!("{}.ndjson.zst", file_name(&stem)));
    if count > 0 {
        write(&file, &zstd::encode_all(others.join("\n").as_bytes(), 9)?)?;
    }
    Ok(count)
}

fn package(
    unpacked: impl Read,
    take: &mut dyn FnMut(Value<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut archive = tar::Archive::new(unpacked);
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let direct = path.strip_prefix("package/").is_some_and(|name| !name.contains('/'));
        if !direct || !path.ends_with(".json") {
            continue;
        }
        let mut text = String::new();
        entry.take(MAX_BYTES).read_to_string(&mut text)?;
        if let Ok(document) = Document::parse(text) {
            take(document.root())?;
        }
    }
    Ok(())
}

/// One JSON text over all lines, or one on each.
fn each_line(
    source: impl Read,
    take: &mut dyn FnMut(Value<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut text = String::new();
    source.take(MAX_BYTES).read_to_string(&mut text)?;
    let several = text.lines().take(2).filter(|line| line.trim_start().starts_with('{')).count();
    let texts: Vec<&str> = if several == 2 { text.lines().collect() } else { vec![&text] };
    for text in texts.into_iter().filter(|text| !text.trim().is_empty()) {
        let document = Document::parse(text)?;
        let root = document.root();
        take(root)?;
        for entry in root.get("entry").into_iter().flat_map(Value::items) {
            if let Some(resource) = entry.get("resource") {
                take(resource)?;
            }
        }
    }
    Ok(())
}

fn address(system: &CodeSystem) -> String {
    match &system.head.version {
        Some(version) => format!("{}|{version}", system.head.url),
        None => system.head.url.to_string(),
    }
}

/// A file name that is different for different texts: what a name may hold of it, and its hash.
fn file_name(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let tail: String = plain.collect::<Vec<_>>().into_iter().rev().take(60).collect();
    let tail: String = tail.chars().rev().collect();
    let hash = crypto::hash::hex(&crypto::hash::sha256(text.as_bytes()));
    format!("{tail}-{}", hash.get(..12).unwrap_or_default())
}

/// Writes a file so that it is there whole or not at all.
fn write(file: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let part = file.with_extension("part");
    std::fs::write(&part, bytes)?;
    File::open(&part)?.sync_all()?;
    std::fs::rename(&part, file)?;
    Ok(())
}
