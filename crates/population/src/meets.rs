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
        index: Anchor,
    ) -> Option<Anchor> {
        let mut best: Option<Found> = None;
        self.fitting(filter, |found| {
            let better = found.when != When::UNKNOWN
                && best.is_none_or(|best| match found.when.cmp(&best.when) {
                    std::cmp::Ordering::Equal => found.encounter < best.encounter,
                    order => order.is_gt() == last,
                });
            if better && self.in_ranges(found, ranges, index) {
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

    /// Whether the person meets a criterion.
    pub(crate) fn meets(&self, node: &Node, index: Anchor) -> bool {
        match node {
            Node::All(inner) => inner.iter().all(|one| self.meets(one, index)),
            Node::Any(inner) => inner.iter().any(|one| self.meets(one, index)),
            Node::None(inner) => !inner.iter().any(|one| self.meets(one, index)),
            Node::Age(least, most) => self.block.birth(self.person).span().is_some_and(|birth| {
                let (youngest, oldest) = age(birth, index.span);
                youngest >= *least && oldest <= *most
            }),
            Node::Sex(mask) => sex_bit(self.block.sex(self.person)) & mask != 0,
            Node::Alive => match self.block.death(self.person) {
                Death::None => true,
                Death::Died(when) => when.span().is_some_and(|death| death.first > index.span.last),
            },
            Node::Event(filter, occurs, ranges) => self.occurs(filter, *occurs, ranges, index),
        }
    }

    fn occurs(&self, filter: &Filter, occurs: Occurs, ranges: &[Range], index: Anchor) -> bool {
        match occurs {
            Occurs::AtLeast(times) => self.happened(filter, times, ranges, index),
            Occurs::Never => !self.happened(filter, 1, ranges, index),
            Occurs::FirstEver => self.pick(filter, false, &[], index).is_some_and(|first| {
                ranges.iter().all(|range| self.in_range(first, *range, index))
            }),
        }
    }

    fn happened(&self, filter: &Filter, times: u32, ranges: &[Range], index: Anchor) -> bool {
        let mut left = times;
        self.fitting(filter, |found| {
            if self.in_ranges(found, ranges, index) {
                left -= 1;
            }
            left == 0
        });
        left == 0
    }

    fn in_ranges(&self, found: Found, ranges: &[Range], index: Anchor) -> bool {
        if ranges.is_empty() {
            return true;
        }
        match anchor(found) {
            Some(event) => ranges.iter().all(|range| self.in_range(event, *range, index)),
            // Without a date an event can still be of the same encounter.
            None => ranges.iter().all(|range| match range {
                Range::Days { .. } => false,
                Range::SameEncounter { anchor } => self
                    .anchor(*anchor, index)
                    .is_some_and(|anchor| shared(found.encounter, anchor.encounter)),
            }),
        }
    }

    fn in_range(&self, event: Anchor, range: Range, index: Anchor) -> bool {
        match range {
            Range::Days { anchor, least, most } => {
                self.anchor(anchor, index).is_some_and(|anchor| {
                    event.span.first - anchor.span.last >= least
                        && event.span.last - anchor.span.first <= most
                })
            }
            Range::SameEncounter { anchor } => self
                .anchor(anchor, index)
                .is_some_and(|anchor| shared(event.encounter, anchor.encounter)),
        }
    }

    /// The index event, or a named event found for it.
    fn anchor(&self, anchor: usize, index: Anchor) -> Option<Anchor> {
        let Some(named) = anchor.checked_sub(1) else { return Some(index) };
        // A name leans on earlier names only, so this ends.
        let named = self.plan.named.get(named)?;
        self.pick(&named.filter, named.last, &named.ranges, index)
    }
}

fn anchor(found: Found) -> Option<Anchor> {
    found.when.span().map(|span| Anchor { span, encounter: found.encounter })
}

fn shared(one: u16, other: u16) -> bool {
    one == other && one != NO_ENCOUNTER
}
