//! Two thousand people in columns: the unit in which an index is searched, changed and shared among threads.
//!
//! The events of a person stand together, ordered by concept and then by time, so the events of a concept are
//! found by halving. For every concept the block lists the people who have it. Per event that is 14 bytes
//! (concept, time and value 4 each, encounter 2) and 2 bytes for each different concept of a person.

use crate::bits::Bits;
use crate::day::When;
use crate::event::{Death, Person, Sex};

/// People in a block at most; their places fit in 16 bits.
pub(crate) const PEOPLE: usize = 2048;
/// An event outside every encounter.
pub(crate) const NO_ENCOUNTER: u16 = u16::MAX;

/// A person as the index keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: u64,
    pub(crate) person: Person,
    pub(crate) events: Vec<Row>,
}

/// An event in numbers. Ordered as events stand in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) concept: u32,
    pub(crate) when: When,
    /// The person's encounters in the order in which they were first named.
    pub(crate) encounter: u16,
    pub(crate) value: u32,
}

#[derive(Debug)]
pub(crate) struct Block {
    /// Those who were not removed.
    pub(crate) present: Bits,
    pub(crate) keys: Vec<u64>,
    pub(crate) people: Vec<Person>,
    /// Where a person's events begin; one more than people.
    starts: Vec<u32>,
    pub(crate) concepts: Vec<u32>,
    pub(crate) whens: Vec<When>,
    pub(crate) values: Vec<u32>,
    pub(crate) encounters: Vec<u16>,
    /// Concepts that somebody has, ascending.
    posted: Vec<u32>,
    /// Where their people begin; one more than concepts.
    posts: Vec<u32>,
    holders: Vec<u16>,
}

impl Block {
    /// Of at most [`PEOPLE`] entries.
    pub(crate) fn new(entries: &mut [Entry]) -> Self {
        let events: usize = entries.iter().map(|entry| entry.events.len()).sum();
        let mut block = Self {
            present: Bits::all(entries.len()),
            keys: Vec::with_capacity(entries.len()),
            people: Vec::with_capacity(entries.len()),
            starts: Vec::with_capacity(entries.len() + 1),
            concepts: Vec::with_capacity(events),
            whens: Vec::with_capacity(events),
            values: Vec::with_capacity(events),
            encounters: Vec::with_capacity(events),
            posted: Vec::new(),
            posts: Vec::new(),
            holders: Vec::new(),
        };
        let mut pairs: Vec<u64> = Vec::with_capacity(events);
        for (at, entry) in entries.iter_mut().enumerate() {
            entry.events.sort_unstable();
            block.keys.push(entry.key);
            block.people.push(entry.person);
            block.starts.push(block.concepts.len() as u32);
            let mut before = None;
            for row in &entry.events {
                block.concepts.push(row.concept);
                block.whens.push(row.when);
                block.values.push(row.value);
                block.encounters.push(row.encounter);
                if before.replace(row.concept) != Some(row.concept) {
                    pairs.push(u64::from(row.concept) << 16 | at as u64);
                }
            }
        }
        block.starts.push(block.concepts.len() as u32);
        pairs.sort_unstable();
        block.holders.reserve_exact(pairs.len());
        for pair in pairs {
            let concept = (pair >> 16) as u32;
            if block.posted.last() != Some(&concept) {
                block.posted.push(concept);
                block.posts.push(block.holders.len() as u32);
            }
            block.holders.push(pair as u16);
        }
        block.posts.push(block.holders.len() as u32);
        block.posted.shrink_to_fit();
        block.posts.shrink_to_fit();
        block
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The places of a person's events.
    #[inline]
    pub(crate) fn events(&self, person: usize) -> std::ops::Range<usize> {
        match self.starts.get(person..person + 2) {
            Some([start, end]) => *start as usize..*end as usize,
            _ => 0..0,
        }
    }

    /// Adds to `into` the people who have one of the concepts, which ascend.
    pub(crate) fn holders(&self, concepts: &[u32], into: &mut Bits) {
        let mut from = 0;
        // Where one list is much longer, its entries are looked for one by one.
        if concepts.len() > self.posted.len() {
            for (at, posted) in self.posted.iter().enumerate() {
                if concepts.binary_search(posted).is_ok() {
                    self.holders_at(at, into);
                }
            }
            return;
        }
        for concept in concepts {
            let rest = self.posted.get(from..).unwrap_or_default();
            match rest.binary_search(concept) {
                Ok(found) => {
                    self.holders_at(from + found, into);
                    from += found + 1;
                }
                Err(next) => from += next,
            }
        }
    }

    fn holders_at(&self, at: usize, into: &mut Bits) {
        if let Some([start, end]) = self.posts.get(at..at + 2) {
            let holders = self.holders.get(*start as usize..*end as usize).unwrap_or_default();
            holders.iter().for_each(|person| into.insert(usize::from(*person)));
        }
    }

    /// The entries of those who are present.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let rows = |person: usize| {
            self.events(person).map(|at| Row {
                concept: self.concepts[at],
                when: self.whens[at],
                encounter: self.encounters[at],
                value: self.values[at],
            })
        };
        let entry = |person: usize| Entry {
            key: self.keys[person],
            person: self.people[person],
            events: rows(person).collect(),
        };
        self.present.iter().map(entry).collect()
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.keys.capacity() * 8
            + self.people.capacity() * size_of::<Person>()
            + (self.starts.capacity() + self.posted.capacity() + self.posts.capacity()) * 4
            + self.concepts.capacity() * 4
            + self.whens.capacity() * 4
            + self.values.capacity() * 4
            + self.encounters.capacity() * 2
            + self.holders.capacity() * 2
            + self.len() / 8
    }

    pub(crate) fn sex(&self, person: usize) -> Sex {
        self.people.get(person).map_or(Sex::Unknown, |person| person.sex)
    }

    pub(crate) fn birth(&self, person: usize) -> When {
        self.people.get(person).map_or(When::UNKNOWN, |person| person.birth)
    }

    pub(crate) fn death(&self, person: usize) -> Death {
        self.people.get(person).map_or(Death::None, |person| person.death)
    }
}
