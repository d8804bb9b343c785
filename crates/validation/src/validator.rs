//! The door of the crate: definitions, profiles by address, and one walk for each call.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;

use fhir::Value;
use fhir::definitions::{Type, definitions};
use fhirpath::{Codes, Node};

use crate::issue::Issue;
use crate::pack::{InvalidPack, Pack};
use crate::package::Package;
use crate::profile::Profile;
use crate::shape::Shape;
use crate::walk::{Conformance, Run};

static PACK: &[u8] = include_bytes!("../definitions/r4.pack.zst");

/// The most errors, and the most other findings, that are listed for one instance.
pub const MAX_ISSUES: usize = 1_000;

/// How much is checked. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Off,
    /// Elements that R4 has, of the right JSON type, in the right format, not empty.
    Structure,
    /// All rules of R4 itself: numbers, bindings, rules in FHIRPath, references, extensions.
    Base,
    /// The profiles that an instance claims in `meta.profile` too.
    Profiles,
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "off" => Self::Off,
            "structure" => Self::Structure,
            "base" => Self::Base,
            "profiles" => Self::Profiles,
            _ => return Err(format!("`{text}` is none of `off`, `structure`, `base`, `profiles`")),
        })
    }
}

/// How a call validates.
#[derive(Clone, Copy, Debug)]
pub struct Options<'o> {
    /// How much is checked.
    pub level: Level,
    /// Profiles to check besides those that the instance claims; may carry `|version`.
    pub profiles: &'o [String],
    /// Whether an unknown profile or modifier extension is an error.
    pub strict: bool,
    /// The present moment, in milliseconds since the Unix epoch, for rules that ask for it.
    pub now_ms: i64,
}

impl Options<'_> {
    /// Everything is checked that the instance itself asks for.
    pub fn new(now_ms: i64) -> Self {
        Self { level: Level::Profiles, profiles: &[], strict: false, now_ms }
    }
}

/// Published definitions and profiles, ready to validate. May be shared between threads.
pub struct Validator {
    packs: Vec<Rows>,
    by_url: BTreeMap<String, Held>,
    shapes: Vec<OnceLock<Shape>>,
}

struct Rows {
    pack: Pack,
    rules: OnceLock<Vec<[String; 4]>>,
}

/// A profile that is known: where its row is, and the tree once it was used.
struct Held {
    pack: usize,
    tree: OnceLock<Option<Profile>>,
}

impl Validator {
    /// A validator with the profiles and extensions published with R4, and those of `packages`.
    /// Where several have the same address the last counts.
    pub fn new(packages: &[Package]) -> Result<Self, InvalidPack> {
        let bytes = zstd::decode_all(PACK).map_err(|e| InvalidPack(e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|e| InvalidPack(e.to_string()))?;
        let own = std::iter::once(Pack::read(text)?);
        let packs = own.chain(packages.iter().map(|package| package.profiles.clone()));
        let packs: Vec<_> = packs.map(|pack| Rows { pack, rules: OnceLock::new() }).collect();
        let mut by_url = BTreeMap::new();
        for (at, rows) in packs.iter().enumerate() {
            for url in rows.pack.urls() {
                by_url.insert(url.to_owned(), Held { pack: at, tree: OnceLock::new() });
            }
        }
        let shapes = definitions().types().iter().map(|_| OnceLock::new()).collect();
        Ok(Self { packs, by_url, shapes })
    }

    /// The addresses of all profiles and extensions that are known, those of R4's own types aside.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.by_url.keys().map(String::as_str)
    }

    /// Whether a canonical address, with or without version, is a known profile or a type of R4.
    pub fn knows(&self, canonical: &str) -> bool {
        published(canonical).is_some() || self.profile(canonical).is_some()
    }

    /// Validates the resource at `value`, the root of a document or a part of one. Findings come
    /// in the order of the walk, at most [`MAX_ISSUES`] errors and as many others.
    pub fn validate(
        &self,
        value: Value<'_>,
        options: Options<'_>,
        codes: &dyn Codes,
    ) -> Vec<Issue> {
        let known = known_entries(value);
        if options.level == Level::Off {
            return Vec::new();
        }
        let asked = AtomicUsize::new(0);
        let conformance =
            Conformance { validator: self, codes, options, known: &known, depth: 0, asked: &asked };
        Run::new(&conformance).whole(value, options.profiles)
    }

    /// The profile with a canonical address; `None` also where only other versions are known.
    pub(crate) fn profile(&self, canonical: &str) -> Option<&Profile> {
        let (url, version) = match canonical.split_once('|') {
            Some((url, version)) => (url, Some(version)),
            None => (canonical, None),
        };
        let held = self.by_url.get(url)?;
        let rows = self.packs.get(held.pack)?;
        let tree = held.tree.get_or_init(|| {
            Profile::compile(rows.pack.row(url)?, rows.rules.get_or_init(|| rows.pack.rules()))
        });
        let same = |profile: &&Profile| match (version, &profile.version) {
            (Some(asked), Some(known)) => known == asked || known.starts_with(&format!("{asked}.")),
            _ => true,
        };
        tree.as_ref().filter(same)
    }

    /// The rules of a published type.
    pub(crate) fn shape(&self, type_of: &'static Type) -> Option<&Shape> {
        Some(self.shapes.get(type_of.id.index())?.get_or_init(|| Shape::new(type_of)))
    }
}

/// The published type that a canonical address stands for.
pub(crate) fn published(canonical: &str) -> Option<&'static Type> {
    let url = canonical.split('|').next()?;
    definitions().get(url.strip_prefix("http://hl7.org/fhir/StructureDefinition/")?)
}

/// The resources of a Bundle by what refers to them: `fullUrl`, and `Type/id` where the address
/// ends so.
fn known_entries(value: Value<'_>) -> HashMap<String, Node<'_>> {
    let mut known = HashMap::new();
    if !value.get("resourceType").is_some_and(|kind| kind.is_str("Bundle")) {
        return known;
    }
    for entry in value.get("entry").into_iter().flat_map(|list| list.items()) {
        let Some(node) = entry.get("resource").and_then(Node::resource) else { continue };
        let own = node.value().and_then(|value| value.str_at("id"));
        let relative = own.map(|id| format!("{}/{id}", node.type_of().name));
        let full = entry.str_at("fullUrl").map(|url| url.into_owned());
        let fits = |relative: &String| {
            full.as_ref()
                .is_none_or(|full| full.starts_with("urn:") || full.ends_with(relative.as_str()))
        };
        if let Some(relative) = relative.filter(fits) {
            known.entry(relative).or_insert(node);
        }
        if let Some(full) = full {
            known.entry(full).or_insert(node);
        }
    }
    known
}
