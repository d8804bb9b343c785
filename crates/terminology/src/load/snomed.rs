//! SNOMED CT in Release Format 2, snapshot files (SNOMED International, "Release File
//! Specifications"): concepts, descriptions, the inferred relationships, and the language
//! reference set that tells preferred terms.

use std::collections::HashMap;
use std::io::BufRead;

use super::{head, lines};
use crate::Error;
use crate::system::{Builder, CodeSystem, Concept, Designation, Details, PropertyValue, Row};

const URL: &str = "http://snomed.info/sct";
const IS_A: u64 = 116_680_003;
const FULLY_SPECIFIED: u64 = 900_000_000_000_003_001;
const SYNONYM: u64 = 900_000_000_000_013_009;
const PREFERRED: u64 = 900_000_000_000_548_007;
const DEFINED: &str = "900000000000073002";
const INTERNATIONAL: u64 = 900_000_000_000_207_008;

/// The files of one release. Several of a kind (languages, extensions) are read one after the
/// other.
pub struct Rf2<R> {
    /// Concepts.
    pub concepts: Vec<R>,
    /// Descriptions.
    pub descriptions: Vec<R>,
    /// Relationships; stated ones are passed over.
    pub relationships: Vec<R>,
    /// Language reference sets; none makes the first synonym the display.
    pub languages: Vec<R>,
}

struct Term {
    id: u64,
    kind: u64,
    language: String,
    text: String,
}

struct Read {
    id: u64,
    active: bool,
    module: u64,
    defined: bool,
}

/// Reads SNOMED CT. `version` is the version URI; if not stated it is made of the module and the
/// newest effective time of the concepts.
pub fn snomed<R: BufRead>(files: Rf2<R>, version: Option<&str>) -> Result<CodeSystem, Error> {
    let (concepts, newest) = concepts(files.concepts)?;
    if concepts.is_empty() {
        return Err(Error::invalid("the release holds no concept"));
    }
    let mut preferred = std::collections::HashSet::new();
    for file in files.languages {
        rows(file, |row| {
            let is_preferred = number(row, 6) == PREFERRED;
            if row.get(2) == Some(&"1") && is_preferred {
                preferred.insert(number(row, 5));
            }
            Ok(())
        })?;
    }
    let mut terms: HashMap<u64, Vec<Term>> = HashMap::new();
    for file in files.descriptions {
        rows(file, |row| {
            if row.get(2) == Some(&"1") {
                let text = |at: usize| row.get(at).copied().unwrap_or_default().to_owned();
                terms.entry(number(row, 4)).or_default().push(Term {
                    id: number(row, 0),
                    kind: number(row, 6),
                    language: text(5),
                    text: text(7),
                });
            }
            Ok(())
        })?;
    }
    let (parents, attributes) = relationships(files.relationships)?;
    let made = format!("{URL}/{}/version/{newest}", edition(&concepts));
    let declared = ["effectiveTime", "moduleId", "sufficientlyDefined", "inactive"];
    let mut head = head(URL, "SNOMED_CT", "SNOMED CT", Some(version.unwrap_or(&made)), &declared);
    head.value_set = Some(format!("{URL}?fhir_vs").into());
    head.compositional = true;
    let mut builder = Builder::new(head);
    let mut places: HashMap<u64, Concept> = HashMap::with_capacity(concepts.len());
    for concept in &concepts {
        let own = terms.remove(&concept.id).unwrap_or_default();
        let code = concept.id.to_string();
        let row = Row {
            code: &code,
            display: display(&own, &preferred),
            inactive: !concept.active,
            is_abstract: false,
            details: details(concept, &own, attributes.get(&concept.id)),
        };
        places.insert(concept.id, builder.add(&row)?);
    }
    for (child, parent) in &parents {
        if let Some((child, parent)) = places.get(child).zip(places.get(parent)) {
            builder.link(*child, *parent);
        }
    }
    Ok(builder.finish([]))
}

fn number(row: &[&str], at: usize) -> u64 {
    row.get(at).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// Calls `visit` with the fields of every line after the heading.
fn rows(
    file: impl BufRead,
    mut visit: impl FnMut(&[&str]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut heading = true;
    lines(file, |line| {
        if std::mem::take(&mut heading) || line.is_empty() {
            return Ok(());
        }
        visit(&line.split('\t').collect::<Vec<_>>())
    })
}

/// The concepts, each once, and the newest effective time.
fn concepts<R: BufRead>(files: Vec<R>) -> Result<(Vec<Read>, String), Error> {
    let mut all: Vec<Read> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut newest = String::new();
    for file in files {
        rows(file, |row| {
            let time = row.get(1).copied().unwrap_or_default();
            if time > newest.as_str() {
                newest = time.to_owned();
            }
            let id = number(row, 0);
            if id > 0 && seen.insert(id) {
                all.push(Read {
                    id,
                    active: row.get(2) == Some(&"1"),
                    module: number(row, 3),
                    defined: row.get(4) == Some(&DEFINED),
                });
            }
            Ok(())
        })?;
    }
    Ok((all, newest))
}

/// The module of the edition: the one with most concepts beside the international ones, if any.
fn edition(concepts: &[Read]) -> u64 {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    // The modules of the international edition: core and model component.
    let international = [INTERNATIONAL, 900_000_000_000_012_004];
    for concept in concepts.iter().filter(|c| !international.contains(&c.module)) {
        *counts.entry(concept.module).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(module, count)| (*count, *module));
    most.map_or(INTERNATIONAL, |(module, _)| module)
}

type Links = Vec<(u64, u64)>;
type Attributes = HashMap<u64, Links>;

fn relationships<R: BufRead>(files: Vec<R>) -> Result<(Links, Attributes), Error> {
    const STATED: u64 = 900_000_000_000_010_007;
    let mut parents = Vec::new();
    let mut attributes: Attributes = HashMap::new();
    for file in files {
        rows(file, |row| {
            if row.get(2) != Some(&"1") || number(row, 8) == STATED {
                return Ok(());
            }
            let (source, target, kind) = (number(row, 4), number(row, 5), number(row, 7));
            if kind == IS_A {
                parents.push((source, target));
            } else {
                attributes.entry(source).or_default().push((kind, target));
            }
            Ok(())
        })?;
    }
    Ok((parents, attributes))
}

/// The preferred synonym, else the first synonym, else the fully specified name.
fn display<'t>(terms: &'t [Term], preferred: &std::collections::HashSet<u64>) -> &'t str {
    let synonyms = || terms.iter().filter(|term| term.kind == SYNONYM);
    let best = synonyms().find(|term| preferred.contains(&term.id) && term.language == "en");
    let best = best.or_else(|| synonyms().find(|term| preferred.contains(&term.id)));
    best.or_else(|| synonyms().next()).or_else(|| terms.first()).map_or("", |term| &term.text)
}

fn details(concept: &Read, terms: &[Term], attributes: Option<&Links>) -> Details {
    let designations = terms.iter().map(|term| {
        let name = match term.kind {
            FULLY_SPECIFIED => "Fully specified name",
            SYNONYM => "Synonym",
            _ => "",
        };
        Designation {
            language: Some(term.language.clone()),
            usage: Some((URL.into(), term.kind.to_string(), name.into())),
            value: term.text.clone(),
        }
    });
    let flag = |code: &str, value: bool| PropertyValue {
        code: code.into(),
        kind: "Boolean".into(),
        json: value.to_string(),
    };
    let mut properties = vec![
        PropertyValue::text("moduleId", "Code", &concept.module.to_string()),
        flag("sufficientlyDefined", concept.defined),
        flag("inactive", !concept.active),
    ];
    let attributes = attributes.into_iter().flatten();
    properties.extend(
        attributes.map(|(kind, target)| {
            PropertyValue::text(&kind.to_string(), "Code", &target.to_string())
        }),
    );
    Details { definition: None, designations: designations.collect(), properties }
}
