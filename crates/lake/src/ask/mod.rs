//! SQL over a snapshot of the lake.

mod aggregates;
mod cells;
mod expression;
mod frame;
mod gate;
mod marks;
mod parts;
mod refused;
mod scan;
mod session;
mod source;

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlanProperties, execute_stream};
use datafusion::prelude::SessionContext;
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

use self::cells::Cells;
use self::gate::Counted;
use self::parts::Parts;
use crate::keep::Snapshot;
pub use aggregates::{Answer, LEAST_CELL, Rules};
pub use frame::{Frame, NamedColumn, Values};
pub use gate::{Gate, Group, Open, Verdict};
pub use refused::{Refused, Rule};
pub use session::MAX_QUERY_BYTES;

/// Bytes of a thread's stack: plans are walked by recursion, and are as deep as queries are long.
const STACK: usize = 32 * 1024 * 1024;
/// Most groups of one query, or parts of them.
const MOST_PARTS: usize = 2_000;
/// How long the engine waits for its threads when it is dropped.
const LEAVING: Duration = Duration::from_millis(200);

/// What one query may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of memory for what has to be held: groups, joins, orders, and the answer. Nothing
    /// is put down on disk.
    pub memory_bytes: usize,
    /// How long it may take.
    pub time: Duration,
    /// The most rows of an answer.
    pub rows: usize,
    /// How many parts of a query are worked on at once.
    pub partitions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 512 * 1024 * 1024,
            time: Duration::from_secs(60),
            rows: 1_000_000,
            partitions: 2,
        }
    }
}

/// Answers queries on threads of its own, so that a long one holds nobody else up.
pub struct Engine {
    runtime: Option<Runtime>,
    limits: Limits,
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed on a thread of another runtime.
            std::thread::spawn(move || runtime.shutdown_timeout(LEAVING));
        }
    }
}

/// Ends a query that nobody waits for any more.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Engine {
    /// An engine with these limits for each query.
    ///
    /// Errors: those of the system, where it has no threads.
    pub fn new(limits: Limits) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(limits.partitions.max(1))
            .thread_name("lake")
            .thread_stack_size(STACK)
            .enable_time()
            .build()?;
        Ok(Self { runtime: Some(runtime), limits })
    }

    /// The rows of a query, for the node's own use: whoever calls answers for what becomes of
    /// them. Dropping the future ends the query.
    ///
    /// Errors: what the query breaks, or a limit.
    pub async fn rows(&self, snapshot: &Arc<Snapshot>, sql: &str) -> Result<Frame, Refused> {
        let (snapshot, sql, limits) = (Arc::clone(snapshot), sql.to_owned(), self.limits.clone());
        self.run(async move { rows_of(&snapshot, &sql, &limits).await }).await
    }

    /// The rows of a query as columns of numbers and texts, for the statistics engine. As
    /// [`Engine::rows`] otherwise.
    ///
    /// Errors: what the query breaks, or a limit.
    pub async fn columns(&self, snapshot: &Arc<Snapshot>, sql: &str) -> Result<Frame, Refused> {
        Ok(self.rows(snapshot, sql).await?.as_numbers())
    }

    /// As [`Engine::columns`], on a thread that may wait. Blocks.
    ///
    /// Errors: what the query breaks, or a limit.
    pub fn columns_now(&self, snapshot: &Arc<Snapshot>, sql: &str) -> Result<Frame, Refused> {
        let failed = || Refused::new(Rule::Failed, "query");
        let Some(runtime) = &self.runtime else { return Err(failed()) };
        let (snapshot, sql, limits) = (Arc::clone(snapshot), sql.to_owned(), self.limits.clone());
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        runtime.spawn(async move {
            let rows = rows_of(&snapshot, &sql, &limits);
            let late = |_| Err(Refused::new(Rule::Time, "query"));
            let found = tokio::time::timeout(limits.time, rows).await.unwrap_or_else(late);
            // Whoever asked waits until the answer is there, or the engine ends.
            let _ = sender.send(found);
        });
        Ok(receiver.recv().unwrap_or_else(|_| Err(failed()))?.as_numbers())
    }

    /// The answer to a researcher's query: aggregates over people, and none over fewer than
    /// `rules` say, alone or beside earlier answers as `gate` says. Dropping the future ends the query.
    ///
    /// Errors: the rule that the query breaks, or a limit.
    pub async fn aggregates<G: Gate>(
        &self,
        snapshot: &Arc<Snapshot>,
        sql: &str,
        rules: Rules,
        gate: G,
    ) -> Result<(Answer, G), Refused> {
        let (snapshot, sql, limits) = (Arc::clone(snapshot), sql.to_owned(), self.limits.clone());
        self.run(async move { answer(&snapshot, &sql, rules, gate, &limits).await }).await
    }

    async fn run<T: Send + 'static>(
        &self,
        query: impl Future<Output = Result<T, Refused>> + Send + 'static,
    ) -> Result<T, Refused> {
        let failed = || Refused::new(Rule::Failed, "query");
        let Some(runtime) = &self.runtime else { return Err(failed()) };
        let time = self.limits.time;
        let task = runtime.spawn(async move {
            let late = |_| Err(Refused::new(Rule::Time, "query"));
            tokio::time::timeout(time, query).await.unwrap_or_else(late)
        });
        let ends = Ends(task.abort_handle());
        let answer = task.await.unwrap_or_else(|_| Err(failed()));
        drop(ends);
        answer
    }
}

/// The rows of a query.
async fn rows_of(snapshot: &Snapshot, sql: &str, limits: &Limits) -> Result<Frame, Refused> {
    let context = session::session(snapshot, limits)?;
    let plan = session::plan(&context, sql).await?;
    collect(&context, plan, limits).await
}

/// The answer to a researcher's query.
async fn answer<G: Gate>(
    snapshot: &Snapshot,
    sql: &str,
    rules: Rules,
    mut gate: G,
    limits: &Limits,
) -> Result<(Answer, G), Refused> {
    let context = session::session(snapshot, limits)?;
    let plan = session::plan(&context, sql).await?;
    let cells = aggregates::cells(&plan, rules)?;
    let running = |error| Refused::running(&error);
    let (mut batches, typed) = (Vec::new(), aggregates::typed(&context, cells.parts()?)?);
    let few = Limits { rows: MOST_PARTS, ..limits.clone() };
    let schema = carry_out(&context, typed, &few, |batch| {
        batches.push(batch);
        Ok(())
    })
    .await?;
    let mut parts = cells.found(&schema, &batches).map_err(running)?;
    // What stands above is checked before anything is shown, and so is counted.
    aggregates::over(&plan, &cells.shown(&parts)?)?;
    let left_out = pass(&context, &cells, &mut parts, &mut gate, limits).await?;
    let plan = aggregates::over(&plan, &cells.shown(&parts)?)?;
    let frame = collect(&context, aggregates::typed(&context, plan)?, limits).await?;
    Ok((Answer { frame, min_cell: rules.min_cell(), left_out }, gate))
}

/// Leaves the parts out that may not be shown beside earlier answers; says how many.
async fn pass(
    context: &SessionContext,
    cells: &Cells,
    parts: &mut Parts,
    gate: &mut impl Gate,
    limits: &Limits,
) -> Result<usize, Refused> {
    let mut against = None;
    let mut may = |group: &Group| match gate.pass(group) {
        Verdict::Show => true,
        Verdict::Few => {
            against = Some(Rule::Differencing);
            false
        }
        Verdict::TooMany => {
            against.get_or_insert(Rule::Groups);
            false
        }
    };
    let all = Limits { rows: usize::MAX, ..limits.clone() };
    let plan = aggregates::typed(context, cells.people(parts)?)?;
    let mut counted = Counted::new(parts.len(), cells.rows_of());
    carry_out(context, plan, &all, |batch| counted.take(&batch, 0)).await?;
    for (at, group) in counted.groups().iter().enumerate() {
        if parts.is_of_value(at) && !may(group) {
            parts.leave_out(at);
        }
    }
    let mut counts: Vec<Counted> =
        cells.counts_of().iter().map(|of| Counted::new(parts.groups(), of)).collect();
    if !counts.is_empty() {
        let plan = aggregates::typed(context, cells.counts(parts)?)?;
        let each = |batch| {
            let mut counts = counts.iter_mut().enumerate();
            counts.try_for_each(|(at, counted): (usize, &mut Counted)| counted.take(&batch, at))
        };
        carry_out(context, plan, &all, each).await?;
    }
    for counted in counts {
        for (at, group) in counted.groups().iter().enumerate() {
            // Over fewer people a value is null.
            if group.people.len() >= cells.least() && !may(group) {
                parts.leave_group_out(at);
            }
        }
    }
    let left_out = parts.len() - parts.shown();
    match against.filter(|_| parts.shown() == 0) {
        Some(rule) => Err(Refused::new(rule, "query")),
        None => Ok(left_out),
    }
}

/// Carries a plan out within the limits.
async fn collect(
    context: &SessionContext,
    plan: LogicalPlan,
    limits: &Limits,
) -> Result<Frame, Refused> {
    let mut batches = Vec::new();
    let schema = carry_out(context, plan, limits, |batch| {
        batches.push(batch);
        Ok(())
    })
    .await?;
    Frame::of(&schema, &batches).map_err(|error| Refused::running(&error))
}

/// Carries a plan out within the limits, and hands on what it gives.
async fn carry_out(
    context: &SessionContext,
    plan: LogicalPlan,
    limits: &Limits,
    mut take: impl FnMut(RecordBatch) -> Result<(), DataFusionError>,
) -> Result<SchemaRef, Refused> {
    let state = context.state();
    let running = |error| Refused::running(&error);
    let physical =
        state.create_physical_plan(&plan).await.map_err(|error| Refused::planning(&error))?;
    debug_assert!(physical.output_partitioning().partition_count() > 0);
    let mut stream = execute_stream(physical, context.task_ctx()).map_err(running)?;
    let (mut rows, mut bytes): (usize, usize) = Default::default();
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(running)?;
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        if rows > limits.rows {
            return Err(Refused::new(Rule::Rows, "query"));
        }
        if bytes > limits.memory_bytes {
            return Err(Refused::new(Rule::Memory, "answer"));
        }
        take(batch).map_err(running)?;
    }
    Ok(stream.schema())
}
