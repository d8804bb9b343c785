//! Codes that criteria can be made of: those that many people here have.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use fhir::Resource;
use population::event::{Event, Kind as EventKind};

use super::{LEAST, keep};
use crate::authorise::{Action, authorise};
use crate::{App, Caller, Kind, Result};

/// Most codes, and most names of codes, that are counted while people are read.
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
    /// What it is called in the records of at least ten people; empty where no name is.
    pub called: String,
}

/// The codes that most people here have, of each kind in their own order, as of when everybody was last read. Empty
/// while people are read for the first time.
pub async fn choices(app: &App, caller: Caller) -> Result<Vec<Choice>> {
    app.run(move |app| authorise(app, &caller, Action::of(policy::Action::Explore)).map(drop))
        .await?;
    match keep::ready(app).await {
        Err(error) if error.kind != Kind::Busy => return Err(error),
        _ => {}
    }
    let choices = app.cohorts().choices.read().clone();
    Ok(choices.to_vec())
}

/// How many people have which code, and in how many people's records it is called what. A name is free text of a
/// record, so the name of few people's is not shown.
#[derive(Default)]
pub(super) struct Tally {
    people: HashMap<(EventKind, String), u64>,
    /// By code and name.
    called: HashMap<(String, String), u64>,
}

impl Tally {
    /// Counts one person.
    pub(super) fn add(&mut self, resources: &[Resource], events: &[Event<'_>]) {
        let mut codes = BTreeSet::new();
        for event in events {
            for coding in &event.codes {
                codes.insert((event.kind, format!("{}|{}", coding.system, coding.code)));
            }
        }
        codes.into_iter().for_each(|one| count(&mut self.people, one));
        let mut names = BTreeSet::new();
        for resource in resources {
            for element in ["code", "vaccineCode", "medicationCodeableConcept", "type"] {
                let concepts = resource.root().get(element).into_iter().flat_map(|one| one.each());
                for coding in concepts.filter_map(|one| one.get("coding")).flat_map(|c| c.items()) {
                    let (Some(code), Some(called)) =
                        (coding.str_at("code"), coding.str_at("display"))
                    else {
                        continue;
                    };
                    let code = format!("{}|{code}", coding.str_at("system").unwrap_or_default());
                    let called: String = called.chars().take(MOST_CHARS).collect();
                    names.insert((code, called));
                }
            }
        }
        names.into_iter().for_each(|one| count(&mut self.called, one));
    }

    /// What is offered. Which codes are most people's decides what is offered, and not in which order.
    pub(super) fn finish(self) -> Vec<Choice> {
        let mut names: Vec<_> =
            self.called.into_iter().filter(|(_, people)| *people >= LEAST).collect();
        // The name of most people's comes last, and stays.
        names.sort_unstable_by(|(one, people), (other, others)| {
            people.cmp(others).then_with(|| other.cmp(one))
        });
        let names: HashMap<String, String> = names.into_iter().map(|(name, _)| name).collect();
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
                let called = names.get(&code).cloned().unwrap_or_default();
                choices.push(Choice { kind, code, called });
            }
        }
        choices
            .sort_unstable_by(|one, other| (one.kind, &one.code).cmp(&(other.kind, &other.code)));
        choices
    }
}

/// One more; what is new is left out where there is no room.
fn count<K: Eq + Hash>(counts: &mut HashMap<K, u64>, one: K) {
    let is_room = counts.len() < MOST_COUNTED;
    match counts.get_mut(&one) {
        Some(count) => *count += 1,
        None if is_room => {
            counts.insert(one, 1);
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use std::iter::repeat_n;
    use std::slice::from_ref;

    use population::day::When;
    use population::event::Coding;

    use super::*;

    fn person(code: &'static str, called: &str) -> (Resource, Event<'static>) {
        let text = format!(
            r#"{{"resourceType":"Condition","code":{{"coding":[
            {{"system":"sct","code":"{code}","display":"{called}"}}]}}}}"#
        );
        let event = Event {
            kind: EventKind::Condition,
            codes: vec![Coding { system: "sct".into(), code: code.into() }],
            when: When::UNKNOWN,
            value: None,
            encounter: None,
        };
        (Resource::parse(text).unwrap(), event)
    }

    #[test]
    fn names_of_few_and_the_order_of_numbers_are_not_shown() {
        let mut tally = Tally::default();
        let mut add = |times: usize, code, called: &str| {
            let (resource, event) = person(code, called);
            (0..times).for_each(|_| tally.add(from_ref(&resource), from_ref(&event)));
        };
        // The first that is met tells more than a name.
        add(1, "1", "Asthma of Jane Doe");
        add(10, "1", "Asthma");
        add(30, "2", "Fracture");
        add(12, "2", "Broken bone");
        add(9, "3", "Rare");
        add(9, "4", "Told this way");
        add(9, "4", "Told that way");
        let shown: Vec<(String, String)> =
            tally.finish().into_iter().map(|one| (one.code, one.called)).collect();
        let expected = [("sct|1", "Asthma"), ("sct|2", "Fracture"), ("sct|4", "")];
        assert_eq!(shown, expected.map(|(code, called)| (code.to_owned(), called.to_owned())));
    }

    #[test]
    fn a_person_counts_once_for_each_name() {
        let mut tally = Tally::default();
        let (resource, event) = person("1", "Asthma");
        let resources: Vec<Resource> = repeat_n(resource, 50).collect();
        let events: Vec<Event<'static>> = repeat_n(event, 50).collect();
        tally.add(&resources, &events);
        assert!(tally.finish().is_empty());
    }
}
