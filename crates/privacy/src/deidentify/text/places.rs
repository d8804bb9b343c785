//! Addresses, towns and institutions.

use super::lists::{Lists, Reading};
use super::patterns::Patterns;
use super::token::Token;
use super::{Category, Span};

/// What comes before a place: words, from the nearest backwards; and whether it is told so
/// firmly that the place may be written without capital letters.
const BEFORE: [(&[&str], bool); 22] = [
    (&["lives", "in"], true),
    (&["live", "in"], true),
    (&["living", "in"], true),
    (&["lived", "in"], true),
    (&["resides", "in"], true),
    (&["residing", "in"], true),
    (&["resident", "of"], true),
    (&["moved", "to"], true),
    (&["moved", "from"], true),
    (&["relocated", "to"], true),
    (&["born", "in"], true),
    (&["raised", "in"], true),
    (&["up", "in"], true),
    (&["native", "of"], true),
    (&["traveled", "to"], true),
    (&["trip", "to"], true),
    (&["visiting"], false),
    (&["from"], false),
    (&["near"], false),
    (&["in"], false),
    (&["outside"], false),
    (&["town", "of"], true),
];

/// Last words of names of institutions.
const INSTITUTIONS: [&str; 52] = [
    "hospital",
    "clinic",
    "center",
    "centre",
    "pharmacy",
    "university",
    "college",
    "school",
    "elementary",
    "academy",
    "church",
    "parish",
    "temple",
    "inc",
    "llc",
    "corp",
    "corporation",
    "company",
    "co",
    "ltd",
    "bank",
    "laboratories",
    "labs",
    "laboratory",
    "hospice",
    "insurance",
    "logistics",
    "foods",
    "motors",
    "associates",
    "partners",
    "institute",
    "foundation",
    "industries",
    "systems",
    "construction",
    "services",
    "bakery",
    "diner",
    "health",
    "healthcare",
    "infirmary",
    "rehab",
    "rehabilitation",
    "village",
    "group",
    "home",
    "practice",
    "dental",
    "orthopedics",
    "cardiology",
    "steel",
];

/// Finds places and institutions.
pub(super) fn find(
    text: &str,
    tokens: &[Token<'_>],
    lists: &Lists,
    patterns: &Patterns,
    spans: &mut Vec<Span>,
) {
    let digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let streets = digit.then(|| patterns.street.captures_iter(text)).into_iter().flatten();
    for found in streets {
        if let Some(part) = found.get(1).or_else(|| found.get(2)) {
            let words = part.as_str().split_whitespace().skip(1);
            // `2 weeks at St …`: the name of a street has no such words in it.
            let prose = words.clone().any(|w| PROSE.contains(&w.to_lowercase().as_str()));
            if !prose {
                spans.push(Span {
                    start: part.start(),
                    end: part.end(),
                    category: Category::Place,
                });
            }
        }
    }
    for found in patterns.town_and_state.captures_iter(text) {
        if let Some(town) = found.get(1) {
            town_words(tokens, town.start(), town.end(), lists, spans);
        }
        if let Some(zip) = found.get(2) {
            spans.push(Span { start: zip.start(), end: zip.end(), category: Category::Place });
        }
    }
    for at in 0..tokens.len() {
        institution(tokens, at, lists, spans);
        after_cue(tokens, at, lists, spans);
        listed(tokens, at, lists, spans);
    }
}

const PROSE: [&str; 48] = [
    "mg", "mcg", "ml", "weeks", "days", "months", "years", "hours", "tablets", "units", "times",
    "day", "week", "month", "g", "of", "at", "was", "is", "in", "on", "to", "for", "with", "and",
    "by", "from", "cm", "mm", "l", "kg", "year", "year-old", "patient", "pt", "per", "via", "yo",
    "her", "his", "she", "he", "but", "are", "were", "has", "had", "will",
];

/// The last words of a range that may be a town's.
fn town_words(
    tokens: &[Token<'_>],
    start: usize,
    end: usize,
    lists: &Lists,
    spans: &mut Vec<Span>,
) {
    let inside: Vec<_> = tokens.iter().filter(|t| t.start >= start && t.start < end).collect();
    let named = |t: &&&Token<'_>| {
        if matches!(t.lower.as_str(), "mr" | "mrs" | "ms" | "dr" | "miss" | "prof") {
            return false;
        }
        lists.reading(t) != Reading::Ordinary || TOWN_WORDS.contains(&t.lower.as_str())
    };
    let first = inside.iter().rev().take_while(|t| named(t)).last();
    if let (Some(first), Some(last)) = (first, inside.last()) {
        spans.push(Span { start: first.start, end: last.end, category: Category::Place });
    }
}

/// Ordinary words that towns are called by.
const TOWN_WORDS: [&str; 24] = [
    "new", "north", "south", "east", "west", "saint", "st", "fort", "port", "lake", "spring",
    "springs", "falls", "green", "white", "black", "big", "little", "old", "mount", "mt", "high",
    "long", "center",
];

fn after_cue(tokens: &[Token<'_>], at: usize, lists: &Lists, spans: &mut Vec<Span>) {
    let Some(first) = tokens.get(at).filter(|t| t.is_adjacent()) else { return };
    let cue = BEFORE.iter().find(|(words, _)| {
        words.len() <= at
            && words
                .iter()
                .rev()
                .enumerate()
                .all(|(back, word)| tokens.get(at - 1 - back).is_some_and(|t| t.lower == *word))
    });
    let Some((_, firm)) = cue else { return };
    let names = |token: &Token<'_>| match lists.reading(token) {
        Reading::Name | Reading::Unknown => {
            (token.is_capital() && !token.is_all_capital())
                || (*firm && !token.is_capital() && token.text.len() > 3)
        }
        Reading::Both => token.is_capital() && *firm,
        Reading::Ordinary => {
            token.is_capital() && *firm && TOWN_WORDS.contains(&token.lower.as_str())
        }
    };
    if !names(first) || lists.eponyms.contains(first.lower.as_str()) {
        return;
    }
    let more = tokens.get(at + 1..).unwrap_or_default().iter().take(2);
    // `Cedar Falls` behind any cue.
    let goes_on =
        |t: &Token<'_>| names(t) || t.is_capital() && TOWN_WORDS.contains(&t.lower.as_str());
    let last = more
        .take_while(|t| t.before == " " && t.is_capital() == first.is_capital() && goes_on(t))
        .last();
    let end = last.unwrap_or(first).end;
    spans.push(Span { start: first.start, end, category: Category::Place });
}

/// A town of the list: with a capital letter, or of several words.
fn listed(tokens: &[Token<'_>], at: usize, lists: &Lists, spans: &mut Vec<Span>) {
    let Some(first) = tokens.get(at) else { return };
    for length in (1..=3).rev() {
        let Some(words) = tokens.get(at..at + length) else { continue };
        let joined: Vec<_> = words.iter().map(|t| t.lower.as_str()).collect();
        let adjacent = words.iter().skip(1).all(Token::is_adjacent);
        let clear = length > 1
            || (first.is_capital()
                && !first.is_all_capital()
                && !lists.is_word(&first.lower)
                && !lists.eponyms.contains(first.lower.as_str()));
        // `Queens, New York`: the state, which may stay.
        let state =
            first.before == ", " && matches!(joined.join(" ").as_str(), "new york" | "washington");
        if let Some(last) = words.last()
            && !state
            && adjacent
            && clear
            && lists.places.contains(joined.join(" ").as_str())
        {
            spans.push(Span { start: first.start, end: last.end, category: Category::Place });
            return;
        }
    }
}

/// Capitalised words before a word for an institution, one of which is no ordinary word; and what
/// somebody works for.
fn institution(tokens: &[Token<'_>], at: usize, lists: &Lists, spans: &mut Vec<Span>) {
    let Some(token) = tokens.get(at) else { return };
    // `University of Wexmoor`
    if INSTITUTIONS.contains(&token.lower.as_str())
        && token.is_capital()
        && tokens.get(at + 1).is_some_and(|t| t.lower == "of" && t.before == " ")
    {
        let more = tokens.get(at + 2..).unwrap_or_default().iter().take(3);
        let last = more.take_while(|t| t.before == " " && t.is_capital()).last();
        if let Some(last) = last {
            spans.push(Span {
                start: token.start,
                end: last.end,
                category: Category::Organisation,
            });
            return;
        }
    }
    let works = at >= 2
        && token.is_capital()
        && token.is_adjacent()
        && tokens.get(at - 1).is_some_and(|t| matches!(t.lower.as_str(), "at" | "for" | "by"))
        && tokens.get(at - 2).is_some_and(|t| {
            matches!(
                t.lower.as_str(),
                "works" | "worked" | "working" | "employed" | "job" | "insured" | "work"
            )
        });
    if works {
        let more = tokens.get(at + 1..).unwrap_or_default().iter().take(4);
        let last = more.take_while(|t| t.before == " " && t.is_capital()).last().unwrap_or(token);
        if lists.reading(token) != Reading::Ordinary || last.end != token.end {
            spans.push(Span {
                start: token.start,
                end: last.end,
                category: Category::Organisation,
            });
        }
        return;
    }
    if !token.is_capital() || token.opens || !INSTITUTIONS.contains(&token.lower.as_str()) {
        return;
    }
    let mut start = at;
    let mut named = false;
    while let Some(before) = start.checked_sub(1).and_then(|at| tokens.get(at)) {
        let adjacent = tokens.get(start).is_some_and(|t| matches!(t.before, " " | ". " | " & "));
        let small = matches!(before.lower.as_str(), "of" | "the" | "and" | "for");
        if !adjacent
            || at - start > 5
            || !(before.is_capital() || (small && at - start > 0))
            || tokens.get(start).is_some_and(|t| t.opens && !t.before.starts_with(". "))
        {
            break;
        }
        let ordinary = lists.reading(before) == Reading::Ordinary;
        named |= before.is_capital() && !ordinary && !before.is_all_capital();
        start -= 1;
    }
    let holy = |t: &Token<'_>| matches!(t.lower.as_str(), "of" | "the" | "and" | "for");
    while tokens.get(start).is_some_and(|t| {
        start < at
            && (holy(t)
                || (t.opens
                    && lists.reading(t) == Reading::Ordinary
                    && !INSTITUTION_WORDS.contains(&t.lower.as_str())))
    }) {
        start += 1;
    }
    if let Some(first) = tokens.get(start).filter(|_| named && start < at) {
        spans.push(Span { start: first.start, end: token.end, category: Category::Organisation });
    }
}

/// Ordinary words with which names of institutions start.
const INSTITUTION_WORDS: [&str; 8] =
    ["saint", "st", "north", "south", "east", "west", "new", "lake"];
