//! The answer while it is made: objects whose members may be filled from several places, written
//! as JSON text with numbers as they were stored.

use fhir::json::quote;

use super::query::short;
use crate::{Error, Result};

/// A value of the answer.
#[derive(Debug)]
pub enum Out {
    /// JSON text of a value without fields.
    Text(String),
    /// An object.
    Object(Object),
}

/// An object of the answer.
#[derive(Debug, Default)]
pub struct Object {
    slots: Vec<Slot>,
}

/// What is collected under one name.
#[derive(Debug)]
struct Slot {
    key: String,
    is_list: bool,
    /// What kind of value is collected.
    kind: &'static str,
    values: Vec<Out>,
    failed: bool,
}

impl Object {
    /// Makes sure that there is a member of this name, so that it is there even without value.
    pub fn open(&mut self, key: &str, is_list: bool, kind: &'static str) -> Result<()> {
        self.slot(key, is_list, kind).map(|_| ())
    }

    /// Adds a value. Errors where there is one already and no list, or where values of another
    /// kind are collected.
    pub fn add(&mut self, key: &str, is_list: bool, kind: &'static str, value: Out) -> Result<()> {
        let slot = self.slot(key, is_list, kind)?;
        if slot.failed {
            // That it failed has been told; what else it would hold is not half shown.
            return Ok(());
        }
        if !slot.is_list && !slot.values.is_empty() {
            let message = format!("`{}` has more than one value", short(key));
            return Err(Error::invalid("value", message));
        }
        slot.values.push(value);
        Ok(())
    }

    /// How many values are collected under a name.
    pub fn count(&self, key: &str) -> usize {
        self.slots.iter().find(|slot| slot.key == key).map_or(0, |slot| slot.values.len())
    }

    /// Takes the member back: it is `null`.
    pub fn fail(&mut self, key: &str) {
        match self.slots.iter_mut().find(|slot| slot.key == key) {
            Some(slot) => {
                slot.values.clear();
                slot.failed = true;
            }
            None => self.slots.push(Slot {
                key: key.to_owned(),
                is_list: false,
                kind: "",
                values: Vec::new(),
                failed: true,
            }),
        }
    }

    fn slot(&mut self, key: &str, is_list: bool, kind: &'static str) -> Result<&mut Slot> {
        let at = match self.slots.iter().position(|slot| slot.key == key) {
            Some(at) => at,
            None => {
                let key = key.to_owned();
                self.slots.push(Slot { key, is_list, kind, values: Vec::new(), failed: false });
                self.slots.len() - 1
            }
        };
        let slot = self.slots.get_mut(at).ok_or_else(|| Error::internal("a member is missing"))?;
        if slot.kind != kind && !slot.values.is_empty() {
            let message = format!(
                "`{}` collects values of different kinds, `{}` and `{kind}`; give one an alias",
                short(key),
                slot.kind
            );
            return Err(Error::invalid("value", message));
        }
        slot.kind = kind;
        slot.is_list |= is_list;
        Ok(slot)
    }

    /// Whether anything came of any member.
    pub fn has_values(&self) -> bool {
        self.slots.iter().any(|slot| !slot.failed)
    }

    /// Writes the object as JSON.
    pub fn write(&self, out: &mut String) {
        out.push('{');
        for (at, slot) in self.slots.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(&quote(&slot.key));
            out.push(':');
            slot.write(out);
        }
        out.push('}');
    }
}

impl Slot {
    fn write(&self, out: &mut String) {
        if self.failed {
            out.push_str("null");
            return;
        }
        if !self.is_list {
            match self.values.first() {
                Some(value) => value.write(out),
                None => out.push_str("null"),
            }
            return;
        }
        out.push('[');
        for (at, value) in self.values.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            value.write(out);
        }
        out.push(']');
    }
}

impl Out {
    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Object(object) => object.write(out),
        }
    }
}
