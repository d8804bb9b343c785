//! Loads the files, and asks.

use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fhir::Document;
use terminology::load::{self, Form, Rf2};
use terminology::{CodeSystem, CodingRef, Expand, Layer, Terminology, Validate, ValueSet};

use crate::Fault;
use crate::snomed::concept;

const SNOMED: &str = "http://snomed.info/sct";
const LOINC: &str = "http://loinc.org";

/// Loads every code system, keeps it as the node would, and asks the usual questions.
pub fn all(folder: &Path) -> Result<(), Fault> {
    let mut files: Vec<(Form, PathBuf)> = Vec::new();
    each_file(folder, &mut files)?;
    let open = |form| -> Result<Vec<BufReader<File>>, Fault> {
        let of = files.iter().filter(|(own, _)| *own == form);
        of.map(|(_, path)| Ok(BufReader::with_capacity(1 << 20, File::open(path)?))).collect()
    };
    let one = |form| -> Result<BufReader<File>, Fault> {
        Ok(open(form)?.pop().ok_or("a file is missing; run `write` first")?)
    };
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut keep = |what: &str, start: Instant, system: CodeSystem| -> Result<(), Fault> {
        let read = start.elapsed();
        let start = Instant::now();
        let bytes = system.to_bytes()?;
        eprintln!(
            "{what}: {} codes read in {read:.1?}, written in {:.1?}; {} MB as a file, {} MB in \
             memory; {}",
            system.len(),
            start.elapsed(),
            bytes.len() >> 20,
            system.bytes() >> 20,
            memory()
        );
        kept.push(bytes);
        Ok(())
    };
    let start = Instant::now();
    let files = Rf2 {
        concepts: open(Form::SnomedConcepts)?,
        descriptions: open(Form::SnomedDescriptions)?,
        relationships: open(Form::SnomedRelationships)?,
        languages: open(Form::SnomedLanguage)?,
    };
    keep("SNOMED CT", start, load::snomed(files, None)?)?;
    let start = Instant::now();
    let tree = Some(one(Form::LoincHierarchy)?);
    keep("LOINC", start, load::loinc(one(Form::Loinc)?, tree, Some("2.80"))?)?;
    let start = Instant::now();
    let relations = Some(one(Form::RxnormRelations)?);
    keep("RxNorm", start, load::rxnorm(one(Form::RxnormConcepts)?, relations, Some("2025"))?)?;
    let start = Instant::now();
    keep("ICD-10-CM", start, load::icd10cm_order(one(Form::Icd10cmOrder)?, Some("2025"))?)?;

    let start = Instant::now();
    let mut layer = Layer::new();
    for bytes in kept {
        layer.add_system(CodeSystem::from_bytes(&bytes)?);
    }
    eprintln!("all opened as a node does at start: {:.1?}; {}", start.elapsed(), memory());
    ask(&Terminology::new(vec![Arc::new(layer)]))
}

fn each_file(folder: &Path, found: &mut Vec<(Form, PathBuf)>) -> Result<(), Fault> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            each_file(&path, found)?;
            continue;
        }
        let mut start = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(File::open(&path)?, 4096), &mut start)?;
        found.extend(Form::of(&start).map(|form| (form, path)));
    }
    Ok(())
}

/// Resident memory now and at most so far, where the system tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    };
    format!("resident {} MB, at most {} MB", kib("VmRSS:") >> 10, kib("VmHWM:") >> 10)
}

/// Times the first call and the mean of many.
fn time<T>(what: &str, rounds: u32, mut call: impl FnMut(u32) -> T) {
    let start = Instant::now();
    black_box(call(0));
    let first = start.elapsed();
    let start = Instant::now();
    for round in 0..rounds {
        black_box(call(black_box(round)));
    }
    let mean: Duration = start.elapsed() / rounds.max(1);
    eprintln!("{what}: first {first:.1?}, then {mean:.1?}");
}

fn filtered(system: &str, filters: &[[&str; 3]]) -> Result<Arc<ValueSet>, Fault> {
    let filters: Vec<String> = filters
        .iter()
        .map(|[p, op, v]| format!(r#"{{"property":"{p}","op":"{op}","value":"{v}"}}"#))
        .collect();
    let text = format!(
        r#"{{"resourceType":"ValueSet","status":"active","url":"http://own","compose":{{"include":[
            {{"system":"{system}","filter":[{}]}}]}}}}"#,
        filters.join(",")
    );
    Ok(Arc::new(ValueSet::read(Document::parse(text)?.root())?))
}

fn ask(terms: &Terminology) -> Result<(), Fault> {
    let code = |at: u32| concept(u64::from(at) * 7 % 360_000 + 1).to_string();
    time("SNOMED CT $subsumes", 20_000, |round| {
        terms.subsumes(SNOMED, None, &concept(u64::from(round % 400)).to_string(), &code(round))
    });
    time("SNOMED CT $lookup", 5_000, |round| terms.lookup(SNOMED, None, &code(round), None));
    let all = format!("{SNOMED}?fhir_vs");
    let below = format!("{SNOMED}?fhir_vs=isa/{}", concept(3));
    for set in [all.as_str(), &below] {
        time(&format!("SNOMED CT $validate-code in {set}"), 100_000, |round| {
            let code = code(round);
            let coding = CodingRef { system: Some(SNOMED), code: &code, ..CodingRef::default() };
            let wanted = Validate { codings: vec![coding], ..Validate::default() };
            terms.validate_in_value_set(set, &wanted)
        });
    }
    let page = Expand { count: Some(20), ..Expand::default() };
    let words = Expand { filter: Some("cardio acute".into()), ..page.clone() };
    time("SNOMED CT $expand is-a, 20 of all", 20, |_| terms.expand(&below, &page));
    time("SNOMED CT $expand of everything by words", 5, |_| terms.expand(&all, &words));
    for filters in [
        vec![["concept", "descendent-of", "10000003008"]],
        vec![["363698007", "=", "10000005008"]],
        vec![["concept", "is-a", "10000003008"], ["363698007", "exists", "true"]],
        vec![["moduleId", "=", "900000000000207008"]],
        vec![["inactive", "=", "true"]],
    ] {
        let set = filtered(SNOMED, &filters)?;
        let what = format!("SNOMED CT $expand {filters:?}");
        time(&what, 3, |_| terms.expand_set(set.clone(), &page).map(|found| found.total));
    }
    time("LOINC $lookup", 5_000, |round| {
        let at = round % 90_000;
        terms.lookup(LOINC, None, &format!("{}-{}", at + 1, at % 10), None)
    });
    let class = filtered(LOINC, &[["CLASS", "=", "MICRO"], ["STATUS", "=", "ACTIVE"]])?;
    time("LOINC $expand by CLASS and STATUS", 3, |_| terms.expand_set(class.clone(), &page));
    eprintln!("{}", memory());
    Ok(())
}
