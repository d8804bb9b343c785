//! Names of people: by what stands around them, by lists, and by being no word that we know.

mod second;

use super::lists::{Lists, Reading};
use super::token::Token;
use super::{Category, Span};

const TITLES: [&str; 15] = [
    "dr",
    "doctor",
    "mr",
    "mrs",
    "ms",
    "miss",
    "mister",
    "prof",
    "professor",
    "rev",
    "reverend",
    "sr",
    "pastor",
    "rabbi",
    "drs",
];

/// What follows the name of a professional.
const CREDENTIALS: [&str; 20] = [
    "MD", "RN", "NP", "DO", "PhD", "LCSW", "PharmD", "DDS", "FACP", "LPN", "CRNP", "PA-C", "PA",
    "DPM", "MSW", "DPT", "FNP", "FNP-BC", "APRN", "M.D",
];

/// People of a patient: a name often follows.
const RELATIONS: [&str; 52] = [
    "son",
    "daughter",
    "wife",
    "husband",
    "brother",
    "sister",
    "mother",
    "father",
    "partner",
    "friend",
    "neighbor",
    "neighbour",
    "aunt",
    "uncle",
    "cousin",
    "guardian",
    "caregiver",
    "spouse",
    "niece",
    "nephew",
    "grandson",
    "granddaughter",
    "grandmother",
    "grandfather",
    "girlfriend",
    "boyfriend",
    "fiance",
    "fiancee",
    "roommate",
    "boss",
    "mom",
    "dad",
    "stepson",
    "stepdaughter",
    "stepmother",
    "stepfather",
    "daughter-in-law",
    "son-in-law",
    "mother-in-law",
    "father-in-law",
    "twin",
    "nurse",
    "therapist",
    "pharmacist",
    "aide",
    "pcp",
    "surgeon",
    "cardiologist",
    "oncologist",
    "pt",
    "patient",
    "interpreter",
];

/// Pairs of words that a name follows.
const BEFORE: [[&str; 2]; 40] = [
    ["signed", "by"],
    ["dictated", "by"],
    ["seen", "by"],
    ["evaluated", "by"],
    ["referred", "by"],
    ["accompanied", "by"],
    ["transcribed", "by"],
    ["reviewed", "by"],
    ["performed", "by"],
    ["followed", "by"],
    ["managed", "by"],
    ["ordered", "by"],
    ["brought", "by"],
    ["called", "by"],
    ["written", "by"],
    ["verified", "by"],
    ["attested", "by"],
    ["entered", "by"],
    ["spoke", "with"],
    ["spoke", "to"],
    ["discussed", "with"],
    ["met", "with"],
    ["lives", "with"],
    ["follow", "with"],
    ["up", "with"],
    ["coordinate", "with"],
    ["reviewed", "with"],
    ["goes", "by"],
    ["known", "as"],
    ["named", ""],
    ["called", ""],
    ["per", ""],
    ["cc", ""],
    ["contact", ""],
    ["call", ""],
    ["attn", ""],
    ["dear", ""],
    ["attending", ""],
    ["thanks", ""],
    ["sincerely", ""],
];

/// Labels of forms that a name follows after a colon.
const LABELS: [&str; 24] = [
    "name",
    "patient",
    "pt",
    "attending",
    "pcp",
    "provider",
    "signed",
    "physician",
    "surgeon",
    "nurse",
    "author",
    "kin",
    "contact",
    "by",
    "cc",
    "resident",
    "proxy",
    "guardian",
    "referring",
    "clinician",
    "to",
    "from",
    "re",
    "caregiver",
];

/// What is named after people in medicine.
const MEDICAL: [&str; 64] = [
    "disease",
    "diseases",
    "syndrome",
    "sign",
    "signs",
    "test",
    "tests",
    "lymphoma",
    "palsy",
    "catheter",
    "cyst",
    "cysts",
    "thyroiditis",
    "esophagus",
    "fracture",
    "phenomenon",
    "score",
    "scale",
    "stain",
    "monitor",
    "solution",
    "procedure",
    "maneuver",
    "manoeuvre",
    "tremor",
    "chorea",
    "ulcer",
    "ulcers",
    "nodes",
    "node",
    "contracture",
    "reflex",
    "reflexes",
    "point",
    "criteria",
    "classification",
    "lactate",
    "lactated",
    "tube",
    "drain",
    "position",
    "tumor",
    "tumour",
    "sarcoma",
    "dementia",
    "bodies",
    "body",
    "arthropathy",
    "virus",
    "index",
    "method",
    "coma",
    "respirations",
    "triad",
    "hernia",
    "law",
    "operation",
    "repair",
    "pouch",
    "aphasia",
    "encephalopathy",
    "purpura",
    "exercises",
    "disorder",
];

const VERBS: [&str; 40] = [
    "reports",
    "states",
    "denies",
    "is",
    "was",
    "has",
    "had",
    "says",
    "said",
    "called",
    "feels",
    "complains",
    "presented",
    "presents",
    "notes",
    "reported",
    "stated",
    "denied",
    "agrees",
    "agreed",
    "will",
    "tolerated",
    "continues",
    "returns",
    "lives",
    "works",
    "asked",
    "came",
    "arrived",
    "requested",
    "does",
    "did",
    "would",
    "can",
    "understands",
    "appears",
    "remains",
    "describes",
    "brought",
    "returned",
];

/// What the words around one say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cue {
    /// A name must follow: `Mr.`
    Firm,
    /// A name often follows: `daughter`.
    Soft,
    None,
}

/// Finds names.
pub(super) fn find(text: &str, tokens: &[Token<'_>], lists: &Lists, spans: &mut Vec<Span>) {
    let mut is_name = vec![false; tokens.len()];
    let readings: Vec<Reading> = tokens.iter().map(|token| lists.reading(token)).collect();
    let view = View { text, tokens, lists, readings: &readings };
    for at in 0..tokens.len() {
        let cue = view.cue(at);
        if view.by_cue(at, cue) || view.by_itself(at) {
            mark(&mut is_name, at);
            view.extend(at, cue, &mut is_name);
        }
        view.before_credentials(at, &mut is_name);
    }
    // A name that is a word as well is told by a name beside it.
    for _ in 0..2 {
        view.second(&mut is_name);
        for at in 0..tokens.len() {
            if !is_name.get(at).copied().unwrap_or(false) && view.beside(at, &is_name) {
                mark(&mut is_name, at);
            }
        }
    }
    for (token, _) in tokens.iter().zip(&is_name).filter(|(_, named)| **named) {
        spans.push(Span { start: token.start, end: token.end, category: Category::Name });
    }
}

fn mark(is_name: &mut [bool], at: usize) {
    if let Some(mark) = is_name.get_mut(at) {
        *mark = true;
    }
}

struct View<'a, 't> {
    text: &'a str,
    tokens: &'a [Token<'t>],
    lists: &'a Lists,
    readings: &'a [Reading],
}

impl<'t> View<'_, 't> {
    fn token(&self, at: usize) -> Option<&Token<'t>> {
        self.tokens.get(at)
    }

    fn reading(&self, at: usize) -> Reading {
        self.readings.get(at).copied().unwrap_or(Reading::Ordinary)
    }

    fn lower(&self, at: usize, back: usize) -> &str {
        at.checked_sub(back).and_then(|at| self.token(at)).map_or("", |t| t.lower.as_str())
    }

    /// What stands before a word.
    fn cue(&self, at: usize) -> Cue {
        let Some(token) = self.token(at).filter(|_| at > 0) else { return Cue::None };
        let before = self.lower(at, 1);
        let close = matches!(token.before, " " | ". " | "  " | ".");
        if TITLES.contains(&before) && close {
            return Cue::Firm;
        }
        let colon =
            token.before.trim_end_matches(' ').ends_with(':') && !token.before.contains('\n');
        if colon && LABELS.contains(&before) {
            return Cue::Firm;
        }
        if !matches!(token.before, " " | "  " | ", " | " (" | ": ") {
            return Cue::None;
        }
        let pair = BEFORE.iter().any(|[first, second]| match *second {
            "" => before == *first,
            second => before == second && self.lower(at, 2) == *first,
        });
        let named = matches!(before, "is" | "name") && RELATIONS.contains(&self.lower(at, 2));
        if pair || named || (RELATIONS.contains(&before) && token.before != ", ") {
            return Cue::Soft;
        }
        if RELATIONS.contains(&before) && token.is_capital() { Cue::Soft } else { Cue::None }
    }

    fn is_eponym(&self, at: usize) -> bool {
        self.token(at)
            .is_some_and(|t| t.lower.split('-').any(|part| self.lists.eponyms.contains(part)))
    }

    /// Whether a thing of medicine follows: `Smith's fracture`.
    fn is_medical(&self, at: usize) -> bool {
        let mut next = at + 1;
        while self.token(next).is_some_and(|t| {
            self.is_eponym(next)
                || matches!(t.lower.as_str(), "and" | "type" | "s" | "coma" | "non")
        }) && next < at + 4
        {
            next += 1;
        }
        self.token(next).is_some_and(|t| t.before.len() < 4 && MEDICAL.contains(&t.lower.as_str()))
    }

    /// Whether a dose follows: what has one is a medicine.
    fn is_dosed(&self, at: usize) -> bool {
        let Some(token) = self.token(at) else { return false };
        let rest = self.text.get(token.end..).unwrap_or_default().trim_start_matches([' ', ',']);
        let unit = rest
            .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '/' | ' '));
        rest.starts_with(|c: char| c.is_ascii_digit())
            && ["mg", "mcg", "ml", "unit", "g ", "tab", "puff", "%", "meq", "mEq", "cap"]
                .iter()
                .any(|u| unit.starts_with(u))
    }

    fn by_cue(&self, at: usize, cue: Cue) -> bool {
        let Some(token) = self.token(at) else { return false };
        let reading = self.reading(at);
        if token.text.contains(|c: char| c.is_ascii_digit())
            && token.stem().len() + 4 < token.text.len()
        {
            return false;
        }
        match cue {
            Cue::Firm if TITLES.contains(&token.lower.as_str()) => false,
            Cue::Firm => {
                let titled = TITLES.contains(&self.lower(at, 1));
                match reading {
                    Reading::Name | Reading::Unknown => titled || token.is_capital(),
                    Reading::Both => token.is_capital(),
                    Reading::Ordinary => {
                        titled
                            && token.is_capital()
                            && !token.is_all_capital()
                            && !self.lists.is_word(&token.lower)
                    }
                }
            }
            Cue::Soft
                if self.is_medical(at)
                    || self.is_dosed(at)
                    || token.is_all_capital() && reading != Reading::Name =>
            {
                false
            }
            Cue::Soft => {
                let professional = matches!(
                    self.lower(at, 1),
                    "patient"
                        | "nurse"
                        | "therapist"
                        | "pharmacist"
                        | "aide"
                        | "pcp"
                        | "surgeon"
                        | "contact"
                        | "call"
                        | "called"
                        | "per"
                        | "attending"
                        | "with"
                        | "by"
                        | "is"
                );
                match reading {
                    Reading::Name => {
                        token.is_capital() || token.text.len() > 2 && token.before != ", "
                    }
                    Reading::Unknown => {
                        token.is_capital()
                            || (!professional && token.before == " " && token.text.len() > 3)
                    }
                    Reading::Both => token.is_capital() && !self.is_drug(at),
                    Reading::Ordinary => false,
                }
            }
            Cue::None => false,
        }
    }

    fn is_drug(&self, at: usize) -> bool {
        self.token(at).is_some_and(|t| self.lists.is_drug(&t.lower)) || self.is_dosed(at)
    }

    /// Whether the word is a name without any help.
    fn by_itself(&self, at: usize) -> bool {
        let Some(token) = self.token(at) else { return false };
        let part = TITLES.contains(&token.lower.as_str()) || CREDENTIALS.contains(&token.text);
        if part || self.is_medical(at) || self.is_drug(at) || self.is_label(at) {
            return false;
        }
        let speaks = self
            .token(at + 1)
            .is_some_and(|t| t.before == " " && VERBS.contains(&t.lower.as_str()));
        if self.is_eponym(at) {
            return token.is_capital()
                && speaks
                && self.lists.is_listed(token.stem())
                && !token.possessive;
        }
        if !token.is_capital() {
            // Both names, neither a word: `john smith`.
            return self.reading(at) == Reading::Name
                && self.lists.is_given(token.stem())
                && token.text.len() > 2
                && self.reading(at + 1) == Reading::Name
                && self.token(at + 1).is_some_and(|t| t.before == " " && t.text.len() > 2);
        }
        if token.is_all_capital() {
            let beside = |other: usize| {
                self.reading(other) == Reading::Name
                    && self.token(other).is_some_and(|t| t.is_all_capital() && t.text.len() > 2)
            };
            return token.text.len() > 2
                && self.reading(at) == Reading::Name
                && ((at > 0 && token.before.len() < 3 && beside(at - 1))
                    || (self.token(at + 1).is_some_and(|t| t.before.len() < 3) && beside(at + 1)));
        }
        let mixed = token.text.chars().skip(1).any(char::is_uppercase)
            && !token.text.contains(['-', '\'', '’'])
            && !token.text.starts_with("Mc")
            && !token.text.starts_with("Mac")
            && !token.text.starts_with("De");
        let digits = token.text.len() - token.stem().len();
        match self.reading(at) {
            Reading::Name => token.text.len() > 2 || speaks,
            Reading::Unknown => {
                token.text.chars().count() > 2
                    && !mixed
                    && digits < 5
                    && token.stem().chars().count() > 2
            }
            // `Will reports`, `told Grace that`: in the middle of a sentence, or with a verb.
            Reading::Both => {
                let middle = !token.opens
                    && token.is_adjacent()
                    && !self.token(at - 1).is_some_and(Token::is_capital);
                let follows = self.token(at + 1).is_some_and(|t| t.before == " " && t.is_capital());
                let calendar = CALENDAR.contains(&token.lower.as_str());
                self.lists.is_given(&token.lower)
                    && !calendar
                    && !follows
                    && (middle
                        || (token.opens
                            && speaks
                            && token.lower != "pt"
                            && GIVEN_WORDS.contains(&token.lower.as_str())))
            }
            Reading::Ordinary => false,
        }
    }

    /// `Neuro:` opens a section.
    fn is_label(&self, at: usize) -> bool {
        let Some(token) = self.token(at) else { return false };
        let rest = self.text.get(token.end..).unwrap_or_default();
        token.opens && rest.starts_with(':')
    }

    /// The words of a name after its first.
    fn extend(&self, first: usize, cue: Cue, is_name: &mut [bool]) {
        for at in first + 1..first + 4 {
            let Some(token) = self.token(at) else { return };
            let joined = token.is_adjacent()
                || (cue == Cue::Firm && at == first + 1 && token.before == ", ");
            let fits = match self.reading(at) {
                Reading::Name | Reading::Unknown => {
                    let small = self.token(first).is_some_and(|t| !t.is_capital());
                    let may =
                        self.reading(at) == Reading::Name || (cue == Cue::Firm && at == first + 1);
                    token.is_capital()
                        || (small && may && token.before == " " && token.text.len() > 2)
                }
                Reading::Both => {
                    token.is_capital()
                        && !self.lists.is_drug(&token.lower)
                        && !TITLES.contains(&token.lower.as_str())
                        && !CREDENTIALS.contains(&token.text)
                }
                Reading::Ordinary => token.is_initial(),
            };
            if !joined
                || !fits
                || token.opens
                || TITLES.contains(&token.lower.as_str())
                || self.is_medical(at)
                || CREDENTIALS.contains(&token.text)
            {
                return;
            }
            mark(is_name, at);
        }
    }

    /// `Jane Long, MD`
    fn before_credentials(&self, at: usize, is_name: &mut [bool]) {
        let Some(token) = self.token(at) else { return };
        let close = matches!(token.before, ", " | " " | ",");
        if !close || !CREDENTIALS.contains(&token.text) {
            return;
        }
        let mut to = at;
        while let Some(back) = to.checked_sub(1) {
            let Some(word) = self.token(back) else { return };
            let joined = to == at || self.token(to).is_some_and(Token::is_adjacent);
            let town = token.text == "MD" && self.lists.places.contains(word.lower.as_str());
            let fits = word.is_capital()
                && !town
                && (self.reading(back) != Reading::Ordinary || word.is_initial());
            if !joined || !fits || at - back > 3 {
                return;
            }
            mark(is_name, back);
            to = back;
        }
    }

    /// Whether a word that may be a name stands beside one.
    fn beside(&self, at: usize, is_name: &[bool]) -> bool {
        let Some(token) = self.token(at).filter(|t| t.is_capital()) else { return false };
        let named = |at: Option<usize>| at.and_then(|at| is_name.get(at)).copied().unwrap_or(false);
        let after =
            self.token(at + 1).is_some_and(|t| t.is_adjacent() && !t.opens) && named(Some(at + 1));
        let comma = self.token(at + 1).is_some_and(|t| t.before == ", " && t.is_capital())
            && named(Some(at + 1));
        let before = token.is_adjacent() && named(at.checked_sub(1)) && !token.opens;
        let may = match self.reading(at) {
            Reading::Both => {
                !token.is_all_capital()
                    && !TITLES.contains(&token.lower.as_str())
                    && !self.is_drug(at)
                    && !CALENDAR.contains(&token.lower.as_str())
            }
            Reading::Name => !self.is_medical(at) && !token.is_all_capital(),
            _ => token.is_initial(),
        };
        let given = self.lists.is_given(token.stem()) || token.is_initial();
        may && ((after && given && !(token.opens && RELATIONS.contains(&token.lower.as_str())))
            || before
            || (comma && self.reading(at) == Reading::Name))
    }
}

/// Words of the calendar that are given names as well.
const CALENDAR: [&str; 7] = ["may", "june", "april", "august", "summer", "autumn", "sunday"];

/// Words that are common as given names and rarely open a sentence otherwise.
const GIVEN_WORDS: [&str; 14] = [
    "grace", "will", "mark", "hope", "faith", "rose", "joy", "bill", "dawn", "jack", "ray",
    "frank", "rich", "chuck",
];
