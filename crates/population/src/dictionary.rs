//! Numbers for what events say: codes, combinations of codes, values with units.
//!
//! An event holds one number for its kind and all its codes together (a *concept*), and one for its value
//! and unit. Real records repeat both without end, so a dictionary stays small beside the events; what
//! nobody uses any more is given up when an index is built anew.

use std::collections::HashMap;

use crate::event::{Coding, Event, Kind, Quantity};
use crate::index::IndexError;

/// No value.
pub(crate) const NO_VALUE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// `system|code` → code.
    codes: HashMap<Box<str>, u32>,
    /// Kind and ascending codes → concept.
    concepts: HashMap<Box<[u32]>, u32>,
    /// Code → concepts that hold it.
    holders: Vec<Vec<u32>>,
    /// Concept → kind.
    kinds: Vec<Kind>,
    units: HashMap<Box<str>, u32>,
    values: HashMap<(u64, u32), u32>,
    /// Value → number and unit.
    numbers: Vec<(f64, u32)>,
    /// Written over for every event.
    text: String,
    key: Vec<u32>,
}

impl Dictionary {
    /// The concept of an event, made where it is new.
    pub(crate) fn concept(&mut self, event: &Event<'_>) -> Result<u32, IndexError> {
        self.key.clear();
        for code in &event.codes {
            let number = self.code(code)?;
            self.key.push(number);
        }
        self.key.sort_unstable();
        self.key.dedup();
        self.key.insert(0, event.kind as u32);
        if let Some(known) = self.concepts.get(self.key.as_slice()) {
            return Ok(*known);
        }
        let concept = number(self.kinds.len())?;
        self.kinds.push(event.kind);
        for code in self.key.iter().skip(1) {
            if let Some(holders) = self.holders.get_mut(*code as usize) {
                holders.push(concept);
            }
        }
        self.concepts.insert(self.key.as_slice().into(), concept);
        Ok(concept)
    }

    fn code(&mut self, coding: &Coding<'_>) -> Result<u32, IndexError> {
        self.text.clear();
        self.text.push_str(&coding.system);
        self.text.push('|');
        self.text.push_str(&coding.code);
        if let Some(known) = self.codes.get(self.text.as_str()) {
            return Ok(*known);
        }
        let code = number(self.holders.len())?;
        self.holders.push(Vec::new());
        self.codes.insert(self.text.as_str().into(), code);
        Ok(code)
    }

    /// The number of a value; [`NO_VALUE`] for none and for what is no finite number.
    pub(crate) fn value(&mut self, value: Option<&Quantity<'_>>) -> Result<u32, IndexError> {
        let Some(value) = value.filter(|value| value.number.is_finite()) else {
            return Ok(NO_VALUE);
        };
        let unit = match self.units.get(&*value.unit) {
            Some(unit) => *unit,
            None => {
                let unit = number(self.units.len())?;
                self.units.insert((*value.unit).into(), unit);
                unit
            }
        };
        // Zero and minus zero are the same number.
        let exact = value.number + 0.0;
        if let Some(known) = self.values.get(&(exact.to_bits(), unit)) {
            return Ok(*known);
        }
        let made = number(self.numbers.len())?;
        self.numbers.push((exact, unit));
        self.values.insert((exact.to_bits(), unit), made);
        Ok(made)
    }

    /// Number and unit of a value.
    pub(crate) fn quantity(&self, value: u32) -> Option<(f64, u32)> {
        self.numbers.get(value as usize).copied()
    }

    pub(crate) fn unit(&self, unit: &str) -> Option<u32> {
        self.units.get(unit).copied()
    }

    /// Concepts of the kind that hold one of the codes, or all of the kind for no codes; ascending.
    pub(crate) fn find(&self, kind: Kind, codes: &[String]) -> Vec<u32> {
        let of_kind = |concept: &u32| self.kinds.get(*concept as usize) == Some(&kind);
        let mut found: Vec<u32> = if codes.is_empty() {
            (0..self.kinds.len() as u32).filter(of_kind).collect()
        } else {
            let known = codes.iter().filter_map(|code| self.codes.get(code.as_str()));
            let holders = known.filter_map(|code| self.holders.get(*code as usize)).flatten();
            holders.copied().filter(of_kind).collect()
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Concepts that there are.
    pub(crate) fn concepts(&self) -> usize {
        self.kinds.len()
    }

    /// Bytes on the heap, about: what is stored and the tables at their capacity.
    pub(crate) fn bytes(&self) -> usize {
        let texts: usize = self.codes.keys().map(|text| text.len()).sum();
        let keys: usize = self.concepts.keys().map(|key| 4 * key.len()).sum();
        let holders: usize = self.holders.iter().map(|list| 24 + 4 * list.capacity()).sum();
        texts
            + keys
            + holders
            + self.codes.capacity() * 25
            + self.concepts.capacity() * 25
            + self.values.capacity() * 25
            + self.numbers.capacity() * 16
            + self.kinds.capacity()
    }
}

/// A new number, below the one that stands for none.
fn number(at: usize) -> Result<u32, IndexError> {
    u32::try_from(at).ok().filter(|at| *at < NO_VALUE).ok_or(IndexError::Full)
}
