//! The aggregate of a query: what it may compute, and how small groups fall out.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count_distinct;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Cast, Expr, ExprFunctionExt, ExprSchemable, Filter, LogicalPlan,
    Operator, Projection, TryCast, lit, when,
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
    let mut hidden = vec![people(None)?.alias(PEOPLE)];
    for (at, one) in aggregate.aggr_expr.iter().enumerate() {
        let place = format!("aggregate {}", at + 1);
        let (checked, condition) = check_aggregate(one, &source, &scope, &place)?;
        aggregates.push(checked);
        if condition.is_some() {
            hidden.push(people(condition)?.alias(format!("{PEOPLE}{at}")));
        } else {
            hidden.push(people(None)?.alias(format!("{PEOPLE}{at}")));
        }
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
    let counted = Aggregate::try_new(Arc::new(source.plan), group_exprs, all).map_err(planning)?;
    let least = lit(i64::from(least));
    let here = |name: String| Expr::Column(Column::new_unqualified(name));
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
