//! RxNorm in Rich Release Format (U.S. National Library of Medicine, "RxNorm Technical
//! Documentation"): `RXNCONSO.RRF` for names and `RXNREL.RRF` for relations. Only what is RxNorm's
//! own is read, not the names of the vocabularies it is made from.

use std::collections::HashMap;
use std::io::BufRead;

use super::{head, lines};
use crate::Error;
use crate::system::{Builder, CodeSystem, Concept, Designation, Details, PropertyValue, Row};

const URL: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";

#[derive(Default)]
struct Drug {
    /// Term type and name; the first is the display.
    names: Vec<(String, String)>,
    suppressed: bool,
    /// Relation and what it leads to.
    relations: Vec<(String, String)>,
}

/// Synonyms come after the names that a concept is known by.
fn is_synonym(term_type: &str) -> bool {
    matches!(term_type, "SY" | "TMSY" | "ET" | "PSN" | "BN_SY" | "DF_SY")
}

/// Reads RxNorm.
pub fn rxnorm(
    concepts: impl BufRead,
    relations: Option<impl BufRead>,
    version: Option<&str>,
) -> Result<CodeSystem, Error> {
    let mut drugs: HashMap<String, Drug> = HashMap::new();
    let mut order: Vec<String> = Vec::new();
    lines(concepts, |line| {
        let fields: Vec<&str> = line.split('|').collect();
        let get = |at: usize| fields.get(at).copied().unwrap_or_default();
        if get(11) != "RXNORM" {
            return Ok(());
        }
        let drug = drugs.entry(get(0).to_owned()).or_insert_with(|| {
            order.push(get(0).to_owned());
            Drug::default()
        });
        let name = (get(12).to_owned(), get(14).to_owned());
        if !is_synonym(get(12)) {
            drug.suppressed = matches!(get(16), "O" | "Y" | "E");
            let synonyms = drug.names.iter().position(|(kind, _)| is_synonym(kind));
            drug.names.insert(synonyms.unwrap_or(drug.names.len()), name);
        } else {
            drug.names.push(name);
        }
        Ok(())
    })?;
    if order.is_empty() {
        return Err(Error::invalid("the file holds no concept of RxNorm"));
    }
    let mut parents: Vec<(String, String)> = Vec::new();
    if let Some(relations) = relations {
        lines(relations, |line| {
            let fields: Vec<&str> = line.split('|').collect();
            let get = |at: usize| fields.get(at).copied().unwrap_or_default();
            // A relation is the one that the second concept has to the first.
            let (target, source, name) = (get(0), get(4), get(7));
            if get(10) != "RXNORM" || target.is_empty() || source.is_empty() || name.is_empty() {
                return Ok(());
            }
            if name == "isa" {
                parents.push((source.to_owned(), target.to_owned()));
            } else if let Some(drug) = drugs.get_mut(source) {
                drug.relations.push((name.to_owned(), target.to_owned()));
            }
            Ok(())
        })?;
    }
    let mut builder =
        Builder::new(head(URL, "RXNORM", "RxNorm", version, &["TTY", "SUPPRESS", "inactive"]));
    let mut places: HashMap<&str, Concept> = HashMap::new();
    for code in &order {
        let Some(drug) = drugs.get(code) else { continue };
        places.insert(code, builder.add(&row(code, drug))?);
    }
    for (child, parent) in &parents {
        if let Some((child, parent)) = places.get(&**child).zip(places.get(&**parent)) {
            builder.link(*child, *parent);
        }
    }
    Ok(builder.finish([]))
}

fn row<'d>(code: &'d str, drug: &'d Drug) -> Row<'d> {
    let mut properties: Vec<_> = drug
        .names
        .first()
        .map(|(term_type, _)| PropertyValue::text("TTY", "String", term_type))
        .into_iter()
        .collect();
    let relations = drug.relations.iter();
    properties.extend(relations.map(|(name, to)| PropertyValue::text(name, "Code", to)));
    let designations = drug.names.iter().skip(1).map(|(term_type, name)| Designation {
        language: Some("en".into()),
        usage: Some((URL.into(), term_type.clone(), String::new())),
        value: name.clone(),
    });
    Row {
        code,
        display: drug.names.first().map_or("", |(_, name)| name),
        inactive: drug.suppressed,
        is_abstract: false,
        details: Details { definition: None, designations: designations.collect(), properties },
    }
}
