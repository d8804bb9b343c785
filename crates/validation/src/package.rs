//! FHIR packages: the `.tgz` files that implementation guides are published as.

use std::io::Read;

use fhir::Document;

use crate::pack::{InvalidPack, Pack};

/// The most that a package may unpack to, in bytes.
pub const MAX_UNPACKED_BYTES: u64 = 1 << 30;
/// The most files that a package may have.
pub const MAX_FILES: usize = 50_000;

/// A package that was read.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name: `hl7.fhir.us.core`.
    pub name: String,
    /// Its version: `6.1.0`.
    pub version: String,
    /// Names and versions of the packages that it builds on.
    pub dependencies: Vec<(String, String)>,
    /// Its profiles and extensions.
    pub profiles: Pack,
    /// Its CodeSystems, ValueSets and ConceptMaps, for a terminology to take.
    pub terms: Vec<Document>,
}

/// Why a file is not a package that can be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPackage {
    /// Not a gzipped tar archive.
    #[error("the file is no gzipped tar archive: {0}")]
    Archive(#[from] std::io::Error),
    /// Beyond [`MAX_UNPACKED_BYTES`] or [`MAX_FILES`].
    #[error("the package is larger than a node takes")]
    TooLarge,
    /// No `package/package.json`, or one that does not say name and version.
    #[error("`package/package.json` is missing or does not say `name` and `version`")]
    NoManifest,
    /// The package is for other versions of FHIR.
    #[error("the package is made for FHIR `{0}`; a node takes packages for 4.0.1")]
    OtherVersion(String),
    /// A file in it is not JSON.
    #[error("`{file}` is not valid: {reason}")]
    File {
        /// Name in the archive.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The profiles cannot be brought into compact form.
    #[error(transparent)]
    Pack(#[from] InvalidPack),
}

impl Package {
    /// Reads a package from the bytes of its `.tgz`.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidPackage> {
        let unpacked = flate2::read::GzDecoder::new(bytes).take(MAX_UNPACKED_BYTES + 1);
        let mut archive = tar::Archive::new(unpacked);
        let mut manifest = None;
        let (mut definitions, mut terms) = (Vec::new(), Vec::new());
        let mut total = 0;
        for (at, entry) in archive.entries()?.enumerate() {
            let mut entry = entry?;
            total += entry.size();
            if at >= MAX_FILES || total > MAX_UNPACKED_BYTES {
                return Err(InvalidPackage::TooLarge);
            }
            let path = entry.path()?.to_string_lossy().into_owned();
            let Some(name) = path.trim_start_matches("./").strip_prefix("package/") else {
                continue;
            };
            let is = |kinds: &[&str]| {
                name.ends_with(".json") && kinds.iter().any(|kind| name.starts_with(kind))
            };
            let definition = is(&["StructureDefinition-"]);
            let term = is(&["CodeSystem-", "ValueSet-", "ConceptMap-"]);
            if !definition && !term && name != "package.json" {
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            let document = Document::parse_bytes(bytes)
                .map_err(|e| InvalidPackage::File { file: path.clone(), reason: e.to_string() })?;
            if definition {
                definitions.push(document);
            } else if term {
                terms.push(document);
            } else {
                manifest = Some(document);
            }
        }
        let manifest = manifest.ok_or(InvalidPackage::NoManifest)?;
        let (name, version, dependencies) = read_manifest(&manifest)?;
        let profiles = Pack::of(definitions.iter().map(Document::root))?;
        Ok(Self { name, version, dependencies, profiles, terms })
    }

    /// The names of the packages it builds on that are not among `present`. What a node has built
    /// in, the core of R4, is never missing.
    pub fn missing<'p>(&'p self, present: &[&str]) -> Vec<&'p str> {
        let names = self.dependencies.iter().map(|(name, _)| name.as_str());
        names.filter(|name| *name != "hl7.fhir.r4.core" && !present.contains(name)).collect()
    }
}

type Manifest = (String, String, Vec<(String, String)>);

fn read_manifest(manifest: &Document) -> Result<Manifest, InvalidPackage> {
    let root = manifest.root();
    let text = |name| root.str_at(name).map(|text| text.into_owned());
    let (Some(name), Some(version)) = (text("name"), text("version")) else {
        return Err(InvalidPackage::NoManifest);
    };
    let made_for: Vec<_> = ["fhirVersions", "fhir-version-list"]
        .into_iter()
        .filter_map(|name| root.get(name))
        .flat_map(|list| list.items())
        .filter_map(|version| version.as_str())
        .collect();
    if !made_for.is_empty() && !made_for.iter().any(|version| version.starts_with("4.0")) {
        return Err(InvalidPackage::OtherVersion(made_for.join(", ")));
    }
    let dependencies = root
        .get("dependencies")
        .into_iter()
        .flat_map(|list| list.members())
        .map(|one| (one.name().into_owned(), one.value.as_str().unwrap_or_default().into_owned()))
        .collect();
    Ok((name, version, dependencies))
}
