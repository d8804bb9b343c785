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

/// A description. Its text and language stand in [`Terms`]; there are millions of these.
struct Term {
    /// The place of its concept.
    concept: u32,
    kind: u64,
    preferred: bool,
    /// Where the language begins; the term follows, up to `end`.
    start: u32,
    middle: u32,
    end: u32,
}

/// All active descriptions, those of a concept together and in the order of the file.
#[derive(Default)]
struct Terms {
    text: String,
    rows: Vec<Term>,
}

impl Terms {
    fn language(&self, term: &Term) -> &str {
        self.text.get(term.start as usize..term.middle as usize).unwrap_or_default()
    }

    fn text(&self, term: &Term) -> &str {
        self.text.get(term.middle as usize..term.end as usize).unwrap_or_default()
    }
}

struct Read {
    id: u64,
    active: bool,
    module: u64,
    defined: bool,
}

/// The concepts in the order of the files, and the place of each.
#[derive(Default)]
struct Concepts {
    rows: Vec<Read>,
    places: HashMap<u64, u32>,
}

/// Reads SNOMED CT. `version` is the version URI; if not stated it is made of the module and the
/// newest effective time of the concepts. Takes some 400 bytes of memory for each concept of a
/// distribution with the usual four descriptions and eight relationships.
pub fn snomed<R: BufRead>(files: Rf2<R>, version: Option<&str>) -> Result<CodeSystem, Error> {
    let (concepts, newest) = concepts(files.concepts)?;
    if concepts.rows.is_empty() {
        return Err(Error::invalid("the release holds no concept"));
    }
    let preferred = preferred(files.languages)?;
    let terms = terms(files.descriptions, &concepts, &preferred)?;
    drop(preferred);
    let (parents, attributes) = relationships(files.relationships, &concepts)?;
    let made = format!("{URL}/{}/version/{newest}", edition(&concepts.rows));
    let declared = ["effectiveTime", "moduleId", "sufficientlyDefined", "inactive"];
    let mut head = head(URL, "SNOMED_CT", "SNOMED CT", Some(version.unwrap_or(&made)), &declared);
    head.value_set = Some(format!("{URL}?fhir_vs").into());
    head.compositional = true;
    let mut builder = Builder::new(head);
    let (mut all_terms, mut all_attributes) = (terms.rows.as_slice(), attributes.as_slice());
    for (place, concept) in (0u32..).zip(&concepts.rows) {
        let own = take(&mut all_terms, |term| term.concept == place);
        let attributes = take(&mut all_attributes, |attribute| attribute.0 == place);
        let code = concept.id.to_string();
        let row = Row {
            code: &code,
            display: display(&terms, own),
            inactive: !concept.active,
            is_abstract: false,
            details: details(concept, &terms, own, attributes),
        };
        builder.add(&row)?;
    }
    for (child, parent) in parents {
        builder.link(Concept(child), Concept(parent));
    }
    drop((concepts, terms, attributes));
    Ok(builder.finish([]))
}

/// Takes what holds off the beginning of a list.
fn take<'l, T>(list: &mut &'l [T], holds: impl Fn(&T) -> bool) -> &'l [T] {
    let count = list.iter().take_while(|one| holds(one)).count();
    let (taken, rest) = list.split_at_checked(count).unwrap_or_default();
    *list = rest;
    taken
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
fn concepts<R: BufRead>(files: Vec<R>) -> Result<(Concepts, String), Error> {
    let mut all = Concepts::default();
    let mut newest = String::new();
    for file in files {
        rows(file, |row| {
            let time = row.get(1).copied().unwrap_or_default();
            if time > newest.as_str() {
                newest = time.to_owned();
            }
            let id = number(row, 0);
            if id == 0 || all.places.contains_key(&id) {
                return Ok(());
            }
            let place = u32::try_from(all.rows.len()).map_err(|_| too_large())?;
            all.places.insert(id, place);
            all.rows.push(Read {
                id,
                active: row.get(2) == Some(&"1"),
                module: number(row, 3),
                defined: row.get(4) == Some(&DEFINED),
            });
            Ok(())
        })?;
    }
    Ok((all, newest))
}

fn too_large() -> Error {
    Error::TooCostly("the release is too large to be held".into())
}

/// The descriptions that a language reference set prefers, sorted.
fn preferred<R: BufRead>(files: Vec<R>) -> Result<Vec<u64>, Error> {
    let mut preferred = Vec::new();
    for file in files {
        rows(file, |row| {
            if row.get(2) == Some(&"1") && number(row, 6) == PREFERRED {
                preferred.push(number(row, 5));
            }
            Ok(())
        })?;
    }
    preferred.sort_unstable();
    preferred.dedup();
    Ok(preferred)
}

fn terms<R: BufRead>(
    files: Vec<R>,
    concepts: &Concepts,
    preferred: &[u64],
) -> Result<Terms, Error> {
    let mut terms = Terms::default();
    for file in files {
        rows(file, |row| {
            let Some(&concept) = concepts.places.get(&number(row, 4)) else { return Ok(()) };
            if row.get(2) != Some(&"1") {
                return Ok(());
            }
            let mut add = |text: &str| {
                terms.text.push_str(text);
                u32::try_from(terms.text.len()).map_err(|_| too_large())
            };
            let field = |at: usize| row.get(at).copied().unwrap_or_default();
            let (start, middle, end) = (add("")?, add(field(5))?, add(field(7))?);
            let (id, kind) = (number(row, 0), number(row, 6));
            let preferred = preferred.binary_search(&id).is_ok();
            terms.rows.push(Term { concept, kind, preferred, start, middle, end });
            Ok(())
        })?;
    }
    terms.rows.sort_by_key(|term| term.concept);
    Ok(terms)
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

/// Child and parent, by place.
type Parents = Vec<(u32, u32)>;
/// The place of a concept, an attribute's type, and its value.
type Attributes = Vec<(u32, u64, u64)>;

/// The active relationships; those of a concept are together.
fn relationships<R: BufRead>(
    files: Vec<R>,
    concepts: &Concepts,
) -> Result<(Parents, Attributes), Error> {
    const STATED: u64 = 900_000_000_000_010_007;
    let (mut parents, mut attributes) = (Parents::new(), Attributes::new());
    for file in files {
        rows(file, |row| {
            if row.get(2) != Some(&"1") || number(row, 8) == STATED {
                return Ok(());
            }
            let (source, target, kind) = (number(row, 4), number(row, 5), number(row, 7));
            let Some(&source) = concepts.places.get(&source) else { return Ok(()) };
            if kind != IS_A {
                attributes.push((source, kind, target));
            } else if let Some(&target) = concepts.places.get(&target) {
                parents.push((source, target));
            }
            Ok(())
        })?;
    }
    attributes.sort_by_key(|attribute| attribute.0);
    Ok((parents, attributes))
}

/// The preferred synonym, else the first synonym, else the fully specified name.
fn display<'t>(terms: &'t Terms, own: &[Term]) -> &'t str {
    let synonyms = || own.iter().filter(|term| term.kind == SYNONYM);
    let preferred = || synonyms().filter(|term| term.preferred);
    let best = preferred().find(|term| terms.language(term) == "en").or_else(|| preferred().next());
    let best = best.or_else(|| synonyms().next()).or_else(|| own.first());
    best.map_or("", |term| terms.text(term))
}

fn details(concept: &Read, terms: &Terms, own: &[Term], attributes: &[(u32, u64, u64)]) -> Details {
    let designations = own.iter().map(|term| {
        let name = match term.kind {
            FULLY_SPECIFIED => "Fully specified name",
            SYNONYM => "Synonym",
            _ => "",
        };
        Designation {
            language: Some(terms.language(term).to_owned()),
            usage: Some((URL.into(), term.kind.to_string(), name.into())),
            value: terms.text(term).to_owned(),
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
    properties.extend(attributes.iter().map(|(_, kind, target)| {
        PropertyValue::text(&kind.to_string(), "Code", &target.to_string())
    }));
    Details { definition: None, designations: designations.collect(), properties }
}
