//! How much of what identifies is found in notes, measured on generated notes with known
//! positions. The finder is told nothing about the record. Of the first words, names, towns and
//! institutions are in none of the finder's lists, but for names that are words (Grace, Will); of the
//! others, half of the names are.

mod generate;
mod measure;
mod other_words;
mod sentences;
mod vocabulary;

use std::collections::BTreeMap;

use privacy::deidentify::text::Category;

use generate::{DEVELOPMENT_SET, HELD_OUT_SET, SEEN_SET, Set, UNSEEN_SET};
use measure::measure;

const SEED: u64 = 20_260_519;
const NOTES: usize = 2_000;

fn around(text: &str, start: usize, end: usize) -> String {
    let from = (start.saturating_sub(25)..=start).find(|at| text.is_char_boundary(*at)).unwrap();
    let to =
        (end..=(end + 25).min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
    format!("{}<{}>{}", &text[from..start], &text[start..end], &text[end..to]).replace('\n', "⏎")
}

/// Measures notes of a set, prints the table and, where they may be looked at, what was missed; and
/// returns for each kind recall and precision.
fn shown(set: &Set, may_look: bool) -> BTreeMap<Category, (f64, f64)> {
    let notes = generate::notes(SEED, NOTES, set);
    let mut missed = Vec::new();
    let table = measure(&notes, &mut |what, category, note, (start, end)| {
        missed.push(format!("{what} {category:?}: …{}…", around(&note.text, start, end)));
    });
    println!("seed {SEED}, {NOTES} notes\ncategory        real  recall   said  precision");
    let mut shares = BTreeMap::new();
    for (category, row) in &table {
        let (recall, precision) = (row.recall(), row.precision());
        let name = format!("{category:?}");
        println!("{name:<14} {:>5}  {recall:.4}  {:>5}  {precision:.4}", row.real, row.said);
        shares.insert(*category, (recall, precision));
    }
    if !may_look {
        return shares;
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
    kinds.iter().take(60).for_each(|(line, count)| println!("{count:>4} {line}"));
    shares
}

fn check(set: &Set, may_look: bool, least_recall: f64) {
    let shares = shown(set, may_look);
    assert_eq!(shares.len(), Category::ALL.len());
    for (category, (recall, precision)) in shares {
        assert!(recall >= least_recall && precision >= 0.95, "{category:?}: {recall} {precision}");
    }
}

#[test]
fn what_identifies_is_found() {
    check(&SEEN_SET, true, 0.99);
}

#[test]
fn what_identifies_is_found_in_sentences_it_was_not_written_beside() {
    check(&UNSEEN_SET, true, 0.99);
}

#[test]
fn what_identifies_is_found_in_sentences_it_was_improved_by() {
    check(&DEVELOPMENT_SET, true, 0.99);
}

#[test]
fn what_identifies_is_found_in_sentences_that_were_held_out() {
    check(&HELD_OUT_SET, false, 0.99);
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
