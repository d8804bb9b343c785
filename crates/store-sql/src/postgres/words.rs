//! The words of a resource in the form of PostgreSQL's full text search.
//!
//! Words are parted by the same rules as everywhere (`fhirpath::search::narrative_words`), so the
//! vector is written out with its positions instead of being made by a configuration of PostgreSQL.

use std::collections::BTreeMap;

use fhir::Resource;
use fhirpath::search::{content_words, narrative_words};

/// The highest position that PostgreSQL keeps.
const MOST_WORDS: usize = 16_383;
/// The most positions of one word.
const MOST_PLACES: usize = 255;
/// Bytes of the longest word.
const LONGEST: usize = 2_000;
/// Bytes of all words together, well below the 1 MiB of a tsvector.
const MOST_BYTES: usize = 400_000;

/// Two vectors, and whether every word is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) narrative: String,
    pub(super) content: String,
    pub(super) whole: bool,
}

impl Words {
    pub(super) fn of(resource: &Resource) -> Self {
        let (narrative, all) = vector(&narrative_words(resource));
        let (content, every) = vector(&content_words(resource));
        Self { narrative, content, whole: all && every }
    }
}

/// Writes a vector such as `'ash':1,3 'birch':2`; normal forms hold neither quotes nor backslashes.
fn vector(text: &str) -> (String, bool) {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let (mut whole, mut bytes) = (true, 0);
    for (at, word) in text.split(' ').filter(|word| !word.is_empty()).enumerate() {
        if at >= MOST_WORDS || bytes > MOST_BYTES {
            whole = false;
            break;
        }
        let places = places.entry(word).or_insert_with(|| {
            bytes += word.len() + 8;
            Vec::new()
        });
        bytes += 6;
        if word.len() > LONGEST || places.len() >= MOST_PLACES || !is_plain(word) {
            whole = false;
        } else {
            places.push(at + 1);
        }
    }
    let mut vector = String::new();
    for (word, places) in places.into_iter().filter(|(_, places)| !places.is_empty()) {
        let places: Vec<String> = places.iter().map(usize::to_string).collect();
        vector.push_str(&format!("'{word}':{} ", places.join(",")));
    }
    (vector, whole)
}

/// Whether a word can be written into a vector or a question as it is.
pub(super) fn is_plain(word: &str) -> bool {
    !word.is_empty() && !word.contains(['\'', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_words_with_their_places_and_says_where_some_are_missing() {
        assert_eq!(vector("b a b"), ("'a':2 'b':1,3 ".into(), true));
        assert_eq!(vector(""), (String::new(), true));
        assert!(!vector(&"a ".repeat(300)).1);
        assert!(!vector(&"a".repeat(3_000)).1);
        let many: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
        assert!(!vector(&many.join(" ")).1);
    }
}
