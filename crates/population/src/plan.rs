//! A cohort made ready for one index: codes looked up, relations turned into ranges of days.

use crate::criteria::{
    Cohort, Compare, CriteriaError, Criterion, Fits, INDEX, Occurs, Pick, Relation, ValueTest,
    limit,
};
use crate::dictionary::Dictionary;
use crate::event::Sex;

/// From this many concepts on, events are looked through one by one instead of halving for each concept.
const MANY_CONCEPTS: usize = 12;

/// Which events fit, in numbers.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Ascending.
    pub(crate) concepts: Vec<u32>,
    /// Membership by concept, where there are many.
    pub(crate) member: Option<Vec<u64>>,
    pub(crate) tests: Vec<Test>,
}

/// A value test; a unit that no value has is none.
#[derive(Debug)]
pub(crate) struct Test {
    is: Compare,
    number: f64,
    unit: Option<u32>,
}

/// Days from the anchor to the event, or the same encounter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Range {
    Days { anchor: usize, least: i32, most: i32 },
    SameEncounter { anchor: usize },
}

#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) filter: Filter,
    pub(crate) last: bool,
    pub(crate) ranges: Vec<Range>,
}

#[derive(Debug)]
pub(crate) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    None(Vec<Node>),
    Age(i32, i32),
    Sex(u8),
    Alive,
    Event(Filter, Occurs, Vec<Range>),
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) index: Option<(Filter, Pick)>,
    /// Anchor `n + 1` is the named event `n`; anchor 0 is the index event.
    pub(crate) named: Vec<Named>,
    pub(crate) steps: Vec<Node>,
}

impl Plan {
    pub(crate) fn new(cohort: &Cohort, dictionary: &Dictionary) -> Result<Self, CriteriaError> {
        cohort.check()?;
        let maker = Maker { cohort, dictionary };
        Ok(Self {
            index: cohort.index.as_ref().map(|index| (maker.filter(&index.event), index.pick)),
            named: cohort
                .named
                .iter()
                .map(|named| Named {
                    filter: maker.filter(&named.event),
                    last: named.pick == Pick::Last,
                    ranges: maker.ranges(&named.when),
                })
                .collect(),
            steps: cohort.steps.iter().map(|step| maker.node(&step.criterion)).collect(),
        })
    }
}

impl Node {
    /// So many of the named events, the first ones, have to be known to tell whether somebody meets it.
    pub(crate) fn names(&self) -> usize {
        match self {
            Self::All(inner) | Self::Any(inner) | Self::None(inner) => {
                inner.iter().map(Self::names).max().unwrap_or_default()
            }
            Self::Age(..) | Self::Sex(_) | Self::Alive => 0,
            Self::Event(_, _, ranges) => {
                ranges.iter().map(|range| range.anchor()).max().unwrap_or_default()
            }
        }
    }
}

impl Range {
    fn anchor(&self) -> usize {
        match self {
            Self::Days { anchor, .. } | Self::SameEncounter { anchor } => *anchor,
        }
    }
}

impl Test {
    pub(crate) fn holds(&self, number: f64, unit: u32) -> bool {
        self.unit == Some(unit)
            && match self.is {
                Compare::Below => number < self.number,
                Compare::AtMost => number <= self.number,
                Compare::Equal => number == self.number,
                Compare::AtLeast => number >= self.number,
                Compare::Above => number > self.number,
            }
    }
}

/// The bit of a sex in a set of them.
pub(crate) fn sex_bit(sex: Sex) -> u8 {
    1 << sex as u8
}

struct Maker<'a> {
    cohort: &'a Cohort,
    dictionary: &'a Dictionary,
}

impl Maker<'_> {
    fn node(&self, criterion: &Criterion) -> Node {
        let inner = |list: &[Criterion]| list.iter().map(|one| self.node(one)).collect();
        match criterion {
            Criterion::All(list) => Node::All(inner(list)),
            Criterion::Any(list) => Node::Any(inner(list)),
            Criterion::None(list) => Node::None(inner(list)),
            Criterion::Age(age) => Node::Age(
                age.at_least.map_or(0, i32::from),
                age.at_most.map_or(i32::MAX, i32::from),
            ),
            Criterion::Sex(sexes) => {
                Node::Sex(sexes.iter().fold(0, |mask, sex| mask | sex_bit(*sex)))
            }
            Criterion::Alive(_) => Node::Alive,
            Criterion::Event(event) => {
                Node::Event(self.filter(&event.event), event.occurs, self.ranges(&event.when))
            }
        }
    }

    fn filter(&self, fits: &Fits) -> Filter {
        let concepts = self.dictionary.find(fits.kind, &fits.codes);
        let member = (concepts.len() >= MANY_CONCEPTS).then(|| {
            let mut words = vec![0u64; self.dictionary.concepts().div_ceil(64)];
            for concept in &concepts {
                if let Some(word) = words.get_mut(*concept as usize / 64) {
                    *word |= 1 << (concept % 64);
                }
            }
            words
        });
        let test = |test: &ValueTest| Test {
            is: test.is,
            number: test.number,
            unit: self.dictionary.unit(&test.unit),
        };
        Filter { concepts, member, tests: fits.value.iter().map(test).collect() }
    }

    fn ranges(&self, relations: &[Relation]) -> Vec<Range> {
        relations.iter().map(|relation| self.range(relation)).collect()
    }

    fn range(&self, relation: &Relation) -> Range {
        let of = relation.of();
        let named = self.cohort.named.iter().position(|named| of != INDEX && named.name == of);
        let anchor = named.map_or(0, |at| at + 1);
        let days = |days: u32| i32::try_from(days).unwrap_or(limit::DAYS as i32);
        match relation {
            Relation::Before(distance) => Range::Days {
                anchor,
                least: distance.at_most.map_or(i32::MIN, |most| -days(most)),
                most: -days(distance.at_least),
            },
            Relation::After(distance) => Range::Days {
                anchor,
                least: days(distance.at_least),
                most: distance.at_most.map_or(i32::MAX, days),
            },
            Relation::Within(window) => Range::Days {
                anchor,
                least: -days(window.days_before),
                most: days(window.days_after),
            },
            Relation::SameEncounter(_) => Range::SameEncounter { anchor },
        }
    }
}
