//! What an aggregate may stand on: tables of the lake, filtered and joined person by person.
//!
//! The walk checks a plan from its tables up, and builds it anew with the number of the person in every
//! row. It knows for each column which columns of tables it was computed of, however it was renamed.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Distinct, Expr, Filter, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Operator,
    Projection, SubqueryAlias, TableScan,
};

use super::expression::{Scope, computed};
use super::marks::row_mark;
use super::refused::{Refused, Rule, name};
use super::scan::downcast;
use crate::definition::{KEY, Kind, PERSON};

/// What names of hidden columns with marks begin with.
const MARK: &str = "_mark";

/// A column of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Whether it tells who somebody is.
    pub identifier: bool,
    /// Whether it is the key of a resource that has rows, and so of one person.
    pub personal: bool,
    pub kind: Kind,
}

/// What is known of a column: what it is of, and whether it is that column unchanged.
#[derive(Clone)]
pub(super) struct Origin {
    pub leaves: Vec<Leaf>,
    pub plain: bool,
    /// The expression over columns of tables.
    pub expression: Expr,
}

impl Origin {
    /// The column of a table that this is unchanged.
    pub(super) fn leaf(&self) -> Option<Leaf> {
        self.leaves.first().copied().filter(|_| self.plain)
    }

    /// The name in its table of the column that this is unchanged.
    pub(super) fn named(&self) -> Option<&str> {
        match &self.expression {
            Expr::Column(column) if self.plain => Some(&column.name),
            _ => None,
        }
    }
}

/// A column with marks.
#[derive(Clone)]
pub(super) struct Mark {
    pub column: Column,
    /// Of which rows: the column with the key of the table, by the name that it has in every table,
    /// where a resource has one row in it; else the table.
    pub rows_of: String,
}

/// A checked source.
pub(super) struct Source {
    /// The plan, whose rows carry the number of their person.
    pub plan: LogicalPlan,
    /// The column with it.
    pub person: Column,
    /// The columns with the marks of the rows of tables that each row is made of; null where there is
    /// none.
    pub marks: Vec<Mark>,
    /// The visible columns.
    pub columns: HashMap<Column, Origin>,
    /// A column of which each person has no value twice, where one is known.
    pub unique: Option<Column>,
}

fn planning(error: DataFusionError) -> Refused {
    Refused::planning(&error)
}

/// Checks a source and builds it anew.
pub(super) fn walk(plan: &LogicalPlan) -> Result<Source, Refused> {
    match plan {
        LogicalPlan::TableScan(scan) => table(scan),
        LogicalPlan::SubqueryAlias(alias) => {
            let inner = walk(&alias.input)?;
            let named = SubqueryAlias::try_new(Arc::new(inner.plan), alias.alias.clone());
            let hidden = |name: &str| Column::new(Some(alias.alias.clone()), name);
            let person = hidden(PERSON);
            let marks = inner.marks.into_iter().map(|mark| {
                let column = hidden(&mark.column.name);
                Mark { column, ..mark }
            });
            let columns = rename(&inner.columns, &alias.input, plan);
            let pairs = alias.input.schema().columns().into_iter().zip(plan.schema().columns());
            let renamed = |unique: Column| pairs.clone().find(|(from, _)| *from == unique);
            let unique = inner.unique.and_then(renamed).map(|(_, to)| to);
            Ok(Source {
                plan: LogicalPlan::SubqueryAlias(named.map_err(planning)?),
                person,
                marks: marks.collect(),
                columns,
                unique,
            })
        }
        LogicalPlan::Filter(filter) => {
            let inner = walk(&filter.input)?;
            let predicate = computed(
                filter.predicate.clone(),
                &Scope::Rows(&inner.columns, filter.input.schema()),
                "where",
            )?;
            no_identifier(&predicate, &inner.columns, "where")?;
            let plan = Filter::try_new(predicate, Arc::new(inner.plan)).map_err(planning)?;
            Ok(Source { plan: LogicalPlan::Filter(plan), ..inner })
        }
        LogicalPlan::Projection(projection) => project(projection, plan),
        LogicalPlan::Join(join) => joined(join),
        LogicalPlan::Distinct(Distinct::All(input)) => different_keys(input),
        other => Err(refuse(other)),
    }
}

/// Why a part of a plan cannot be below an aggregate.
pub(super) fn refuse(plan: &LogicalPlan) -> Refused {
    let (rule, place) = match plan {
        LogicalPlan::Window(_) => (Rule::Window, "select"),
        LogicalPlan::Aggregate(_) => (Rule::Nested, "from"),
        LogicalPlan::Sort(_) => (Rule::Order, "from"),
        LogicalPlan::Limit(_) => (Rule::Limit, "from"),
        LogicalPlan::Union(_) => (Rule::SetOperation, "query"),
        LogicalPlan::Distinct(_) => (Rule::Distinct, "select"),
        LogicalPlan::RecursiveQuery(_) => (Rule::Recursive, "with"),
        LogicalPlan::Subquery(_) => (Rule::Subquery, "from"),
        _ => (Rule::Source, "from"),
    };
    Refused::new(rule, place)
}

fn table(scan: &TableScan) -> Result<Source, Refused> {
    let source = || Refused::new(Rule::Source, "from");
    let provider = source_as_provider(&scan.source).map_err(|_| source())?;
    let known = downcast(provider.as_ref()).ok_or_else(source)?;
    if scan.fetch.is_some() || !scan.filters.is_empty() || scan.projection.is_some() {
        return Err(source());
    }
    let definition = &known.table().definition;
    let named = |name: &str| Column::new(Some(scan.table_name.clone()), name);
    let person = named(PERSON);
    let visible = scan.projected_schema.columns();
    let own = definition.own_key();
    let mut marked = vec![Expr::Column(named(KEY))];
    if own.is_none() {
        marked.extend(visible.iter().cloned().map(Expr::Column));
    }
    let rows_of = own.unwrap_or(definition.name()).to_owned();
    let of = named(&mark_of(&rows_of));
    let mark = row_mark(marked).alias_qualified(of.relation.clone(), of.name.clone());
    let shown = visible.iter().chain([&person]).cloned().map(Expr::Column).chain([mark]);
    let full = provider_as_source(Arc::new(known.with_hidden()));
    let plan = LogicalPlanBuilder::scan(scan.table_name.clone(), full, None)
        .and_then(|scan| scan.project(shown.collect::<Vec<_>>()))
        .and_then(LogicalPlanBuilder::build)
        .map_err(planning)?;
    let columns = visible.into_iter().zip(definition.columns()).map(|(column, of)| {
        let personal = known.keys().contains(&of.name);
        let leaf = Leaf { identifier: of.identifier, personal, kind: of.kind };
        let expression = Expr::Column(named(&of.name));
        (column, Origin { leaves: vec![leaf], plain: true, expression })
    });
    Ok(Source {
        plan,
        person,
        marks: vec![Mark { column: of, rows_of }],
        columns: columns.collect(),
        unique: own.map(named),
    })
}

/// `SELECT DISTINCT key`: each person's values of one column that tells which, to be joined by. Other
/// columns would show which values there are.
fn different_keys(input: &LogicalPlan) -> Result<Source, Refused> {
    let inner = walk(input)?;
    let shown = input.schema().columns();
    let identifies = |key: &Column| {
        inner.columns.get(key).and_then(Origin::leaf).is_some_and(|leaf| leaf.identifier)
    };
    let key = match shown.as_slice() {
        [key] if identifies(key) => key.clone(),
        _ => return Err(Refused::new(Rule::Distinct, "select")),
    };
    // Rows of the same key have marks of their own.
    let rows_of = inner.columns.get(&key).and_then(Origin::named).unwrap_or(&key.name).to_owned();
    let shown = [&key, &inner.person].map(|c| Expr::Column(c.clone()));
    let column = Column::new(inner.person.relation.clone(), mark_of(&rows_of));
    let mark = row_mark(vec![Expr::Column(key.clone())])
        .alias_qualified(column.relation.clone(), column.name.clone());
    let plan = LogicalPlanBuilder::from(inner.plan)
        .project(shown.clone())
        .and_then(LogicalPlanBuilder::distinct)
        .and_then(|plan| plan.project(shown.into_iter().chain([mark])))
        .and_then(LogicalPlanBuilder::build)
        .map_err(planning)?;
    let marks = vec![Mark { column, rows_of }];
    Ok(Source { plan, person: inner.person, marks, columns: inner.columns, unique: Some(key) })
}

/// The name of a hidden column with marks.
fn mark_of(rows_of: &str) -> String {
    format!("{MARK}{rows_of}")
}

/// The same columns under the names that they have outside.
fn rename(
    columns: &HashMap<Column, Origin>,
    inner: &LogicalPlan,
    outer: &LogicalPlan,
) -> HashMap<Column, Origin> {
    let pairs = inner.schema().columns().into_iter().zip(outer.schema().columns());
    pairs.filter_map(|(from, to)| Some((to, columns.get(&from)?.clone()))).collect()
}

/// What an expression over columns is over columns of tables.
pub(super) fn origin(expression: &Expr, columns: &HashMap<Column, Origin>) -> Origin {
    let mut leaves = Vec::new();
    let bare = expression.clone().unalias();
    let plain =
        matches!(&bare, Expr::Column(column) if columns.get(column).is_some_and(|o| o.plain));
    let replaced = bare.transform_down(|inner| {
        use datafusion::common::tree_node::Transformed;
        Ok(match &inner {
            Expr::Column(column) => match columns.get(column) {
                Some(origin) => {
                    leaves.extend(&origin.leaves);
                    Transformed::new(origin.expression.clone(), true, TreeNodeRecursion::Jump)
                }
                None => Transformed::no(inner),
            },
            _ => Transformed::no(inner),
        })
    });
    let expression = replaced.map_or_else(|_| expression.clone(), |done| done.data);
    Origin { leaves, plain, expression }
}

/// Refuses a condition on what tells who somebody is. What `IN (SELECT …)` compares is checked where
/// it is computed.
pub(super) fn no_identifier(
    expression: &Expr,
    columns: &HashMap<Column, Origin>,
    place: &str,
) -> Result<(), Refused> {
    let mut named = false;
    let _ = expression.apply(|inner| {
        Ok(match inner {
            Expr::InSubquery(_) => TreeNodeRecursion::Jump,
            Expr::Column(column) => {
                let origin = columns.get(column);
                named |= origin.is_none_or(|o| o.leaves.iter().any(|leaf| leaf.identifier));
                TreeNodeRecursion::Continue
            }
            _ => TreeNodeRecursion::Continue,
        })
    });
    if named { Err(Refused::new(Rule::Identifier, place)) } else { Ok(()) }
}

fn project(projection: &Projection, plan: &LogicalPlan) -> Result<Source, Refused> {
    let inner = walk(&projection.input)?;
    let scope = Scope::Rows(&inner.columns, projection.input.schema());
    let mut columns = HashMap::new();
    let mut unique = None;
    let mut expressions = Vec::new();
    for (expression, column) in projection.expr.iter().zip(plan.schema().columns()) {
        let name = column.name.clone();
        let relation: Option<TableReference> = column.relation.clone();
        let checked = computed(expression.clone(), &scope, "select")?;
        if matches!(checked.clone().unalias(), Expr::Column(one) if inner.unique.as_ref() == Some(&one))
        {
            unique = Some(column.clone());
        }
        columns.insert(column, origin(&checked, &inner.columns));
        // Whatever was written anew inside keeps the name that it had.
        expressions.push(match checked {
            Expr::Column(same) if same.name == name && same.relation == relation => {
                Expr::Column(same)
            }
            other => other.unalias().alias_qualified(relation, name),
        });
    }
    let marks = inner.marks.iter().map(|mark| &mark.column);
    expressions.extend([&inner.person].into_iter().chain(marks).cloned().map(Expr::Column));
    let built = Projection::try_new(expressions, Arc::new(inner.plan)).map_err(planning)?;
    let plan = LogicalPlan::Projection(built);
    Ok(Source { plan, person: inner.person, marks: inner.marks, columns, unique })
}

/// Joins keep to one person: rows of two people never meet, whatever the condition says. One side has
/// at most one row for each row of the other: if both were repeated, a person with many rows
/// would count with their square, and few would be most of a sum.
fn joined(join: &Join) -> Result<Source, Refused> {
    let refused = || Refused::new(Rule::Join, "join");
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
        return Err(refused());
    }
    let (left, right) = (walk(&join.left)?, walk(&join.right)?);
    let mut columns = left.columns.clone();
    columns.extend(right.columns.clone());
    let mut equal: Vec<Column> = Vec::new();
    for (one, other) in &join.on {
        let (Expr::Column(one), Expr::Column(other)) = (one, other) else {
            return Err(refused());
        };
        if !columns.contains_key(one) || !columns.contains_key(other) {
            return Err(refused());
        }
        equal.extend([one.clone(), other.clone()]);
    }
    let scope = Scope::Rows(&columns, &join.schema);
    let mut filter: Option<Expr> = None;
    for condition in join.filter.iter().flat_map(split_conjunction) {
        let condition = computed(condition.clone(), &scope, "join")?;
        match equality(&condition, &left.columns, &right.columns) {
            Some(both) => equal.extend(both),
            None => no_identifier(&condition, &columns, "join")?,
        }
        filter = Some(filter.map_or(condition.clone(), |known| known.and(condition)));
    }
    let Some(named) = equal.first() else { return Err(refused()) };
    let by_its_own = |side: &Source| side.unique.as_ref().is_some_and(|own| equal.contains(own));
    let unique = match (by_its_own(&left), by_its_own(&right)) {
        (_, true) => left.unique.clone(),
        // Rows of the left side that meet none have no value there, in a left join.
        (true, false) if join.join_type == JoinType::Inner => right.unique.clone(),
        (true, false) => None,
        (false, false) => {
            return Err(Refused::new(Rule::JoinRows, format!("join by {}", name(&named.name))));
        }
    };
    let mut on = join.on.clone();
    on.push((Expr::Column(left.person.clone()), Expr::Column(right.person.clone())));
    let built = Join::try_new(
        Arc::new(left.plan),
        Arc::new(right.plan),
        on,
        filter,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        false,
    );
    // One number of the person is enough, and two would have the same name. Marks get new ones, since a table
    // may be joined twice.
    let plan = LogicalPlan::Join(built.map_err(planning)?);
    let mut shown: Vec<Expr> = join.schema.columns().into_iter().map(Expr::Column).collect();
    shown.push(Expr::Column(left.person.clone()));
    let mut marks = Vec::new();
    for (at, mark) in left.marks.into_iter().chain(right.marks).enumerate() {
        let relation = left.person.relation.clone();
        let column = Column::new(relation.clone(), format!("{}{at}", mark_of(&mark.rows_of)));
        shown.push(Expr::Column(mark.column).alias_qualified(relation, column.name.clone()));
        marks.push(Mark { column, rows_of: mark.rows_of });
    }
    let plan = Projection::try_new(shown, Arc::new(plan)).map_err(planning)?;
    let plan = LogicalPlan::Projection(plan);
    Ok(Source { plan, person: left.person, marks, columns, unique })
}

/// The columns of a condition that says that one of one side is equal to one of the other.
fn equality(
    condition: &Expr,
    left: &HashMap<Column, Origin>,
    right: &HashMap<Column, Origin>,
) -> Option<[Column; 2]> {
    let Expr::BinaryExpr(BinaryExpr { left: one, op: Operator::Eq, right: other }) = condition
    else {
        return None;
    };
    let (Expr::Column(one), Expr::Column(other)) = (one.as_ref(), other.as_ref()) else {
        return None;
    };
    let across = (left.contains_key(one) && right.contains_key(other))
        || (left.contains_key(other) && right.contains_key(one));
    across.then(|| [one.clone(), other.clone()])
}
