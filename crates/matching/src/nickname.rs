//! Short and familiar forms of given names.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// One line a formal name with its short forms; see the file's own head.
const TABLE: &str = include_str!("../nicknames.txt");

/// Every name with the numbers of the lines it stands in.
static LINES: LazyLock<HashMap<&'static str, Vec<u16>>> = LazyLock::new(|| {
    let mut lines: HashMap<&str, Vec<u16>> = HashMap::new();
    for (number, line) in (0u16..).zip(rows()) {
        for name in words(line) {
            lines.entry(name).or_default().push(number);
        }
    }
    lines
});

/// The first name of every line.
static FORMAL: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| rows().filter_map(|line| line.split(':').next()).collect());

/// Whether two folded given names are forms of one name, `bob` and `robert` for example.
pub(crate) fn related(a: &str, b: &str) -> bool {
    match (LINES.get(a), LINES.get(b)) {
        (Some(a), Some(b)) => a.iter().any(|line| b.contains(line)),
        _ => false,
    }
}

/// Whether a folded name is the formal name of a line.
pub(crate) fn is_formal(name: &str) -> bool {
    FORMAL.contains(name)
}

/// Whether the table holds a folded name.
pub(crate) fn is_listed(name: &str) -> bool {
    LINES.contains_key(name)
}

/// All other forms of a folded given name, sorted, without repeats.
pub(crate) fn forms(name: &str) -> Vec<&'static str> {
    let Some(lines) = LINES.get(name) else { return Vec::new() };
    let mut forms: Vec<&str> = (0u16..)
        .zip(rows())
        .filter(|(number, _)| lines.contains(number))
        .flat_map(|(_, line)| words(line))
        .filter(|form| *form != name)
        .collect();
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn rows() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|line| !line.starts_with('#'))
}

fn words(line: &'static str) -> impl Iterator<Item = &'static str> {
    line.split([':', ' ']).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relates_forms_of_one_name() {
        for (a, b, expected) in [
            ("robert", "bob", true),
            ("bob", "rob", true),
            ("kate", "catherine", true),
            ("robert", "william", false),
            ("xavier", "xavi", false),
        ] {
            assert_eq!(related(a, b), expected, "{a} {b}");
            assert_eq!(related(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn the_table_holds_folded_words_only() {
        for line in rows() {
            assert!(line.contains(": "), "{line}");
            assert!(line.chars().all(|c| c.is_ascii_lowercase() || ": ".contains(c)), "{line}");
        }
        assert!(forms("william").contains(&"bill"));
        assert!(!forms("william").contains(&"william"));
    }
}
