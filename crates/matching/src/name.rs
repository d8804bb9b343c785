//! One name of a person, in the form in which names are compared.

use crate::text::{fold, name_words};
use fhir::Value;

/// Words that stand before a family name and say little by themselves.
const PARTICLES: [&str; 24] = [
    "de", "del", "della", "di", "da", "dos", "du", "la", "las", "le", "los", "van", "von", "der",
    "den", "ter", "ten", "al", "el", "bin", "ibn", "abu", "san", "y",
];
/// What registries write where the given name is not known.
const NO_GIVEN: [&str; 21] = [
    "unknown",
    "unk",
    "none",
    "na",
    "nfn",
    "nln",
    "baby",
    "babyboy",
    "babygirl",
    "boy",
    "girl",
    "infant",
    "newborn",
    "male",
    "female",
    "test",
    "anonymous",
    "twin",
    "triplet",
    "nogiven",
    "notgiven",
];
/// What registries write where the family name is not known.
const NO_FAMILY: [&str; 7] = ["unknown", "unk", "none", "na", "nln", "anonymous", "nofamily"];

/// A generation suffix, 1 for Sr, 2 for Jr or II, 3 for III and so on.
pub(crate) type Generation = u8;

/// One name: family name, given name, further given names, generation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// A maiden or earlier name.
    pub(crate) former: bool,
    /// The family name as one word; empty when not known.
    pub(crate) family: String,
    /// The family name folded, with its spaces and hyphens, for searches.
    pub(crate) family_phrase: String,
    /// The parts of a double or prefixed family name, particles left out; empty for plain names.
    pub(crate) family_parts: Vec<String>,
    /// The first given name as one word; empty when not known.
    pub(crate) given: String,
    /// The parts of a hyphenated given name; empty for plain names.
    pub(crate) given_parts: Vec<String>,
    /// Further given names.
    pub(crate) middle: Vec<String>,
    /// Sr, Jr, II, III ...
    pub(crate) generation: Option<Generation>,
}

impl Name {
    /// Reads a FHIR `HumanName`; what it does not hold, or holds as a placeholder, is empty.
    pub(crate) fn of(name: Value<'_>) -> Self {
        let of_use = |code: &str| name.get("use").is_some_and(|u| u.is_str(code));
        let family = name.str_at("family").unwrap_or_default();
        let mut given: Vec<Vec<String>> = Vec::new();
        let written = name.get("given").into_iter().flat_map(Value::each).take(8);
        for value in written.filter_map(Value::as_str) {
            given.extend(given_words(&value));
        }
        let mut phrase = family_phrase(&family);
        let mut family_words = name_words(&family);
        if family_words.is_empty() && given.is_empty() {
            (family_words, given) = split_text(&name.str_at("text").unwrap_or_default());
            phrase = family_words.join(" ");
        }
        let suffix = name.get("suffix").into_iter().flat_map(Value::each).take(4);
        let suffix = suffix.filter_map(|s| generation(&name_words(&s.as_str()?).concat()));
        let generation =
            suffix.min().or_else(|| trailing_generation(&mut family_words, &mut given));
        let former = of_use("maiden") || of_use("old");
        Self::from_words(former, phrase, &family_words, given, generation)
    }

    fn from_words(
        former: bool,
        mut family_phrase: String,
        family: &[String],
        mut given: Vec<Vec<String>>,
        generation: Option<Generation>,
    ) -> Self {
        given.retain(|words| !NO_GIVEN.contains(&words.concat().as_str()));
        let mut full = family.concat();
        if NO_FAMILY.contains(&full.as_str()) {
            full.clear();
            family_phrase.clear();
        }
        let parts = family.iter().filter(|w| w.len() > 2 && !PARTICLES.contains(&w.as_str()));
        let mut given = given.into_iter();
        let first = given.next().unwrap_or_default();
        Self {
            former,
            family_parts: if family.len() > 1 { parts.cloned().collect() } else { Vec::new() },
            family: full,
            family_phrase,
            given: first.concat(),
            given_parts: if first.len() > 1 { first } else { Vec::new() },
            middle: given.map(|words| words.concat()).collect(),
            generation,
        }
    }

    /// Whether neither a family nor a given name is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.family.is_empty() && self.given.is_empty()
    }

    /// The folded family name as one word; empty when not known.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// The folded first given name as one word; empty when not known.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// Takes from `other` what this name leaves open.
    pub(crate) fn complete_from(&mut self, other: &Self) {
        if self.given.is_empty() {
            self.given.clone_from(&other.given);
            self.given_parts.clone_from(&other.given_parts);
            self.middle.clone_from(&other.middle);
        }
        if self.family.is_empty() {
            self.family.clone_from(&other.family);
            self.family_phrase.clone_from(&other.family_phrase);
            self.family_parts.clone_from(&other.family_parts);
        }
    }
}

/// Folded as written, without the digits that some generators of test data append.
fn family_phrase(text: &str) -> String {
    let phrase: String = fold(text).chars().filter(|c| !c.is_numeric()).collect();
    phrase.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Given names of one string, each as its hyphenated parts.
fn given_words(text: &str) -> Vec<Vec<String>> {
    text.split_whitespace().map(name_words).filter(|words| !words.is_empty()).collect()
}

/// Reads `Family, Given` or `Given Family`.
fn split_text(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    if let Some((family, given)) = text.split_once(',') {
        return (name_words(family), given_words(given));
    }
    let mut given = given_words(text);
    let family = if given.len() > 1 { given.pop().unwrap_or_default() } else { Vec::new() };
    (family, given)
}

fn generation(word: &str) -> Option<Generation> {
    match word {
        "sr" | "senior" | "i" => Some(1),
        "jr" | "junior" | "ii" => Some(2),
        "iii" => Some(3),
        "iv" => Some(4),
        "v" => Some(5),
        _ => None,
    }
}

/// Takes `Jr` and the like off the end of the family or the given names. A single letter there is
/// an initial and stays.
fn trailing_generation(
    family: &mut Vec<String>,
    given: &mut Vec<Vec<String>>,
) -> Option<Generation> {
    let suffix = |word: &String| generation(word).filter(|_| word.len() > 1);
    if family.len() > 1
        && let Some(found) = family.last().and_then(suffix)
    {
        family.pop();
        return Some(found);
    }
    if given.len() > 1
        && let Some(found) = given.last().and_then(|words| suffix(&words.concat()))
    {
        given.pop();
        return Some(found);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir::Document;

    fn check(json: &str, expected: &str) {
        let doc = Document::parse(json).unwrap();
        let n = Name::of(doc.root());
        let shown = format!(
            "{}[{}] {}[{}] {} {:?}",
            n.family,
            n.family_parts.join("+"),
            n.given,
            n.given_parts.join("+"),
            n.middle.join("+"),
            n.generation
        );
        let shown = if n.is_empty() { "none" } else { &shown };
        assert_eq!(shown, expected, "{json}");
    }

    #[test]
    fn reads_human_names() {
        for (json, expected) in [
            (r#"{"family":"Boehm581","given":["Gary33"]}"#, "boehm[] gary[]  None"),
            (
                r#"{"family":"García-López","given":["Ana María"]}"#,
                "garcialopez[garcia+lopez] ana[] maria None",
            ),
            (
                r#"{"family":"de la Cruz","given":["Anne-Marie","B."]}"#,
                "delacruz[cruz] annemarie[anne+marie] b None",
            ),
            (r#"{"family":"Smith Jr.","given":["John"]}"#, "smith[] john[]  Some(2)"),
            (
                r#"{"family":"Smith","given":["John","V"],"suffix":["Sr."]}"#,
                "smith[] john[] v Some(1)",
            ),
            (r#"{"text":"Smith, John"}"#, "smith[] john[]  None"),
            (r#"{"text":"John Q Smith"}"#, "smith[] john[] q None"),
            (r#"{"family":"Roe","given":["Baby-Boy"]}"#, "roe[] []  None"),
            (r#"{"family":"UNKNOWN"}"#, "none"),
            (r#"{"family":7,"given":{"a":[]}}"#, "none"),
            (r#""text""#, "none"),
        ] {
            check(json, expected);
        }
    }
}
