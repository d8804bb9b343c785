//! The aggregate of a query: what it may compute, and how small groups fall out.
//!
//! Aggregates of one query may be over different rows: by `FILTER`, and where an argument is missing. Their
//! differences are over what meets the condition of one and not that of the other, which may be one
//! person. So where there are different conditions, the rows of each group are divided by which of them
//! they meet, and parts of fewer people than a group must have fall out of all aggregates, as small
//! groups do ([`Cells::parts`]). Every aggregate is then over a union of parts, and whatever linear combination of
//! aggregates is not over nobody is over all people of at least one part.
//!
//! A query is carried out in steps: which parts have enough people; who is in them with which rows, so that
//! it can be said which may be shown beside earlier answers ([`super::gate`]); and the values over those.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Column, NullEquality};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::{count_distinct, sum, sum_distinct};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Cast, Expr, ExprFunctionExt, ExprSchemable, Filter, Join,
    JoinConstraint, JoinType, LogicalPlan, Operator, Projection, TryCast, lit, when,
};

use super::expression::{Scope, computed};
use super::marks::row_mark;
use super::parts::{GROUP, PART, Parts};
use super::refused::{Refused, Rule};
use super::source::{Leaf, Mark, Source, no_identifier, origin, walk};
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

/// The aggregate of a query, checked.
pub(super) struct Cells {
    /// The rows it is over, with the keys of their part, the number of their person and their mark.
    rows: Arc<LogicalPlan>,
    /// The columns that tell parts apart: those of the groups, then those of the conditions.
    keys: Vec<String>,
    groups: usize,
    /// Whether a value is over all rows, whatever they meet.
    counts_all: bool,
    person: Column,
    marks: Vec<Mark>,
    values: Vec<Expr>,
    /// The people of each value.
    people: Vec<Expr>,
    /// The values that count keys, each once.
    counts: Vec<Expr>,
    counts_of: Vec<String>,
    /// What groups and values are called above.
    names: Vec<Column>,
    least: u32,
}

impl Cells {
    /// Checks an aggregate and what it stands on. Groups of fewer than `least` people will not be shown.
    pub(super) fn new(aggregate: &Aggregate, least: u32) -> Result<Self, Refused> {
        let source = walk(&aggregate.input)?;
        let scope = Scope::Rows(&source.columns, aggregate.input.schema());
        let mut groups = Vec::new();
        for (at, group) in aggregate.group_expr.iter().enumerate() {
            let place = format!("group by {}", at + 1);
            let checked = computed(group.clone(), &scope, &place)?;
            check_group(&checked, &source, &scope, &place)?;
            groups.push(checked.unalias());
        }
        let (mut values, mut people, mut counts, mut counts_of) = (vec![], vec![], vec![], vec![]);
        let mut conditions: Vec<Option<Expr>> = Vec::new();
        for (at, one) in aggregate.aggr_expr.iter().enumerate() {
            let place = format!("aggregate {}", at + 1);
            let (checked, condition) = check_aggregate(one, &source, &scope, &place)?;
            let each = Expr::Column(source.person.clone());
            people
                .push(where_met(count_distinct(each), &condition)?.alias(format!("{PEOPLE}{at}")));
            if let Some((key, of)) = counted_key(&checked, &source) {
                let marks = where_met(sum_distinct(row_mark(vec![key])), &condition)?;
                counts.push(marks.alias(format!("_count{}", counts.len())));
                counts_of.push(of);
            }
            values.push(checked.unalias().alias(format!("_value{at}")));
            if !conditions.contains(&condition) {
                conditions.push(condition);
            }
        }
        if conditions.len() > MOST_CONDITIONS {
            return Err(Refused::new(Rule::Conditions, "select"));
        }
        // Without a value the groups themselves are what is told.
        let counts_all = conditions.is_empty() || conditions.contains(&None);
        let conditions = conditions.into_iter().flatten().collect();
        let (person, marks) = (source.person.clone(), source.marks.clone());
        let of_groups = groups.len();
        let (rows, keys) = keyed(source.plan, groups, conditions)?;
        // Names of groups and values stay as they are, whatever was written anew in them.
        let names = aggregate.schema.columns();
        let groups = of_groups;
        let rows = Arc::new(rows);
        Ok(Self {
            rows,
            keys,
            groups,
            counts_all,
            person,
            marks,
            values,
            people,
            counts,
            counts_of,
            names,
            least,
        })
    }

    /// The least people of a value.
    pub(super) fn least(&self) -> usize {
        self.least as usize
    }

    /// The parts as [`Cells::parts`] gave them.
    pub(super) fn found(
        &self,
        schema: &SchemaRef,
        batches: &[RecordBatch],
    ) -> Result<Parts, DataFusionError> {
        Parts::new(schema, batches, self.groups, self.counts_all)
    }

    /// Of which rows the values are: of those of each joined table.
    pub(super) fn rows_of(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().map(|mark| mark.rows_of.as_str())
    }

    /// Of which keys each of the values that count keys is.
    pub(super) fn counts_of(&self) -> &[String] {
        &self.counts_of
    }

    /// The parts that have enough people.
    pub(super) fn parts(&self) -> Result<LogicalPlan, Refused> {
        let by = self.keys.iter().cloned().map(here).collect();
        let people = count_distinct(Expr::Column(self.person.clone())).alias(PEOPLE);
        let rows = Arc::clone(&self.rows);
        let counted = Aggregate::try_new(rows, by, vec![people]).map_err(planning)?;
        let enough = here(PEOPLE.to_owned()).gt_eq(lit(i64::from(self.least)));
        let counted = Arc::new(LogicalPlan::Aggregate(counted));
        let kept = Filter::try_new(enough, counted).map_err(planning)?;
        let kept = Arc::new(LogicalPlan::Filter(kept));
        let keys = self.keys.iter().cloned().map(here).collect();
        Ok(LogicalPlan::Projection(Projection::try_new(keys, kept).map_err(planning)?))
    }

    /// The people of each part with the sums of the marks of their rows, for each joined table.
    pub(super) fn people(&self, parts: &Parts) -> Result<LogicalPlan, Refused> {
        let marks = self.marks.iter().enumerate();
        let sums = marks
            .map(|(at, mark)| sum(Expr::Column(mark.column.clone())).alias(format!("_marks{at}")));
        self.by_person(parts, PART, sums.collect())
    }

    /// The people of each group with the sums of the marks of their keys, for each of the values that
    /// count keys.
    pub(super) fn counts(&self, parts: &Parts) -> Result<LogicalPlan, Refused> {
        self.by_person(parts, GROUP, self.counts.clone())
    }

    fn by_person(&self, parts: &Parts, by: &str, sums: Vec<Expr>) -> Result<LogicalPlan, Refused> {
        let rows = self.joined(parts, JoinType::Inner)?;
        let by = vec![here(by.to_owned()), Expr::Column(self.person.clone())];
        let counted = Aggregate::try_new(Arc::new(rows), by, sums).map_err(planning)?;
        Ok(LogicalPlan::Aggregate(counted))
    }

    /// The rows of parts that are shown.
    fn joined(&self, parts: &Parts, join_type: JoinType) -> Result<LogicalPlan, Refused> {
        // Names of their own, so that no column could be of either side.
        let part = |key: &String| format!("{PART}{key}");
        let mut named: Vec<Expr> =
            self.keys.iter().map(|key| here(key.clone()).alias(part(key))).collect();
        named.extend([PART, GROUP].map(|number| here(number.to_owned()).alias(number)));
        let kept = Arc::new(parts.plan().map_err(planning)?);
        let kept = Projection::try_new(named, kept).map_err(planning)?;
        let on = self.keys.iter().map(|key| (here(part(key)), here(key.clone()))).collect();
        // The parts are few and held in memory; the rows pass by.
        let joined = Join::try_new(
            Arc::new(LogicalPlan::Projection(kept)),
            Arc::clone(&self.rows),
            on,
            None,
            join_type,
            JoinConstraint::On,
            NullEquality::NullEqualsNull,
            false,
        );
        Ok(LogicalPlan::Join(joined.map_err(planning)?))
    }

    /// The groups with their values, over the parts that are shown. Single values over fewer people than
    /// a group must have are null.
    pub(super) fn shown(&self, parts: &Parts) -> Result<LogicalPlan, Refused> {
        let rows = self.joined(parts, JoinType::RightSemi)?;
        let by: Vec<String> = self.keys.iter().take(self.groups).cloned().collect();
        let mut all = self.values.clone();
        all.push(count_distinct(Expr::Column(self.person.clone())).alias(PEOPLE));
        all.extend(self.people.iter().cloned());
        let groups = by.iter().cloned().map(here).collect();
        let counted = Aggregate::try_new(Arc::new(rows), groups, all).map_err(planning)?;
        // A group of which no value is shown is not shown.
        let least = lit(i64::from(self.least));
        let each =
            (0..self.values.len()).map(|at| here(format!("{PEOPLE}{at}")).gt_eq(least.clone()));
        let enough = each.reduce(Expr::or).unwrap_or_else(|| here(PEOPLE.to_owned()).gt_eq(least));
        let counted = Arc::new(LogicalPlan::Aggregate(counted));
        let kept = Filter::try_new(enough, counted).map_err(planning)?;
        let kept = Arc::new(LogicalPlan::Filter(kept));
        let groups = by.into_iter().map(|name| Ok(here(name)));
        let values = (0..self.values.len()).map(|at| {
            let enough = here(format!("{PEOPLE}{at}")).gt_eq(lit(i64::from(self.least)));
            when(enough, here(format!("_value{at}"))).end().map_err(planning)
        });
        let shown = groups.chain(values).zip(&self.names).map(|(value, name)| {
            Ok(value?.alias_qualified(name.relation.clone(), name.name.clone()))
        });
        let shown = shown.collect::<Result<Vec<_>, Refused>>()?;
        Ok(LogicalPlan::Projection(Projection::try_new(shown, kept).map_err(planning)?))
    }
}

/// An aggregate of different values over the rows that meet a condition.
fn where_met(aggregate: Expr, condition: &Option<Expr>) -> Result<Expr, Refused> {
    match condition {
        None => Ok(aggregate),
        // The builder forgets what it is not told again.
        Some(condition) => aggregate.filter(condition.clone()).distinct().build().map_err(planning),
    }
}

/// The key that a value counts, each once, and what it is called in its table.
fn counted_key(aggregate: &Expr, source: &Source) -> Option<(Expr, String)> {
    let Expr::AggregateFunction(AggregateFunction { params, .. }) = aggregate else { return None };
    let [key] = params.args.as_slice() else { return None };
    let of = origin(key, &source.columns);
    let counts = params.distinct && of.leaf().is_some_and(|leaf| leaf.personal);
    of.named().filter(|_| counts).map(|name| (key.clone(), name.to_owned()))
}

/// A column of the plan that is built, by its name.
fn here(name: String) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// The rows of a source with the keys of their part: two rows are of one part where they are of one group
/// and meet the same conditions.
fn keyed(
    source: LogicalPlan,
    groups: Vec<Expr>,
    conditions: Vec<Expr>,
) -> Result<(LogicalPlan, Vec<String>), Refused> {
    let mut keys: Vec<Expr> = Vec::new();
    for (at, group) in groups.into_iter().enumerate() {
        keys.push(group.alias(format!("_group{at}")));
    }
    for (at, condition) in conditions.into_iter().enumerate() {
        // Not `IS TRUE`, of which the engine's logical and physical plans say differently whether it is null.
        let met = when(condition, lit(1_i64)).otherwise(lit(0_i64)).map_err(planning)?;
        keys.push(met.alias(format!("_met{at}")));
    }
    if keys.is_empty() {
        keys.push(lit(1_i64).alias("_all"));
    }
    let names = keys.iter().map(|key| key.schema_name().to_string()).collect();
    let columns = source.schema().columns().into_iter().map(Expr::Column).chain(keys);
    let rows = Projection::try_new(columns.collect(), Arc::new(source)).map_err(planning)?;
    Ok((LogicalPlan::Projection(rows), names))
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
            if !counted && (identifier || !is_linear(&of.expression, &of.leaves)) {
                return refused(Rule::Argument);
            }
            condition = also(condition, arg.clone().is_not_null());
        }
        args.push(arg);
    }
    params.args = args;
    Ok((Expr::AggregateFunction(AggregateFunction { func, params }), condition))
}

/// A column, the year or the moment of one, or the sum or difference of two such: what singles out no row. With
/// constants inside a value could be rounded, cut off or made to overflow for one row and for no other; they
/// belong outside, to the value of the aggregate.
fn is_linear(expression: &Expr, leaves: &[Leaf]) -> bool {
    if leaves.iter().any(|leaf| matches!(leaf.kind, Kind::Text | Kind::Boolean)) {
        return false;
    }
    match bare(expression) {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Minus, right }) => {
            is_term(left) && is_term(right)
        }
        other => is_term(other),
    }
}

fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => bare(&alias.expr),
        other => other,
    }
}

fn is_term(expression: &Expr) -> bool {
    match bare(expression) {
        Expr::Column(_) => true,
        // The year of a date, for ages.
        Expr::ScalarFunction(call) if call.func.name() == "date_part" => {
            let of = |part: &Expr| match part {
                Expr::Literal(part, _) => part.try_as_str().flatten().is_some_and(|part| {
                    ["year", "epoch"].iter().any(|known| part.eq_ignore_ascii_case(known))
                }),
                _ => false,
            };
            matches!(call.args.as_slice(), [part, column]
                if of(part) && matches!(bare(column), Expr::Column(_)))
        }
        _ => false,
    }
}
