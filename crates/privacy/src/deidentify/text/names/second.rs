//! A second look at a text whose first names are known: particles, words that are names here, names
//! turned round, and pairs in lower case.

use super::super::lists::Reading;
use super::super::token::Token;
use super::{CREDENTIALS, Cue, TITLES, VERBS, View, mark};

/// Particles of family names that are no words of English.
const PARTICLES: [&str; 17] = [
    "de", "la", "las", "los", "del", "della", "dos", "van", "der", "den", "von", "zu", "bin",
    "ibn", "ter", "ten", "vander",
];
/// Particles that are words as well: between names only.
const SOFT_PARTICLES: [&str; 8] = ["al", "el", "da", "di", "du", "le", "st", "y"];
/// Most particles of one name.
const MOST_PARTICLES: usize = 3;
/// What follows somebody who opens a line in lower case.
const AFTER_PAIR: [&str; 12] = [
    "here",
    "presents",
    "presenting",
    "seen",
    "comes",
    "came",
    "returns",
    "is",
    "was",
    "reports",
    "called",
    "states",
];

/// What stands before the name of a sign or disease.
const SIGNS: [&str; 12] = [
    "positive",
    "negative",
    "bilateral",
    "left",
    "right",
    "of",
    "for",
    "possible",
    "probable",
    "suspected",
    "the",
    "a",
];

impl View<'_, '_> {
    /// Marks what the first names tell.
    pub(super) fn second(&self, is_name: &mut [bool]) {
        for at in 0..self.tokens.len() {
            self.particles(at, is_name);
            if self.is_named(at, is_name) {
                continue;
            }
            if self.is_doubtful_name(at, is_name)
                || self.is_eponym_of_somebody(at, is_name)
                || self.is_turned_round(at, is_name)
                || self.is_behind_credentials(at)
            {
                mark(is_name, at);
            }
            self.pair(at, is_name);
        }
    }

    fn is_named(&self, at: usize, is_name: &[bool]) -> bool {
        is_name.get(at).copied().unwrap_or(false)
    }

    /// `de la Fuente` behind a name or title, or before what is a name by itself.
    fn particles(&self, at: usize, is_name: &mut [bool]) {
        let is_particle = |token: &Token<'_>| PARTICLES.contains(&token.lower.as_str());
        let is_soft = |token: &Token<'_>| SOFT_PARTICLES.contains(&token.lower.as_str());
        let Some(first) = self.token(at) else { return };
        if !(is_particle(first) || is_soft(first)) {
            return;
        }
        let behind = at.checked_sub(1).is_some_and(|before| {
            first.is_adjacent()
                && (self.is_named(before, is_name)
                    || self.token(before).is_some_and(|t| TITLES.contains(&t.lower.as_str())))
        });
        let more = (at + 1..at + MOST_PARTICLES).take_while(|next| {
            self.token(*next).is_some_and(|t| t.is_adjacent() && (is_particle(t) || is_soft(t)))
        });
        let end = more.last().unwrap_or(at) + 1;
        let Some(last) = self.token(end).filter(|t| t.is_adjacent() && t.is_capital()) else {
            return;
        };
        let is_last = self.is_named(end, is_name)
            || behind && !self.lists.is_word(&last.lower) && !last.is_all_capital();
        if is_last && (behind || is_particle(first)) {
            (at..=end).for_each(|part| mark(is_name, part));
        }
    }

    /// A capital within a sentence on a word that is none of the clinic: `reviewed with Maverick`.
    fn is_doubtful_name(&self, at: usize, is_name: &[bool]) -> bool {
        let Some(token) = self.token(at).filter(|t| t.is_capital() && !t.is_all_capital()) else {
            return false;
        };
        let fits = self.reading(at) == Reading::Ordinary
            && token.text.chars().count() > 3
            && token.text.chars().skip(1).all(char::is_lowercase)
            && !TITLES.contains(&token.lower.as_str())
            && !CREDENTIALS.contains(&token.text)
            && !self.is_medical(at)
            && !self.is_drug(at)
            && !self.is_label(at);
        if !fits || !self.lists.is_english_only(&token.lower) {
            return false;
        }
        let next = self.token(at + 1);
        let before_name = next.is_some_and(|t| t.is_adjacent() && t.before == " " && !t.opens)
            && self.is_named(at + 1, is_name)
            && !token.opens;
        let behind_name = at > 0
            && token.before == " "
            && !token.opens
            && self.is_named(at - 1, is_name)
            && !self.token(at - 1).is_some_and(|t| t.possessive);
        let before_heading = next.is_some_and(|t| t.is_adjacent() && t.is_capital() && !t.opens);
        let cued = self.cue(at) != Cue::None && !before_heading;
        let within = !token.opens
            && token.before == " "
            && !before_heading
            && !self.token(at.saturating_sub(1)).is_some_and(Token::is_capital);
        let alone = self.ends_part(at + 2) && self.is_named(at + 1, is_name);
        let opens_name = token.opens
            && next.is_some_and(|t| t.before == " " && !t.opens)
            && (alone
                || self.is_named(at + 1, is_name) && self.lists.has_doubtful_ending(&token.lower));
        let doubtful_ending = within && self.lists.has_doubtful_ending(&token.lower);
        // A capital that nothing but a name explains: `will bring Maverick in`.
        let unexplained = within && self.is_amid(at);
        before_name
            || behind_name
            || cued
            || opens_name
            || doubtful_ending
            || unexplained
            || self.is_joined(at, is_name)
            || self.is_given_behind(at, is_name)
    }

    /// Whether what is at a place is no part of what stands before: a new line, a comma, a bracket.
    fn ends_part(&self, at: usize) -> bool {
        self.token(at).is_none_or(|t| {
            t.opens || t.before.starts_with([',', '/', ';', ':']) || t.before.contains(['\n', '('])
        })
    }

    /// Whether a word stands between words in lower case, and no number follows.
    fn is_amid(&self, at: usize) -> bool {
        let Some(token) = self.token(at).filter(|t| !t.opens && t.before == " ") else {
            return false;
        };
        let before = at.checked_sub(1).and_then(|at| self.token(at));
        let rest = self.text.get(token.end..).unwrap_or_default();
        before.is_some_and(|t| !t.is_capital() && !SIGNS.contains(&t.lower.as_str()))
            && !rest.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == ':')
            && self.token(at + 1).is_none_or(|t| t.opens || !t.is_capital())
    }

    /// `Vincent and Keith`
    fn is_joined(&self, at: usize, is_name: &[bool]) -> bool {
        let and = |at: usize| self.token(at).is_some_and(|t| t.before == " " && t.lower == "and");
        let capital = |at: usize| self.token(at).is_some_and(|t| t.before == " " && t.is_capital());
        and(at + 1) && capital(at + 2) && self.is_named(at + 2, is_name)
            || at > 1
                && capital(at)
                && and(at - 1)
                && self.is_named(at - 2, is_name)
                && !self.token(at + 1).is_some_and(|t| t.before == " " && t.is_capital())
    }

    /// `Name: Odegaard, Xiaoling`
    fn is_given_behind(&self, at: usize, is_name: &[bool]) -> bool {
        let Some(family) = at.checked_sub(1) else { return false };
        let starts = self.token(family).is_some_and(|t| t.opens || t.before.ends_with(": "));
        let comma = self.token(at).is_some_and(|t| t.before == ", ");
        let ends = self.ends_part(at + 1)
            || self.token(at + 1).is_some_and(|t| t.before == " " && !t.is_capital());
        starts && comma && self.is_named(family, is_name) && ends
    }

    /// `RN Washington notified`
    fn is_behind_credentials(&self, at: usize) -> bool {
        let Some(token) = self.token(at).filter(|t| t.is_capital() && !t.is_all_capital()) else {
            return false;
        };
        let titled = at > 0
            && token.before == " "
            && self
                .token(at - 1)
                .is_some_and(|t| matches!(t.text, "RN" | "LPN" | "NP" | "CRNP" | "MD"));
        let next = self.token(at + 1);
        titled
            && self.reading(at) == Reading::Both
            && self.lists.is_listed(token.stem())
            && !self.is_drug(at)
            && !next.is_some_and(|t| t.before == " " && t.is_capital() && !t.opens)
    }

    /// A given name that names a disease as well, where no disease follows: `asked, Vincent admitted`.
    fn is_eponym_of_somebody(&self, at: usize, is_name: &[bool]) -> bool {
        let Some(token) = self.token(at).filter(|t| t.is_capital() && !t.is_all_capital()) else {
            return false;
        };
        if !self.is_eponym(at)
            || token.possessive
            || !self.lists.is_given(token.stem())
            || self.lists.is_word(&token.lower)
            || self.is_medical(at)
            || self.is_label(at)
        {
            return false;
        }
        let next = self.token(at + 1);
        let speaks = next.is_some_and(|t| t.before == " " && VERBS.contains(&t.lower.as_str()));
        let before_name = next.is_some_and(|t| t.before == " " && t.is_capital() && !t.opens)
            && matches!(self.reading(at + 1), Reading::Name | Reading::Unknown | Reading::Both)
            && !self.is_medical(at + 1);
        let cued = self.cue(at) != Cue::None;
        // `, Vincent admitted`: a clause begins with who does it.
        let does = at > 0
            && token.before == ", "
            && next.is_some_and(|t| t.before == " " && t.lower.ends_with("ed") && !t.is_capital());
        speaks
            || before_name
            || cued
            || does
            || self.is_amid(at)
            || self.is_named(at + 1, is_name)
            || self.is_joined(at, is_name)
            || self.is_given_behind(at, is_name)
    }

    /// `Washington, Yolanda` at the start of a line or behind a label.
    fn is_turned_round(&self, at: usize, is_name: &[bool]) -> bool {
        let Some(token) = self.token(at).filter(|t| t.is_capital() && !t.is_all_capital()) else {
            return false;
        };
        let given = self.token(at + 1);
        token.opens
            && self.reading(at) == Reading::Both
            && !self.is_drug(at)
            && self.lists.is_listed(token.stem())
            && given.is_some_and(|t| t.before == ", " && t.is_capital())
            && self.is_named(at + 1, is_name)
            && self.token(at + 2).is_none_or(|t| !t.before.starts_with(", "))
    }

    /// `eduardo drozdowski here for f/u`, `spoke w/ emeka de la fuente`.
    fn pair(&self, at: usize, is_name: &mut [bool]) {
        let is_particle =
            |at: &usize| self.token(*at).is_some_and(|t| PARTICLES.contains(&t.lower.as_str()));
        let end = at + 1 + (at + 1..at + 1 + MOST_PARTICLES).take_while(is_particle).count();
        let (Some(first), Some(last)) = (self.token(at), self.token(end)) else { return };
        let small = |token: &Token<'_>| !token.is_capital() && token.text.chars().count() > 2;
        let may = |at: usize| matches!(self.reading(at), Reading::Name | Reading::Unknown);
        let is_given = self.reading(at) == Reading::Name && self.lists.is_given(first.stem());
        let may_last = may(end) || is_given && self.reading(end) == Reading::Both;
        let spaced = (at + 1..=end).all(|at| self.token(at).is_some_and(|t| t.before == " "));
        let is_drug = self.is_drug(at) || self.is_drug(end);
        if !(small(first) && small(last) && spaced && may(at) && may_last) || is_drug {
            return;
        }
        let starts = first.opens
            && self
                .token(end + 1)
                .is_some_and(|t| t.before == " " && AFTER_PAIR.contains(&t.lower.as_str()));
        let with = at > 1
            && self.lower(at, 1) == "w"
            && matches!(
                self.lower(at, 2),
                "spoke" | "discussed" | "reviewed" | "met" | "seen" | "talked" | "lives" | "here"
            );
        if starts || with || is_given && may(end) {
            (at..=end).for_each(|part| mark(is_name, part));
        }
    }
}
