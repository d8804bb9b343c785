//! Translation by concept maps.

use std::sync::Arc;

use crate::Error;
use crate::concept_map::{ConceptMap, Element, Group, Mapping, Unmapped};
use crate::terms::Terminology;

/// The longest chain of `other-map`.
const MAX_CHAIN: usize = 8;
/// The most matches of one answer.
const MAX_MATCHES: usize = 1_000;

/// What is to be translated.
#[derive(Clone, Debug, Default)]
pub struct Translate<'a> {
    /// The concept map; all that fit if not stated.
    pub map: Option<Arc<ConceptMap>>,
    /// Code system of the code.
    pub system: Option<&'a str>,
    /// The code.
    pub code: &'a str,
    /// Value set that the code is from.
    pub source: Option<&'a str>,
    /// Value set to translate to.
    pub target: Option<&'a str>,
    /// Code system to translate to.
    pub target_system: Option<&'a str>,
    /// From target to source.
    pub reverse: bool,
    /// What else is known, for mappings that depend on it: property and value.
    pub dependencies: Vec<(String, String)>,
}

/// One translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The code of FHIR's `concept-map-equivalence`.
    pub equivalence: String,
    /// Code system, code and display; none where there is stated to be no match.
    pub concept: Option<(String, String, Option<String>)>,
    /// Further outcomes.
    pub products: Vec<Element>,
    /// The concept map it is from.
    pub source: String,
}

/// The outcome of a translation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// Whether there is any match that holds.
    pub result: bool,
    /// What to say to people where there is none.
    pub message: Option<String>,
    /// The matches.
    pub matches: Vec<Match>,
}

impl Terminology {
    /// Translates a code.
    pub fn translate(&self, wanted: &Translate<'_>) -> Result<Translation, Error> {
        let mut matches = Vec::new();
        match &wanted.map {
            // A map that was chosen may leave open between which value sets it translates.
            Some(map) if !is_between(map, wanted, true) => {
                let message = "the concept map does not translate between these value sets";
                return Ok(Translation { message: Some(message.into()), ..Translation::default() });
            }
            Some(map) => self.through(map, wanted, &mut matches, 0)?,
            None => {
                for map in self.concept_maps().filter(|map| is_between(map, wanted, false)) {
                    self.through(map, wanted, &mut matches, 0)?;
                }
            }
        }
        matches.truncate(MAX_MATCHES);
        let holds = |m: &Match| m.concept.is_some() && !is_no_match(&m.equivalence);
        let result = matches.iter().any(holds);
        let message = (!result).then(|| "no mapping of this code was found".to_owned());
        Ok(Translation { result, message, matches })
    }

    fn through(
        &self,
        map: &ConceptMap,
        wanted: &Translate<'_>,
        matches: &mut Vec<Match>,
        depth: usize,
    ) -> Result<(), Error> {
        if depth > MAX_CHAIN {
            return Err(Error::TooCostly("concept maps refer to one another too deeply".into()));
        }
        let source = match &map.version {
            Some(version) => format!("{}|{version}", map.url),
            None => map.url.to_string(),
        };
        for group in &map.groups {
            let [from, to] = if wanted.reverse {
                [&group.target, &group.source]
            } else {
                [&group.source, &group.target]
            };
            let fits = |asked: Option<&str>, own: &Option<Arc<str>>| {
                asked.zip(own.as_deref()).is_none_or(|(asked, own)| same(asked, own))
            };
            if !fits(wanted.system, from) || !fits(wanted.target_system, to) {
                continue;
            }
            let before = matches.len();
            let found = group.mappings.iter().filter(|m| applies(m, wanted));
            matches.extend(found.map(|m| translated(m, to.as_deref(), wanted, &source)));
            if matches.len() > before || wanted.reverse {
                continue;
            }
            self.unmapped(group, wanted, matches, &source, depth)?;
        }
        Ok(())
    }

    fn unmapped(
        &self,
        group: &Group,
        wanted: &Translate<'_>,
        matches: &mut Vec<Match>,
        source: &str,
        depth: usize,
    ) -> Result<(), Error> {
        let (equivalence, code, display) = match &group.unmapped {
            None => return Ok(()),
            Some(Unmapped::OtherMap(url)) => {
                let map = self.concept_map(url)?;
                return self.through(&map, wanted, matches, depth + 1);
            }
            Some(Unmapped::Provided) => ("equal", wanted.code.to_owned(), None),
            Some(Unmapped::Fixed(code, display)) => {
                ("inexact", code.to_string(), display.as_deref().map(str::to_owned))
            }
        };
        let system = group.target.as_deref().unwrap_or_default().to_owned();
        matches.push(Match {
            equivalence: equivalence.into(),
            concept: Some((system, code, display)),
            products: Vec::new(),
            source: source.to_owned(),
        });
        Ok(())
    }
}

/// Whether a map translates between the value sets that are asked for; `open` is the answer where
/// the map does not say.
fn is_between(map: &ConceptMap, wanted: &Translate<'_>, open: bool) -> bool {
    let [from, to] =
        if wanted.reverse { [&map.target, &map.source] } else { [&map.source, &map.target] };
    let fits = |asked: Option<&str>, own: &Option<Arc<str>>| {
        asked.is_none_or(|asked| own.as_ref().map_or(open, |own| same(asked, own)))
    };
    fits(wanted.source, from) && fits(wanted.target, to)
}

/// Whether two canonical addresses mean the same; a version counts only where both have one.
fn same(a: &str, b: &str) -> bool {
    let ((a, a_version), (b, b_version)) = (crate::versions::split(a), crate::versions::split(b));
    a == b && a_version.zip(b_version).is_none_or(|(a, b)| a == b)
}

fn is_no_match(equivalence: &str) -> bool {
    matches!(equivalence, "unmatched" | "disjoint")
}

fn applies(mapping: &Mapping, wanted: &Translate<'_>) -> bool {
    let code = if wanted.reverse { mapping.target.as_deref() } else { Some(&*mapping.code) };
    let depends = mapping.depends_on.iter().all(|element| {
        let known =
            wanted.dependencies.iter().find(|(property, _)| **property == *element.property);
        known.is_some_and(|(_, value)| **value == *element.value)
    });
    code == Some(wanted.code) && (wanted.reverse || depends)
}

fn translated(
    mapping: &Mapping,
    system: Option<&str>,
    wanted: &Translate<'_>,
    source: &str,
) -> Match {
    let system = system.unwrap_or_default().to_owned();
    let code = if wanted.reverse { Some(&mapping.code) } else { mapping.target.as_ref() };
    let display = mapping.display.as_deref().filter(|_| !wanted.reverse).map(str::to_owned);
    Match {
        equivalence: if wanted.reverse {
            reversed(&mapping.equivalence).to_owned()
        } else {
            mapping.equivalence.to_string()
        },
        concept: code.map(|code| (system, code.to_string(), display)),
        products: mapping.products.clone(),
        source: source.to_owned(),
    }
}

/// The equivalence seen from the other side.
fn reversed(equivalence: &str) -> &str {
    match equivalence {
        "wider" => "narrower",
        "narrower" => "wider",
        "subsumes" => "specializes",
        "specializes" => "subsumes",
        other => other,
    }
}
