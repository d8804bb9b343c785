//! Whether one person meets a criterion, for one index event.

use crate::block::{Block, NO_ENCOUNTER};
use crate::criteria::Occurs;
use crate::day::{Span, When, age};
use crate::dictionary::Dictionary;
use crate::event::Death;
use crate::plan::{Filter, Node, Plan, Range, sex_bit};

/// An event that relations refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) span: Span,
    pub(crate) encounter: u16,
}

/// What relations of one person refer to, for one index event.
#[derive(Debug)]
pub(crate) struct Referred {
    index: Anchor,
    /// The named events found for it, in the order of the names: each is looked for once, and those that lean on
    /// it look it up.
    named: Vec<Option<Anchor>>,
}

impl Referred {
    /// To the index event alone.
    pub(crate) fn new(index: Anchor) -> Self {
        Self { index, named: Vec::new() }
    }

    fn anchor(&self, anchor: usize) -> Option<Anchor> {
        match anchor.checked_sub(1) {
            None => Some(self.index),
            Some(named) => self.named.get(named).copied().flatten(),
        }
    }
}

/// One person of a block.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) dictionary: &'a Dictionary,
    pub(crate) block: &'a Block,
    pub(crate) person: usize,
}

/// What may be said of an event, cheapest first.
#[derive(Clone, Copy)]
struct Found {
    when: When,
    encounter: u16,
}

impl Candidate<'_> {
    /// Goes through the events that fit until `each` says that it has seen enough.
    #[inline]
    fn fitting(&self, filter: &Filter, mut each: impl FnMut(Found) -> bool) {
        let events = self.block.events(self.person);
        let mut see = |at: usize| {
            self.value_fits(filter, at)
                && each(Found { when: self.block.whens[at], encounter: self.block.encounters[at] })
        };
        let concepts = &self.block.concepts[events.clone()];
        if let Some(member) = &filter.member {
            for (offset, concept) in concepts.iter().enumerate() {
                let word = member.get(*concept as usize / 64).copied().unwrap_or(0);
                if word >> (concept % 64) & 1 == 1 && see(events.start + offset) {
                    return;
                }
            }
            return;
        }
        for wanted in &filter.concepts {
            let first = concepts.partition_point(|concept| concept < wanted);
            let run = concepts.iter().skip(first).take_while(|concept| *concept == wanted);
            for (offset, _) in run.enumerate() {
                if see(events.start + first + offset) {
                    return;
                }
            }
        }
    }

    #[inline]
    fn value_fits(&self, filter: &Filter, at: usize) -> bool {
        filter.tests.is_empty()
            || self.dictionary.quantity(self.block.values[at]).is_some_and(|(number, unit)| {
                filter.tests.iter().all(|test| test.holds(number, unit))
            })
    }

    /// The first or last dated event that fits and meets `ranges`.
    pub(crate) fn pick(
        &self,
        filter: &Filter,
        last: bool,
        ranges: &[Range],
        referred: &Referred,
    ) -> Option<Anchor> {
        let mut best: Option<Found> = None;
        self.fitting(filter, |found| {
            let better = found.when != When::UNKNOWN
                && best.is_none_or(|best| match found.when.cmp(&best.when) {
                    std::cmp::Ordering::Equal => found.encounter < best.encounter,
                    order => order.is_gt() == last,
                });
            if better && in_ranges(found, ranges, referred) {
                best = Some(found);
            }
            false
        });
        best.and_then(anchor)
    }

    /// Every different dated event that fits, by time and encounter.
    pub(crate) fn every(&self, filter: &Filter, into: &mut Vec<Anchor>) {
        let mut own = Vec::new();
        self.fitting(filter, |found| {
            own.extend(anchor(found));
            false
        });
        own.sort_unstable_by_key(|one| (one.span.first, one.span.last, one.encounter));
        own.dedup();
        into.append(&mut own);
    }

    /// Takes another index event, and looks for so many of the named events. A name leans on earlier names only, so
    /// that each finds those that it needs.
    pub(crate) fn refer(&self, index: Anchor, names: usize, referred: &mut Referred) {
        referred.index = index;
        referred.named.clear();
        for named in self.plan.named.iter().take(names) {
            let found = self.pick(&named.filter, named.last, &named.ranges, referred);
            referred.named.push(found);
        }
    }

    /// Whether the person meets a criterion whose names were looked for.
    pub(crate) fn meets(&self, node: &Node, referred: &Referred) -> bool {
        match node {
            Node::All(inner) => inner.iter().all(|one| self.meets(one, referred)),
            Node::Any(inner) => inner.iter().any(|one| self.meets(one, referred)),
            Node::None(inner) => !inner.iter().any(|one| self.meets(one, referred)),
            Node::Age(least, most) => self.block.birth(self.person).span().is_some_and(|birth| {
                let (youngest, oldest) = age(birth, referred.index.span);
                youngest >= *least && oldest <= *most
            }),
            Node::Sex(mask) => sex_bit(self.block.sex(self.person)) & mask != 0,
            Node::Alive => match self.block.death(self.person) {
                Death::None => true,
                Death::Died(when) => {
                    when.span().is_some_and(|death| death.first > referred.index.span.last)
                }
            },
            Node::Event(filter, occurs, ranges) => self.occurs(filter, *occurs, ranges, referred),
        }
    }

    fn occurs(
        &self,
        filter: &Filter,
        occurs: Occurs,
        ranges: &[Range],
        referred: &Referred,
    ) -> bool {
        match occurs {
            Occurs::AtLeast(times) => self.happened(filter, times, ranges, referred),
            Occurs::Never => !self.happened(filter, 1, ranges, referred),
            Occurs::FirstEver => self
                .pick(filter, false, &[], referred)
                .is_some_and(|first| ranges.iter().all(|range| in_range(first, *range, referred))),
        }
    }

    fn happened(&self, filter: &Filter, times: u32, ranges: &[Range], referred: &Referred) -> bool {
        let mut left = times;
        self.fitting(filter, |found| {
            if in_ranges(found, ranges, referred) {
                left -= 1;
            }
            left == 0
        });
        left == 0
    }
}

fn in_ranges(found: Found, ranges: &[Range], referred: &Referred) -> bool {
    if ranges.is_empty() {
        return true;
    }
    match anchor(found) {
        Some(event) => ranges.iter().all(|range| in_range(event, *range, referred)),
        // Without a date an event can still be of the same encounter.
        None => ranges.iter().all(|range| match range {
            Range::Days { .. } => false,
            Range::SameEncounter { anchor } => referred
                .anchor(*anchor)
                .is_some_and(|anchor| shared(found.encounter, anchor.encounter)),
        }),
    }
}

fn in_range(event: Anchor, range: Range, referred: &Referred) -> bool {
    match range {
        Range::Days { anchor, least, most } => referred.anchor(anchor).is_some_and(|anchor| {
            event.span.first - anchor.span.last >= least
                && event.span.last - anchor.span.first <= most
        }),
        Range::SameEncounter { anchor } => {
            referred.anchor(anchor).is_some_and(|anchor| shared(event.encounter, anchor.encounter))
        }
    }
}

fn anchor(found: Found) -> Option<Anchor> {
    found.when.span().map(|span| Anchor { span, encounter: found.encounter })
}

fn shared(one: u16, other: u16) -> bool {
    one == other && one != NO_ENCOUNTER
}
