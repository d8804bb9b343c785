//! Given names that are known to be names.

use crate::nickname;
use std::collections::HashSet;
use std::sync::LazyLock;

const TABLE: &str = include_str!("../given-names.txt");

static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    TABLE.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect()
});

/// Whether a folded word is listed as a given name.
pub(crate) fn is_given_name(word: &str) -> bool {
    NAMES.contains(word) || nickname::is_listed(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_folded_words_only() {
        assert!(NAMES.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase())));
        for (word, expected) in [("mya", true), ("robert", true), ("josehp", false), ("", false)] {
            assert_eq!(is_given_name(word), expected, "{word}");
        }
    }
}
