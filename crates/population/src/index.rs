//! The people of one institution in memory, ready to be counted.
//!
//! Built once by [`Builder`], kept current person by person. A person who is [removed](Index::remove), for
//! instance for having opted out, is in no count from that moment on; the memory is given back when somebody
//! of the same block changes.

use std::collections::HashMap;

use crate::block::{Block, Entry, NO_ENCOUNTER, PEOPLE, Row};
use crate::dictionary::Dictionary;
use crate::event::{Event, Person};

/// Events of a person that are taken at most.
pub const MAX_EVENTS: usize = 1 << 20;
/// Codes of an event that are taken at most.
pub const MAX_CODES: usize = 64;
/// Encounters of a person that are told apart at most.
pub const MAX_ENCOUNTERS: usize = NO_ENCOUNTER as usize;

/// What an index does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// A person with more than [`MAX_EVENTS`].
    #[error("a person has more than 1048576 events")]
    Events,
    /// An event with more than [`MAX_CODES`].
    #[error("an event has more than 64 codes")]
    Codes,
    /// A person with more than [`MAX_ENCOUNTERS`].
    #[error("a person has more than 65535 encounters")]
    Encounters,
    /// More different codes or values than there are numbers for.
    #[error("more than 2^32 different codes or values")]
    Full,
    /// A person whom the builder has been given before.
    #[error("a person was given twice")]
    Twice,
}

/// The people of one institution.
#[derive(Debug, Default)]
pub struct Index {
    pub(crate) dictionary: Dictionary,
    pub(crate) blocks: Vec<Block>,
    /// Key → block and place in it.
    places: HashMap<u64, (u32, u16)>,
    /// Encounters of the person that is being read.
    encounters: HashMap<Box<str>, u16>,
}

/// What an index takes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// People who can be counted.
    pub people: u64,
    /// Events, those of removed people included until their memory is given back.
    pub events: u64,
    /// Bytes of columns and lists.
    pub columns_bytes: usize,
    /// Bytes of dictionaries and of the table of people, about.
    pub tables_bytes: usize,
}

impl Index {
    /// An index without people.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a person with all events, in place of what was known before. Nothing is changed on an error.
    /// Costs a rewriting of the person's block (2,048 people); for many at once there is [`Builder`].
    pub fn replace<'a>(
        &mut self,
        key: u64,
        person: Person,
        events: impl IntoIterator<Item = Event<'a>>,
    ) -> Result<(), IndexError> {
        let entry = self.entry(key, person, events)?;
        let at = match self.places.get(&key) {
            Some((block, _)) => *block as usize,
            None => self
                .blocks
                .iter()
                .rposition(|block| block.present.count() < PEOPLE as u64)
                .unwrap_or(self.blocks.len()),
        };
        let mut entries = self.blocks.get(at).map(Block::entries).unwrap_or_default();
        entries.retain(|one| one.key != key);
        entries.push(entry);
        self.put(at, &mut entries)
    }

    /// Takes a person out of every count from now on. Whether the person was in it.
    pub fn remove(&mut self, key: u64) -> bool {
        let Some((block, place)) = self.places.remove(&key) else { return false };
        if let Some(block) = self.blocks.get_mut(block as usize) {
            block.present.remove(usize::from(place));
        }
        true
    }

    /// Whether the person can be counted.
    pub fn contains(&self, key: u64) -> bool {
        self.places.contains_key(&key)
    }

    /// What it takes of memory.
    pub fn size(&self) -> Size {
        Size {
            people: self.places.len() as u64,
            events: self.blocks.iter().map(|block| block.concepts.len() as u64).sum(),
            columns_bytes: self.blocks.iter().map(Block::bytes).sum(),
            tables_bytes: self.dictionary.bytes() + self.places.capacity() * 17,
        }
    }

    pub(crate) fn place(&self, key: u64) -> Option<(usize, usize)> {
        self.places.get(&key).map(|(block, place)| (*block as usize, usize::from(*place)))
    }

    fn put(&mut self, at: usize, entries: &mut [Entry]) -> Result<(), IndexError> {
        let number = u32::try_from(at).map_err(|_| IndexError::Full)?;
        let block = Block::new(entries);
        for (place, key) in block.keys.iter().enumerate() {
            self.places.insert(*key, (number, place as u16));
        }
        match self.blocks.get_mut(at) {
            Some(old) => *old = block,
            None => self.blocks.push(block),
        }
        Ok(())
    }

    fn entry<'a>(
        &mut self,
        key: u64,
        person: Person,
        events: impl IntoIterator<Item = Event<'a>>,
    ) -> Result<Entry, IndexError> {
        let mut rows = Vec::new();
        self.encounters.clear();
        for event in events {
            if rows.len() == MAX_EVENTS {
                return Err(IndexError::Events);
            }
            if event.codes.len() > MAX_CODES {
                return Err(IndexError::Codes);
            }
            let encounter = match event.encounter.as_deref() {
                None => NO_ENCOUNTER,
                Some(name) => match self.encounters.get(name) {
                    Some(known) => *known,
                    None => {
                        let next = self.encounters.len();
                        if next == MAX_ENCOUNTERS {
                            return Err(IndexError::Encounters);
                        }
                        self.encounters.insert(name.into(), next as u16);
                        next as u16
                    }
                },
            };
            rows.push(Row {
                concept: self.dictionary.concept(&event)?,
                when: event.when,
                encounter,
                value: self.dictionary.value(event.value.as_ref())?,
            });
        }
        Ok(Entry { key, person, events: rows })
    }
}

/// Makes an [`Index`] of many people, one after the other.
#[derive(Debug, Default)]
pub struct Builder {
    index: Index,
    waiting: Vec<Entry>,
}

impl Builder {
    /// Without people.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a person with all events. After an error the person is not in it, and others may follow.
    pub fn add<'a>(
        &mut self,
        key: u64,
        person: Person,
        events: impl IntoIterator<Item = Event<'a>>,
    ) -> Result<(), IndexError> {
        if self.index.contains(key) {
            return Err(IndexError::Twice);
        }
        let entry = self.index.entry(key, person, events)?;
        self.index.places.insert(key, (0, 0));
        self.waiting.push(entry);
        if self.waiting.len() == PEOPLE { self.seal() } else { Ok(()) }
    }

    /// The index of those who were taken.
    pub fn finish(mut self) -> Result<Index, IndexError> {
        if !self.waiting.is_empty() {
            self.seal()?;
        }
        self.index.places.shrink_to_fit();
        Ok(self.index)
    }

    fn seal(&mut self) -> Result<(), IndexError> {
        let at = self.index.blocks.len();
        let sealed = self.index.put(at, &mut self.waiting);
        self.waiting.clear();
        sealed
    }
}
