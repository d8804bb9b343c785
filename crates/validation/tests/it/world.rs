//! A validator with the packages of the shared folder, and one `check` for all tests.

use std::sync::{Arc, OnceLock};

use fhir::Document;
use fhirpath::Codes;
use terminology::{Layer, Terminology};
use validation::{Issue, Level, NoCodes, Options, Package, Validator};

use crate::shared;

/// The moment at which tests validate: 2023-11-14.
pub const NOW_MS: i64 = 1_700_000_000_000;

/// A validator with nothing but R4.
pub fn r4() -> &'static Validator {
    static R4: OnceLock<Validator> = OnceLock::new();
    R4.get_or_init(|| Validator::new(&[]).unwrap())
}

/// A validator with US Core and IPS too; `None` where the shared folder is absent.
pub fn guided() -> Option<&'static Validator> {
    static GUIDED: OnceLock<Option<Validator>> = OnceLock::new();
    let make = || {
        let packages: Vec<Package> =
            vec![shared::package("us_core_610.tgz")?, shared::package("ips_v110.tgz")?];
        Some(Validator::new(&packages).unwrap())
    };
    GUIDED.get_or_init(make).as_ref()
}

/// The terminology of R4, and that of the packages where they are there.
pub fn codes() -> &'static Terminology {
    static CODES: OnceLock<Terminology> = OnceLock::new();
    CODES.get_or_init(|| {
        let mut layer = Layer::new();
        for package in ["us_core_610.tgz", "ips_v110.tgz"].into_iter().filter_map(shared::package) {
            for document in &package.terms {
                layer.add_resource(document.root()).unwrap();
            }
        }
        Terminology::new(vec![Arc::new(layer)])
    })
}

/// Validates with the terminology.
pub fn issues(validator: &Validator, document: &Document, level: Level) -> Vec<Issue> {
    let options = Options { level, ..Options::new(NOW_MS) };
    validator.validate(document.root(), options, codes())
}

/// One line for each error: where, what kind, what.
pub fn errors(issues: &[Issue]) -> Vec<String> {
    let errors = issues.iter().filter(|issue| issue.is_error());
    errors.map(|i| format!("{} {} {}", i.expression, i.code.code(), i.message)).collect()
}

/// Validates a text against R4 and `profiles`, and compares the errors' beginnings with what is
/// expected.
pub fn check(validator: &Validator, profiles: &[&str], text: &str, expected: &[&str]) {
    check_with(validator, &NoCodes, profiles, text, expected);
}

/// The same with a terminology.
pub fn check_with(
    validator: &Validator,
    codes: &dyn Codes,
    profiles: &[&str],
    text: &str,
    expected: &[&str],
) {
    let document = Document::parse(text).unwrap();
    let profiles: Vec<String> = profiles.iter().map(|p| (*p).to_owned()).collect();
    let options = Options { profiles: &profiles, ..Options::new(NOW_MS) };
    let found = errors(&validator.validate(document.root(), options, codes));
    let same = found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
    assert!(same, "{text}\nfound    {found:#?}\nexpected {expected:#?}");
}
