//! The validators of others, where `cargo xtask check-catalog` has laid them: pyshacl with shapes in Turtle,
//! mlcroissant, the JSON schemas of Beacon v2, and the validator of RO-Crates. Tests of this crate check
//! what its engines write, and those of nodes what nodes serve.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The folder of programs, `bin` of a virtual environment.
const PROGRAMS: &str = "CONSILIUM_PYTHON";
/// A folder of shapes. A file that is for one access right ends in it: `release-8-non-public.ttl`.
const SHAPES: &str = "CONSILIUM_SHACL";
/// A folder with `framework/json` and `models/json` of Beacon v2.
const SCHEMAS: &str = "CONSILIUM_BEACON";

/// Where Beacon's framework has the schemas of answers.
const ANSWERS: &str = "framework/json/responses";
/// Where Beacon's default model has the schema of a data set.
const OF_DATASET: &str = "models/json/beacon-v2-default-model/datasets/defaultSchema.json";

/// Checks one instance against one schema of a folder; references lead to files of it. The default model names one
/// file that only the framework has.
const CHECK_JSON: &str = "
import json, pathlib, sys
import jsonschema, referencing, referencing.jsonschema
folder, schema, instance = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3]
def fetch(uri):
    path = uri.removeprefix('file://')
    for part in ('/framework/json/', '/models/json/'):
        if path.startswith('http') and part in path:
            path = str(folder / part.strip('/') / path.split(part)[1])
    path = pathlib.Path(path)
    if not path.exists() and path.parent.name == 'common':
        path = folder / 'framework/json/common' / path.name
    return referencing.Resource(contents=json.load(open(path)), specification=referencing.jsonschema.DRAFT202012)
registry = referencing.Registry(retrieve=fetch)
validator = jsonschema.Draft202012Validator({'$ref': 'file://' + str(folder / schema)}, registry=registry)
faults = [f'{list(e.path)}: {e.message}' for e in validator.iter_errors(json.load(open(instance)))]
print('\\n'.join(faults))
sys.exit(1 if faults else 0)
";

/// What is installed.
pub struct Validators {
    programs: PathBuf,
    space: tempfile::TempDir,
}

impl Validators {
    /// What is installed, or nothing.
    pub fn find() -> Option<Self> {
        let programs = folder(PROGRAMS)?;
        Some(Self { programs, space: tempfile::tempdir().unwrap() })
    }

    /// What is installed, for a test that is about nothing else.
    pub fn installed() -> Self {
        Self::find().ok_or("run `cargo xtask check-catalog`, which installs them").unwrap()
    }

    fn written(&self, name: &str, text: &str) -> PathBuf {
        let path = self.space.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs a program, and stops with its words where it finds a fault.
    fn run(&self, what: &str, program: &str, arguments: &[&Path]) {
        let output = Command::new(self.programs.join(program)).args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{what}\n{}", String::from_utf8_lossy(&text));
    }

    /// A catalogue whose data sets all have one of these access rights, in words of file names, holds the shapes
    /// that are for them, in Turtle and in JSON-LD.
    pub fn shapes(&self, what: &str, access: &str, turtle: &str, json_ld: &str) {
        let Some(shapes) = folder(SHAPES) else {
            return eprintln!("skipped: {what}: no shapes");
        };
        let documents = [
            (self.written("catalogue.ttl", turtle), "turtle"),
            (self.written("catalogue.jsonld", json_ld), "json-ld"),
        ];
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(shapes).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "ttl"));
        files.sort();
        assert!(!files.is_empty(), "the folder has no shapes");
        for path in files {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if of_access(&name).is_some_and(|of| of != access) {
                continue;
            }
            for (data, format) in &documents {
                let said = format!("{what} ({access}, {format}): {name}");
                let (written, shapes) = (Path::new(*format), Path::new("-s"));
                let arguments = [Path::new("-df"), written, shapes, path.as_path(), data.as_path()];
                self.run(&said, "pyshacl", &arguments);
                eprintln!("holds: {said}");
            }
        }
    }

    /// mlcroissant reads it.
    pub fn croissant(&self, what: &str, text: &str) {
        let data = self.written("croissant.json", text);
        let arguments = [Path::new("validate"), Path::new("--jsonld"), data.as_path()];
        self.run(what, "mlcroissant", &arguments);
        eprintln!("holds: {what}: mlcroissant");
    }

    /// An answer of a Beacon holds its schema, and every data set in it that of the default model.
    pub fn beacon(&self, what: &str, schema: &str, body: &Value) {
        let Some(folder) = folder(SCHEMAS) else {
            return eprintln!("skipped: {what}: no schemas");
        };
        self.conforms(&folder, &format!("{ANSWERS}/{schema}.json"), body, what);
        for one in body["response"]["collections"].as_array().into_iter().flatten() {
            self.conforms(&folder, OF_DATASET, one, what);
        }
        eprintln!("holds: {what}: {schema}");
    }

    fn conforms(&self, folder: &Path, schema: &str, body: &Value, what: &str) {
        let data = self.written("body.json", &body.to_string());
        let program = Path::new(CHECK_JSON);
        let arguments = [Path::new("-c"), program, folder, Path::new(schema), data.as_path()];
        self.run(&format!("{what}: {schema}\n{body:#}"), "python", &arguments);
    }

    /// Files are an RO-Crate.
    pub fn is_crate(&self, what: &str, files: &[(String, Vec<u8>)]) {
        let space = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = space.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let words = ["-y", "validate", "--no-paging", "-l", "required", "-p", "ro-crate-1.2"];
        let mut arguments = words.map(Path::new).to_vec();
        arguments.push(space.path());
        self.run(what, "rocrate-validator", &arguments);
        eprintln!("holds: {what}: rocrate-validator");
    }
}

/// The access right that a file of shapes is for; `None` for those of every data set.
fn of_access(name: &str) -> Option<&'static str> {
    // The longest comes first, for one ends in another.
    ["non-public", "restricted", "public"].into_iter().find(|access| name.ends_with(*access))
}

/// The folder that a variable names.
fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_dir())
}
