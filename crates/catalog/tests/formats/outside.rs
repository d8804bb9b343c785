//! The same documents before the validators of others, where they are installed.
//!
//! `CONSILIUM_PYTHON` names the folder of programs (`bin` of a virtual environment with pyshacl,
//! mlcroissant, roc-validator and jsonschema), `CONSILIUM_SHACL` a folder of shapes in Turtle (a file
//! that is for one access right ends in it: `release-non-public.ttl`),
//! `CONSILIUM_BEACON` the folder `framework/json` of Beacon v2. Without them the tests say that they are
//! skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use consilium_catalog::description::Access;
use consilium_catalog::{Dataset, croissant, health_dcat, packed};

use super::described::{catalogue, iri, lung};

/// Checks one instance against one schema of a folder; references within the folder lead to files.
const CHECK_JSON: &str = "
import json, pathlib, sys
import jsonschema, referencing, referencing.jsonschema
folder, schema, instance = sys.argv[1:4]
def fetch(uri):
    path = uri.removeprefix('file://')
    if path.startswith('http'):
        path = str(pathlib.Path(folder) / path.split('/framework/json/')[1])
    return referencing.Resource(contents=json.load(open(path)), specification=referencing.jsonschema.DRAFT202012)
registry = referencing.Registry(retrieve=fetch)
uri = 'file://' + str(pathlib.Path(folder).resolve() / schema)
validator = jsonschema.Draft202012Validator({'$ref': uri}, registry=registry)
faults = [f'{list(e.path)}: {e.message}' for e in validator.iter_errors(json.load(open(instance)))]
print('\\n'.join(faults))
sys.exit(1 if faults else 0)
";

/// The folder that a variable names, or a sentence that the test is skipped.
fn folder(variable: &str, test: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_dir());
    if named.is_none() {
        eprintln!("skipped: {test}, for {variable} names no folder");
    }
    named
}

fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn shapes_of_others_hold() {
    let Some(shapes) = folder("CONSILIUM_SHACL", "SHACL") else { return };
    let Some(programs) = folder("CONSILIUM_PYTHON", "SHACL") else { return };
    let space = tempfile::tempdir().unwrap();
    let mut tried = 0;
    for entry in std::fs::read_dir(shapes).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "ttl") {
            continue;
        }
        // Shapes of one access right are for data sets of it alone.
        let name = path.file_stem().unwrap().to_string_lossy().replace('_', "-");
        let access = match name.as_str() {
            name if name.ends_with("non-public") => vec![Access::NonPublic],
            name if name.ends_with("restricted") => vec![Access::Restricted],
            name if name.ends_with("public") => vec![Access::Public],
            _ => vec![Access::Public, Access::Restricted, Access::NonPublic],
        };
        let mut whole = catalogue();
        whole.datasets = access.into_iter().map(of_access).collect();
        let data = written(space.path(), "catalogue.ttl", &health_dcat::graph(&whole).turtle());
        let json = health_dcat::graph(&whole).json_ld().to_string();
        let json = written(space.path(), "catalogue.jsonld", &json);
        for (data, format) in [(data, "turtle"), (json, "json-ld")] {
            let mut command = Command::new(programs.join("pyshacl"));
            let (is_good, text) = run(command.args(["-df", format, "-s"]).arg(&path).arg(&data));
            assert!(is_good, "{} {format}\n{text}", path.display());
            tried += 1;
        }
    }
    assert!(tried > 0, "the folder has no shapes");
    eprintln!("SHACL: {tried} pairs of document and shapes hold");
}

fn of_access(access: Access) -> Dataset {
    let place = iri(&format!("https://zurich.example.org/catalog/{access:?}"));
    Dataset { iri: place, access, ..lung() }
}

#[test]
fn croissant_of_others_reads_it() {
    let Some(programs) = folder("CONSILIUM_PYTHON", "Croissant") else { return };
    let space = tempfile::tempdir().unwrap();
    let text = croissant::describe(&lung(), "en").to_string();
    let data = written(space.path(), "croissant.json", &text);
    let mut command = Command::new(programs.join("mlcroissant"));
    let (is_good, text) = run(command.args(["validate", "--jsonld"]).arg(&data));
    assert!(is_good, "{text}");
    eprintln!("mlcroissant: {text}");
}

#[test]
fn schemas_of_beacon_hold() {
    let Some(schemas) = folder("CONSILIUM_BEACON", "Beacon") else { return };
    let Some(programs) = folder("CONSILIUM_PYTHON", "Beacon") else { return };
    let space = tempfile::tempdir().unwrap();
    let bodies = super::beacon::bodies();
    for (place, (schema, body)) in bodies.iter().enumerate() {
        let data = written(space.path(), &format!("{place}.json"), &body.to_string());
        let mut command = Command::new(programs.join("python"));
        let (is_good, text) =
            run(command.args(["-c", CHECK_JSON]).arg(&schemas).arg(schema).arg(&data));
        assert!(is_good, "{schema}\n{text}\n{body:#}");
    }
    eprintln!("Beacon: {} bodies hold their schemas", bodies.len());
}

#[test]
fn crates_of_others_are_such() {
    let Some(programs) = folder("CONSILIUM_PYTHON", "RO-Crate") else { return };
    for (name, metadata) in [
        ("request", packed::request(&super::packed::asked())),
        ("result", packed::result(&super::packed::answered())),
    ] {
        let space = tempfile::tempdir().unwrap();
        written(space.path(), packed::metadata_name(), &metadata.to_string());
        std::fs::create_dir(space.path().join("outputs")).unwrap();
        for file in ["question.json", "outputs/answer.json", "outputs/table.csv"] {
            written(space.path(), file, "{}");
        }
        let mut command = Command::new(programs.join("rocrate-validator"));
        command.args(["-y", "validate", "--no-paging", "-l", "required", "-p", "ro-crate-1.2"]);
        let (is_good, text) = run(command.arg(space.path()));
        assert!(is_good, "{name}\n{text}");
        eprintln!("rocrate-validator: {name} is one");
    }
}
