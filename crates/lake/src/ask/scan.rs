//! Tables of a snapshot for DataFusion: read where they are sealed, without those left out.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use crate::keep::{Seen, Stop, TableView};

/// Batches that wait to be taken.
const WAITING: usize = 2;

/// A table as queries see it.
pub(crate) struct Source {
    table: Arc<TableView>,
    seen: Arc<Seen>,
    /// Columns with keys of resources that have rows, by the names that they have in every table.
    keys: Arc<HashSet<String>>,
    schema: SchemaRef,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.table.definition.name())
    }
}

impl Source {
    /// The columns of the view.
    pub(crate) fn visible(
        table: &Arc<TableView>,
        seen: &Arc<Seen>,
        keys: &Arc<HashSet<String>>,
    ) -> Self {
        let (table, schema) = (Arc::clone(table), Arc::clone(table.definition.visible()));
        Self { table, seen: Arc::clone(seen), keys: Arc::clone(keys), schema }
    }

    /// The same, and behind them the number of the person and the key of the resource.
    pub(crate) fn with_hidden(&self) -> Self {
        let schema = self.table.definition.kept();
        let (table, seen) = (Arc::clone(&self.table), Arc::clone(&self.seen));
        Self { table, seen, keys: Arc::clone(&self.keys), schema }
    }

    /// Columns with keys of resources that have rows.
    pub(crate) fn keys(&self) -> &HashSet<String> {
        &self.keys
    }

    /// The table.
    pub(crate) fn table(&self) -> &TableView {
        &self.table
    }
}

#[async_trait]
impl TableProvider for Source {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let asked = projection.unwrap_or(&all).clone();
        let schema = Arc::new(self.schema.project(&asked)?);
        let mut columns = asked.clone();
        columns.sort_unstable();
        columns.dedup();
        let order = asked.iter().filter_map(|one| columns.binary_search(one).ok()).collect();
        let read = Arc::new(Read {
            table: Arc::clone(&self.table),
            seen: Arc::clone(&self.seen),
            schema: Arc::clone(&schema),
            columns,
            order,
        });
        let partitions = deal(&self.table, state.config().target_partitions());
        let streams = partitions.into_iter().map(|parts| {
            Arc::new(Partition { read: Arc::clone(&read), parts }) as Arc<dyn PartitionStream>
        });
        let plan = StreamingTableExec::try_new(schema, streams.collect(), None, [], false, None)?;
        Ok(Arc::new(plan))
    }
}

/// Deals the parts out so that every partition has about as many rows: the largest first, each to
/// whoever has least.
fn deal(table: &TableView, partitions: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<(usize, usize)> =
        table.parts.iter().enumerate().map(|(at, (part, _))| (part.rows, at)).collect();
    parts.sort_unstable_by(|a, b| b.cmp(a));
    let mut dealt: Vec<(usize, Vec<usize>)> =
        vec![(0, Vec::new()); partitions.clamp(1, parts.len().max(1))];
    for (rows, at) in parts {
        if let Some(least) = dealt.iter_mut().min_by_key(|(rows, _)| *rows) {
            least.0 += rows;
            least.1.push(at);
        }
    }
    dealt.into_iter().map(|(_, parts)| parts).collect()
}

/// What one scan reads.
struct Read {
    table: Arc<TableView>,
    seen: Arc<Seen>,
    schema: SchemaRef,
    /// Columns in rising order.
    columns: Vec<usize>,
    /// Where the columns that were asked for are among them.
    order: Vec<usize>,
}

impl Read {
    fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = batch.project(&self.order)?.columns().to_vec();
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows)?)
    }
}

struct Partition {
    read: Arc<Read>,
    parts: Vec<usize>,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partition({} parts)", self.parts.len())
    }
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.read.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(Arc::clone(&self.read.schema), WAITING);
        let (sender, read, parts) = (stream.tx(), Arc::clone(&self.read), self.parts.clone());
        stream.spawn_blocking(move || {
            for part in parts {
                let mut gone = false;
                let done = read.table.read(part, &read.columns, &read.seen, &mut |batch| {
                    let sent = sender.blocking_send(read.arrange(&batch));
                    gone = sent.is_err();
                    sent.map_err(|_| Stop)
                });
                done.map_err(|fault| DataFusionError::External(Box::new(fault)))?;
                if gone {
                    return Ok(());
                }
            }
            Ok(())
        });
        stream.build()
    }
}

/// The table behind a source of a plan.
pub(crate) fn downcast<'p>(provider: &'p (dyn TableProvider + 'static)) -> Option<&'p Source> {
    (provider as &dyn Any).downcast_ref()
}
