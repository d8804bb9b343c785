//! Words by what they may be.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::token::Token;

/// The lists.
#[derive(Debug)]
pub(super) struct Lists {
    given: HashSet<&'static str>,
    surnames: HashSet<&'static str>,
    words: HashSet<&'static str>,
    /// Words of English beyond those: they tell only that a word in no list of names is none.
    english: HashSet<&'static str>,
    drugs: HashSet<&'static str>,
    pub(super) eponyms: HashSet<&'static str>,
    pub(super) places: HashSet<&'static str>,
}

/// What a word may be by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A word that names nobody.
    Ordinary,
    /// A name that is a word as well.
    Both,
    /// In a list of names, and no word.
    Name,
    /// In no list.
    Unknown,
}

/// Endings of clinical and English words that hardly any name has.
const ENDINGS: [&str; 62] = [
    "itis", "osis", "emia", "aemia", "ectomy", "ology", "opathy", "pathy", "gram", "scopy", "pril",
    "olol", "statin", "mycin", "cillin", "azole", "tion", "sion", "ment", "ness", "ity", "ing",
    "ally", "edly", "able", "ible", "ous", "ive", "ical", "oma", "plasty", "otomy", "ostomy",
    "graphy", "algia", "pnea", "uria", "phagia", "plegia", "paresis", "ated", "ized", "ised",
    "mab", "tinib", "sartan", "oxacin", "idine", "amine", "azepam", "zolam", "prazole", "tidine",
    "formin", "gliptin", "parin", "vir", "thesis", "ology", "ological", "ologist", "ful",
];

/// Those of them that some names have.
const DOUBTFUL: [&str; 8] = ["ing", "ment", "ity", "able", "ous", "ive", "ful", "ally"];

impl Lists {
    /// The lists of the program.
    pub(super) fn shared() -> &'static Self {
        static LISTS: OnceLock<Lists> = OnceLock::new();
        LISTS.get_or_init(|| Self {
            given: words(include_str!("../../../lists/given-names.txt")),
            surnames: words(include_str!("../../../lists/surnames.txt")),
            words: words(include_str!("../../../lists/words.txt")),
            english: words(include_str!("../../../lists/english.txt")),
            drugs: words(include_str!("../../../lists/drugs.txt")),
            eponyms: words(include_str!("../../../lists/eponyms.txt")),
            places: lines(include_str!("../../../lists/places.txt")).map(str::trim).collect(),
        })
    }

    /// Whether the word is in a list of names; of a word with a hyphen, whether a part is.
    pub(super) fn is_listed(&self, word: &str) -> bool {
        let known = |part: &str| self.given.contains(part) || self.surnames.contains(part);
        let singular = word.strip_suffix('s').filter(|word| word.len() > 3);
        known(word)
            || singular.is_some_and(known)
            || (word.contains('-') && word.split('-').any(known))
    }

    /// Whether it is listed as a given name.
    pub(super) fn is_given(&self, word: &str) -> bool {
        self.given.contains(word)
    }

    /// Whether it is a medicine.
    pub(super) fn is_drug(&self, word: &str) -> bool {
        self.drugs.contains(word)
    }

    /// Whether the lists hold it as a word that names nobody.
    pub(super) fn is_word(&self, word: &str) -> bool {
        let known = |word: &str| self.words.contains(word) || self.drugs.contains(word);
        known(word)
            || ["s", "es", "ed", "d", "ly"]
                .iter()
                .any(|end| word.strip_suffix(end).is_some_and(|stem| stem.len() > 2 && known(stem)))
            || (word.contains('-') && word.split('-').all(|p| known(p) || self.has_ending(p)))
            || ["non-", "post-", "pre-", "self-", "well-", "anti-", "co-", "re-"]
                .iter()
                .any(|p| word.starts_with(p))
    }

    fn has_ending(&self, word: &str) -> bool {
        word.len() >= 6 && ENDINGS.iter().any(|ending| word.ends_with(ending))
    }

    fn is_english(&self, word: &str) -> bool {
        let known = |word: &str| self.english.contains(word) || self.words.contains(word);
        known(word)
            || (word.contains('-') && word.split('-').all(|part| part.len() < 3 || known(part)))
    }

    /// Whether the word names nobody by itself.
    pub(super) fn is_ordinary(&self, word: &str) -> bool {
        self.is_word(word)
            || (!self.is_listed(word) && (self.has_ending(word) || self.is_english(word)))
    }

    /// Whether a word is known as one of English alone, or by an ending that some names have, and not as
    /// one of the clinic.
    pub(super) fn is_english_only(&self, word: &str) -> bool {
        !self.is_word(word)
            && (self.has_doubtful_ending(word) || self.is_english(word) && !self.has_ending(word))
    }

    /// Whether nothing but an ending that some names have as well says that it is a word.
    pub(super) fn has_doubtful_ending(&self, word: &str) -> bool {
        !self.is_word(word)
            && !self.is_english(word)
            && self.has_ending(word)
            && DOUBTFUL.iter().any(|ending| word.ends_with(ending))
    }

    /// What a word may be.
    pub(super) fn reading(&self, token: &Token<'_>) -> Reading {
        let word = token.stem();
        match (self.is_word(word), self.is_listed(word)) {
            (true, true) => Reading::Both,
            (false, true) => Reading::Name,
            (true, false) => Reading::Ordinary,
            (false, false) if self.has_ending(word) || self.is_english(word) => Reading::Ordinary,
            (false, false) => Reading::Unknown,
        }
    }
}

fn lines(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

fn words(list: &'static str) -> HashSet<&'static str> {
    lines(list).flat_map(str::split_whitespace).collect()
}
