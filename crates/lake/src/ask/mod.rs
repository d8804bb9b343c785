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
use std::time::{Duration, Instant};

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
    let parts = cells.found(&schema, &batches).map_err(running)?;
    // What stands above is checked before it is asked what may be shown.
    let plan = aggregates::over(&plan, &cells.shown(&parts)?)?;
    let plan = aggregates::typed(&context, plan)?;
    pass(&context, &cells, &parts, &mut gate, limits).await?;
    let frame = collect(&context, plan, limits).await?;
    Ok((Answer { frame, min_cell: rules.min_cell() }, gate))
}

/// Asks whether the parts may be shown beside earlier answers.
///
/// Errors: one may not, and so none is: which one would tell of the people in it.
async fn pass(
    context: &SessionContext,
    cells: &Cells,
    parts: &Parts,
    gate: &mut impl Gate,
    limits: &Limits,
) -> Result<(), Refused> {
    let begun = Instant::now();
    let mut may = |group: &Group| {
        if begun.elapsed() > limits.time {
            return Err(Refused::new(Rule::Time, "query"));
        }
        match gate.pass(group) {
            Verdict::Show => Ok(()),
            Verdict::Few => Err(Refused::new(Rule::Differencing, "query")),
            Verdict::TooMany => Err(Refused::new(Rule::Groups, "query")),
        }
    };
    let rows = cells.rows_of().map(|of| Counted::new(parts.len(), of)).collect();
    let rows = counted(context, cells.people(parts)?, rows, limits).await?;
    for groups in rows {
        // Rows of a joined table that fewer people have are of no value: their values are a part of their own.
        let of_value = groups.iter().enumerate().filter(|(at, _)| parts.is_of_value(*at));
        let enough = of_value.filter(|(_, group)| group.people.len() >= cells.least());
        enough.map(|(_, group)| group).try_for_each(&mut may)?;
    }
    if cells.counts_of().is_empty() {
        return Ok(());
    }
    let keys = cells.counts_of().iter().map(|of| Counted::new(parts.groups(), of)).collect();
    let keys = counted(context, cells.counts(parts)?, keys, limits).await?;
    // Over fewer people a value is null.
    let enough = keys.iter().flatten().filter(|group| group.people.len() >= cells.least());
    enough.into_iter().try_for_each(may)
}

/// The people of groups, for each sum of marks.
async fn counted(
    context: &SessionContext,
    plan: LogicalPlan,
    mut sums: Vec<Counted>,
    limits: &Limits,
) -> Result<Vec<Vec<Group>>, Refused> {
    let all = Limits { rows: usize::MAX, ..limits.clone() };
    let take = |batch| {
        let mut sums = sums.iter_mut().enumerate();
        sums.try_for_each(|(at, counted): (usize, &mut Counted)| counted.take(&batch, at))
    };
    carry_out(context, aggregates::typed(context, plan)?, &all, take).await?;
    Ok(sums.into_iter().map(Counted::groups).collect())
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
