//! The form in which strings are compared in a search.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Takes away what FHIR R4 string search does not see: case, accents, punctuation and extra white
/// space. Hyphens, commas and most other signs part words like spaces do (`Smith-Jones` is
/// `Smith Jones`); apostrophes and full stops go without a trace (`O'Brien` is `OBrien`).
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            if space && !out.is_empty() {
                out.push(' ');
            }
            space = false;
            // The final form of sigma differs from the others only by its place in a word.
            out.push(if c == 'ς' { 'σ' } else { c });
        } else if !matches!(c, '\'' | '’' | 'ʼ' | '`' | '.') {
            space = true;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ignores_what_string_search_ignores() {
        for (text, expected) in [
            ("Müller", "muller"),
            ("  O'Brien-Smith,  Jr. ", "obrien smith jr"),
            ("ÉLODIE\tMarie", "elodie marie"),
            ("ﬁancé", "fiance"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
            ("李 小龍", "李 小龍"),
            ("J.R.R. Tolkien", "jrr tolkien"),
            ("!?", ""),
        ] {
            assert_eq!(normalise(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn is_its_own_normal_form(text in any::<String>()) {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
