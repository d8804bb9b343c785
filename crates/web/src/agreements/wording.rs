//! What an agreement says, in words: states, purposes, data, obligations, differences.

use policy::agreement::{Class, Clause, Difference, Obligation, Part, State, Terms};
use policy::label::Confidentiality;

use crate::terms::{Kind, Purpose, Tone};
use crate::words::{Message, Words};

/// Obligations that have words of their own, the most used first; the rest is shown under the name
/// that it was published by.
pub const COMMON: [(&str, &str); 7] = [
    ("NORDSCLCD", "obligation-no-redisclosure"),
    ("DELAU", "obligation-delete"),
    ("NOREUSE", "obligation-no-reuse"),
    ("NOPERSISTP", "obligation-no-keeping"),
    ("MINEC", "obligation-minimum"),
    ("AUDIT", "obligation-audit"),
    ("ENCRYPTR", "obligation-encrypt"),
];

/// How an agreement stands, in a word.
pub fn state(w: &Words<'_>, state: State) -> Message {
    w.say(match state {
        State::Negotiated => "agreement-negotiated",
        State::Signed => "agreement-signed",
        State::InForce => "agreement-in-force",
        State::Suspended => "agreement-suspended",
        State::Expired => "agreement-expired",
        State::Ended => "agreement-ended",
    })
}

/// The colour of a state.
pub fn tone(state: State) -> Tone {
    match state {
        State::InForce => Tone::Good,
        State::Negotiated | State::Signed => Tone::Note,
        State::Suspended => Tone::Alert,
        State::Expired | State::Ended => Tone::Plain,
    }
}

/// A purpose: in the reader's language where it has words, else as it was published.
pub fn purpose(w: &Words<'_>, code: &str) -> String {
    match (Purpose::from_code(code), policy::Purpose::find(code)) {
        (Purpose::Other, Some(known)) => format!("{} ({code})", known.display()),
        (known, _) => known.say(w).to_string(),
    }
}

/// An obligation in the same way.
pub fn obligation(w: &Words<'_>, code: &str) -> String {
    if let Some((_, key)) = COMMON.iter().find(|(known, _)| *known == code) {
        return w.say(key).to_string();
    }
    let display = Obligation::find(code).map(Obligation::display);
    display.map_or_else(|| code.to_owned(), |display| format!("{display} ({code})"))
}

/// A resource type as people call it; `*` for all.
pub fn kind(w: &Words<'_>, name: &str) -> String {
    match (name, Kind::from_type(name)) {
        ("*", _) => w.say("agreement-all-data").to_string(),
        (_, Kind::Other) => name.to_owned(),
        (_, known) => format!("{} ({name})", known.say(w)),
    }
}

fn class(w: &Words<'_>, class: &Class) -> String {
    let name = kind(w, class.kind.unwrap_or("*"));
    let codes: Vec<&str> = class.categories.iter().map(|(_, code)| &**code).collect();
    match codes.is_empty() {
        true => name,
        false => w.say("agreement-only").s("kind", name).s("codes", codes.join(", ")).to_string(),
    }
}

/// A degree of confidentiality.
pub fn ceiling(w: &Words<'_>, degree: Confidentiality) -> Message {
    w.say(match degree {
        Confidentiality::Restricted => "agreement-ceiling-restricted",
        Confidentiality::VeryRestricted => "agreement-ceiling-all",
        _ => "agreement-ceiling-normal",
    })
}

/// One clause to be read.
#[derive(Clone, Debug)]
pub struct ClauseView {
    /// Who may ask, by name.
    pub asks: String,
    /// Who answers.
    pub answers: String,
    /// Purposes in words.
    pub purposes: Vec<String>,
    /// Data in words.
    pub classes: Vec<String>,
    /// How confidential at most.
    pub ceiling: String,
    /// Sensitive topics that alone are covered, by code.
    pub topics: Vec<String>,
    /// What is asked of the receiver, in words.
    pub obligations: Vec<String>,
}

/// A clause in words. `name` gives the name of an organisation; where a clause names none, every
/// member is meant.
pub fn clause(w: &Words<'_>, clause: &Clause, name: &dyn Fn(&str) -> String) -> ClauseView {
    let names = |orgs: &[Box<str>]| match orgs.is_empty() {
        true => w.say("agreement-every-member").to_string(),
        false => orgs.iter().map(|org| name(org)).collect::<Vec<_>>().join(", "),
    };
    let topics = clause.topics.iter().map(|topic| match topic {
        policy::label::Label::Sensitive(one) => one.code().to_owned(),
        policy::label::Label::Law(law) => (*law).to_owned(),
        _ => String::new(),
    });
    ClauseView {
        asks: names(&clause.asks),
        answers: names(&clause.answers),
        purposes: clause.purposes.iter().map(|one| purpose(w, one.code())).collect(),
        classes: clause.classes.iter().map(|one| class(w, one)).collect(),
        ceiling: ceiling(w, clause.ceiling).to_string(),
        topics: topics.collect(),
        obligations: clause.obligations.iter().map(|one| obligation(w, one.code())).collect(),
    }
}

/// The name of a party in a text; the id where it is none.
pub fn party_name(terms: &Terms, org: &str) -> String {
    terms.party(org).map_or_else(|| org.to_owned(), |party| party.name.to_string())
}

/// One difference to be read: what it is about, and what is and is no longer said.
#[derive(Clone, Debug)]
pub struct DifferenceView {
    /// What it is about.
    pub about: String,
    /// What is no longer said.
    pub removed: Vec<String>,
    /// What is said now.
    pub added: Vec<String>,
}

/// A difference in words.
pub fn difference(
    w: &Words<'_>,
    one: &Difference,
    name: &dyn Fn(&str) -> String,
) -> DifferenceView {
    let part = w.say(match one.part {
        Part::Title => "agreement-title-label",
        Part::Parties => "agreement-parties",
        Part::From => "agreement-from",
        Part::Until => "agreement-until",
        Part::Notice => "agreement-notice",
        Part::Asks => "agreement-asks",
        Part::Answers => "agreement-answers",
        Part::Purposes => "agreement-purposes",
        Part::Classes => "agreement-classes",
        Part::Ceiling => "agreement-ceiling",
        Part::Topics => "agreement-topics",
        Part::Obligations => "agreement-obligations",
    });
    let value = |text: &String| match one.part {
        Part::From | Part::Until => w.moment(&text.parse().unwrap_or_default()).plain().to_owned(),
        Part::Asks | Part::Answers => name(text),
        Part::Purposes => purpose(w, text),
        Part::Classes => kind(w, text),
        Part::Ceiling => {
            Confidentiality::find(text).map_or_else(String::new, |one| ceiling(w, one).to_string())
        }
        Part::Obligations => obligation(w, text),
        Part::Title | Part::Parties | Part::Notice | Part::Topics => text.clone(),
    };
    let about = match one.clause {
        Some(number) => w.say("agreement-clause-part").n("number", number).s("part", part),
        None => part,
    };
    DifferenceView {
        about: about.to_string(),
        removed: one.removed.iter().map(value).collect(),
        added: one.added.iter().map(value).collect(),
    }
}
