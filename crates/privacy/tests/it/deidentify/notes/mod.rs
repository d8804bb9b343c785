//! How much of what identifies is found in notes, measured on generated notes with known
//! positions. The names, towns and institutions of the notes are in none of the finder's lists,
//! but for names that are words (Grace, Will), and the finder is told nothing about the record.
//!
//! Recall of a kind: of its occurrences, those of which every letter and digit was covered, by
//! whatever kind. Precision of a kind: of the spans that the finder calls so, those that touch
//! something that identifies and cover no other word. Letters and digits alone count: whether a
//! point at the end is covered is all the same.

mod generate;
mod vocabulary;

use std::collections::BTreeMap;

use privacy::deidentify::text::{Category, Finder, Known};

use generate::Note;

const SEED: u64 = 20_260_519;
const NOTES: usize = 2_000;

#[derive(Default)]
struct Measured {
    real: usize,
    found: usize,
    said: usize,
    right: usize,
}

fn measure(notes: &[Note], missed: &mut Vec<String>) -> BTreeMap<Category, Measured> {
    let finder = Finder::new();
    let mut table: BTreeMap<Category, Measured> = BTreeMap::new();
    for note in notes {
        let spans = finder.find(&note.text, &Known::default());
        let counts = |from: usize, to: usize| -> Vec<usize> {
            (from..to)
                .filter(|&at| {
                    note.text.as_bytes()[at].is_ascii_alphanumeric()
                        || note.text.as_bytes()[at] >= 0x80
                })
                .collect()
        };
        let said: Vec<_> = spans.iter().map(|span| (span.start, span.end)).collect();
        let real: Vec<_> = note.spans.iter().map(|(start, end, _)| (*start, *end)).collect();
        let inside = |at: usize, spans: &[(usize, usize)]| {
            spans.iter().any(|&(start, end)| start <= at && at < end)
        };
        for (start, end, category) in &note.spans {
            let row = table.entry(*category).or_default();
            row.real += 1;
            let all = counts(*start, *end).into_iter().all(|at| inside(at, &said));
            row.found += usize::from(all);
            if !all {
                missed.push(format!("missed {category:?}: …{}…", around(&note.text, *start, *end)));
            }
        }
        for span in &spans {
            let row = table.entry(span.category).or_default();
            row.said += 1;
            let right = counts(span.start, span.end).into_iter().all(|at| inside(at, &real));
            row.right += usize::from(right);
            if !right {
                missed.push(format!(
                    "wrong {:?}: …{}…",
                    span.category,
                    around(&note.text, span.start, span.end)
                ));
            }
        }
    }
    table
}

fn around(text: &str, start: usize, end: usize) -> String {
    let from = (start.saturating_sub(25)..=start).find(|at| text.is_char_boundary(*at)).unwrap();
    let to =
        (end..=(end + 25).min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
    format!("{}<{}>{}", &text[from..start], &text[start..end], &text[end..to]).replace('\n', "⏎")
}

/// Measures notes of these sentences, prints the table and what was missed, and returns for each
/// kind recall and precision.
fn shown(sentences: &[&'static str]) -> BTreeMap<Category, (f64, f64)> {
    let notes = generate::notes(SEED, NOTES, sentences);
    let mut missed = Vec::new();
    let table = measure(&notes, &mut missed);
    let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
    println!("seed {SEED}, {NOTES} notes\ncategory        real  recall   said  precision");
    let mut shares = BTreeMap::new();
    for (category, row) in &table {
        let (recall, precision) = (share(row.found, row.real), share(row.right, row.said));
        let name = format!("{category:?}");
        println!("{name:<14} {:>5}  {recall:.4}  {:>5}  {precision:.4}", row.real, row.said);
        shares.insert(*category, (recall, precision));
    }
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for line in &missed {
        // By what was missed, with the first place that it was missed at.
        let word = &line[line.find('<').unwrap()..=line.find('>').unwrap()];
        let kind = line.split(':').next().unwrap();
        let known = kinds.keys().find(|k| k.starts_with(kind) && k.contains(word)).cloned();
        *kinds.entry(known.unwrap_or_else(|| line.clone())).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    kinds.iter().take(40).for_each(|(line, count)| println!("{count:>4} {line}"));
    shares
}

#[test]
fn what_identifies_is_found() {
    let shares = shown(generate::SEEN);
    assert_eq!(shares.len(), Category::ALL.len());
    for (category, (recall, precision)) in shares {
        assert!(recall >= 0.99 && precision >= 0.95, "{category:?}: {recall} {precision}");
    }
}

#[test]
fn what_identifies_is_found_in_sentences_it_was_not_written_beside() {
    let shares = shown(&generate::UNSEEN);
    assert_eq!(shares.len(), Category::ALL.len());
    for (category, (recall, precision)) in shares {
        assert!(recall >= 0.98 && precision >= 0.95, "{category:?}: {recall} {precision}");
    }
}

#[test]
fn the_vocabulary_of_the_notes_is_not_the_finders() {
    let lists = [
        include_str!("../../../../lists/given-names.txt"),
        include_str!("../../../../lists/surnames.txt"),
        include_str!("../../../../lists/places.txt"),
        include_str!("../../../../lists/words.txt"),
        include_str!("../../../../lists/english.txt"),
    ]
    .map(|list| list.split_whitespace().collect::<std::collections::HashSet<_>>());
    for name in [vocabulary::GIVEN, vocabulary::FAMILY, vocabulary::TOWNS].concat() {
        for list in &lists {
            assert!(
                !list.contains(name.to_lowercase().as_str()),
                "`{name}` is in a list of the finder"
            );
        }
    }
}
