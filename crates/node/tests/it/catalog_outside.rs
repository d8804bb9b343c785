//! What a node serves of its catalogue, before the validators of others, where they are installed: the
//! variables are those of `crates/catalog/tests/formats/outside.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use app::catalog::network::look;
use identity::Role;
use serde_json::{Value, json};

use crate::catalog::{documents, hospitals};
use crate::hospitals::run;

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

fn folder(variable: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_dir());
    if named.is_none() {
        eprintln!("skipped: documents before outside validators, for {variable} names no folder");
    }
    named
}

fn check(command: &mut Command, what: &str) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{what}\n{}", String::from_utf8_lossy(&text));
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn validators_of_others_take_what_a_node_serves() {
    let (Some(programs), Some(shapes), Some(schemas)) =
        (folder("CONSILIUM_PYTHON"), folder("CONSILIUM_SHACL"), folder("CONSILIUM_BEACON"))
    else {
        return;
    };
    let (documents, answers) = run(async {
        let hospitals = hospitals(&[]).await;
        look(&hospitals.all[1].app).await;
        let client = hospitals.all[1].signed_in(Role::Researcher).await;
        let mut answers: Vec<(&str, Value)> = Vec::new();
        let asked = "/beacon/individuals?filters=NCIT:C41161&requestedGranularity=";
        let boolean = client.get(&format!("{asked}boolean")).await.expect(200).json();
        answers.push(("responses/beaconBooleanResponse.json", boolean));
        let count = client.get(&format!("{asked}count")).await.expect(200).json();
        answers.push(("responses/beaconCountResponse.json", count));
        let refused = client.get("/beacon/individuals?limit=x").await.expect(400).json();
        answers.push(("responses/beaconErrorResponse.json", refused));
        let documents = documents(&client).await;
        hospitals.stop().await;
        (documents, answers)
    });
    let space = tempfile::tempdir().unwrap();
    let of = |path: &str| documents.iter().find(|(known, _)| *known == path).unwrap().1.as_str();
    let turtle = written(space.path(), "catalog.ttl", of("/research/catalog.ttl"));
    let json_ld = written(space.path(), "catalog.jsonld", of("/research/catalog.jsonld"));
    let mut tried = 0;
    for entry in std::fs::read_dir(shapes).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().replace('_', "-");
        // The data sets of a node are nobody's but through a permit: shapes of other access rights do not
        // speak of them.
        let is_other = name.ends_with("restricted") || name.ends_with("public");
        let is_shapes = path.extension().is_some_and(|extension| extension == "ttl");
        if !is_shapes || (is_other && !name.ends_with("non-public")) {
            continue;
        }
        for (data, format) in [(&turtle, "turtle"), (&json_ld, "json-ld")] {
            let mut command = Command::new(programs.join("pyshacl"));
            command.args(["-df", format, "-s"]).arg(&path).arg(data);
            check(&mut command, &format!("{} {format}", path.display()));
            tried += 1;
        }
    }
    assert!(tried > 0, "the folder has no shapes");
    let text = of("/research/catalog/trial/croissant.json");
    let data = written(space.path(), "croissant.json", text);
    let mut command = Command::new(programs.join("mlcroissant"));
    check(command.args(["validate", "--jsonld"]).arg(data), "croissant");
    for (path, schema) in [
        ("/beacon", "responses/beaconInfoResponse.json"),
        ("/beacon/info", "responses/beaconInfoResponse.json"),
        ("/beacon/service-info", "responses/ga4gh-service-info-1-0-0-schema.json"),
        ("/beacon/configuration", "responses/beaconConfigurationResponse.json"),
        ("/beacon/map", "responses/beaconMapResponse.json"),
        ("/beacon/entry_types", "responses/beaconEntryTypesResponse.json"),
        ("/beacon/filtering_terms", "responses/beaconFilteringTermsResponse.json"),
        ("/beacon/datasets", "responses/beaconCollectionsResponse.json"),
        ("/beacon/datasets/trial", "responses/beaconCollectionsResponse.json"),
    ] {
        let body: Value = serde_json::from_str(of(path)).unwrap();
        assert_ne!(body, json!({}));
        conforms(&programs, &schemas, schema, &body, space.path());
    }
    for (schema, body) in &answers {
        conforms(&programs, &schemas, schema, body, space.path());
    }
    eprintln!("{tried} pairs of document and shapes, Croissant and 12 bodies of the Beacon hold");
}

fn conforms(programs: &Path, schemas: &Path, schema: &str, body: &Value, space: &Path) {
    let data = written(space, "body.json", &body.to_string());
    let mut command = Command::new(programs.join("python"));
    command.args(["-c", CHECK_JSON]).arg(schemas).arg(schema).arg(data);
    check(&mut command, &format!("{schema} {body:#}"));
}

/// Files of a crate are one, where the validator is installed.
pub fn is_a_crate(files: &[(String, Vec<u8>)]) {
    let Some(programs) = folder("CONSILIUM_PYTHON") else { return };
    let space = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = space.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let mut command = Command::new(programs.join("rocrate-validator"));
    command.args(["-y", "validate", "--no-paging", "-l", "required", "-p", "ro-crate-1.2"]);
    check(command.arg(space.path()), "RO-Crate");
    eprintln!("rocrate-validator: a released answer is a crate");
}
