//! `cargo xtask codegen`: the published FHIR R4 package → `crates/fhir/definitions/r4.pack.zst` and
//! `crates/validation/definitions/r4.pack.zst`.
//!
//! The second holds profiles and extensions; `crates/validation/src/pack.rs` says how. The first
//! is one JSON object, minified and compressed with zstd. It holds what the program
//! reads and nothing else; `crates/fhir/src/definitions` says what each member means. New members
//! may be added without harm to readers that do not know them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::{Outcome, root, terminology};

const PACKAGE: &str = "definitions/hl7.fhir.r4.core.tgz";
const PACK: &str = "crates/fhir/definitions/r4.pack.zst";
const PROFILES: &str = "crates/validation/definitions/r4.pack.zst";
const LEVEL: i32 = 19;
const FHIR_TYPE: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
const REGEX: &str = "http://hl7.org/fhir/StructureDefinition/regex";
const DEFINITION: &str = "http://hl7.org/fhir/StructureDefinition/";

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// Writes nothing; fails when the committed pack is not what would be written
    #[arg(long)]
    pub check: bool,
}

/// Reads the package from the shared folder and writes or checks the pack.
pub fn run(arguments: &Arguments) -> Outcome {
    let source = source();
    let bytes = std::fs::read(&source).map_err(|error| {
        let source = source.display();
        format!("cannot read `{source}`: {error}; set CONSILIUM_SHARED to the shared folder")
    })?;
    let mut text = serde_json::to_vec(&pack(bytes.as_slice())?)?;
    text.push(b'\n');
    let profiles = validation::Package::read(&bytes)?.profiles;
    let terms = terminology::pack(bytes.as_slice())?;
    deliver(arguments, PACK, &text)?;
    deliver(arguments, PROFILES, profiles.text().as_bytes())?;
    if arguments.check {
        terminology::compare(&std::fs::read(root().join(terminology::PACK))?, &terms)?;
        eprintln!("`{}` is up to date", terminology::PACK);
    } else {
        std::fs::write(root().join(terminology::PACK), &terms)?;
        eprintln!("`{}`: {} bytes", terminology::PACK, terms.len());
    }
    Ok(())
}

/// Writes a pack, or checks that what is committed is the same.
fn deliver(arguments: &Arguments, pack: &str, text: &[u8]) -> Outcome {
    let target = root().join(pack);
    if arguments.check {
        let committed = File::open(&target)
            .and_then(zstd::decode_all)
            .map_err(|error| format!("cannot read `{pack}`: {error}"))?;
        if committed != text {
            return Err(format!("`{pack}` is out of date; run `cargo xtask codegen`").into());
        }
        eprintln!("`{pack}` is up to date");
        return Ok(());
    }
    let packed = zstd::encode_all(text, LEVEL)?;
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&target, &packed)?;
    eprintln!("`{pack}`: {} bytes, {} unpacked", packed.len(), text.len());
    Ok(())
}

/// Whether the published package is there to read.
pub fn available() -> bool {
    source().exists()
}

/// Where the published package is expected.
fn source() -> PathBuf {
    let shared = std::env::var_os("CONSILIUM_SHARED").map(PathBuf::from);
    shared.unwrap_or_else(|| root().join("../shared")).join(PACKAGE)
}

/// The whole pack, in an order that depends only on the package's content.
fn pack(package: impl Read) -> Result<Value, Box<dyn std::error::Error>> {
    let mut types = BTreeMap::new();
    let mut parameters = BTreeMap::new();
    let mut compartments = BTreeMap::new();
    let mut constraints = Constraints::default();
    let mut version = Value::Null;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(package));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let Some(name) = path.strip_prefix("package/") else { continue };
        let wanted = ["StructureDefinition-", "SearchParameter-", "CompartmentDefinition-"]
            .iter()
            .any(|kind| name.starts_with(kind))
            || name == "package.json";
        if !wanted {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        let resource: Value =
            serde_json::from_slice(&bytes).map_err(|error| format!("`{path}`: {error}"))?;
        let url = text(&resource, "url").to_owned();
        match text(&resource, "resourceType") {
            "StructureDefinition" if is_type(&resource) => {
                types.insert(text(&resource, "name").to_owned(), resource);
            }
            "SearchParameter" => {
                parameters.insert(url, search_parameter(&resource));
            }
            // One published compartment is only an example.
            "CompartmentDefinition" if !name.contains("example") => {
                compartments.insert(url, compartment(&resource));
            }
            _ if name == "package.json" => version = resource["version"].clone(),
            _ => {}
        }
    }
    let types: Vec<_> = types.values().map(|t| structure(t, &mut constraints)).collect();
    Ok(json!({
        "fhirVersion": version,
        "constraints": constraints.list,
        "types": types,
        "searchParameters": parameters.into_values().collect::<Vec<_>>(),
        "compartments": compartments.into_values().collect::<Vec<_>>(),
    }))
}

/// Resources, complex types and primitives; neither profiles and extensions nor logical models.
fn is_type(definition: &Value) -> bool {
    matches!(text(definition, "kind"), "resource" | "complex-type" | "primitive-type")
        && text(definition, "derivation") != "constraint"
}

/// Constraints are the same on thousands of elements; each is stored once.
#[derive(Default)]
struct Constraints {
    list: Vec<Value>,
    index: BTreeMap<String, usize>,
}

impl Constraints {
    fn number(&mut self, constraint: &Value) -> usize {
        let row = json!([
            constraint["key"],
            constraint["severity"],
            constraint["human"],
            constraint["expression"],
        ]);
        *self.index.entry(row.to_string()).or_insert_with(|| {
            self.list.push(row);
            self.list.len() - 1
        })
    }
}

fn structure(definition: &Value, constraints: &mut Constraints) -> Value {
    let resource = text(definition, "kind") == "resource";
    let elements = list(&definition["snapshot"], "element");
    json!({
        "name": definition["name"],
        "url": definition["url"],
        "kind": definition["kind"],
        "abstract": definition["abstract"],
        "base": text(definition, "baseDefinition").strip_prefix(DEFINITION),
        "elements": elements.iter().map(|e| element(e, resource, constraints)).collect::<Vec<_>>(),
    })
}

fn element(element: &Value, of_resource: bool, constraints: &mut Constraints) -> Value {
    let path = text(element, "path");
    // The published snapshots call the id of a resource a string; its type is `id`.
    let resource_id = of_resource && path.matches('.').count() == 1 && path.ends_with(".id");
    let mut out = Map::new();
    out.insert("path".into(), path.into());
    out.insert("min".into(), element["min"].clone());
    out.insert("max".into(), element["max"].clone());
    let types: Vec<_> =
        list(element, "type").iter().map(|t| type_reference(t, path, resource_id)).collect();
    if !types.is_empty() {
        out.insert("types".into(), types.into());
    }
    if let Some(content) = element["contentReference"].as_str() {
        out.insert("content".into(), content.trim_start_matches('#').into());
    }
    if let Some(value_set) = element["binding"]["valueSet"].as_str() {
        let strength = &element["binding"]["strength"];
        out.insert("binding".into(), json!({"strength": strength, "valueSet": value_set}));
    }
    let held: Vec<_> = list(element, "constraint").iter().map(|c| constraints.number(c)).collect();
    if !held.is_empty() {
        out.insert("constraints".into(), held.into());
    }
    for (member, name) in [("isModifier", "modifier"), ("isSummary", "summary")] {
        if element[member] == true {
            out.insert(name.into(), true.into());
        }
    }
    Value::Object(out)
}

/// A type with the names of permitted targets and profiles. Where the published code is a type of
/// FHIRPath, the FHIR type beside it counts, except inside primitives, whose value has no other.
fn type_reference(reference: &Value, path: &str, resource_id: bool) -> Value {
    let extension =
        |url: &str| list(reference, "extension").iter().find(|extension| extension["url"] == url);
    let code = text(reference, "code");
    let primitive_value = path.split('.').count() == 2
        && path.ends_with(".value")
        && path.starts_with(char::is_lowercase);
    let mut out = Map::new();
    let name = match extension(FHIR_TYPE) {
        _ if resource_id => "id",
        Some(fhir_type) if !primitive_value => text(fhir_type, "valueUrl"),
        None if path == "xhtml.id" => "string",
        _ => code.strip_prefix("http://hl7.org/fhirpath/").unwrap_or(code),
    };
    out.insert("code".into(), name.into());
    if let Some(regex) = extension(REGEX) {
        out.insert("regex".into(), regex["valueString"].clone());
    }
    for (member, short) in [("targetProfile", "targets"), ("profile", "profiles")] {
        let profiles: Vec<_> = list(reference, member)
            .iter()
            .filter_map(|profile| profile.as_str())
            .map(|profile| Value::from(profile.strip_prefix(DEFINITION).unwrap_or(profile)))
            .collect();
        if !profiles.is_empty() {
            out.insert(short.into(), profiles.into());
        }
    }
    Value::Object(out)
}

fn search_parameter(parameter: &Value) -> Value {
    let members = [
        "url",
        "code",
        "base",
        "type",
        "expression",
        "target",
        "comparator",
        "modifier",
        "multipleOr",
        "multipleAnd",
        "component",
    ];
    select(parameter, &members)
}

fn compartment(definition: &Value) -> Value {
    let resources: Map<_, _> = list(definition, "resource")
        .iter()
        .map(|resource| (text(resource, "code").to_owned(), list(resource, "param").into()))
        .collect();
    json!({"code": definition["code"], "url": definition["url"], "resources": resources})
}

fn select(object: &Value, members: &[&str]) -> Value {
    let held = members.iter().filter_map(|&m| object.get(m).map(|v| (m.to_owned(), v.clone())));
    Value::Object(held.collect())
}

fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object[member].as_str().unwrap_or_default()
}

fn list<'a>(object: &'a Value, member: &str) -> &'a [Value] {
    object[member].as_array().map(Vec::as_slice).unwrap_or_default()
}
