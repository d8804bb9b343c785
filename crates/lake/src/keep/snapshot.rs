//! What queries see: the tables as they were at one moment.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, BooleanArray, RecordBatch, UInt64Array};
use datafusion::arrow::compute::filter_record_batch;

use super::part::{Dead, Part, Stop};
use crate::Fault;
use crate::definition::{Definition, TableColumn};

/// The tables at one moment, and the patients whom no query sees.
pub struct Snapshot {
    pub(crate) tables: Vec<Arc<TableView>>,
    pub(crate) without: Arc<HashSet<u64>>,
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

    pub(crate) fn table(&self, name: &str) -> Option<&Arc<TableView>> {
        self.tables.iter().find(|table| table.definition.name() == name)
    }
}

impl TableView {
    /// Reads one part: the columns with these numbers, in rising order, of the rows of everybody
    /// but those left out.
    pub(crate) fn read(
        &self,
        part: usize,
        columns: &[usize],
        without: &HashSet<u64>,
        take: &mut dyn FnMut(RecordBatch) -> Result<(), Stop>,
    ) -> Result<(), Fault> {
        let Some((part, dead)) = self.parts.get(part) else { return Ok(()) };
        if without.is_empty() {
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
            let kept = leave_out(&batch, at, without)
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

fn leave_out(
    batch: &RecordBatch,
    person: usize,
    without: &HashSet<u64>,
) -> Result<RecordBatch, Fault> {
    let column = batch.columns().get(person).map(|column| column.as_any());
    let people = column.and_then(|column| column.downcast_ref::<UInt64Array>());
    let people = people.ok_or(Fault::Broken("rows"))?;
    let mask: BooleanArray = (0..people.len())
        .map(|row| Some(people.is_null(row) || !without.contains(&people.value(row))))
        .collect();
    filter_record_batch(batch, &mask).map_err(Fault::arrow("rows"))
}
