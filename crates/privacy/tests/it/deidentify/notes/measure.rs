//! Recall and precision of the finder on notes with known positions.
//!
//! Recall of a kind: of its occurrences, those of which every letter and digit was covered, by
//! whatever kind. Precision of a kind: of the spans that the finder calls so, those that touch
//! something that identifies and cover no other word. Letters and digits alone count: whether a
//! point at the end is covered is all the same.

use std::collections::BTreeMap;

use privacy::deidentify::text::{Category, Finder, Known};

use super::generate::Note;

/// What was counted of one kind.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) real: usize,
    pub(super) found: usize,
    pub(super) said: usize,
    pub(super) right: usize,
}

impl Measured {
    /// The share of occurrences that were found.
    pub(super) fn recall(&self) -> f64 {
        self.found as f64 / self.real.max(1) as f64
    }

    /// The share of spans that were right.
    pub(super) fn precision(&self) -> f64 {
        self.right as f64 / self.said.max(1) as f64
    }
}

/// What is given each fault: what, of which category, in which note, from where to where.
type Fault<'a> = dyn FnMut(&str, Category, &Note, (usize, usize)) + 'a;

/// Counts over all notes; `missed` is given each fault with its place: what, note, start, end.
pub(super) fn measure(notes: &[Note], missed: &mut Fault<'_>) -> BTreeMap<Category, Measured> {
    let finder = Finder::new();
    let mut table: BTreeMap<Category, Measured> = BTreeMap::new();
    for note in notes {
        let bytes = note.text.as_bytes();
        let covered = |from: usize, to: usize, by: &[(usize, usize)]| {
            (from..to)
                .filter(|at| {
                    bytes.get(*at).is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80)
                })
                .all(|at| by.iter().any(|(start, end)| (*start..*end).contains(&at)))
        };
        let spans = finder.find(&note.text, &Known::default());
        let said: Vec<_> = spans.iter().map(|span| (span.start, span.end)).collect();
        let real: Vec<_> = note.spans.iter().map(|(start, end, _)| (*start, *end)).collect();
        for (start, end, category) in &note.spans {
            let row = table.entry(*category).or_default();
            row.real += 1;
            let all = covered(*start, *end, &said);
            row.found += usize::from(all);
            if !all {
                missed("missed", *category, note, (*start, *end));
            }
        }
        for span in &spans {
            let row = table.entry(span.category).or_default();
            row.said += 1;
            let right = covered(span.start, span.end, &real);
            row.right += usize::from(right);
            if !right {
                missed("wrong", span.category, note, (span.start, span.end));
            }
        }
    }
    table
}
