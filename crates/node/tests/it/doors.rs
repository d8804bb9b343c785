//! The table of doors, `policies/doors.txt`: every way by which something may leave a node, read off
//! the sources, with the test that shows that nothing forbidden leaves by it, or with the reason why
//! nothing about a patient can. A door without a line fails this test, and so does a line without its
//! door, or whose test does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::hospitals::{run, shared};
use crate::routes::{routes, walk};

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A source file without its tests, which stand at its end.
fn source(path: &str) -> String {
    let text = std::fs::read_to_string(crates().join(path)).unwrap();
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// The variants of an enum, which must be there.
fn variants(text: &str, name: &str) -> Vec<String> {
    let body = text.split(&format!("enum {name} {{\n")).nth(1);
    let body = body.unwrap_or_else(|| panic!("no enum `{name}`"));
    let body = body.split("\n}").next().unwrap_or_default();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    let names: Vec<String> =
        names.map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect()).collect();
    assert!(!names.is_empty(), "`{name}` has no variants");
    names
}

/// The texts in quotation marks of a source.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

/// Every door that the sources and the node's own description tell of.
fn doors(description: &Value) -> BTreeSet<String> {
    let mut doors = BTreeSet::new();
    let written = routes();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            if ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
                let path = format!("/fhir{}", path.trim_start_matches("/fhir"));
                doors.insert(format!("route {method} {}", general(&written, &method, path)));
            }
        }
    }
    doors.extend(written.into_iter().map(|(method, path)| format!("route {method} {path}")));
    let socket = source("api/src/fhir/websocket.rs");
    let socket = socket.split("const PATH: &str = \"").nth(1).unwrap();
    doors.insert(format!("route GET {}", socket.split('"').next().unwrap()));
    let paths = source("wire/src/lib.rs");
    let paths: Vec<&str> = quoted(&paths).filter(|text| text.starts_with("/network/")).collect();
    assert!(paths.len() > 10, "the messages between nodes are read off the sources: {paths:?}");
    doors.extend(paths.into_iter().map(|path| format!("message {path}")));
    for (kind, path, name) in [
        ("parameter", "fhirpath/src/search/mod.rs", "ParamType"),
        ("form", "api/src/fhir/media.rs", "Form"),
        ("table", "app/src/views/rows.rs", "Format"),
        ("export", "app/src/bulk/request.rs", "Format"),
        ("export", "app/src/bulk/request.rs", "Level"),
        ("delivery", "wire/src/deliver.rs", "DeliveryKind"),
        ("notice", "wire/src/notice.rs", "Notice"),
        ("channel", "app/src/notify/definition.rs", "Channel"),
        ("content", "app/src/notify/definition.rs", "Content"),
    ] {
        doors.extend(variants(&source(path), name).into_iter().map(|one| format!("{kind} {one}")));
    }
    let query = source("store/src/query/parse.rs") + &source("store/src/query/filter.rs");
    let names = quoted(&query).filter(|text| {
        text.len() > 2 && text.starts_with('_') && !text.contains(|c: char| " {`=".contains(c))
    });
    doors.extend(names.map(|name| format!("parameter {}", name.trim_end_matches(':'))));
    let modifiers = source("store/src/query/modifiers.rs") + &source("store/src/query/filter.rs");
    for list in modifiers.split("Some(").skip(1) {
        let list = list.split(')').next().unwrap_or_default();
        let words =
            quoted(list).filter(|word| word.chars().all(|c| c.is_alphanumeric() || c == '-'));
        doors.extend(words.map(|word| format!("modifier :{word}")));
    }
    doors.extend(commands());
    doors
}

/// A described path as it is routed: for all types where it is, and those in compartments as one.
fn general(written: &BTreeSet<(String, String)>, method: &str, path: String) -> String {
    let is_type = |part: &str| fhir::resource_type(part).is_some();
    let parts: Vec<&str> = path.split('/').collect();
    if let ["", "fhir", compartment, "{id}", kind, rest @ ..] = parts.as_slice()
        && is_type(compartment)
        && (is_type(kind) || *kind == "*")
    {
        let rest = rest.iter().map(|part| format!("/{part}")).collect::<String>();
        return format!("/fhir/{{compartment}}/{{id}}/{{type}}{rest}");
    }
    let parts = parts.iter().map(|part| if is_type(part) { "{type}" } else { *part });
    let of_all = parts.collect::<Vec<_>>().join("/");
    match written.contains(&(method.to_owned(), of_all.clone())) {
        true => of_all,
        false => path,
    }
}

/// What can be asked of the program at a terminal.
fn commands() -> Vec<String> {
    let mut files = Vec::new();
    walk(&crates().join("node/src"), &mut files);
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let folder = file.parent().and_then(Path::file_name).unwrap().to_string_lossy();
        let stem = file.file_stem().unwrap().to_string_lossy();
        let stem = if folder == "src" { stem.into_owned() } else { folder.into_owned() };
        for part in text.split("Subcommand)]\n").skip(1) {
            let name = part.split("enum ").nth(1).unwrap().split(' ').next().unwrap();
            let group = match name {
                "Task" => format!("{stem} "),
                "Command" => String::new(),
                name => format!("{} ", name.trim_end_matches("Task").to_lowercase()),
            };
            let tasks = variants(part, name).into_iter().map(|task| task.to_lowercase());
            found.extend(tasks.map(|task| format!("command {group}{task}")));
        }
    }
    found
}

/// The lines of the table: each door, and what is said of it.
fn table() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(crates().join("../policies/doors.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut table = BTreeMap::new();
    for line in lines {
        let at = [" leaks: ", " it: ", " none: "].iter().filter_map(|word| line.find(word)).min();
        let at = at.unwrap_or_else(|| panic!("`{line}` names neither a test nor a reason"));
        let (door, said) = line.split_at(at);
        let door = door.split_whitespace().collect::<Vec<_>>().join(" ");
        let before = table.insert(door.clone(), said.trim().to_owned());
        assert!(before.is_none(), "`{door}` has two lines");
    }
    table
}

#[test]
fn every_door_has_its_test_or_a_reason() {
    run(async {
        let stranger = shared().await.all[0].stranger();
        let description = stranger.get("/fhir/openapi.json").await.expect(200).json();
        let (doors, table) = (doors(&description), table());
        let listed: BTreeSet<String> = table.keys().cloned().collect();
        let without: Vec<&String> = doors.difference(&listed).collect();
        assert!(without.is_empty(), "doors without a line in policies/doors.txt: {without:#?}");
        let gone: Vec<&String> = listed.difference(&doors).collect();
        assert!(gone.is_empty(), "lines of policies/doors.txt whose door is gone: {gone:#?}");
        for (door, said) in &table {
            let (kind, rest) = said.split_once(": ").unwrap();
            match kind {
                // That each of these is tried is what the leak test itself asserts.
                "leaks" => assert!(!rest.is_empty(), "{door}"),
                "it" => rest.split(", ").for_each(|test| exists(door, test)),
                _ => assert!(
                    rest.split_whitespace().count() >= 3,
                    "`{door}`: a reason is a sentence"
                ),
            }
        }
    });
}

/// A test is named `module::function`.
fn exists(door: &str, test: &str) {
    let (module, function) = test.split_once("::").unwrap_or_else(|| panic!("{door}: `{test}`"));
    let file = format!("node/tests/it/{module}.rs");
    let text = std::fs::read_to_string(crates().join(&file));
    let text = text.unwrap_or_else(|_| panic!("{door}: no `{file}`"));
    let test = format!("#[test]\nfn {function}()");
    assert!(text.contains(&test), "{door}: no test `{function}` in `{file}`");
}
