//! FHIRPath Patch, as published with FHIR: resources, patches and results in XML.

use std::path::Path;

use fhir::{Document, Resource, xml};
use fhirpath::patch;
use roxmltree::Node as Xml;

use super::{Suite, canonical};

/// Runs all cases of the file in `folder`.
pub fn run(folder: &Path) -> Result<Suite, String> {
    let path = folder.join("fhir-patch-tests.xml");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let cases = roxmltree::Document::parse(&text).map_err(|e| e.to_string())?;
    let mut suite = Suite::new("FHIRPath Patch", &[]);
    for case in cases.descendants().filter(|node| node.has_tag_name("case")) {
        suite.count(case.attribute("name").unwrap_or_default(), check(&text, case));
    }
    Ok(suite)
}

fn check(text: &str, case: Xml<'_, '_>) -> Result<(), String> {
    let part = |name: &str| {
        let holder = case.children().find(|child| child.has_tag_name(name))?;
        let resource = holder.children().find(Xml::is_element)?;
        text.get(resource.range())
    };
    let read = |name: &str| {
        let json = xml::read(part(name).ok_or_else(|| format!("no `{name}`"))?);
        let json = json.map_err(|e| format!("{name}: {e}"))?;
        Resource::parse(json).map_err(|e| format!("{name}: {e}"))
    };
    let found = patch::apply(&read("input")?, &read("diff")?, 0);
    match (found, part("output").is_some()) {
        (Ok(found), true) => {
            let found = Document::parse(found).map_err(|e| e.to_string())?;
            let expected = read("output")?;
            let (found, expected) = (shown(&found), shown(expected.document()));
            if found == expected { Ok(()) } else { Err(format!("{found}, not {expected}")) }
        }
        (Ok(found), false) => Err(format!("{found} instead of an error")),
        (Err(_), false) => Ok(()),
        (Err(error), true) => Err(error.to_string()),
    }
}

/// The resource in one form. White space between the tags of narrative does not count, nor how
/// quotation marks are written in it: the suite replaces a narrative by one that is laid out
/// differently from the expected one.
fn shown(document: &Document) -> String {
    let text = canonical(document.root()).replace("\\n", " ").replace("&quot;", "\\\"");
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").replace("> ", ">").replace(" <", "<")
}
