//! The code lists of the labelling service: their form, where they were read, known codes, and what
//! they make of records that Synthea made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;

use consilium_policy::labels::{Row, SOURCES, find, rows};
use serde_json::Value;

const ICD_10_CM: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const ICD_10: &str = "http://hl7.org/fhir/sid/icd-10";
const ICD_10_PCS: &str = "http://www.cms.gov/Medicare/Coding/ICD10";
const ATC: &str = "http://www.whocc.no/atc";
const SNOMED: &str = "http://snomed.info/sct";
const LOINC: &str = "http://loinc.org";
const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";

/// Rows without a source, by system; `sources.md` names the same numbers.
const NOT_VERIFIED: &[(&str, usize)] = &[(LOINC, 17), (SNOMED, 9), (RXNORM, 7)];

#[test]
fn every_source_is_explained_and_what_is_not_verified_is_counted() {
    let named: BTreeSet<&str> = SOURCES
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(key, _)| key))
        .collect();
    let used: BTreeSet<&str> = rows().iter().filter_map(|row| row.source).collect();
    assert_eq!(used, named);
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows().iter().filter(|row| row.source.is_none()) {
        *unknown.entry(row.system).or_default() += 1;
    }
    assert_eq!(unknown.into_iter().collect::<Vec<_>>(), NOT_VERIFIED);
    let thousands = format!("{},{:03}", rows().len() / 1000, rows().len() % 1000);
    let told = format!("33 of {thousands} (9 of SNOMED CT, 17 of LOINC, 7");
    assert!(SOURCES.contains(&told), "sources.md must say: {told}");
}

#[test]
fn codes_have_the_form_of_their_system() {
    for row in rows() {
        let fits = match row.system {
            ICD_10_CM | ICD_10 => icd(row.code),
            ICD_10_PCS => {
                row.code.len() <= 7 && row.code.bytes().all(|b| b.is_ascii_alphanumeric())
            }
            ATC => atc(row.code),
            SNOMED => is_digits(row.code) && verhoeff(row.code),
            LOINC => mod_10(row.code),
            RXNORM => is_digits(row.code) && row.code.len() <= 7,
            _ => false,
        };
        assert!(fits, "{row:?}");
        assert_eq!(row.display, row.display.trim(), "{row:?}");
    }
}

fn is_digits(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit())
}

fn icd(code: &str) -> bool {
    let (category, rest) = code.split_once('.').unwrap_or((code, "0"));
    let mut signs = category.bytes();
    category.len() == 3
        && signs.next().is_some_and(|b| b.is_ascii_uppercase())
        && signs.next().is_some_and(|b| b.is_ascii_digit())
        && (1..=4).contains(&rest.len())
        && rest.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// Letter, two digits, letter, letter, two digits; a prefix of it at the borders of a level.
fn atc(code: &str) -> bool {
    let form = [true, false, false, true, true, false, false];
    matches!(code.len(), 1 | 3 | 4 | 5 | 7)
        && code.bytes().zip(form).all(|(b, letter)| match letter {
            true => b.is_ascii_uppercase(),
            false => b.is_ascii_digit(),
        })
}

/// The check digit of LOINC (LOINC Users' Guide, appendix: Mod 10).
fn mod_10(code: &str) -> bool {
    let Some((number, check)) = code.split_once('-') else { return false };
    let digits = number.bytes().rev().enumerate().map(|(at, b)| {
        let digit = u32::from(b - b'0') * if at % 2 == 0 { 2 } else { 1 };
        digit / 10 + digit % 10
    });
    let sum: u32 = digits.sum();
    is_digits(number) && check == ((10 - sum % 10) % 10).to_string()
}

/// The check digit of SNOMED CT identifiers (Verhoeff's dihedral scheme).
fn verhoeff(code: &str) -> bool {
    let times = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - 5 + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let turn = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let turned = |digit: u8, times: usize| (0..times).fold(digit, |d, _| turn[usize::from(d)]);
    let digits = code.bytes().rev().enumerate().map(|(at, b)| turned(b - b'0', at % 8));
    digits.fold(0, times) == 0
}

#[test]
fn check_digits_are_checked() {
    for (code, expected) in [("718-7", true), ("718-8", false), ("28627-8", true)] {
        assert_eq!(mod_10(code), expected, "{code}");
    }
    for (code, expected) in [("73211009", true), ("73211010", false), ("86406008", true)] {
        assert_eq!(verhoeff(code), expected, "{code}");
    }
}

// A code may bring two topics (a counselling for genetic tests before a pregnancy), but not two that
// cannot both be why it is listed.
#[test]
fn no_code_has_topics_that_contradict_each_other() {
    let alike = ["ETHUD", "OPIOIDUD", "SUD"];
    let mut topics: HashMap<(&str, &str), Vec<&Row>> = HashMap::new();
    for row in rows() {
        topics.entry((row.system, row.code)).or_default().push(row);
    }
    for rows in topics.values().filter(|rows| rows.len() > 1) {
        let of_one_tree = rows.iter().filter(|row| alike.contains(&row.sensitivity.code())).count();
        assert!(of_one_tree < 2, "{rows:#?}");
        let minds = rows.iter().filter(|row| ["PSY", "MH"].contains(&row.sensitivity.code()));
        assert!(minds.count() < 2, "{rows:#?}");
    }
}

#[test]
fn known_codes_have_their_topics() {
    let known: &[(&str, &str, &[&str])] = &[
        // What a list for clinicians must not miss.
        (RXNORM, "351267", &["OPIOIDUD"]), // buprenorphine 8 MG / naloxone 2 MG sublingual
        (RXNORM, "864978", &["OPIOIDUD"]), // methadone 40 MG for oral suspension
        (RXNORM, "1483744", &["SUD"]),     // naltrexone 50 MG
        (RXNORM, "476556", &["HIV"]),      // emtricitabine / tenofovir, also for prophylaxis
        (RXNORM, "1433873", &["HIV"]),     // dolutegravir 50 MG
        (RXNORM, "311704", &["SEX"]),      // mifepristone 200 MG
        (LOINC, "20447-9", &["HIV"]),      // HIV 1 viral load
        (LOINC, "44261-6", &["MH"]),       // PHQ-9 total
        (LOINC, "72109-2", &["ETHUD"]),    // AUDIT-C
        (LOINC, "22587-0", &["STD"]),      // Treponema pallidum antibody
        (LOINC, "28627-8", &["MH"]),       // psychiatry progress note
        (LOINC, "69548-6", &["GDIS"]),     // genetic variant assessment
        (ICD_10_CM, "F11.20", &["OPIOIDUD"]),
        (ICD_10_CM, "F32.A", &["PSY"]),
        (ICD_10_CM, "T39.1X2A", &["PSY"]), // paracetamol, on purpose
        (ICD_10_CM, "T39.1X3A", &["VIO"]), // paracetamol, by another person
        (ICD_10_CM, "T74.21XA", &["SDV"]),
        (ICD_10_CM, "Z31.430", &["SEX", "GDIS"]),
        (ICD_10_CM, "O04.80", &["SEX"]),
        (ICD_10_CM, "Z29.81", &["HIV"]),
        (ICD_10, "F10.2", &["ETHUD"]),
        (ICD_10, "B24", &["HIV"]),
        (ICD_10, "Z86.4", &["SUD"]),
        (ICD_10_PCS, "HZ2ZZZZ", &["SUD"]),
        (ATC, "J05AR20", &["HIV"]),
        (ATC, "N07BC02", &["OPIOIDUD"]),
        (SNOMED, "86406008", &["HIV"]),
        (SNOMED, "1142045004", &["HIV"]),
        (SNOMED, "55680006", &["SUD"]),
        // What is like it and is not sensitive.
        (RXNORM, "6916", &[]),        // metolazone
        (RXNORM, "161", &[]),         // acetaminophen
        (RXNORM, "1245262", &[]),     // mifepristone 300 MG, for Cushing's syndrome
        (RXNORM, "1432969", &[]),     // buprenorphine plaster
        (LOINC, "718-7", &[]),        // haemoglobin
        (LOINC, "82810-3", &[]),      // pregnancy status
        (ICD_10_CM, "T39.1X1A", &[]), // paracetamol, by accident
        (ICD_10_CM, "F17.210", &[]),  // tobacco
        (ICD_10_CM, "F03.90", &[]),   // dementia
        (ICD_10_CM, "O80", &[]),      // delivery
        (ICD_10_CM, "K76.0", &[]),    // fatty liver, not of alcohol
        (ICD_10, "E11", &[]),
        (ATC, "J05AF05", &[]),      // lamivudine
        (ATC, "N06AX12", &[]),      // bupropion
        (SNOMED, "386448003", &[]), // prevention of substance use
        (SNOMED, "419343004", &[]), // alcohol as disinfectant
        (SNOMED, "72892002", &[]),  // normal pregnancy
        (SNOMED, "434363004", &[]), // HER2 in a tumour
    ];
    for (system, code, expected) in known {
        let found: Vec<&str> = find(system, code).map(|row| row.sensitivity.code()).collect();
        assert_eq!(&found, expected, "{system} {code}");
    }
}

/// Codes of a resource: system, code and display of every coding anywhere in it.
fn codings(value: &Value, out: &mut Vec<(String, String, String)>) {
    if let Some(map) = value.as_object() {
        let text = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
        if let (Some(system), Some(code)) = (text("system"), text("code")) {
            out.push((system, code, text("display").unwrap_or_default()));
        }
        map.values().for_each(|inner| codings(inner, out));
    } else if let Some(list) = value.as_array() {
        list.iter().for_each(|inner| codings(inner, out));
    }
}

// Shows what is labelled of records that nobody made for this test; a list that labels far more or
// next to nothing is no help to anybody.
#[test]
fn of_synthetic_records_little_is_labelled_and_the_right_things() {
    let shared = std::env::var_os("CONSILIUM_SHARED").map(std::path::PathBuf::from);
    let folder = shared.map(|shared| shared.join("data/synthea")).filter(|path| path.is_dir());
    let Some(folder) = folder else {
        println!("SKIPPED: no Synthea bundles under CONSILIUM_SHARED/data/synthea");
        return;
    };
    let mut labelled: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let (mut resources, mut hit) = (0_usize, 0_usize);
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.extension().is_none_or(|kind| kind != "gz") {
            continue;
        }
        let mut text = String::new();
        let file = std::fs::File::open(&path).expect("file");
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
        let bundle: Value = serde_json::from_str(&text).expect("json");
        for resource in bundle["entry"].as_array().expect("entries") {
            let mut found = Vec::new();
            codings(resource, &mut found);
            let mut any = false;
            for (system, code, display) in found {
                for row in find(&system, &code) {
                    any = true;
                    let what = format!("{code} {display}");
                    *labelled.entry((row.sensitivity.code(), what)).or_default() += 1;
                }
            }
            resources += 1;
            hit += usize::from(any);
        }
    }
    println!("{hit} of {resources} resources are labelled");
    labelled.iter().for_each(|((topic, what), count)| println!("{topic:9}{count:5}  {what}"));
    assert!(hit * 200 > resources && hit * 50 < resources, "{hit} of {resources}");
    let has = |topic: &str, code: &str| {
        labelled.keys().any(|(known, what)| *known == topic && what.starts_with(code))
    };
    for (topic, code) in [
        ("ETHUD", "7200002 "),
        ("HIV", "31676001 "),
        ("PSY", "36923009 "),
        ("SEX", "169553002 "),
        ("STD", "269828009 "),
        ("SUD", "266707007 "),
        ("SUD", "55680006 "),
    ] {
        assert!(has(topic, code), "{topic} {code}");
    }
}
