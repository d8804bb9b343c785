//! A second reading of what a cohort means: people as lists of events, criteria looked up word by word, every
//! date as the list of its days' ends. Slow, and written from the documentation alone.

use std::collections::BTreeMap;

use population::criteria::{
    Cohort, Compare, Criterion, Fits, INDEX, Occurs, Pick, Relation, ValueTest,
};
use population::day::{Span, When, age};
use population::event::{Death, Event, Person};

pub type Known = BTreeMap<u64, (Person, Vec<Event<'static>>)>;

/// An event that relations refer to: its days and its encounter.
type Anchor = (Span, Option<String>);

/// People, those who entered, and those left after each step.
pub fn count(known: &Known, cohort: &Cohort, day: When) -> (u64, Option<u64>, Vec<u64>, Vec<u64>) {
    let today: Anchor = (day.span().unwrap(), None);
    let mut left: BTreeMap<u64, Vec<Anchor>> = known
        .iter()
        .map(|(key, (_, events))| {
            let anchors = match &cohort.index {
                None => vec![today.clone()],
                Some(index) => {
                    let all = in_order(events, |event| fits(&index.event, event));
                    match index.pick {
                        Pick::Any => all,
                        Pick::First => first(all).into_iter().collect(),
                        Pick::Last => last(all).into_iter().collect(),
                    }
                }
            };
            (*key, anchors)
        })
        .collect();
    left.retain(|_, anchors| !anchors.is_empty());
    let entered = cohort.index.is_some().then_some(left.len() as u64);
    let mut steps = Vec::new();
    for step in &cohort.steps {
        for (key, anchors) in &mut left {
            let (person, events) = &known[key];
            anchors.retain(|anchor| meets(cohort, person, events, &step.criterion, anchor));
        }
        left.retain(|_, anchors| !anchors.is_empty());
        steps.push(left.len() as u64);
    }
    (known.len() as u64, entered, steps, left.into_keys().collect())
}

fn meets(
    cohort: &Cohort,
    person: &Person,
    events: &[Event<'static>],
    criterion: &Criterion,
    index: &Anchor,
) -> bool {
    let inner = |one: &Criterion| meets(cohort, person, events, one, index);
    match criterion {
        Criterion::All(list) => list.iter().all(inner),
        Criterion::Any(list) => list.iter().any(inner),
        Criterion::None(list) => !list.iter().any(inner),
        Criterion::Age(range) => person.birth.span().is_some_and(|birth| {
            let (youngest, oldest) = age(birth, index.0);
            youngest >= i32::from(range.at_least.unwrap_or(0))
                && oldest <= range.at_most.map_or(i32::MAX, i32::from)
        }),
        Criterion::Sex(list) => list.contains(&person.sex),
        Criterion::Alive(_) => match person.death {
            Death::None => true,
            Death::Died(when) => when.span().is_some_and(|death| death.first > index.0.last),
        },
        Criterion::Event(wanted) => {
            let related = |event: &Event<'static>| {
                wanted.when.iter().all(|relation| stands(cohort, events, event, relation, index))
            };
            let count = events.iter().filter(|e| fits(&wanted.event, e) && related(e)).count();
            match wanted.occurs {
                Occurs::AtLeast(times) => count >= times as usize,
                Occurs::Never => count == 0,
                Occurs::FirstEver => first_event(events, &wanted.event).is_some_and(related),
            }
        }
    }
}

/// The first dated event that fits: by day, precision, then encounter in order of first mention.
fn first_event<'a>(events: &'a [Event<'static>], what: &Fits) -> Option<&'a Event<'static>> {
    events
        .iter()
        .filter(|event| fits(what, event) && event.when != When::UNKNOWN)
        .min_by_key(|event| (event.when, mention(events, event.encounter.as_deref())))
}

fn mention(events: &[Event<'static>], encounter: Option<&str>) -> usize {
    let mut order: Vec<&str> = Vec::new();
    for name in events.iter().filter_map(|event| event.encounter.as_deref()) {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    encounter.and_then(|name| order.iter().position(|one| *one == name)).unwrap_or(usize::MAX)
}

/// Dated events in order, with the time that orders them.
fn in_order(events: &[Event<'static>], wanted: impl Fn(&Event<'static>) -> bool) -> Vec<Anchor> {
    let mut list: Vec<&Event<'static>> =
        events.iter().filter(|event| event.when != When::UNKNOWN && wanted(event)).collect();
    list.sort_by_key(|event| (event.when, mention(events, event.encounter.as_deref())));
    list.iter()
        .map(|event| {
            (event.when.span().unwrap(), event.encounter.as_deref().map(ToOwned::to_owned))
        })
        .collect()
}

fn first(all: Vec<Anchor>) -> Option<Anchor> {
    all.into_iter().next()
}

/// The first of those that are last by time: spans are different for different times.
fn last(all: Vec<Anchor>) -> Option<Anchor> {
    let time = all.last()?.0;
    all.into_iter().find(|anchor| anchor.0 == time)
}

fn fits(what: &Fits, event: &Event<'static>) -> bool {
    let coded = what.codes.is_empty()
        || event
            .codes
            .iter()
            .any(|code| what.codes.contains(&format!("{}|{}", code.system, code.code)));
    what.kind == event.kind && coded && what.value.iter().all(|test| passes(test, event))
}

fn passes(test: &ValueTest, event: &Event<'static>) -> bool {
    event.value.as_ref().filter(|value| value.unit == test.unit).is_some_and(|value| {
        match test.is {
            Compare::Below => value.number < test.number,
            Compare::AtMost => value.number <= test.number,
            Compare::Equal => value.number == test.number,
            Compare::AtLeast => value.number >= test.number,
            Compare::Above => value.number > test.number,
        }
    })
}

fn stands(
    cohort: &Cohort,
    events: &[Event<'static>],
    event: &Event<'static>,
    relation: &Relation,
    index: &Anchor,
) -> bool {
    let Some(other) = named(cohort, events, relation.of(), index) else { return false };
    if let Relation::SameEncounter(_) = relation {
        return event.encounter.is_some() && event.encounter.as_deref() == other.1.as_deref();
    }
    let Some(own) = event.when.span() else { return false };
    (own.first..=own.last).all(|day| {
        [other.0.first, other.0.last].into_iter().all(|anchor| {
            let days = i64::from(day) - i64::from(anchor);
            match relation {
                Relation::Before(distance) => {
                    -days >= i64::from(distance.at_least)
                        && distance.at_most.is_none_or(|most| -days <= i64::from(most))
                }
                Relation::After(distance) => {
                    days >= i64::from(distance.at_least)
                        && distance.at_most.is_none_or(|most| days <= i64::from(most))
                }
                Relation::Within(window) => {
                    -days <= i64::from(window.days_before) && days <= i64::from(window.days_after)
                }
                Relation::SameEncounter(_) => false,
            }
        })
    })
}

fn named(cohort: &Cohort, events: &[Event<'static>], name: &str, index: &Anchor) -> Option<Anchor> {
    if name == INDEX {
        return Some(index.clone());
    }
    let named = cohort.named.iter().find(|named| named.name == name).unwrap();
    let all = in_order(events, |event| {
        fits(&named.event, event)
            && named.when.iter().all(|relation| stands(cohort, events, event, relation, index))
    });
    if named.pick == Pick::Last { last(all) } else { first(all) }
}
