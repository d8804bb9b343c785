//! Taking in a batch of changes.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use fhir::Resource;

use super::flush::{FLUSH_ROWS, push_run};
use super::index::Place;
use super::open::{Lake, Writer};
use super::part::{Dead, Part, Stop};
use super::rows::Rows;
use super::state::{Held, TableState};
use crate::Fault;
use crate::definition::{key, person};

/// Batches in memory beyond this are put together, so that a query does not read hundreds.
const MEMORY_PARTS: usize = 32;

/// A change of the feed: a new version of a resource, or that it is gone.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// Its type.
    pub resource_type: &'a str,
    /// Its id.
    pub id: &'a str,
    /// The id of the patient whom it is about; `None` where it is about nobody.
    pub person: Option<&'a str>,
    /// The version as JSON; `None` where the resource was deleted.
    pub content: Option<&'a str>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Resources read for at least one table.
    pub resources: u64,
    /// Rows made.
    pub rows: u64,
    /// Resources that are no JSON, or of which a view could not make its rows. They have none.
    pub faults: u64,
    /// Values that did not have the type of their column. They are missing.
    pub odd: u64,
}

impl Lake {
    /// Takes in the changes of the feed up to the change `upto`, all of those behind the lake's
    /// position and in their order. Queries see them as soon as this returns; they are durable
    /// when [`Lake::position`] has reached them, until then the feed is their home. Tables that
    /// have seen `upto` already are left alone. `at_ms` is the time for `now()` in paths of views,
    /// in milliseconds since the Unix epoch.
    ///
    /// Errors: those of the disk where the batch fills the memory's share ([`FLUSH_ROWS`]); what
    /// was taken in stays, and nothing more is taken in until it could be committed.
    pub fn apply(&self, upto: u64, changes: &[Change<'_>], at_ms: i64) -> Result<Applied, Fault> {
        let mut writer = self.writer.lock();
        let mut applied = Applied::default();
        let stale = |table: &TableState| table.applied < upto;
        if !writer.tables.iter().any(stale) {
            return Ok(applied);
        }
        if writer.is_full() {
            let flushed = writer.flush();
            self.show(&writer);
            flushed?;
        }
        // A batch is cut so that no part in memory is larger than its share.
        let result = writer.take(upto, changes, at_ms, &mut applied);
        if result.is_ok() {
            for table in writer.tables.iter_mut().filter(|table| table.applied < upto) {
                table.applied = upto;
            }
        }
        let flushed = if writer.is_full() && result.is_ok() { writer.flush() } else { Ok(()) };
        self.show(&writer);
        result.and(flushed).map(|()| applied)
    }
}

impl Writer {
    /// Whether a table has as many rows in memory as it may.
    fn is_full(&self) -> bool {
        self.tables.iter().any(|table| table.in_memory() >= FLUSH_ROWS)
    }

    fn take(
        &mut self,
        upto: u64,
        changes: &[Change<'_>],
        at_ms: i64,
        applied: &mut Applied,
    ) -> Result<(), Fault> {
        let mut making: Vec<Option<Making>> = self.tables.iter().map(|_| None).collect();
        for change in changes {
            let wanted = |table: &TableState| {
                table.applied < upto
                    && table.definition.view().resource_type() == change.resource_type
            };
            if !self.tables.iter().any(wanted) {
                continue;
            }
            let key = key(change.resource_type, change.id);
            let person = change.person.map(person);
            let resource = change.content.map(Resource::parse).transpose();
            applied.faults += u64::from(resource.is_err());
            let resource = resource.ok().flatten();
            applied.resources += u64::from(resource.is_some());
            for (table, making) in self.tables.iter_mut().zip(&mut making) {
                if !wanted(table) {
                    continue;
                }
                let mut place = None;
                if let Some(resource) = &resource {
                    let next = &mut self.next;
                    let making = making.get_or_insert_with(|| {
                        let number = *next;
                        *next += 1;
                        let (rows, dead) = (Rows::new(&table.definition), Dead::default());
                        Making { number, rows, dead }
                    });
                    let first = making.rows.count();
                    let pushed =
                        making.rows.push(&table.definition, resource, key, person, at_ms)?;
                    if pushed.whole && pushed.rows > 0 {
                        place = Some(Place { part: making.number, first, count: pushed.rows });
                        applied.rows += u64::from(pushed.rows);
                    } else {
                        making.dead.mark(first, pushed.rows);
                        applied.faults += u64::from(!pushed.whole);
                    }
                }
                let before = match place {
                    Some(place) => table.index.insert(key, place),
                    None => table.index.remove(&key),
                };
                match (before, &mut *making) {
                    (Some(old), Some(making)) if old.part == making.number => {
                        making.dead.mark(old.first, old.count);
                    }
                    (Some(old), _) => table.kill(key, old),
                    (None, _) => {}
                }
                if making.as_ref().is_some_and(|m| m.rows.count() as usize >= FLUSH_ROWS) {
                    finish(table, making, applied)?;
                }
            }
        }
        for (table, making) in self.tables.iter_mut().zip(&mut making) {
            finish(table, making, applied)?;
            if table.memory.len() > MEMORY_PARTS {
                let number = self.next;
                self.next += 1;
                gather(table, number)?;
            }
        }
        Ok(())
    }
}

/// A part in the making.
struct Making {
    number: u64,
    rows: Rows,
    dead: Dead,
}

fn finish(
    table: &mut TableState,
    making: &mut Option<Making>,
    applied: &mut Applied,
) -> Result<(), Fault> {
    let Some(making) = making.take() else { return Ok(()) };
    applied.odd += making.rows.odd();
    if making.rows.count() > 0 {
        let batch = making.rows.finish(&table.definition)?;
        let part = Arc::new(Part::memory(making.number, batch));
        table.memory.push(Held { part, dead: Arc::new(making.dead) });
    }
    Ok(())
}

/// Puts the parts in memory together.
fn gather(table: &mut TableState, number: u64) -> Result<(), Fault> {
    let schema = table.definition.kept();
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let (mut batches, mut runs, mut rows): (Vec<RecordBatch>, _, _) = (Vec::new(), Vec::new(), 0);
    for held in &table.memory {
        let mut failed = None;
        held.part.read(&all, &held.dead, &mut |batch| {
            if let Err(fault) = push_run(&batch, &mut runs, &mut rows) {
                failed = Some(fault);
                return Err(Stop);
            }
            batches.push(batch);
            Ok(())
        })?;
        if let Some(fault) = failed {
            return Err(fault);
        }
    }
    let batch = concat_batches(&schema, &batches).map_err(Fault::arrow("rows"))?;
    for (key, first, count) in runs {
        table.index.insert(key, Place { part: number, first, count });
    }
    let part = Arc::new(Part::memory(number, batch));
    table.memory = vec![Held { part, dead: Arc::default() }];
    Ok(())
}
