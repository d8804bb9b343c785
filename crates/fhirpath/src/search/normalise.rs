//! The form in which strings are compared in a search.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Takes away what FHIR R4 string search does not see: case, accents, punctuation and extra white
/// space. Hyphens, commas and most other signs part words like spaces do (`Smith-Jones` is
/// `Smith Jones`); apostrophes and full stops go without a trace (`O'Brien` is `OBrien`). Letters
/// whose stroke or ligature Unicode does not take apart are written plainly: `ł` is `l`, `ø` is
/// `o`, `ß` is `ss`, `æ` is `ae`.
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            if space && !out.is_empty() {
                out.push(' ');
            }
            space = false;
            match plain(c) {
                Some(letters) => out.push_str(letters),
                None => out.push(c),
            }
        } else if !matches!(c, '\'' | '’' | 'ʼ' | '`' | '.') {
            space = true;
        }
    }
    out
}

/// Small letters that are written otherwise in plain text.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        // The final form of sigma differs from the others only by its place in a word.
        'ς' => "σ",
        'ł' => "l",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ı' => "i",
        'ħ' => "h",
        'ŧ' => "t",
        'ŋ' => "ng",
        'ĸ' => "k",
        _ => return None,
    })
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
            ("Łódź Ørsted Weiß Æsir", "lodz orsted weiss aesir"),
            ("ẞ", "ss"),
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
