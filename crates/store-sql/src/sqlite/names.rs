//! How types and ids are written in the database: short.

use std::collections::HashMap;

use fhir::Id;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};

use super::fault::Fault;

/// The number that stands for "not one of our resources, but an address".
pub(super) const ADDRESS: i64 = 0;

/// Numbers of the resource types. They never change within one store.
#[derive(Debug)]
pub(super) struct Kinds {
    numbers: HashMap<&'static str, i64>,
    names: HashMap<i64, &'static str>,
}

impl Kinds {
    /// Reads the numbers; the program's types must all have one (see [`Kinds::complete`]).
    pub(super) fn load(conn: &Connection) -> Result<Self, Fault> {
        let mut kinds = Self { numbers: HashMap::new(), names: HashMap::new() };
        let mut statement = conn.prepare("SELECT number, name FROM kind")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (number, name): (i64, String) = (row.get(0)?, row.get(1)?);
            if let Some(name) = fhir::definitions::resource_type(&name) {
                kinds.numbers.insert(name, number);
                kinds.names.insert(number, name);
            }
        }
        Ok(kinds)
    }

    /// Gives every type of the program a number.
    pub(super) fn complete(conn: &Connection) -> Result<(), Fault> {
        let sql = "INSERT OR IGNORE INTO kind(number, name, live)
                   VALUES((SELECT coalesce(max(number), 0) + 1 FROM kind), ?1, 0)";
        let mut statement = conn.prepare(sql)?;
        for name in fhir::definitions::resource_types() {
            statement.execute([name])?;
        }
        Ok(())
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.numbers.get(name).copied()
    }

    pub(super) fn name(&self, number: i64) -> Result<&'static str, Fault> {
        self.names.get(&number).copied().ok_or(Fault::Corrupt("a resource has an unknown type"))
    }
}

/// A logical id or an address: the 36 characters of a UUID in lower case take 16 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Name {
    Uuid([u8; 16]),
    Text(Box<str>),
}

impl Name {
    pub(super) fn new(text: &str) -> Self {
        match uuid(text) {
            Some(bytes) => Self::Uuid(bytes),
            None => Self::Text(text.into()),
        }
    }

    pub(super) fn read(value: ValueRef<'_>) -> Result<Self, Fault> {
        let fault = Fault::Corrupt("an id is neither text nor 16 bytes");
        match value {
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Ok(Self::Text(text.into())),
                Err(_) => Err(fault),
            },
            ValueRef::Blob(bytes) => bytes.try_into().map(Self::Uuid).map_err(|_| fault),
            _ => Err(fault),
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Uuid(bytes) => {
                let mut text = String::with_capacity(36);
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        text.push('-');
                    }
                    for digit in [byte >> 4, byte & 15] {
                        text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                    }
                }
                text
            }
        }
    }

    pub(super) fn id(&self) -> Result<Id, Fault> {
        Id::new(self.text()).map_err(|_| Fault::Corrupt("a resource has an impossible id"))
    }
}

impl ToSql for Name {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Uuid(bytes) => ValueRef::Blob(bytes),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut bytes = [0; 16];
    let mut digits = 0;
    for (at, c) in text.bytes().enumerate() {
        let digit = match c {
            b'-' if matches!(at, 8 | 13 | 18 | 23) => continue,
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            _ => return None,
        };
        let byte = bytes.get_mut(digits / 2)?;
        *byte = *byte << 4 | digit;
        digits += 1;
    }
    (digits == 32).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_packed_and_everything_else_is_not() {
        for (text, packed) in [
            ("0c5a8e0b-1f2d-4f6e-8b1a-7d9c3e5f1a2b", true),
            ("0C5A8E0B-1F2D-4F6E-8B1A-7D9C3E5F1A2B", false),
            ("0c5a8e0b1f2d-4f6e-8b1a-7d9c3e5f1a2b--", false),
            ("0c5a8e0b-1f2d-4f6e-8b1a-7d9c3e5f1a2", false),
            ("-c5a8e0b-1f2d-4f6e-8b1a-7d9c3e5f1a2b", false),
            ("example", false),
        ] {
            let name = Name::new(text);
            assert_eq!(matches!(name, Name::Uuid(_)), packed, "{text}");
            assert_eq!(name.text(), text);
        }
    }
}
