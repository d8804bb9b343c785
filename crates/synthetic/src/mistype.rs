//! Slips of the finger.

use crate::chance::Chance;

/// One slip of the finger among the letters behind the first: a neighbouring key, two letters
/// swapped, one left out or one doubled.
pub(crate) fn word_typo(word: &str, chance: &mut Chance) -> String {
    const KEYS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let mut letters: Vec<char> = word.chars().collect();
    let places: Vec<usize> =
        (1..letters.len()).filter(|&at| letters[at].is_ascii_lowercase()).collect();
    let at = chance.pick(&places);
    if places.len() < 2 || at == 0 {
        return word.to_owned();
    }
    match chance.below(4) {
        0 => {
            let row = KEYS.iter().find(|row| row.contains(letters[at])).copied().unwrap_or(KEYS[0]);
            let place = row.find(letters[at]).unwrap_or(0);
            let near = if place == 0 { 1 } else { place - 1 };
            letters[at] = row.chars().nth(near).unwrap_or('e');
        }
        1 if at + 1 < letters.len() && letters[at + 1].is_ascii_lowercase() => {
            letters.swap(at, at + 1)
        }
        2 => letters.insert(at, letters[at]),
        _ => {
            letters.remove(at);
        }
    }
    letters.into_iter().collect()
}

/// One wrong digit behind the third place, or two neighbouring digits swapped.
pub(crate) fn digit_typo(text: &str, chance: &mut Chance) -> String {
    if chance.yes(0.5) {
        return swapped(text, chance);
    }
    let mut letters: Vec<char> = text.chars().collect();
    let places: Vec<usize> =
        (3..letters.len()).filter(|&at| letters[at].is_ascii_digit()).collect();
    let at = chance.pick(&places);
    if let Some(digit) = letters.get(at).and_then(|digit| digit.to_digit(10)) {
        let other = (digit + 1 + chance.below(9) as u32) % 10;
        letters[at] = char::from_digit(other, 10).unwrap_or('0');
    }
    letters.into_iter().collect()
}

/// Two neighbouring digits swapped.
pub(crate) fn swapped(text: &str, chance: &mut Chance) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let places: Vec<usize> = (1..letters.len())
        .filter(|&at| letters[at].is_ascii_digit() && letters[at - 1].is_ascii_digit())
        .collect();
    let at = chance.pick(&places);
    if at > 0 {
        letters.swap(at - 1, at);
    }
    letters.into_iter().collect()
}
