//! Terminologies of true shape and size, made up from a seed: writes the files as their owners
//! distribute them, loads them, and measures what loading, memory and questions cost.
//!
//! `cargo run --release -p consilium-terminology --example at_size -- write FOLDER [SHARE]` makes the
//! files (`SHARE` of their true size, 1 if not stated); `… -- measure FOLDER` loads and asks them.
//! The files also serve `consilium terminology load`. Nothing in them is of a real terminology but
//! its form: codes, words and hierarchies are drawn at random.

mod draw;
mod measure;
mod small;
mod snomed;

use std::path::Path;

/// What a step can fail with.
type Fault = Box<dyn std::error::Error>;

/// What everything is drawn from.
const SEED: u64 = 20_250_101;

fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["write", folder, share @ ..] => {
            let share = share.first().map_or(Ok(1.0), |share| share.parse::<f64>())?;
            let folder = Path::new(folder);
            std::fs::create_dir_all(folder)?;
            snomed::write(folder, share)?;
            small::loinc(folder, share)?;
            small::rxnorm(folder, share)?;
            small::icd10cm(folder, share)?;
            Ok(())
        }
        ["measure", folder] => measure::all(Path::new(folder)),
        _ => Err("say `write FOLDER [SHARE]` or `measure FOLDER`".into()),
    }
}
