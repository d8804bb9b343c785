//! ICD-10-CM as the National Center for Health Statistics distributes it: the order file (one
//! line of fixed columns for each code) or the tabular list in XML.

use std::io::BufRead;

use fhir::json::quote;

use super::{head, lines};
use crate::Error;
use crate::system::{Builder, CodeSystem, Concept, Details, Head, PropertyValue, Row};

/// The deepest nesting of diagnoses.
const MAX_DEPTH: usize = 20;

fn icd_head(version: Option<&str>) -> Head {
    let url = "http://hl7.org/fhir/sid/icd-10-cm";
    let mut head = head(url, "ICD10CM", "ICD-10-CM", version, &["billable"]);
    head.case_sensitive = false;
    head
}

/// A line of the order file: code without dot, whether it is billable, title.
pub(super) fn order_row(line: &str) -> Option<(&str, bool, &str)> {
    let number = line.get(..5)?;
    let code = line.get(6..13)?.trim_end();
    let flag = line.get(14..15)?;
    let title = line.get(77..).filter(|title| !title.trim().is_empty());
    let title = title.or_else(|| line.get(16..))?.trim();
    let numbered = number.bytes().all(|b| b.is_ascii_digit());
    let coded = code.starts_with(|c: char| c.is_ascii_uppercase()) && code.len() >= 3;
    (numbered && coded && matches!(flag, "0" | "1")).then_some((code, flag == "1", title))
}

/// With the dot after the third character.
fn dotted(code: &str) -> String {
    match code.split_at_checked(3) {
        Some((category, rest)) if !rest.is_empty() => format!("{category}.{rest}"),
        _ => code.to_owned(),
    }
}

fn billable(is: bool) -> Vec<PropertyValue> {
    vec![PropertyValue { code: "billable".into(), kind: "Boolean".into(), json: is.to_string() }]
}

/// Reads the order file. A code is below the longest other code that it begins with.
pub fn order(source: impl BufRead, version: Option<&str>) -> Result<CodeSystem, Error> {
    let mut builder = Builder::new(icd_head(version));
    // The codes above the present one, longest last: the file is in order.
    let mut above: Vec<(String, Concept)> = Vec::new();
    lines(source, |line| {
        let Some((code, bills, title)) = order_row(line) else { return Ok(()) };
        let details = Details { properties: billable(bills), ..Details::default() };
        let row = Row { code: &dotted(code), display: title, details, ..Row::default() };
        let added = builder.add(&row)?;
        while above.last().is_some_and(|(prefix, _)| !code.starts_with(prefix.as_str())) {
            above.pop();
        }
        if let Some((_, parent)) = above.last() {
            builder.link(added, *parent);
        }
        above.push((code.to_owned(), added));
        Ok(())
    })?;
    if above.is_empty() {
        return Err(Error::invalid("the order file holds no code"));
    }
    Ok(builder.finish([]))
}

/// Reads the tabular list. Chapters and sections are abstract codes above the categories.
/// Seventh characters that the list only describes are not spelled out: the order file has them.
pub fn tabular(text: &str, version: Option<&str>) -> Result<CodeSystem, Error> {
    let document = roxmltree::Document::parse(text)
        .map_err(|error| Error::invalid(format!("the tabular list is not valid XML: {error}")))?;
    let root = document.root_element();
    let stated = child_text(root, "version");
    let mut builder = Builder::new(icd_head(version.or(stated)));
    for chapter in children(root, "chapter") {
        let name = child_text(chapter, "name").unwrap_or_default();
        let above = group(&mut builder, &format!("chapter-{name}"), chapter, None)?;
        for section in children(chapter, "section") {
            let id = section.attribute("id").unwrap_or_default();
            let above = group(&mut builder, id, section, Some(above))?;
            for diagnosis in children(section, "diag") {
                diagnoses(&mut builder, diagnosis, above, 0)?;
            }
        }
    }
    let system = builder.finish([]);
    if system.is_empty() {
        return Err(Error::invalid("the tabular list holds no chapter"));
    }
    Ok(system)
}

fn children<'a, 'i: 'a>(
    node: roxmltree::Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = roxmltree::Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

fn child_text<'a, 'i: 'a>(node: roxmltree::Node<'a, 'i>, name: &'static str) -> Option<&'a str> {
    children(node, name).next()?.text().map(str::trim)
}

fn group(
    builder: &mut Builder,
    code: &str,
    node: roxmltree::Node<'_, '_>,
    above: Option<Concept>,
) -> Result<Concept, Error> {
    let display = child_text(node, "desc").unwrap_or_default();
    let row = Row { code, display, is_abstract: true, ..Row::default() };
    let added = builder.add(&row)?;
    if let Some(above) = above {
        builder.link(added, above);
    }
    Ok(added)
}

fn diagnoses(
    builder: &mut Builder,
    node: roxmltree::Node<'_, '_>,
    above: Concept,
    depth: usize,
) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::TooCostly("the diagnoses are nested too deeply".into()));
    }
    let Some(code) = child_text(node, "name") else { return Ok(()) };
    let leaf = children(node, "diag").next().is_none();
    let mut properties = billable(leaf);
    let notes = children(node, "inclusionTerm").flat_map(|term| children(term, "note"));
    properties.extend(notes.filter_map(|note| note.text()).map(|note| PropertyValue {
        code: "inclusionTerm".into(),
        kind: "String".into(),
        json: quote(note.trim()),
    }));
    let details = Details { properties, ..Details::default() };
    let display = child_text(node, "desc").unwrap_or_default();
    let added = builder.add(&Row { code, display, details, ..Row::default() })?;
    builder.link(added, above);
    for below in children(node, "diag") {
        diagnoses(builder, below, added, depth + 1)?;
    }
    Ok(())
}
