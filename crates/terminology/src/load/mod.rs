//! Reading the files in which terminologies are distributed. Those who hold a licence load their
//! own copy; none of it is part of the program. All readers take text line by line, so a
//! distribution never has to be in memory as a whole.

mod csv;
mod icd10cm;
mod loinc;
mod rxnorm;
mod snomed;

use std::io::BufRead;

use crate::Error;
use crate::system::{Content, Head, Property};

pub use icd10cm::{order as icd10cm_order, tabular as icd10cm_tabular};
pub use loinc::loinc;
pub use rxnorm::rxnorm;
pub use snomed::{Rf2, snomed};

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// What a file holds, told by its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// LOINC's table of codes (`Loinc.csv`).
    Loinc,
    /// LOINC's hierarchy (`ComponentHierarchyBySystem.csv`, `MultiAxialHierarchy.csv`).
    LoincHierarchy,
    /// SNOMED CT RF2 concepts.
    SnomedConcepts,
    /// SNOMED CT RF2 descriptions.
    SnomedDescriptions,
    /// SNOMED CT RF2 relationships.
    SnomedRelationships,
    /// SNOMED CT RF2 language reference set.
    SnomedLanguage,
    /// RxNorm names and codes (`RXNCONSO.RRF`).
    RxnormConcepts,
    /// RxNorm relations (`RXNREL.RRF`).
    RxnormRelations,
    /// ICD-10-CM order file.
    Icd10cmOrder,
    /// ICD-10-CM tabular list in XML.
    Icd10cmTabular,
    /// FHIR JSON or NDJSON.
    Fhir,
    /// A FHIR package, or NDJSON that is compressed with gzip.
    Gzip,
}

impl Form {
    /// Tells the form by the first bytes of a file (4 KiB will do); `None` for anything else.
    pub fn of(start: &[u8]) -> Option<Self> {
        if start.starts_with(&[0x1f, 0x8b]) {
            return Some(Self::Gzip);
        }
        let text = String::from_utf8_lossy(start);
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().next().unwrap_or_default();
        let columns: Vec<&str> = first.split('\t').collect();
        if first.starts_with("\"LOINC_NUM\"") || first.starts_with("LOINC_NUM,") {
            return Some(Self::Loinc);
        }
        if first.to_ascii_uppercase().contains("PATH_TO_ROOT") {
            return Some(Self::LoincHierarchy);
        }
        if columns.first() == Some(&"id") && columns.get(1) == Some(&"effectiveTime") {
            let has = |name| columns.contains(&name);
            return match () {
                () if has("definitionStatusId") => Some(Self::SnomedConcepts),
                () if has("conceptId") && has("term") && has("languageCode") => {
                    Some(Self::SnomedDescriptions)
                }
                () if has("sourceId") && has("destinationId") => Some(Self::SnomedRelationships),
                () if has("acceptabilityId") => Some(Self::SnomedLanguage),
                () => None,
            };
        }
        let pipes = first.matches('|').count();
        if pipes >= 16 && first.ends_with('|') {
            let relation = first.split('|').nth(2).is_some_and(|f| matches!(f, "CUI" | "AUI"));
            return Some(if relation { Self::RxnormRelations } else { Self::RxnormConcepts });
        }
        let trimmed = text.trim_start();
        if trimmed.starts_with('{') && text.contains("resourceType") {
            return Some(Self::Fhir);
        }
        if text.contains("<ICD10CM.tabular") {
            return Some(Self::Icd10cmTabular);
        }
        icd10cm::order_row(first).map(|_| Self::Icd10cmOrder)
    }
}

/// Calls `visit` with every line, without its end. A line beyond [`MAX_LINE_BYTES`] is an error,
/// as is one that is not UTF-8.
fn lines(
    mut source: impl BufRead,
    mut visit: impl FnMut(&str) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    let mut number = 0u64;
    loop {
        bytes.clear();
        number += 1;
        let read = std::io::Read::take(&mut source, MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
        let read = read.map_err(|error| unreadable(number, &error.to_string()))?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == MAX_LINE_BYTES {
            return Err(unreadable(number, "the line is too long"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| unreadable(number, "not UTF-8"))?;
        let text = text.trim_end_matches(['\n', '\r']);
        visit(if number == 1 { text.trim_start_matches('\u{feff}') } else { text })?;
    }
}

fn unreadable(line: u64, why: &str) -> Error {
    Error::invalid(format!("line {line} cannot be read: {why}"))
}

/// The head of a distributed code system.
fn head(url: &str, name: &str, title: &str, version: Option<&str>, properties: &[&str]) -> Head {
    Head {
        url: url.into(),
        version: version.map(Into::into),
        name: name.into(),
        title: Some(title.into()),
        status: "active".into(),
        language: Some("en".into()),
        case_sensitive: true,
        content: Content::Complete,
        value_set: None,
        supplements: None,
        subsumes: true,
        compositional: false,
        properties: properties
            .iter()
            .map(|code| Property { code: (*code).into(), kind: "string".into(), description: None })
            .collect(),
    }
}
