//! The filters of a value set's include: conditions on the concepts of a code system.

use regex::RegexBuilder;

use crate::Error;
use crate::system::{CodeSystem, Concept};
use crate::value_set::Filter;

/// The most memory that a compiled regular expression may take, in bytes.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// A set of concepts of one code system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Box<[u64]>,
    len: usize,
}

impl Bits {
    pub(crate) fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)].into(), len }
    }

    pub(crate) fn insert(&mut self, concept: Concept) {
        if let Some(word) = self.words.get_mut(concept.0 as usize / 64) {
            *word |= 1 << (concept.0 % 64);
        }
    }

    pub(crate) fn contains(&self, concept: Concept) -> bool {
        let word = self.words.get(concept.0 as usize / 64).copied().unwrap_or(0);
        word >> (concept.0 % 64) & 1 == 1
    }

    fn intersect(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    fn complement(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        let rest = self.len % 64;
        if let Some(last) = self.words.last_mut().filter(|_| rest > 0) {
            *last &= (1 << rest) - 1;
        }
    }
}

/// The concepts for which all filters hold.
pub(crate) fn select(system: &CodeSystem, filters: &[Filter]) -> Result<Bits, Error> {
    let mut selected: Option<Bits> = None;
    for filter in filters {
        let found = one(system, filter)?;
        match &mut selected {
            Some(selected) => selected.intersect(&found),
            None => selected = Some(found),
        }
    }
    Ok(selected.unwrap_or_else(|| Bits::none(system.len())))
}

fn one(system: &CodeSystem, filter: &Filter) -> Result<Bits, Error> {
    let by_concept = matches!(&*filter.property, "concept" | "code");
    match &*filter.op {
        "is-a" | "descendent-of" | "is-not-a" | "generalizes" if by_concept => {
            hierarchy(system, filter)
        }
        "is-a" | "descendent-of" | "is-not-a" | "generalizes" => {
            Err(unsupported(filter, "this operator works on `concept` only"))
        }
        "=" | "in" | "not-in" | "regex" | "exists" => by_value(system, filter),
        _ => Err(unsupported(filter, "the operator is not known")),
    }
}

fn unsupported(filter: &Filter, why: &str) -> Error {
    let Filter { property, op, .. } = filter;
    Error::NotSupported(format!("the filter `{property} {op}` is not supported: {why}"))
}

fn hierarchy(system: &CodeSystem, filter: &Filter) -> Result<Bits, Error> {
    let mut bits = Bits::none(system.len());
    let Some(concept) = system.find(&filter.value) else {
        return Err(Error::UnknownCode {
            system: system.head.url.to_string(),
            code: filter.value.to_string(),
        });
    };
    let related = if &*filter.op == "generalizes" {
        system.ancestors(concept)
    } else {
        system.descendants(concept)
    };
    related.into_iter().for_each(|concept| bits.insert(concept));
    match &*filter.op {
        "descendent-of" => {}
        "is-not-a" => {
            bits.insert(concept);
            bits.complement();
        }
        _ => bits.insert(concept),
    }
    Ok(bits)
}

/// What a value is compared with.
enum Test {
    OneOf(Vec<String>, bool),
    Exists(bool),
    Pattern(regex::Regex),
}

impl Test {
    fn read(filter: &Filter) -> Result<Self, Error> {
        let value = &*filter.value;
        Ok(match &*filter.op {
            "=" => Self::OneOf(vec![value.to_owned()], true),
            "in" | "not-in" => {
                let list = value.split(',').map(|part| part.trim().to_owned()).collect();
                Self::OneOf(list, &*filter.op == "in")
            }
            "exists" => match value {
                "true" => Self::Exists(true),
                "false" => Self::Exists(false),
                _ => return Err(unsupported(filter, "the value is neither `true` nor `false`")),
            },
            _ => {
                let built = RegexBuilder::new(&format!("^(?:{value})$"))
                    .size_limit(MAX_REGEX_BYTES)
                    .build();
                Self::Pattern(built.map_err(|_| {
                    unsupported(filter, "the regular expression is invalid or too large")
                })?)
            }
        })
    }

    /// Whether it holds for the values that a concept has of the property.
    fn holds(&self, values: &[&str]) -> bool {
        match self {
            Self::OneOf(list, wanted) => {
                values.iter().any(|value| list.iter().any(|known| known == value)) == *wanted
            }
            Self::Exists(wanted) => values.is_empty() != *wanted,
            Self::Pattern(pattern) => values.iter().any(|value| pattern.is_match(value)),
        }
    }
}

fn by_value(system: &CodeSystem, filter: &Filter) -> Result<Bits, Error> {
    let test = Test::read(filter)?;
    let mut bits = Bits::none(system.len());
    let mut visit = |concept, values: &[&str]| {
        if test.holds(values) {
            bits.insert(concept);
        }
    };
    match &*filter.property {
        "code" | "concept" => {
            system.concepts().for_each(|c| visit(c, &[system.code(c)]));
        }
        "display" => {
            system.concepts().for_each(|c| visit(c, system.display(c).as_slice()));
        }
        "parent" => system.concepts().for_each(|c| {
            visit(c, &system.parents(c).map(|p| system.code(p)).collect::<Vec<_>>());
        }),
        "child" => system.concepts().for_each(|c| {
            visit(c, &system.children(c).map(|p| system.code(p)).collect::<Vec<_>>());
        }),
        "inactive" => system.concepts().for_each(|c| {
            visit(c, &[if system.is_inactive(c) { "true" } else { "false" }]);
        }),
        property => {
            let declared = system.head.properties.iter().any(|known| &*known.code == property);
            let mut met = declared;
            let mut seen = 0;
            let mut visit_details = |concept, values: &[String]| {
                met |= !values.is_empty();
                visit(concept, &values.iter().map(String::as_str).collect::<Vec<_>>());
            };
            system.each_details(|concept, details| {
                seen += 1;
                let values: Vec<_> =
                    details.property(property).map(|value| value.comparable()).collect();
                visit_details(concept, &values);
            });
            system.concepts().skip(seen).for_each(|concept| visit_details(concept, &[]));
            if !met {
                return Err(unsupported(filter, "the code system has no such property"));
            }
        }
    }
    Ok(bits)
}
