//! What one version of an agreement says other than another, clause by clause.

use super::terms::{Clause, Terms};
use super::write::topic_code;

/// Which part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What it is called.
    Title,
    /// Who agrees.
    Parties,
    /// From when on it holds; values are milliseconds since the Unix epoch.
    From,
    /// Until when.
    Until,
    /// The days of notice.
    Notice,
    /// Who may ask.
    Asks,
    /// Who answers.
    Answers,
    /// Codes of purposes.
    Purposes,
    /// Classes of data, as `Type` or `Type system|code,…`; `*` for all types.
    Classes,
    /// The highest degree of confidentiality.
    Ceiling,
    /// Sensitive topics and laws.
    Topics,
    /// Codes of obligations.
    Obligations,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Number of the clause from 1; `None` for what concerns the whole text.
    pub clause: Option<usize>,
    /// Which part.
    pub part: Part,
    /// What is no longer said.
    pub removed: Vec<String>,
    /// What is said now.
    pub added: Vec<String>,
}

/// What `new` says other than `old`; empty where both agree the same. Clauses are compared by
/// their place.
pub fn differences(old: &Terms, new: &Terms) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&mut found, None, &whole(old), &whole(new));
    for number in 0..old.clauses.len().max(new.clauses.len()) {
        let parts = |terms: &Terms| terms.clauses.get(number).map(of_clause).unwrap_or_default();
        compare(&mut found, Some(number + 1), &parts(old), &parts(new));
    }
    found
}

type Parts = Vec<(Part, Vec<String>)>;

fn compare(found: &mut Vec<Difference>, clause: Option<usize>, old: &Parts, new: &Parts) {
    let none = Vec::new();
    let of = |parts: &Parts, part: Part| {
        let values = parts.iter().find(|(named, _)| *named == part).map(|(_, values)| values);
        values.unwrap_or(&none).clone()
    };
    let mut all: Vec<Part> = old.iter().chain(new).map(|(part, _)| *part).collect();
    all.sort_unstable();
    all.dedup();
    for part in all {
        let (before, after) = (of(old, part), of(new, part));
        let removed: Vec<_> = before.iter().filter(|v| !after.contains(v)).cloned().collect();
        let added: Vec<_> = after.iter().filter(|v| !before.contains(v)).cloned().collect();
        if !removed.is_empty() || !added.is_empty() {
            found.push(Difference { clause, part, removed, added });
        }
    }
}

fn whole(terms: &Terms) -> Parts {
    let parties = terms.parties.iter().map(|party| party.name.to_string());
    vec![
        (Part::Title, vec![terms.title.to_string()]),
        (Part::Parties, parties.collect()),
        (Part::From, vec![terms.from_ms.to_string()]),
        (Part::Until, vec![terms.until_ms.to_string()]),
        (Part::Notice, vec![terms.notice_days.to_string()]),
    ]
}

fn of_clause(clause: &Clause) -> Parts {
    let texts = |list: &[Box<str>]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    let classes = clause.classes.iter().map(|class| {
        let kind = class.kind.unwrap_or("*").to_owned();
        let codes: Vec<_> =
            class.categories.iter().map(|(system, code)| format!("{system}|{code}")).collect();
        if codes.is_empty() { kind } else { format!("{kind} {}", codes.join(",")) }
    });
    vec![
        (Part::Asks, texts(&clause.asks)),
        (Part::Answers, texts(&clause.answers)),
        (Part::Purposes, clause.purposes.iter().map(|one| one.code().to_owned()).collect()),
        (Part::Classes, classes.collect()),
        (Part::Ceiling, vec![clause.ceiling.code().to_owned()]),
        (Part::Topics, clause.topics.iter().map(|one| topic_code(one).to_owned()).collect()),
        (Part::Obligations, clause.obligations.iter().map(|o| o.code().to_owned()).collect()),
    ]
}
