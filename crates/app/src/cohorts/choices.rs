//! Codes that criteria can be made of: those that many people here have.

use std::collections::{BTreeSet, HashMap};

use population::event::{Event, Kind as EventKind};

use super::people::Record;
use super::{LEAST, keep};
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Kind, Result};

/// Most codes that are counted while people are read.
const MOST_COUNTED: usize = 200_000;
/// Most codes of one kind that are offered.
const MOST_OFFERED: usize = 40;
/// Longest name of a code.
const MOST_CHARS: usize = 100;

/// A code that at least ten people here have; how many is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Of which kind of event.
    pub kind: EventKind,
    /// `system|code`.
    pub code: String,
    /// What it is called in the records.
    pub called: String,
}

/// The codes that many people here have, those of most people first, as of when everybody was last read. Empty while
/// people are read for the first time.
pub async fn choices(app: &App, caller: Caller) -> Result<Vec<Choice>> {
    app.run(move |app| authorise(app, &caller, Action::of(policy::Action::Explore)).map(drop))
        .await?;
    match keep::ready(app).await {
        Err(error) if error.kind != Kind::Busy => return Err(error),
        _ => {}
    }
    let people = app.cohorts().people.read();
    Ok(people.as_ref().map(|people| people.choices.clone()).unwrap_or_default())
}

/// How many people have which code.
#[derive(Default)]
pub(super) struct Tally {
    people: HashMap<(EventKind, String), u64>,
    called: HashMap<String, String>,
}

impl Tally {
    /// Counts one person.
    pub(super) fn add(&mut self, record: &Option<Record>, events: &[Event<'_>]) {
        let mut own = BTreeSet::new();
        for event in events {
            for coding in &event.codes {
                own.insert((event.kind, format!("{}|{}", coding.system, coding.code)));
            }
        }
        for one in own {
            let is_room = self.people.len() < MOST_COUNTED;
            match self.people.get_mut(&one) {
                Some(count) => *count += 1,
                None if is_room => {
                    self.people.insert(one, 1);
                }
                None => {}
            }
        }
        for resource in record.iter().flat_map(|record| &record.resources) {
            for element in ["code", "vaccineCode", "medicationCodeableConcept", "type"] {
                let concepts = resource.root().get(element).into_iter().flat_map(|one| one.each());
                for coding in concepts.filter_map(|one| one.get("coding")).flat_map(|c| c.items()) {
                    let (Some(code), Some(called)) =
                        (coding.str_at("code"), coding.str_at("display"))
                    else {
                        continue;
                    };
                    let code = format!("{}|{code}", coding.str_at("system").unwrap_or_default());
                    if self.called.len() < MOST_COUNTED && !self.called.contains_key(&code) {
                        self.called.insert(code, called.chars().take(MOST_CHARS).collect());
                    }
                }
            }
        }
    }

    /// What is offered.
    pub(super) fn finish(self) -> Vec<Choice> {
        let mut all: Vec<_> =
            self.people.into_iter().filter(|(_, people)| *people >= LEAST).collect();
        all.sort_unstable_by(|(one, people), (other, others)| {
            others.cmp(people).then_with(|| one.cmp(other))
        });
        let mut offered: HashMap<EventKind, usize> = HashMap::new();
        let mut choices = Vec::new();
        for ((kind, code), _) in all {
            let count = offered.entry(kind).or_default();
            if *count < MOST_OFFERED {
                *count += 1;
                let called = self.called.get(&code).cloned().unwrap_or_default();
                choices.push(Choice { kind, code, called });
            }
        }
        choices
    }
}
