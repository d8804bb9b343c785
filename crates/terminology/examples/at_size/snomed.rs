//! SNOMED CT: a snapshot in Release Format 2 with as many rows as the international edition.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::Fault;
use crate::draw::Draw;

/// Rows of the international edition, rounded: active and inactive concepts, descriptions,
/// relationships.
const ACTIVE: f64 = 360_000.0;
const INACTIVE: f64 = 150_000.0;
const DESCRIPTIONS: f64 = 1_500_000.0;
const RELATIONSHIPS: f64 = 3_000_000.0;

const CORE: &str = "900000000000207008";
const PRIMITIVE: &str = "900000000000074008";
const DEFINED: &str = "900000000000073002";
const FULLY_SPECIFIED: &str = "900000000000003001";
const SYNONYM: &str = "900000000000013009";
const ATTRIBUTES: [&str; 6] =
    ["363698007", "116676008", "260686004", "405813007", "246075003", "127489000"];

/// The identifier of the concept at a place; place 0 is the root.
pub fn concept(at: u64) -> u64 {
    if at == 0 { 138_875_005 } else { 10_000_000_008 + at * 1_000 }
}

fn file(folder: &Path, name: &str, columns: &str) -> Result<BufWriter<File>, Fault> {
    let path = folder.join("Snapshot/Terminology");
    std::fs::create_dir_all(&path)?;
    let mut file = BufWriter::new(File::create(path.join(name))?);
    write!(file, "{}\r\n", columns.replace(' ', "\t"))?;
    Ok(file)
}

/// Writes the files.
pub fn write(folder: &Path, share: f64) -> Result<(), Fault> {
    let rows = |count: f64| (count * share) as u64;
    concepts(folder, rows(ACTIVE), rows(INACTIVE))?;
    descriptions(folder, rows(ACTIVE) + rows(INACTIVE), rows(DESCRIPTIONS))?;
    relationships(folder, rows(ACTIVE), rows(RELATIONSHIPS))
}

fn concepts(folder: &Path, active: u64, inactive: u64) -> Result<(), Fault> {
    let columns = "id effectiveTime active moduleId definitionStatusId";
    let mut out = file(folder, "sct2_Concept_Snapshot_INT_20250101.txt", columns)?;
    let mut draw = Draw::new(1);
    for at in 0..active + inactive {
        let status = if draw.chance(30) { DEFINED } else { PRIMITIVE };
        let is_active = u8::from(at < active);
        write!(out, "{}\t20250101\t{is_active}\t{CORE}\t{status}\r\n", concept(at))?;
    }
    Ok(out.flush()?)
}

fn descriptions(folder: &Path, concepts: u64, rows: u64) -> Result<(), Fault> {
    let columns = "id effectiveTime active moduleId conceptId languageCode typeId term \
                   caseSignificanceId";
    let mut out = file(folder, "sct2_Description_Snapshot-en_INT_20250101.txt", columns)?;
    let columns = "id effectiveTime active moduleId refsetId referencedComponentId acceptabilityId";
    let mut languages = file(folder, "der2_cRefset_LanguageSnapshot-en_INT_20250101.txt", columns)?;
    let mut draw = Draw::new(2);
    for at in 0..rows {
        // In the order of identifiers, which is not that of concepts.
        let of = concept(at % concepts);
        let (id, first) = (1_000_000_011 + at * 10, at < concepts);
        let term = draw.term();
        let (kind, term) =
            if first { (FULLY_SPECIFIED, format!("{term} (disorder)")) } else { (SYNONYM, term) };
        let active = u8::from(first || draw.chance(92));
        write!(
            out,
            "{id}\t20250101\t{active}\t{CORE}\t{of}\ten\t{kind}\t{term}\t900000000000448009\r\n"
        )?;
        let preferred = if at < concepts * 2 { "900000000000548007" } else { "900000000000549004" };
        for refset in ["900000000000509007", "900000000000508004"] {
            write!(
                languages,
                "{:08x}-0000-5000-8000-{at:012x}\t20250101\t{active}\t{CORE}\t{refset}\t{id}\t\
                 {preferred}\r\n",
                draw.below(1 << 32)
            )?;
        }
    }
    languages.flush()?;
    Ok(out.flush()?)
}

fn relationships(folder: &Path, active: u64, rows: u64) -> Result<(), Fault> {
    let columns = "id effectiveTime active moduleId sourceId destinationId relationshipGroup \
                   typeId characteristicTypeId modifierId";
    let mut out = file(folder, "sct2_Relationship_Snapshot_INT_20250101.txt", columns)?;
    let mut draw = Draw::new(3);
    let mut row = 0u64;
    let mut add = |from: u64, to: u64, kind: &str, is_active: bool| -> Result<(), Fault> {
        let is_active = u8::from(is_active);
        let (id, group) = (2_000_000_025 + row * 10, row % 3);
        row += 1;
        Ok(write!(
            out,
            "{id}\t20250101\t{is_active}\t{CORE}\t{}\t{}\t{group}\t{kind}\t900000000000011006\t\
             900000000000451002\r\n",
            concept(from),
            concept(to)
        )?)
    };
    let mut left = rows;
    for at in 1..active {
        // About 19 subtypes of each concept that has any make some ten levels.
        for parent in 0..=u64::from(draw.chance(60)) {
            let above = (at / 4).saturating_sub(draw.below(1 + at / 8)).saturating_sub(parent);
            add(at, above, "116680003", true)?;
            left = left.saturating_sub(1);
        }
        for kind in ATTRIBUTES.iter().take(usize::try_from(draw.below(4))?) {
            add(at, draw.below(active), kind, true)?;
            left = left.saturating_sub(1);
        }
    }
    // What once was true.
    for _ in 0..left {
        add(draw.below(active), draw.below(active), "116680003", false)?;
    }
    Ok(out.flush()?)
}
