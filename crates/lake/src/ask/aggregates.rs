//! The researchers' door: aggregates over people, and nothing about fewer than a number of them.
//!
//! What is allowed is listed; everything else is refused. A query is one aggregate over a *source* (tables of
//! the lake, filtered, joined person by person, with computed columns), and above it whatever can be computed
//! of its groups. The plan is then written anew ([`Cells`]): each row carries the number of its
//! person, each group counts its distinct people, and groups below `min_cell` people fall out before
//! anything above sees them, whether there are any or not. So the answer with a small group is
//! byte for byte the answer without those people's rows, and the answer never says whether something was left
//! out. Where aggregates of one query are over different rows (a condition of its own, a column that not
//! all have), groups are divided by these conditions first, and small parts fall out of all of them: the
//! difference of two values would be about those few. In groups that are shown, a single aggregate over
//! fewer people is null, as it is over nobody.
//!
//! Nothing in an allowed query can fail on a value: casts give null where they cannot be made, `/` is
//! floating-point division, and functions that can fail on their arguments are not in the list. An
//! error would say that a row is there.
//!
//! Differences between the answers to several queries are looked at by whoever keeps what was shown
//! ([`super::gate`]): a query is refused of which a group would show fewer people beside earlier answers.
//!
//! What this door does not see: one person who outweighs a group. Every query is in the audit with who
//! asked it, and stewards decide who may ask by SQL at all.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, TryCast};
use datafusion::prelude::SessionContext;

use super::cells::Cells;
use super::expression::{Scope, computed};
use super::frame::Frame;
use super::refused::{Refused, Rule};
use super::source;

/// The smallest `min_cell` that is accepted; smaller ones are raised to it.
pub const LEAST_CELL: u32 = 3;

/// What holds for answers to researchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    min_cell: u32,
}

impl Rules {
    /// Groups of fewer than `min_cell` people are left out.
    pub fn new(min_cell: u32) -> Self {
        Self { min_cell: min_cell.max(LEAST_CELL) }
    }

    /// The least people of a group that is shown.
    pub fn min_cell(self) -> u32 {
        self.min_cell
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self { min_cell: 10 }
    }
}

/// The answer to a researcher.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The groups that are shown.
    pub frame: Frame,
    /// Rule `min_cell`: groups of fewer people are left out, and values about fewer are null. It
    /// is stated whether or not it left something out.
    pub min_cell: u32,
}

/// The aggregate of a plan, checked, and what it stands on.
///
/// Errors: the first rule that it breaks.
pub(super) fn cells(plan: &LogicalPlan, rules: Rules) -> Result<Cells, Refused> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Cells::new(aggregate, rules.min_cell()),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::SubqueryAlias(_) => match plan.inputs().as_slice() {
            [input] => cells(input, rules),
            _ => Err(refuse_above(plan)),
        },
        other => Err(refuse_above(other)),
    }
}

/// Checks what stands above the aggregate of a plan, and writes it anew over the groups that are shown.
///
/// Errors: the first rule that it breaks.
pub(super) fn over(plan: &LogicalPlan, shown: &LogicalPlan) -> Result<LogicalPlan, Refused> {
    settled(above(plan, shown)?)
}

/// Settles the types of a plan, so that casts which that brings along are seen too, and has casts that
/// cannot be made give null.
pub(super) fn typed(context: &SessionContext, plan: LogicalPlan) -> Result<LogicalPlan, Refused> {
    let state = context.state();
    let planning = |error| Refused::planning(&error);
    let plan = state
        .analyzer()
        .execute_and_check(plan, state.config_options(), |_, _| {})
        .map_err(planning)?;
    lenient(plan).map_err(planning)
}

/// What stands above the aggregate works on groups that are shown.
fn above(plan: &LogicalPlan, shown: &LogicalPlan) -> Result<LogicalPlan, Refused> {
    let place = match plan {
        LogicalPlan::Aggregate(_) => return Ok(shown.clone()),
        LogicalPlan::Projection(_) => "select",
        LogicalPlan::Filter(_) => "having",
        LogicalPlan::Sort(_) => "order by",
        LogicalPlan::Limit(_) => "limit",
        LogicalPlan::SubqueryAlias(_) => "from",
        other => return Err(refuse_above(other)),
    };
    let inputs = plan
        .inputs()
        .into_iter()
        .map(|input| above(input, shown))
        .collect::<Result<Vec<_>, _>>()?;
    let [input] = inputs.as_slice() else { return Err(Refused::new(Rule::Expression, place)) };
    let scope = Scope::Groups(input.schema());
    let expressions = plan
        .expressions()
        .into_iter()
        .map(|expression| computed(expression, &scope, place))
        .collect::<Result<Vec<_>, _>>()?;
    let inputs = match plan {
        LogicalPlan::Limit(_) => inputs.into_iter().map(settled).collect::<Result<_, _>>()?,
        _ => inputs,
    };
    let plan =
        plan.with_new_exprs(expressions, inputs).map_err(|error| Refused::planning(&error))?;
    Ok(match plan {
        LogicalPlan::Sort(mut sort) => {
            sort.expr.extend(all_columns(&sort.input));
            LogicalPlan::Sort(sort)
        }
        other => other,
    })
}

/// Every column in rising order.
fn all_columns(plan: &LogicalPlan) -> Vec<SortExpr> {
    plan.schema().columns().into_iter().map(|c| Expr::Column(c).sort(true, true)).collect()
}

/// Gives rows one order where the query leaves it open: the engine's own would depend on groups that fell
/// out.
fn settled(plan: LogicalPlan) -> Result<LogicalPlan, Refused> {
    if matches!(plan, LogicalPlan::Sort(_) | LogicalPlan::Limit(_)) {
        return Ok(plan);
    }
    let order = all_columns(&plan);
    LogicalPlanBuilder::from(plan)
        .sort(order)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| Refused::planning(&error))
}

/// Where no aggregate was found.
fn refuse_above(plan: &LogicalPlan) -> Refused {
    match plan {
        LogicalPlan::TableScan(_) | LogicalPlan::Join(_) | LogicalPlan::Unnest(_) => {
            Refused::new(Rule::NotAggregated, "select")
        }
        other => source::refuse(other),
    }
}

/// Puts a cast that gives null in the place of each that can fail.
fn lenient(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let done = plan.transform_up_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        let changed = plan.map_expressions(|expression| {
            let name = names.save(&expression);
            let changed = expression.transform_up(|inner| {
                Ok(match inner {
                    Expr::Cast(cast) => Transformed::yes(Expr::TryCast(TryCast {
                        expr: cast.expr,
                        field: cast.field,
                    })),
                    other => Transformed::no(other),
                })
            })?;
            Ok(changed.update_data(|expression| name.restore(expression)))
        })?;
        if changed.transformed {
            changed.map_data(LogicalPlan::recompute_schema)
        } else {
            Ok(changed)
        }
    })?;
    Ok(done.data)
}
