//! The outside suites, run whole.

use std::path::Path;

use crate::suites::{Suite, fhirpath_patch, fhirpath_r4, json_patch, sql_on_fhir};

fn check(folder: &str, run: fn(&Path) -> Result<Suite, String>, least: usize) {
    let Some(folder) = crate::shared(folder) else { return };
    let suite = run(&folder).unwrap();
    println!("{}", suite.report());
    assert!(suite.total >= least, "only {} cases", suite.total);
    assert_eq!(suite.surprises(), [] as [String; 0]);
}

#[test]
fn fhirpath_r4_passes() {
    check("conformance/fhirpath", fhirpath_r4::run, 935);
}

#[test]
fn fhirpath_patch_passes() {
    check("conformance/patch", fhirpath_patch::run, 33);
}

#[test]
fn json_patch_passes() {
    check("conformance/patch", json_patch::run, 16);
}

#[test]
fn sql_on_fhir_passes() {
    check("conformance/sql-on-fhir", sql_on_fhir::run, 144);
}
