//! SQL on FHIR v2: the published cases of ViewDefinitions, rows compared as multisets.

use std::ops::ControlFlow;
use std::path::Path;

use fhir::{Document, Resource};
use fhirpath::views::View;
use serde_json::{Map, Value, json};

use super::Suite;

/// Runs every case of the files in `folder`.
pub fn run(folder: &Path) -> Result<Suite, String> {
    let mut suite = Suite::new("SQL on FHIR", &[]);
    let read = |path: &Path| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let files = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> = files.flatten().map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "json"));
    files.sort();
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let cases: Value =
            serde_json::from_slice(&read(&path)?).map_err(|e| format!("{name}: {e}"))?;
        let resources = cases["resources"].as_array().into_iter().flatten();
        let resources = resources
            .map(|resource| {
                Resource::parse(resource.to_string()).map_err(|e| format!("{name}: {e}"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        for case in cases["tests"].as_array().into_iter().flatten() {
            let title = case["title"].as_str().unwrap_or_default();
            suite.count(&format!("{name}: {title}"), check(case, &resources));
        }
    }
    Ok(suite)
}

fn check(case: &Value, resources: &[Resource]) -> Result<(), String> {
    let found = table(&case["view"], resources);
    if case["expectError"] == json!(true) {
        return match found {
            Err(_) => Ok(()),
            Ok((_, rows)) => Err(format!("{rows:?} instead of an error")),
        };
    }
    let (columns, mut rows) = found?;
    let mut expected = case["expect"].as_array().cloned().ok_or("the case expects nothing")?;
    for list in [&mut rows, &mut expected] {
        list.iter_mut().for_each(normalise);
        list.sort_by_key(Value::to_string);
    }
    if rows != expected {
        return Err(format!("{} and not {}", json!(rows), json!(expected)));
    }
    match case.get("expectColumns") {
        Some(expected) if *expected != json!(columns) => Err(format!("columns {columns:?}")),
        _ => Ok(()),
    }
}

/// Numbers are compared by value, members of a row in any order.
fn normalise(value: &mut Value) {
    match value {
        Value::Number(number) => *value = json!(number.as_f64()),
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(members) => {
            let mut sorted: Vec<_> = std::mem::take(members).into_iter().collect();
            sorted.sort_by(|one, other| one.0.cmp(&other.0));
            *members = Map::from_iter(sorted);
            members.values_mut().for_each(normalise);
        }
        _ => {}
    }
}

/// Columns and rows of a view over resources, or why there are none.
pub fn table(view: &Value, resources: &[Resource]) -> Result<(Vec<String>, Vec<Value>), String> {
    let document = Document::parse(view.to_string()).map_err(|e| e.to_string())?;
    let view = View::compile(document.root()).map_err(|error| error.to_string())?;
    let names = view.json_names();
    let mut lines = Vec::new();
    for resource in resources {
        view.rows(resource, 0, &mut |row| {
            let mut text = String::new();
            View::write_row(&names, row, &mut text);
            lines.push(text);
            ControlFlow::Continue(())
        })
        .map_err(|error| error.to_string())?;
    }
    let rows = lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>();
    let columns = view.columns().iter().map(|column| column.name.clone()).collect();
    Ok((columns, rows.map_err(|error| error.to_string())?))
}
