//! LOINC as it is distributed: `LoincTable/Loinc.csv`, and for the hierarchy of parts
//! `AccessoryFiles/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv` (earlier:
//! `MultiAxialHierarchy.csv`). Properties as in "Using LOINC with FHIR".

use std::collections::HashMap;
use std::io::BufRead;

use super::csv::{Columns, records};
use super::head;
use crate::Error;
use crate::system::{Builder, CodeSystem, Concept, Designation, Details, PropertyValue, Row};

/// Columns that are kept as properties.
const PROPERTIES: [&str; 14] = [
    "STATUS",
    "COMPONENT",
    "PROPERTY",
    "TIME_ASPCT",
    "SYSTEM",
    "SCALE_TYP",
    "METHOD_TYP",
    "CLASS",
    "CLASSTYPE",
    "CONSUMER_NAME",
    "ORDER_OBS",
    "EXAMPLE_UCUM_UNITS",
    "UNITSREQUIRED",
    "VERSIONLASTCHANGED",
];

/// Reads LOINC. `hierarchy` adds the parts (`LP…`) above the codes.
pub fn loinc(
    table: impl BufRead,
    hierarchy: Option<impl BufRead>,
    version: Option<&str>,
) -> Result<CodeSystem, Error> {
    let mut head = head("http://loinc.org", "LOINC", "LOINC", version, &PROPERTIES);
    // LOINC codes hold no letters but those of parts and answers, which are written large.
    head.case_sensitive = false;
    head.value_set = Some("http://loinc.org/vs".into());
    let mut builder = Builder::new(head);
    let mut known: HashMap<String, Concept> = HashMap::new();
    let mut columns = None;
    records(table, |record| {
        let Some(columns) = &columns else {
            columns = Some(Columns::new(record));
            return Ok(());
        };
        let get = |name| columns.get(record, name);
        let code = get("LOINC_NUM");
        if code.is_empty() || known.contains_key(code) {
            return Ok(());
        }
        let row = Row {
            code,
            display: Some(get("LONG_COMMON_NAME"))
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| get("COMPONENT")),
            inactive: get("STATUS") == "DEPRECATED",
            is_abstract: false,
            details: details(columns, record),
        };
        known.insert(code.to_owned(), builder.add(&row)?);
        Ok(())
    })?;
    if known.is_empty() {
        return Err(Error::invalid("the LOINC table holds no code"));
    }
    if let Some(hierarchy) = hierarchy {
        parts(hierarchy, &mut builder, &mut known)?;
    }
    Ok(builder.finish([]))
}

fn details(columns: &Columns, record: &[String]) -> Details {
    let properties = PROPERTIES.iter().filter_map(|name| {
        let value = columns.get(record, name);
        (!value.is_empty()).then(|| PropertyValue::text(name, "String", value))
    });
    let names = ["SHORTNAME", "DISPLAYNAME", "CONSUMER_NAME"].iter().filter_map(|name| {
        let value = columns.get(record, name);
        let usage = Some(("http://loinc.org".into(), (*name).to_owned(), String::new()));
        let designation =
            Designation { language: Some("en".into()), usage, value: value.to_owned() };
        (!value.is_empty()).then_some(designation)
    });
    let definition = columns.get(record, "DEFINITIONDESCRIPTION");
    Details {
        definition: (!definition.is_empty()).then(|| definition.to_owned()),
        designations: names.collect(),
        properties: properties.collect(),
    }
}

fn parts(
    hierarchy: impl BufRead,
    builder: &mut Builder,
    known: &mut HashMap<String, Concept>,
) -> Result<(), Error> {
    let mut columns = None;
    let mut links = Vec::new();
    records(hierarchy, |record| {
        let Some(columns) = &columns else {
            columns = Some(Columns::new(record));
            return Ok(());
        };
        let get = |name| columns.get(record, name);
        let (code, parent) = (get("CODE"), get("IMMEDIATE_PARENT"));
        if code.is_empty() {
            return Ok(());
        }
        if !known.contains_key(code) {
            let row = Row { code, display: get("CODE_TEXT"), ..Row::default() };
            known.insert(code.to_owned(), builder.add(&row)?);
        }
        if !parent.is_empty() {
            links.push((code.to_owned(), parent.to_owned()));
        }
        Ok(())
    })?;
    for (child, parent) in &links {
        if let Some((child, parent)) = known.get(child).zip(known.get(parent)) {
            builder.link(*child, *parent);
        }
    }
    Ok(())
}
