//! What `cargo xtask conformance` runs: outside suites, whole, with every exception and its
//! reason. Suites that need nothing but FHIR data and FHIRPath are those of `fhirpath`'s own
//! tests; the published examples go through a real store here.

mod examples;
#[path = "../../fhirpath/tests/suites/mod.rs"]
mod suites;

use std::path::{Path, PathBuf};

use crate::figures::say;

pub use suites::canonical;

/// A suite: its name, its folder or file below the shared data, how it is run, and how many cases
/// it must have and pass at least.
struct Published {
    name: &'static str,
    place: &'static str,
    run: fn(&Path) -> Result<suites::Suite, String>,
    cases: usize,
    aim: usize,
}

/// All suites. Those of a newer edition may have more cases; fewer mean that some were lost.
const ALL: [Published; 5] = [
    Published {
        name: "fhirpath",
        place: "conformance/fhirpath",
        run: suites::fhirpath_r4::run,
        cases: 935,
        aim: 935,
    },
    Published {
        name: "fhirpath-patch",
        place: "conformance/patch",
        run: suites::fhirpath_patch::run,
        cases: 33,
        aim: 33,
    },
    Published {
        name: "json-patch",
        place: "conformance/patch",
        run: suites::json_patch::run,
        cases: 16,
        aim: 16,
    },
    Published {
        name: "sql-on-fhir",
        place: "conformance/sql-on-fhir",
        run: suites::sql_on_fhir::run,
        cases: 144,
        aim: 144,
    },
    Published {
        name: "examples",
        place: "conformance/r4-examples.ndjson.gz",
        run: examples::run,
        cases: 715,
        aim: 715,
    },
];

/// Names of the suites, as [`run`] takes them.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|suite| suite.name)
}

/// The folder of outside test material: `CONSILIUM_SHARED`, by default beside the checkout.
pub fn shared() -> PathBuf {
    std::env::var_os("CONSILIUM_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    )
}

/// Runs the suites that are `wanted` (all, where none is named) on the material in `shared`, and
/// prints `name passed/total` for each, with its exceptions. Says aloud which suites are absent.
/// Returns what is below its aim; an error is a suite that could not be run.
pub fn run(shared: &Path, wanted: &[String]) -> Result<Vec<String>, String> {
    let mut missed = Vec::new();
    for published in &ALL {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == published.name) {
            continue;
        }
        let place = shared.join(published.place);
        if !place.exists() {
            say(&format!("skipped: {}, `{}` is absent", published.name, place.display()));
            continue;
        }
        let suite = (published.run)(&place).map_err(|e| format!("{}: {e}", published.name))?;
        say(&suite.report());
        let passed = suite.total - suite.failed.len();
        if suite.total < published.cases || passed < published.aim {
            let (total, aim, cases) = (suite.total, published.aim, published.cases);
            missed.push(format!("{} {passed}/{total}, aim {aim}/{cases}", suite.name));
        }
        let surprises = suite.surprises().len();
        if surprises > 0 {
            missed.push(format!("{}: {surprises} outcomes that are not written down", suite.name));
        }
    }
    Ok(missed)
}
