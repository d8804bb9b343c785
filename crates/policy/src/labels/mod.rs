//! The labelling service: which codes make a resource sensitive, and why.
//!
//! The lists beside this file are our own. They hold facts of public code systems: the code, what
//! it is called, which sensitivity of HL7 v3-ActCode it stands for, the law where the code alone
//! brings one, where code and name were read (`sources.md` tells the short names, editions and
//! licences, and which rows nobody could compare yet), and, in the comment above each group, why it
//! is listed. In ICD-10 (WHO and CM), ICD-10-PCS and ATC a row stands for the codes below it too.
//!
//! A resource is labelled when it is used, not when it is stored, so a list that was amended holds
//! for everything at once. Every coding anywhere in a resource is looked at, contained resources
//! and components included; narrative and other free text are not.
//!
//! 42 CFR Part 2 follows the programme that made a record, not the diagnosis. It is taken from the
//! record's own labels and from the operator's list of programmes ([`Labelling`]).

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::label::{Label, PART2, Sensitivity};

/// What the operator sets.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Labelling {
    /// Relative references to the organisations, locations and services that are programmes in the
    /// sense of 42 CFR Part 2. What refers to one of them is a record of it.
    pub part2_programmes: Vec<String>,
}

impl Labelling {
    /// Whether one of these relative references is a programme's.
    pub(crate) fn is_part2(&self, references: &[Box<str>]) -> bool {
        let programmes = &self.part2_programmes;
        programmes.iter().any(|one| references.iter().any(|known| **known == **one))
    }
}

/// The labels of a record of a programme in the sense of 42 CFR Part 2.
pub(crate) fn part2() -> impl Iterator<Item = Label> {
    Sensitivity::find("SUD").map(Label::Sensitive).into_iter().chain(Label::law(PART2))
}

/// One row of the lists.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Canonical address of the code system.
    pub system: &'static str,
    /// The code as published. In hierarchical systems it stands for those below it too.
    pub code: &'static str,
    /// What it makes a resource.
    pub sensitivity: Sensitivity,
    /// The law that the code alone brings, where it does.
    pub law: Option<&'static str>,
    /// What the code is called.
    pub display: &'static str,
    /// Where code and name were read, by its short name in [`SOURCES`]; `None` where nobody could
    /// compare the row with a published list yet.
    pub source: Option<&'static str>,
    /// Why it is listed.
    pub why: &'static str,
}

/// What the short names of sources stand for, with edition, licence and the day of reading, and what
/// the lists leave out on purpose.
pub const SOURCES: &str = include_str!("sources.md");

/// Every row of the lists.
pub fn rows() -> &'static [Row] {
    &LISTS.rows
}

/// The labels that a code brings; none where it is not listed or its system is not known.
pub fn of_code(system: &str, code: &str) -> impl Iterator<Item = Label> {
    find(system, code).flat_map(|row| {
        let law = row.law.and_then(Label::law);
        std::iter::once(Label::Sensitive(row.sensitivity)).chain(law)
    })
}

/// The rows that a code falls under.
pub fn find(system: &str, code: &str) -> impl Iterator<Item = &'static Row> {
    let lists = &*LISTS;
    let list = LISTED.iter().position(|list| list.systems.contains(&system));
    let known = list.and_then(|at| Some((LISTED.get(at)?, lists.by_code.get(at)?)));
    let rows = known.into_iter().flat_map(|(list, by_code)| under(list, by_code, code));
    rows.filter_map(|number| lists.rows.get(number))
}

/// The numbers of the rows of one list that `code` falls under.
fn under(list: &List, by_code: &HashMap<String, Vec<usize>>, code: &str) -> Vec<usize> {
    if !list.is_hierarchical {
        return by_code.get(code).cloned().unwrap_or_default();
    }
    let plain = plain(code);
    // No code of these systems is longer.
    let prefixes = (1..=plain.len().min(8)).filter_map(|end| plain.get(..end));
    prefixes.filter_map(|prefix| by_code.get(prefix)).flatten().copied().collect()
}

/// Codes are written with and without their point.
fn plain(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect()
}

struct List {
    /// Canonical address first, then other names of the same system.
    systems: &'static [&'static str],
    is_hierarchical: bool,
    texts: &'static [&'static str],
}

const LISTED: &[List] = &[
    List {
        systems: &[
            "http://hl7.org/fhir/sid/icd-10-cm",
            "urn:oid:2.16.840.1.113883.6.90",
            "http://terminology.hl7.org/CodeSystem/icd10CM",
        ],
        is_hierarchical: true,
        texts: &[include_str!("icd-10-cm.tsv"), include_str!("icd-10-cm-intent.tsv")],
    },
    List {
        systems: &[
            "http://hl7.org/fhir/sid/icd-10",
            "urn:oid:2.16.840.1.113883.6.3",
            "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
            "http://fhir.de/CodeSystem/dimdi/icd-10-gm",
            "http://hl7.org/fhir/sid/icd-10-uk",
        ],
        is_hierarchical: true,
        texts: &[include_str!("icd-10.tsv")],
    },
    List {
        systems: &[
            "http://www.cms.gov/Medicare/Coding/ICD10",
            "http://hl7.org/fhir/sid/icd-10-pcs",
            "urn:oid:2.16.840.1.113883.6.4",
        ],
        is_hierarchical: true,
        texts: &[include_str!("icd-10-pcs.tsv")],
    },
    List {
        systems: &["http://www.whocc.no/atc", "urn:oid:2.16.840.1.113883.6.73"],
        is_hierarchical: true,
        texts: &[include_str!("atc.tsv")],
    },
    List {
        systems: &["http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"],
        is_hierarchical: false,
        texts: &[include_str!("snomed-ct.tsv")],
    },
    List {
        systems: &["http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"],
        is_hierarchical: false,
        texts: &[include_str!("loinc.tsv")],
    },
    List {
        systems: &["http://www.nlm.nih.gov/research/umls/rxnorm", "urn:oid:2.16.840.1.113883.6.88"],
        is_hierarchical: false,
        texts: &[include_str!("rxnorm.tsv")],
    },
];

struct Lists {
    rows: Vec<Row>,
    /// For each of [`LISTED`], the numbers of the rows of a code.
    by_code: Vec<HashMap<String, Vec<usize>>>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let mut lists = Lists { rows: Vec::new(), by_code: Vec::new() };
    for list in LISTED {
        let mut by_code: HashMap<String, Vec<usize>> = HashMap::new();
        let mut why = "";
        for line in list.texts.iter().flat_map(|text| text.lines()) {
            if let Some(text) = line.strip_prefix('#') {
                why = text.trim();
            } else if let Some(row) = row(list, line, why) {
                let key = if list.is_hierarchical { plain(row.code) } else { row.code.to_owned() };
                by_code.entry(key).or_default().push(lists.rows.len());
                lists.rows.push(row);
            }
        }
        lists.by_code.push(by_code);
    }
    lists
});

/// `code TAB sensitivity TAB law TAB display TAB source`; a test shows that every line is one.
fn row(list: &List, line: &'static str, why: &'static str) -> Option<Row> {
    let mut fields = line.split('\t');
    let code = fields.next().filter(|code| !code.is_empty())?;
    let sensitivity = Sensitivity::find(fields.next()?)?;
    let law = fields.next().filter(|law| !law.is_empty());
    let system = list.systems.first()?;
    let (display, source) = (fields.next()?, fields.next()?);
    let source = Some(source).filter(|source| !source.is_empty());
    Some(Row { system, code, sensitivity, law, display, source, why })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_a_row_and_none_is_there_twice() {
        let mut seen = HashSet::new();
        let mut read = 0;
        for list in LISTED {
            let mut why = "";
            for line in list.texts.iter().flat_map(|text| text.lines()) {
                if let Some(text) = line.strip_prefix('#') {
                    why = text.trim();
                    continue;
                }
                let row = row(list, line, why).unwrap_or_else(|| panic!("not a row: {line:?}"));
                assert_eq!(line.split('\t').count(), 5, "{line}");
                assert!(row.law.is_none_or(|law| Label::law(law).is_some()), "{line}");
                assert!(row.display.len() > 2 && why.len() > 10, "{line}");
                let key = (row.system, plain(row.code), row.sensitivity);
                assert!(seen.insert(key), "twice: {line}");
                read += 1;
            }
        }
        assert_eq!(read, rows().len());
    }

    #[test]
    fn codes_are_found_under_their_category() {
        let check = |system: &str, code: &str, expected: &[&str]| {
            let found: Vec<_> = find(system, code).map(|row| row.sensitivity.code()).collect();
            assert_eq!(found, expected, "{code}");
        };
        let icd = "http://hl7.org/fhir/sid/icd-10-cm";
        check(icd, "F10.20", &["ETHUD"]);
        check(icd, "F1020", &["ETHUD"]);
        check(icd, "f11.2", &["OPIOIDUD"]);
        check(icd, "B20", &["HIV"]);
        check(icd, "E11.9", &[]);
        check(icd, "F1", &[]);
        check("http://www.whocc.no/atc", "J05AR10", &["HIV"]);
        check("http://loinc.org", "75622-1", &["HIV"]);
        check("http://loinc.org", "718-7", &[]);
        check("urn:example", "B20", &[]);
        check("", "B20", &[]);
    }
}
