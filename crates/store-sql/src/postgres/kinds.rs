//! Numbers of the resource types. They never change within one store.

use std::collections::HashMap;

use super::conn::Conn;
use super::fault::Fault;

#[derive(Debug, Default)]
pub(super) struct Kinds {
    numbers: HashMap<&'static str, i16>,
    names: HashMap<i16, &'static str>,
}

impl Kinds {
    /// Reads the numbers.
    pub(super) fn load(conn: &Conn) -> Result<Self, Fault> {
        let mut kinds = Self::default();
        for row in conn.rows("SELECT number, name FROM kind", &[])? {
            let (number, name): (i16, String) = (row.try_get(0)?, row.try_get(1)?);
            if let Some(name) = fhir::definitions::resource_type(&name) {
                kinds.numbers.insert(name, number);
                kinds.names.insert(number, name);
            }
        }
        Ok(kinds)
    }

    /// Gives every type of the program a number.
    pub(super) fn complete(conn: &Conn) -> Result<(), Fault> {
        let sql = "INSERT INTO kind(number, name)
            SELECT (SELECT coalesce(max(number), 0) FROM kind) + row_number() OVER (ORDER BY n), n
            FROM unnest($1::text[]) n WHERE n NOT IN (SELECT name FROM kind)";
        conn.execute(sql, &[&fhir::definitions::resource_types()])?;
        Ok(())
    }

    pub(super) fn number(&self, name: &str) -> Option<i16> {
        self.numbers.get(name).copied()
    }

    pub(super) fn name(&self, number: i16) -> Result<&'static str, Fault> {
        self.names.get(&number).copied().ok_or(Fault::Corrupt("a resource has an unknown type"))
    }
}
