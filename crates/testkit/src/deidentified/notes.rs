//! How much of what identifies is found in generated notes with known positions.

use serde_json::{Map, Value, json};

use super::generate::{self, DEVELOPMENT_SET, HELD_OUT_SET, SEEN_SET, Set, UNSEEN_SET};

/// The seed of the notes.
const SEED: u64 = 20_260_519;
/// The number of notes of each set.
const NOTES: usize = 1_000;
/// The least share of occurrences that must be found, of each kind.
pub const LEAST_RECALL: f64 = 0.99;
/// The least share of what is found that must be right, of each kind.
pub const LEAST_PRECISION: f64 = 0.95;

/// Measures the sets of notes. Returns what to print, and whether all kinds of all sets are as good as
/// they must be.
pub fn measure() -> (Value, bool) {
    let sets: [(&str, &Set); 4] = [
        ("written beside", &SEEN_SET),
        ("first seen later", &UNSEEN_SET),
        ("improved by", &DEVELOPMENT_SET),
        ("held out", &HELD_OUT_SET),
    ];
    let (mut out, mut all_good) = (Map::new(), true);
    for (name, set) in sets {
        let mut told = Map::new();
        let table =
            super::measure::measure(&generate::notes(SEED, NOTES, set), &mut |_, _, _, _| {});
        for (category, row) in table {
            let (recall, precision) = (row.recall(), row.precision());
            all_good &= recall >= LEAST_RECALL && precision >= LEAST_PRECISION;
            let kind = format!("{category:?}").to_lowercase();
            told.insert(kind, json!({"real": row.real, "recall": recall, "precision": precision}));
        }
        out.insert(name.to_owned(), Value::Object(told));
    }
    (json!({"seed": SEED, "notes": NOTES, "sets": out}), all_good)
}
