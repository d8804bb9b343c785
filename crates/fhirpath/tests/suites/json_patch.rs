//! JSON Patch, as published with FHIR.

use std::path::Path;

use fhir::Document;
use fhir::patch::equality::equal;
use fhir::patch::json;

use super::{Suite, canonical};

/// Runs all cases of the file in `folder`.
pub fn run(folder: &Path) -> Result<Suite, String> {
    let path = folder.join("json-patch-tests.json");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let cases = Document::parse(text).map_err(|e| e.to_string())?;
    let mut suite = Suite::new("JSON Patch", &[]);
    for case in cases.root().items() {
        let part = |name: &str| {
            let value = case.get(name).ok_or_else(|| format!("no `{name}`"))?;
            Document::parse(value.raw()).map_err(|e| e.to_string())
        };
        let run = || {
            let found = json::apply(&part("doc")?, &part("patch")?);
            match (found, case.get("expected")) {
                (Ok(text), Some(expected)) => {
                    let found = Document::parse(text).map_err(|e| e.to_string())?;
                    if equal(found.root(), expected) {
                        Ok(())
                    } else {
                        Err(format!("{}, not {}", canonical(found.root()), canonical(expected)))
                    }
                }
                (Ok(text), None) => Err(format!("{text} instead of an error")),
                (Err(_), None) => Ok(()),
                (Err(error), Some(_)) => Err(error.to_string()),
            }
        };
        suite.count(&case.str_at("comment").unwrap_or_default(), run());
    }
    Ok(suite)
}
