//! Bringing names, addresses and numbers into one written form before they are compared.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest text that is looked at, in characters; anything beyond is cut off.
pub(crate) const MAX_CHARS: usize = 80;

/// Lower case without accents: `Guzmán14` becomes `guzman14`.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().take(MAX_CHARS).nfkd().filter(|c| !is_combining_mark(*c)) {
        for c in c.to_lowercase() {
            match c {
                'ß' => out.push_str("ss"),
                'æ' => out.push_str("ae"),
                'œ' => out.push_str("oe"),
                'ø' => out.push('o'),
                'ł' => out.push('l'),
                'đ' | 'ð' => out.push('d'),
                'þ' => out.push_str("th"),
                'ı' => out.push('i'),
                c => out.push(c),
            }
        }
    }
    out
}

/// The words of a name: folded, letters only (digits inside a name are dropped), apostrophes and
/// full stops joined, everything else a gap.
pub(crate) fn name_words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in fold(text).chars() {
        match c {
            c if c.is_alphabetic() => {
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
            '0'..='9' | '\'' | '’' | '`' | '.' => {}
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The ASCII digits of a text.
pub(crate) fn digits(text: &str) -> String {
    text.chars().take(MAX_CHARS).filter(char::is_ascii_digit).collect()
}

/// The letters and digits of an identifier in capitals.
pub(crate) fn identifier_value(text: &str) -> String {
    text.chars()
        .take(MAX_CHARS)
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

/// Whether all characters are the same one.
pub(crate) fn all_same(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_none_or(|first| chars.all(|c| c == first))
}

/// Whether two texts of ASCII digits or letters differ by exactly one replaced character or by
/// one exchange of neighbours.
pub(crate) fn one_slip(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut differing = (0..a.len()).filter(|&at| a.get(at) != b.get(at));
    match (differing.next(), differing.next(), differing.next()) {
        (Some(_), None, _) => true,
        (Some(first), Some(second), None) => {
            second == first + 1 && a.get(first) == b.get(second) && a.get(second) == b.get(first)
        }
        _ => false,
    }
}

/// Jaro-Winkler similarity (Winkler, 1990), 0 to 1, the same whichever text comes first.
pub(crate) fn similarity(a: &str, b: &str) -> f64 {
    // Jaro's greedy pairing can depend on the order of its arguments, so they are ordered.
    let (a, b) = if a <= b { (a, b) } else { (b, a) };
    strsim::jaro_winkler(a, b)
}

/// Whether one insertion, removal, replacement or exchange of neighbours turns one into the other.
pub(crate) fn one_edit(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.chars(), b.chars());
    // What is left after the common beginning and the common end must be the edit itself.
    while let (Some(x), Some(y)) = (a.clone().next(), b.clone().next())
        && x == y
    {
        a.next();
        b.next();
    }
    while let (Some(x), Some(y)) = (a.clone().next_back(), b.clone().next_back())
        && x == y
    {
        a.next_back();
        b.next_back();
    }
    match ([a.next(), a.next(), a.next()], [b.next(), b.next(), b.next()]) {
        ([Some(_), None, _], [_, None, _]) | ([None, ..], [Some(_), None, _]) => true,
        ([Some(x1), Some(x2), None], [Some(y1), Some(y2), None]) => x1 == y2 && x2 == y1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_accents_digits_and_marks() {
        for (text, expected) in [
            ("Guzmán14", "guzman"),
            ("O'Brien", "obrien"),
            ("García-López", "garcia|lopez"),
            ("de la Cruz", "de|la|cruz"),
            ("Straße", "strasse"),
            ("Łukasz Ørsted", "lukasz|orsted"),
            ("J.R.", "jr"),
            ("李小龙", "李小龙"),
            ("123", ""),
        ] {
            assert_eq!(name_words(text).join("|"), expected, "{text}");
        }
    }

    #[test]
    fn one_edit_is_one_edit() {
        for (a, b, expected) in [
            ("smith", "smith", false),
            ("smith", "smyth", true),
            ("smith", "smth", true),
            ("smith", "simth", true),
            ("smith", "smithe", true),
            ("smith", "mith", true),
            ("smith", "smiht", true),
            ("smith", "sm", false),
            ("smith", "smtih", true),
            ("smith", "msiht", false),
            ("müller", "muller", true),
            ("aa", "aaa", true),
            ("", "a", true),
            ("", "", false),
        ] {
            assert_eq!(one_edit(a, b), expected, "{a} {b}");
            assert_eq!(one_edit(b, a), expected, "{b} {a}");
            assert_eq!(strsim::osa_distance(a, b) == 1, expected, "{a} {b}");
        }
    }

    #[test]
    fn one_slip_is_one_replacement_or_exchange() {
        for (a, b, expected) in [
            ("1234", "1234", false),
            ("1234", "1235", true),
            ("1234", "1324", true),
            ("1234", "1432", false),
            ("1234", "2143", false),
            ("1234", "123", false),
            ("", "", false),
        ] {
            assert_eq!(one_slip(a, b), expected, "{a} {b}");
            assert_eq!(one_slip(b, a), expected, "{b} {a}");
        }
    }
}
