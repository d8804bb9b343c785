//! What queries see: the tables as they were at one moment.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{BooleanArray, RecordBatch, UInt64Array};
use datafusion::arrow::compute::filter_record_batch;

use super::part::{Dead, Part, Stop};
use crate::Fault;
use crate::definition::{Definition, TableColumn};

/// The tables at one moment, and whom queries see of them.
pub struct Snapshot {
    pub(crate) tables: Vec<Arc<TableView>>,
    pub(crate) seen: Arc<Seen>,
}

/// Whose rows queries see, by the numbers of people.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    /// Everybody's and nobody's but theirs.
    AllBut(HashSet<u64>),
    /// Theirs alone.
    Only(HashSet<u64>),
}

impl Default for Seen {
    fn default() -> Self {
        Self::AllBut(HashSet::new())
    }
}

impl Seen {
    /// Whether every row is seen.
    fn is_all(&self) -> bool {
        matches!(self, Self::AllBut(without) if without.is_empty())
    }

    /// Whether the rows of somebody are seen; of nobody where it is `None`.
    fn has(&self, person: Option<u64>) -> bool {
        match self {
            Self::AllBut(without) => person.is_none_or(|person| !without.contains(&person)),
            Self::Only(people) => person.is_some_and(|person| people.contains(&person)),
        }
    }
}

/// One table at one moment.
pub(crate) struct TableView {
    pub(crate) definition: Arc<Definition>,
    pub(crate) parts: Vec<(Arc<Part>, Arc<Dead>)>,
}

impl Snapshot {
    /// The tables that there are, each with its columns.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &[TableColumn])> {
        self.tables.iter().map(|table| (table.definition.name(), table.definition.columns()))
    }

    /// The same tables with the rows of whoever another snapshot shows.
    #[must_use]
    pub fn seen_by(&self, other: &Self) -> Arc<Self> {
        Arc::new(Self { tables: self.tables.clone(), seen: Arc::clone(&other.seen) })
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Arc<TableView>> {
        self.tables.iter().find(|table| table.definition.name() == name)
    }
}

impl TableView {
    /// Reads one part: the columns with these numbers, in rising order, of the rows that are seen.
    pub(crate) fn read(
        &self,
        part: usize,
        columns: &[usize],
        seen: &Seen,
        take: &mut dyn FnMut(RecordBatch) -> Result<(), Stop>,
    ) -> Result<(), Fault> {
        let Some((part, dead)) = self.parts.get(part) else { return Ok(()) };
        if seen.is_all() {
            return part.read(columns, dead, take);
        }
        let person = self.definition.columns().len();
        let asked = columns.contains(&person);
        let mut with_person = columns.to_vec();
        if !asked {
            with_person.push(person);
            with_person.sort_unstable();
        }
        let at = with_person.iter().position(|column| *column == person).unwrap_or(0);
        let kept: Vec<usize> =
            (0..with_person.len()).filter(|place| asked || *place != at).collect();
        let mut failed = None;
        part.read(&with_person, dead, &mut |batch| {
            let kept = only_seen(&batch, at, seen)
                .and_then(|batch| batch.project(&kept).map_err(Fault::arrow("rows")));
            match kept {
                Ok(batch) => take(batch),
                Err(fault) => {
                    failed = Some(fault);
                    Err(Stop)
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}

fn only_seen(batch: &RecordBatch, person: usize, seen: &Seen) -> Result<RecordBatch, Fault> {
    let column = batch.columns().get(person).map(|column| column.as_any());
    let people = column.and_then(|column| column.downcast_ref::<UInt64Array>());
    let people = people.ok_or(Fault::Broken("rows"))?;
    let mask: BooleanArray = people.iter().map(|person| Some(seen.has(person))).collect();
    filter_record_batch(batch, &mask).map_err(Fault::arrow("rows"))
}
