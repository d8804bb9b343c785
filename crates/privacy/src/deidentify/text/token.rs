//! Words of a text.

/// A word: letters, with digits, apostrophes and hyphens inside.
#[derive(Clone, Debug)]
pub(super) struct Token<'t> {
    pub(super) start: usize,
    pub(super) end: usize,
    /// As written, without a possessive `'s`.
    pub(super) text: &'t str,
    /// In lower case.
    pub(super) lower: String,
    /// What stands between the word before and this one.
    pub(super) before: &'t str,
    /// Whether it had a possessive `'s`.
    pub(super) possessive: bool,
    /// Whether a sentence, line or list item starts here.
    pub(super) opens: bool,
}

impl Token<'_> {
    /// Whether it starts with a capital letter.
    pub(super) fn is_capital(&self) -> bool {
        self.text.chars().next().is_some_and(char::is_uppercase)
    }

    /// Whether all its letters are capital, and there are at least two.
    pub(super) fn is_all_capital(&self) -> bool {
        let letters = || self.text.chars().filter(|c| c.is_alphabetic());
        letters().count() > 1 && letters().all(char::is_uppercase)
    }

    /// Whether it is one letter.
    pub(super) fn is_initial(&self) -> bool {
        self.text.chars().count() == 1 && self.is_capital()
    }

    /// Whether it follows the word before with nothing but a space, or the point of an initial.
    pub(super) fn is_adjacent(&self) -> bool {
        matches!(self.before, " " | ". " | "  " | ".")
    }

    /// The word without digits at its end.
    pub(super) fn stem(&self) -> &str {
        self.lower.trim_end_matches(|c: char| c.is_ascii_digit())
    }
}

/// The words of a text in order.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out: Vec<Token<'_>> = Vec::with_capacity(text.len() / 6);
    let mut last = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if !c.is_alphabetic() {
            continue;
        }
        let mut end = start + c.len_utf8();
        while let Some(&(at, c)) = chars.peek() {
            let joins = matches!(c, '\'' | '’' | '-')
                && text
                    .get(at + c.len_utf8()..)
                    .and_then(|r| r.chars().next())
                    .is_some_and(char::is_alphabetic);
            if !(c.is_alphanumeric() || joins) {
                break;
            }
            end = at + c.len_utf8();
            chars.next();
        }
        let written = text.get(start..end).unwrap_or_default();
        let bare = ["'s", "’s", "'S"].iter().find_map(|s| written.strip_suffix(s));
        let before = text.get(last..start).unwrap_or_default();
        let after_point = before.contains(['.', '!', '?', ':', ';']) && !before.starts_with(". ");
        let opens = out.is_empty()
            || before.contains(['\n', '\r', '•', '"', '['])
            || after_point
            || (before.starts_with(". ")
                && out.last().is_some_and(|t| {
                    !ABBREVIATIONS.contains(&t.lower.as_str()) && !t.is_initial()
                }));
        let text = bare.unwrap_or(written);
        out.push(Token {
            start,
            end: start + text.len(),
            text,
            lower: text.to_lowercase(),
            before,
            possessive: bare.is_some(),
            opens,
        });
        last = end;
    }
    out
}

/// Words whose point ends no sentence.
const ABBREVIATIONS: [&str; 14] =
    ["dr", "mr", "mrs", "ms", "prof", "st", "rev", "no", "pt", "vs", "jr", "sr", "approx", "mt"];
