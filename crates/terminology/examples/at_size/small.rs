//! LOINC, RxNorm and ICD-10-CM.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::Fault;
use crate::draw::Draw;

/// Columns of `Loinc.csv`.
const LOINC: &str = "LOINC_NUM,COMPONENT,PROPERTY,TIME_ASPCT,SYSTEM,SCALE_TYP,METHOD_TYP,CLASS,\
    VersionLastChanged,CHNG_TYPE,DefinitionDescription,STATUS,CONSUMER_NAME,CLASSTYPE,FORMULA,\
    EXMPL_ANSWERS,SURVEY_QUEST_TEXT,SURVEY_QUEST_SRC,UNITSREQUIRED,RELATEDNAMES2,SHORTNAME,\
    ORDER_OBS,HL7_FIELD_SUBFIELD_ID,EXTERNAL_COPYRIGHT_NOTICE,EXAMPLE_UNITS,LONG_COMMON_NAME,\
    EXAMPLE_UCUM_UNITS,STATUS_REASON,STATUS_TEXT,CHANGE_REASON_PUBLIC,COMMON_TEST_RANK,\
    COMMON_ORDER_RANK,HL7_ATTACHMENT_STRUCTURE,EXTERNAL_COPYRIGHT_LINK,PanelType,AskAtOrderEntry,\
    AssociatedObservations,VersionFirstReleased,ValidHL7AttachmentRequest,DisplayName";

fn file(folder: &Path, name: &str) -> Result<BufWriter<File>, Fault> {
    let path = folder.join(name);
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above)?;
    }
    Ok(BufWriter::new(File::create(path)?))
}

/// LOINC's table and hierarchy: 100,000 codes under 80,000 parts.
pub fn loinc(folder: &Path, share: f64) -> Result<(), Fault> {
    let (codes, parts) = ((100_000.0 * share) as u64, (80_000.0 * share) as u64);
    let mut draw = Draw::new(10);
    let mut table = file(folder, "LoincTable/Loinc.csv")?;
    let heading: Vec<_> = LOINC.split(',').map(|name| format!("\"{}\"", name.trim())).collect();
    write!(table, "{}\r\n", heading.join(","))?;
    let mut tree =
        file(folder, "AccessoryFiles/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv")?;
    write!(tree, "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\r\n")?;
    let part = |at: u64| format!("LP{}-{}", 1_000 + at, at % 10);
    for at in 0..parts {
        let above = if at == 0 { String::new() } else { part(at / 6) };
        write!(tree, "\"{above}\",1,\"{above}\",{},\"{}\"\r\n", part(at), draw.term())?;
    }
    for at in 0..codes {
        let (code, name) = (format!("{}-{}", at + 1, at % 10), draw.term());
        let class = ["CHEM", "MICRO", "HEM/BC", "SERO", "RAD", "PANEL.CHEM"];
        let class = class.get(usize::try_from(draw.below(6))?).copied().unwrap_or_default();
        let status = if draw.chance(5) { "DEPRECATED" } else { "ACTIVE" };
        let related = (0..6).map(|_| draw.term()).collect::<Vec<_>>().join("; ");
        let fields = LOINC.split(',').map(|column| match column.trim() {
            "LOINC_NUM" => format!("\"{code}\""),
            "COMPONENT" | "SHORTNAME" | "CONSUMER_NAME" | "DisplayName" => format!("\"{name}\""),
            "LONG_COMMON_NAME" => format!("\"{name} [Mass/volume] in \"\"Serum\"\"\""),
            "PROPERTY" => "\"MCnc\"".into(),
            "TIME_ASPCT" => "\"Pt\"".into(),
            "SYSTEM" => "\"Ser/Plas\"".into(),
            "SCALE_TYP" => "\"Qn\"".into(),
            "CLASS" => format!("\"{class}\""),
            "STATUS" => format!("\"{status}\""),
            "CLASSTYPE" => "\"1\"".into(),
            "RELATEDNAMES2" => format!("\"{related}\""),
            "EXAMPLE_UCUM_UNITS" => "\"mg/dL\"".into(),
            _ => "\"\"".into(),
        });
        write!(table, "{}\r\n", fields.collect::<Vec<_>>().join(","))?;
        let above = part(draw.below(parts));
        write!(tree, "\"{above}\",1,\"{above}\",{code},\"{name}\"\r\n")?;
    }
    tree.flush()?;
    Ok(table.flush()?)
}

/// RxNorm's names, most of them of other vocabularies, and relations.
pub fn rxnorm(folder: &Path, share: f64) -> Result<(), Fault> {
    let (own, others) = ((250_000.0 * share) as u64, (850_000.0 * share) as u64);
    let mut draw = Draw::new(20);
    let mut names = file(folder, "rrf/RXNCONSO.RRF")?;
    for at in 0..own + others {
        let (id, source) = (1_000 + at % own, if at < own { "RXNORM" } else { "MTHSPL" });
        let kind = ["SCD", "SBD", "IN", "SCDC", "SY", "BN"];
        let kind = kind.get(usize::try_from(id % 6)?).copied().unwrap_or_default();
        let suppressed = if draw.chance(10) { "O" } else { "N" };
        writeln!(
            names,
            "{id}|ENG||||||{}|{}|{id}||{source}|{kind}|{id}|{} {} MG Oral Tablet||{suppressed}|4096|",
            10_000_000 + at,
            10_000_000 + at,
            draw.term(),
            1 + draw.below(500)
        )?;
    }
    let mut relations = file(folder, "rrf/RXNREL.RRF")?;
    let kinds = ["isa", "has_ingredient", "has_dose_form", "tradename_of", "consists_of"];
    for at in 0..(3_000_000.0 * share) as u64 {
        let kind = kinds.get(usize::try_from(draw.below(5))?).copied().unwrap_or_default();
        let from = 1 + draw.below(own - 1);
        let to = if kind == "isa" { draw.below(from) } else { draw.below(own) };
        let source = if at % 2 == 0 { "RXNORM" } else { "MTHSPL" };
        let (to, from) = (1_000 + to, 1_000 + from);
        writeln!(relations, "{to}||CUI|RO|{from}||CUI|{kind}|{at}||{source}|{source}||||4096|")?;
    }
    relations.flush()?;
    Ok(names.flush()?)
}

/// The order file of ICD-10-CM: some 97,000 lines.
pub fn icd10cm(folder: &Path, share: f64) -> Result<(), Fault> {
    let mut out = file(folder, "icd10cm-order-2025.txt")?;
    let mut draw = Draw::new(30);
    let mut number = 0;
    let mut line = |code: &str, billable: u8, name: &str| -> Result<(), Fault> {
        number += 1;
        let short: String = name.chars().take(60).collect();
        Ok(write!(out, "{number:05} {code:<7} {billable} {short:<60} {name}\r\n")?)
    };
    for at in 0..(1_900.0 * share) as u32 {
        let letter = char::from_u32(u32::from(b'A') + at / 100).unwrap_or('Z');
        let category = format!("{letter}{:02}", at % 100);
        line(&category, 0, &draw.term())?;
        for second in 0..10 {
            let code = format!("{category}{second}");
            line(&code, 0, &draw.term())?;
            for third in 0..4 {
                line(&format!("{code}{third}"), 1, &draw.term())?;
            }
        }
    }
    Ok(out.flush()?)
}
