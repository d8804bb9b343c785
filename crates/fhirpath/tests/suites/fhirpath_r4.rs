//! The outside FHIRPath suite for FHIR R4, run whole.

use std::collections::HashMap;
use std::path::Path;

use fhir::Resource;
use fhirpath::{Env, Expr, Item};
use roxmltree::Node as Xml;

use super::Suite;

/// Some moment; the suite compares `now()` only with dates long past.
const NOW_MS: i64 = 1_767_225_600_000;

/// Runs all cases of the file in `folder`.
pub fn run(folder: &Path) -> Result<Suite, String> {
    let path = folder.join("tests-fhir-r4.xml");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let cases = roxmltree::Document::parse(&text).map_err(|e| e.to_string())?;
    let inputs = inputs(&folder.join("input"))?;
    let mut suite = Suite::new("FHIRPath R4", &[]);
    for case in cases.descendants().filter(|node| node.has_tag_name("test")) {
        suite.count(case.attribute("name").unwrap_or_default(), check(case, &inputs));
    }
    Ok(suite)
}

fn inputs(folder: &Path) -> Result<HashMap<String, Resource>, String> {
    let files = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    files
        .map(|file| {
            let path = file.map_err(|e| e.to_string())?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
            Ok((name, Resource::parse(text).map_err(|e| e.to_string())?))
        })
        .collect()
}

fn check(case: Xml<'_, '_>, inputs: &HashMap<String, Resource>) -> Result<(), String> {
    let expression = child(case, "expression").ok_or("no expression")?;
    let text = expression.text().unwrap_or_default();
    // The inputs are kept as JSON, whatever the suite calls them.
    let input = case.attribute("inputfile").unwrap_or("patient-example.xml");
    let input = input.rsplit_once('.').map_or(input, |(stem, _)| stem);
    let resource = inputs.get(input).ok_or_else(|| format!("no input `{input}`"))?;
    let env = Env::new(NOW_MS).with_resource(resource).strict();
    let expr = Expr::parse(text).map_err(|error| format!("{text}: {error}"));
    let found = expr
        .as_ref()
        .map_err(String::clone)
        .and_then(|expr| expr.evaluate_resource(&env).map_err(|error| format!("{text}: {error}")));
    if expression.attribute("invalid").is_some() {
        return match found {
            Err(_) => Ok(()),
            Ok(found) => Err(format!("{text}: {found:?} instead of an error")),
        };
    }
    let found = found?;
    let mut expected: Vec<String> =
        case.children().filter(|node| node.has_tag_name("output")).map(expectation).collect();
    let mut shown: Vec<String> = if case.attribute("predicate") == Some("true") {
        vec![(!found.is_empty()).to_string()]
    } else {
        found.iter().map(show).collect()
    };
    if case.attribute("ordered") == Some("false") {
        expected.sort();
        shown.sort();
    }
    if shown == expected { Ok(()) } else { Err(format!("{text}: {shown:?}, not {expected:?}")) }
}

fn child<'a, 'i>(node: Xml<'a, 'i>, name: &str) -> Option<Xml<'a, 'i>> {
    node.children().find(|child| child.has_tag_name(name))
}

/// An expected value without the `@` of dates and the sign of zero, which decimals here do not
/// have.
fn expectation(output: Xml<'_, '_>) -> String {
    let text = output.text().unwrap_or_default();
    let dated = ["date", "dateTime", "time"].contains(&output.attribute("type").unwrap_or("date"));
    if text == "-0.0" {
        return "0.0".into();
    }
    let plain = if dated { text.trim_start_matches('@') } else { text };
    let time =
        plain.strip_prefix('T').filter(|time| time.starts_with(|c: char| c.is_ascii_digit()));
    time.filter(|_| dated).unwrap_or(plain).to_owned()
}

fn show(item: &Item<'_>) -> String {
    match item.to_system() {
        Some(Item::Boolean(value)) => value.to_string(),
        Some(Item::Integer(value)) => value.to_string(),
        Some(Item::Decimal(value)) => value.to_string(),
        Some(Item::String(text)) => text.into_owned(),
        Some(Item::Temporal(temporal)) => temporal.to_string(),
        Some(Item::Quantity(q)) => format!("{} '{}'", q.value, q.unit),
        _ => format!("{item:?}"),
    }
}
