//! The aggregate of a query: what it may compute, and how small groups fall out.
//!
//! Aggregates of one query may be over different rows: by `FILTER`, and where an argument is missing. Their
//! differences are over what meets the condition of one and not that of the other, which may be one
//! person. So where there are different conditions, the rows of each group are divided by which of them
//! they meet, and parts of fewer people than a group must have fall out of all aggregates, as small
//! groups do ([`divided`]). Every aggregate is then over a union of parts, and whatever linear combination of
//! aggregates is not over nobody is over all people of at least one part.

use std::sync::Arc;

use datafusion::common::{Column, NullEquality};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count_distinct;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Cast, Expr, ExprFunctionExt, ExprSchemable, Filter, Join,
    JoinConstraint, JoinType, LogicalPlan, Operator, Projection, TryCast, lit, when,
};

use super::expression::{Scope, computed};
use super::refused::{Refused, Rule};
use super::source::{Source, no_identifier, origin, walk};
use crate::definition::Kind;

/// Aggregates of which none is the value of a row, and which are known by few moments: more of them
/// would be enough to compute the rows of a small group.
const ALLOWED: [&str; 10] = [
    "count",
    "sum",
    "avg",
    "stddev",
    "stddev_pop",
    "var",
    "var_pop",
    "corr",
    "covar_samp",
    "covar_pop",
];
/// The least people of a group, counted by this hidden column.
const PEOPLE: &str = "_people";
/// The most different conditions of the aggregates of one query; that every row counts is one. More would
/// leave small parts of everything.
const MOST_CONDITIONS: usize = 6;

fn planning(error: DataFusionError) -> Refused {
    Refused::planning(&error)
}

/// Checks an aggregate and what it stands on, and builds it anew: groups of fewer than `least` people
/// fall out, and so do single values about fewer.
pub(super) fn suppress(aggregate: &Aggregate, least: u32) -> Result<LogicalPlan, Refused> {
    let source = walk(&aggregate.input)?;
    let scope = Scope::Rows(&source.columns, aggregate.input.schema());
    let mut groups = Vec::new();
    for (at, group) in aggregate.group_expr.iter().enumerate() {
        let place = format!("group by {}", at + 1);
        let checked = computed(group.clone(), &scope, &place)?;
        check_group(&checked, &source, &scope, &place)?;
        groups.push(checked);
    }
    let people = |condition: Option<Expr>| {
        let count = count_distinct(Expr::Column(source.person.clone()));
        match condition {
            None => Ok(count),
            // The builder forgets what it is not told again.
            Some(condition) => count.filter(condition).distinct().build().map_err(planning),
        }
    };
    let mut aggregates = Vec::new();
    let mut conditions: Vec<Option<Expr>> = Vec::new();
    let mut hidden = vec![people(None)?.alias(PEOPLE)];
    for (at, one) in aggregate.aggr_expr.iter().enumerate() {
        let place = format!("aggregate {}", at + 1);
        let (checked, condition) = check_aggregate(one, &source, &scope, &place)?;
        aggregates.push(checked);
        hidden.push(people(condition.clone())?.alias(format!("{PEOPLE}{at}")));
        if !conditions.contains(&condition) {
            conditions.push(condition);
        }
    }
    if conditions.len() > MOST_CONDITIONS {
        return Err(Refused::new(Rule::Conditions, "select"));
    }
    // Names of groups and aggregates stay as they are, whatever was written anew in them.
    let names: Vec<Column> = aggregate.schema.columns();
    let name = |at: usize| names.get(at).cloned().ok_or_else(|| Refused::new(Rule::Plan, "query"));
    let groups_and = groups.len();
    let mut group_exprs = Vec::new();
    for (at, group) in groups.into_iter().enumerate() {
        group_exprs.push(group.unalias().alias(format!("_group{at}")));
        name(at)?;
    }
    let mut all = Vec::new();
    for (at, one) in aggregates.into_iter().enumerate() {
        all.push(one.unalias().alias(format!("_value{at}")));
    }
    let values = all.len();
    all.extend(hidden);
    let (rows, group_exprs) = if conditions.len() > 1 {
        let conditions = conditions.into_iter().flatten().collect();
        divided(source, group_exprs, conditions, least)?
    } else {
        (source.plan, group_exprs)
    };
    let counted = Aggregate::try_new(Arc::new(rows), group_exprs, all).map_err(planning)?;
    let least = lit(i64::from(least));
    let enough = here(PEOPLE.to_owned()).gt_eq(least.clone());
    let kept =
        Filter::try_new(enough, Arc::new(LogicalPlan::Aggregate(counted))).map_err(planning)?;
    let mut shown = Vec::new();
    for at in 0..groups_and {
        let to = name(at)?;
        shown.push(here(format!("_group{at}")).alias_qualified(to.relation, to.name));
    }
    for at in 0..values {
        let to = name(groups_and + at)?;
        let enough = here(format!("{PEOPLE}{at}")).gt_eq(least.clone());
        let value = when(enough, here(format!("_value{at}"))).end().map_err(planning)?;
        shown.push(value.alias_qualified(to.relation, to.name));
    }
    let kept = Arc::new(LogicalPlan::Filter(kept));
    Ok(LogicalPlan::Projection(Projection::try_new(shown, kept).map_err(planning)?))
}

/// A column of the plan that is built, by its name.
fn here(name: String) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// The rows of a source without those parts of its groups that have fewer than `least` people, and the
/// groups as columns of them. Two rows are of one part where they are of one group and meet the same
/// conditions. Whether such a part is there or not, nothing above tells.
fn divided(
    source: Source,
    groups: Vec<Expr>,
    conditions: Vec<Expr>,
    least: u32,
) -> Result<(LogicalPlan, Vec<Expr>), Refused> {
    let of_groups = (0..groups.len()).map(|at| format!("_group{at}"));
    let of_conditions = (0..conditions.len()).map(|at| format!("_met{at}"));
    let keys: Vec<String> = of_groups.clone().chain(of_conditions).collect();
    let shown: Vec<Expr> = of_groups.map(here).collect();
    let mut columns: Vec<Expr> =
        source.plan.schema().columns().into_iter().map(Expr::Column).collect();
    columns.extend(groups);
    for (at, condition) in conditions.into_iter().enumerate() {
        // Not `IS TRUE`, of which the engine's logical and physical plans say differently whether it is null.
        let met = when(condition, lit(1_i64)).otherwise(lit(0_i64)).map_err(planning)?;
        columns.push(met.alias(format!("_met{at}")));
    }
    let rows = Projection::try_new(columns, Arc::new(source.plan)).map_err(planning)?;
    let rows = Arc::new(LogicalPlan::Projection(rows));
    let by = keys.iter().cloned().map(here).collect();
    let people = count_distinct(Expr::Column(source.person)).alias(PEOPLE);
    let counted = Aggregate::try_new(Arc::clone(&rows), by, vec![people]).map_err(planning)?;
    let enough = here(PEOPLE.to_owned()).gt_eq(lit(i64::from(least)));
    let kept =
        Filter::try_new(enough, Arc::new(LogicalPlan::Aggregate(counted))).map_err(planning)?;
    // Names of their own, so that no column could be of either side.
    let part = |key: &String| format!("_part{key}");
    let named = keys.iter().map(|key| here(key.clone()).alias(part(key))).collect();
    let kept = Projection::try_new(named, Arc::new(LogicalPlan::Filter(kept))).map_err(planning)?;
    let on = keys.iter().map(|key| (here(part(key)), here(key.clone()))).collect();
    // The parts are few and held in memory; the rows pass by.
    let joined = Join::try_new(
        Arc::new(LogicalPlan::Projection(kept)),
        rows,
        on,
        None,
        JoinType::RightSemi,
        JoinConstraint::On,
        NullEquality::NullEqualsNull,
        false,
    );
    Ok((LogicalPlan::Join(joined.map_err(planning)?), shown))
}

fn check_group(
    group: &Expr,
    source: &Source,
    scope: &Scope<'_>,
    place: &str,
) -> Result<(), Refused> {
    let Scope::Rows(columns, schema) = scope else { return Ok(()) };
    let of = origin(group, columns);
    if of.leaves.iter().any(|leaf| leaf.identifier) {
        return Err(Refused::new(Rule::GroupIdentifier, place));
    }
    no_identifier(group, &source.columns, place)?;
    let exact = |kind: Kind| matches!(kind, Kind::Number | Kind::Moment);
    let plain = of.leaf().is_some_and(|leaf| exact(leaf.kind));
    let computed_exact = group
        .get_type(&***schema)
        .is_ok_and(|t| matches!(t, datafusion::arrow::datatypes::DataType::Timestamp(..)));
    if plain || computed_exact || is_recast(&of.expression, &of.leaves, exact) {
        return Err(Refused::new(Rule::GroupUnique, place));
    }
    Ok(())
}

/// Whether it is an exact number or moment that only has another type.
fn is_recast(
    expression: &Expr,
    leaves: &[super::source::Leaf],
    exact: impl Fn(Kind) -> bool,
) -> bool {
    let mut inner = expression;
    let mut text = false;
    while let Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) = inner {
        text |= matches!(
            field.data_type(),
            datafusion::arrow::datatypes::DataType::Utf8
                | datafusion::arrow::datatypes::DataType::Utf8View
                | datafusion::arrow::datatypes::DataType::Float64
        );
        inner = expr;
    }
    text && matches!(inner, Expr::Column(_)) && leaves.iter().any(|leaf| exact(leaf.kind))
}

/// Checks one aggregate. Gives it back, and the condition under which a row counts for it where not
/// every row does.
fn check_aggregate(
    aggregate: &Expr,
    source: &Source,
    scope: &Scope<'_>,
    place: &str,
) -> Result<(Expr, Option<Expr>), Refused> {
    let refused = |rule| Err(Refused::new(rule, place));
    let inner = aggregate.clone().unalias();
    let Expr::AggregateFunction(AggregateFunction { func, mut params }) = inner else {
        return refused(Rule::Expression);
    };
    let name = func.name().to_owned();
    if !ALLOWED.contains(&name.as_str()) {
        let place = format!("`{name}`");
        return Err(Refused::new(Rule::SingleValue, place));
    }
    if !params.order_by.is_empty() {
        return refused(Rule::Order);
    }
    if params.distinct && name != "count" {
        return refused(Rule::SingleValue);
    }
    let mut condition: Option<Expr> = None;
    let also = |known: Option<Expr>, more: Expr| Some(known.map_or(more.clone(), |k| k.and(more)));
    if let Some(filter) = params.filter.take() {
        let filter = computed(*filter, scope, place)?;
        no_identifier(&filter, &source.columns, place)?;
        condition = also(condition, filter.clone());
        params.filter = Some(Box::new(filter));
    }
    let mut args = Vec::new();
    for arg in params.args {
        let arg = computed(arg, scope, place)?;
        let of = origin(&arg, &source.columns);
        if !matches!(arg, Expr::Literal(..)) {
            // Columns may be counted whatever they are; numbers may be moved and stretched.
            let counted = name == "count" && of.plain;
            let identifier = of.leaves.iter().any(|leaf| leaf.identifier);
            if !counted && (identifier || !is_affine(&of.expression, &of.leaves)) {
                return refused(Rule::Argument);
            }
            condition = also(condition, arg.clone().is_not_null());
        }
        args.push(arg);
    }
    params.args = args;
    Ok((Expr::AggregateFunction(AggregateFunction { func, params }), condition))
}

/// Sums and differences of columns, and products with constants: what singles out no row. Products of
/// columns, powers and conditions could be made to be large for one row and nothing for all others.
fn is_affine(expression: &Expr, leaves: &[super::source::Leaf]) -> bool {
    if leaves.iter().any(|leaf| matches!(leaf.kind, Kind::Text | Kind::Boolean)) {
        return false;
    }
    linear(expression)
}

fn linear(expression: &Expr) -> bool {
    let constant = |e: &Expr| e.column_refs().is_empty() && linear(e);
    match expression {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Alias(alias) => linear(&alias.expr),
        Expr::Negative(inner) => linear(inner),
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
            let t = field.data_type();
            // To whole numbers would cut off what a constant factor has moved there.
            (t.is_floating()
                || matches!(t, datafusion::arrow::datatypes::DataType::Date32)
                || t.is_integer() && matches!(**expr, Expr::Literal(..)))
                && linear(expr)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::Plus | Operator::Minus => linear(left) && linear(right),
            Operator::Multiply => {
                linear(left) && linear(right) && (constant(left) || constant(right))
            }
            Operator::Divide => linear(left) && constant(right),
            _ => false,
        },
        // The year of a date, for ages.
        Expr::ScalarFunction(call) if call.func.name() == "date_part" => {
            matches!(call.args.first(), Some(Expr::Literal(part, _))
            if part.try_as_str().flatten().is_some_and(|p| {
                ["year", "epoch"].iter().any(|known| p.eq_ignore_ascii_case(known))
            })) && call.args.get(1).is_some_and(linear)
        }
        _ => false,
    }
}
