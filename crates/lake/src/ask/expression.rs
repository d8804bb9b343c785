//! Which expressions researchers have: those that cannot fail on any value.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema, DFSchemaRef, ScalarValue};
use datafusion::logical_expr::expr::{InSubquery, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator, Projection, Subquery, TryCast,
    try_cast,
};

use super::refused::{Refused, Rule};
use super::source::{Origin, walk};

/// Functions that give null, or a value, for every argument.
const FUNCTIONS: [&str; 24] = [
    "lower",
    "upper",
    "btrim",
    "ltrim",
    "rtrim",
    "character_length",
    "octet_length",
    "coalesce",
    "nullif",
    "concat",
    "starts_with",
    "ends_with",
    "strpos",
    "floor",
    "ceil",
    "sqrt",
    "ln",
    "log10",
    "log2",
    "exp",
    "date_part",
    "substr",
    "left",
    "right",
];
/// Of these, those that work on floating-point numbers.
const NUMERIC: [&str; 7] = ["floor", "ceil", "sqrt", "ln", "log10", "log2", "exp"];
/// Months, and days, of an interval that is added to a date.
const MOST_MONTHS: i32 = 200 * 12;
const MOST_DAYS: i32 = 200 * 366;

/// What columns an expression stands on.
pub(super) enum Scope<'s> {
    /// Rows, of which it is known what each column is of.
    Rows(&'s HashMap<Column, Origin>, &'s DFSchemaRef),
    /// Groups that are shown.
    Groups(&'s DFSchemaRef),
}

impl Scope<'_> {
    fn schema(&self) -> &DFSchema {
        match self {
            Self::Rows(_, schema) | Self::Groups(schema) => schema,
        }
    }

    fn type_of(&self, expression: &Expr) -> Option<DataType> {
        expression.get_type(self.schema()).ok()
    }
}

/// Checks an expression and writes it anew so that it cannot fail.
pub(super) fn computed(expression: Expr, scope: &Scope<'_>, place: &str) -> Result<Expr, Refused> {
    let refused = |rule| Err(Refused::new(rule, place));
    let inner = |expression: Box<Expr>| computed(*expression, scope, place).map(Box::new);
    Ok(match expression {
        Expr::Column(_) | Expr::Literal(..) => expression,
        Expr::Alias(mut alias) => {
            alias.expr = inner(alias.expr)?;
            Expr::Alias(alias)
        }
        Expr::Not(e) => Expr::Not(inner(e)?),
        Expr::IsNull(e) => Expr::IsNull(inner(e)?),
        Expr::IsNotNull(e) => Expr::IsNotNull(inner(e)?),
        Expr::IsTrue(e) => Expr::IsTrue(inner(e)?),
        Expr::IsFalse(e) => Expr::IsFalse(inner(e)?),
        Expr::IsUnknown(e) => Expr::IsUnknown(inner(e)?),
        Expr::IsNotTrue(e) => Expr::IsNotTrue(inner(e)?),
        Expr::IsNotFalse(e) => Expr::IsNotFalse(inner(e)?),
        Expr::IsNotUnknown(e) => Expr::IsNotUnknown(inner(e)?),
        Expr::Negative(e) => Expr::Negative(inner(e)?),
        Expr::Between(mut between) => {
            between.expr = inner(between.expr)?;
            between.low = inner(between.low)?;
            between.high = inner(between.high)?;
            Expr::Between(between)
        }
        Expr::Like(mut like) if matches!(*like.pattern, Expr::Literal(..)) => {
            like.expr = inner(like.expr)?;
            Expr::Like(like)
        }
        Expr::InList(mut list) => {
            list.expr = inner(list.expr)?;
            let each = list.list.into_iter().map(|one| computed(one, scope, place));
            list.list = each.collect::<Result<_, _>>()?;
            Expr::InList(list)
        }
        Expr::Case(case) => {
            let pair = |(when, then): (Box<Expr>, Box<Expr>)| -> Result<_, Refused> {
                Ok((inner(when)?, inner(then)?))
            };
            Expr::Case(Case {
                expr: case.expr.map(inner).transpose()?,
                when_then_expr: case
                    .when_then_expr
                    .into_iter()
                    .map(pair)
                    .collect::<Result<_, _>>()?,
                else_expr: case.else_expr.map(inner).transpose()?,
            })
        }
        Expr::Cast(cast) if castable(cast.field.data_type()) => {
            Expr::TryCast(TryCast { expr: inner(cast.expr)?, field: cast.field })
        }
        Expr::TryCast(cast) if castable(cast.field.data_type()) => {
            Expr::TryCast(TryCast { expr: inner(cast.expr)?, field: cast.field })
        }
        Expr::BinaryExpr(binary) => operation(binary, scope, place)?,
        Expr::ScalarFunction(call) => function(call, scope, place)?,
        Expr::InSubquery(found) => Expr::InSubquery(membership(found, scope, place)?),
        Expr::Exists(_)
        | Expr::ScalarSubquery(_)
        | Expr::SetComparison(_)
        | Expr::OuterReferenceColumn(..) => return refused(Rule::Subquery),
        Expr::WindowFunction(_) => return refused(Rule::Window),
        Expr::GroupingSet(_) => return refused(Rule::GroupingSets),
        _ => return refused(Rule::Expression),
    })
}

/// Types that a value may be cast to.
fn castable(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Float64
                | DataType::Float32
                | DataType::Boolean
                | DataType::Utf8
                | DataType::Utf8View
                | DataType::LargeUtf8
                | DataType::Date32
                | DataType::Timestamp(..)
        )
}

fn operation(binary: BinaryExpr, scope: &Scope<'_>, place: &str) -> Result<Expr, Refused> {
    use Operator as O;
    let BinaryExpr { left, op, right } = binary;
    let refused = || Refused::new(Rule::Expression, place);
    let (left, right) = match op {
        O::Plus | O::Minus | O::Multiply | O::Divide => {
            let number = |e: &Expr| scope.type_of(e).is_some_and(|t| t.is_numeric() || t.is_null());
            if !(number(&left) && number(&right)) {
                if !(matches!(op, O::Plus | O::Minus) && temporal(&left, op, &right, scope)) {
                    return Err(refused());
                }
                return Ok(Expr::BinaryExpr(BinaryExpr { left, op, right }));
            }
            let (left, right) = (computed(*left, scope, place)?, computed(*right, scope, place)?);
            // Whole numbers cannot be divided by zero, and the least of them not by -1.
            match op {
                O::Divide => {
                    (try_cast(left, DataType::Float64), try_cast(right, DataType::Float64))
                }
                _ => (left, right),
            }
        }
        O::Eq
        | O::NotEq
        | O::Lt
        | O::LtEq
        | O::Gt
        | O::GtEq
        | O::And
        | O::Or
        | O::IsDistinctFrom
        | O::IsNotDistinctFrom
        | O::StringConcat => (computed(*left, scope, place)?, computed(*right, scope, place)?),
        _ => return Err(refused()),
    };
    Ok(Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op, right: Box::new(right) }))
}

/// Differences of dates, and dates moved by a stated interval: with values as FHIR has them neither
/// leaves the range of the type.
fn temporal(left: &Expr, op: Operator, right: &Expr, scope: &Scope<'_>) -> bool {
    let when = |e: &Expr| {
        let dated = scope
            .type_of(e)
            .is_some_and(|t| matches!(t, DataType::Date32 | DataType::Timestamp(..)));
        dated && (matches!(e, Expr::Column(_)) || stated_date(e))
    };
    let moved = |e: &Expr| match e {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(by)), _) => {
            by.months.abs() <= MOST_MONTHS && by.days.abs() <= MOST_DAYS
        }
        Expr::Literal(ScalarValue::IntervalYearMonth(Some(by)), _) => by.abs() <= MOST_MONTHS,
        Expr::Literal(ScalarValue::IntervalDayTime(Some(by)), _) => by.days.abs() <= MOST_DAYS,
        _ => false,
    };
    when(left) && (moved(right) || (op == Operator::Minus && when(right)))
}

/// `DATE '2020-01-31'` and `TIMESTAMP '2020-01-31 …'`: a literal with a year of four digits.
fn stated_date(expression: &Expr) -> bool {
    let (Expr::Cast(datafusion::logical_expr::Cast { expr, .. })
    | Expr::TryCast(TryCast { expr, .. })) = expression
    else {
        return false;
    };
    let Expr::Literal(value, _) = expr.as_ref() else { return false };
    let text = value.try_as_str().flatten().unwrap_or_default().as_bytes();
    text.len() >= 10
        && text.len() <= 30
        && text.iter().take(4).all(u8::is_ascii_digit)
        && text.get(4) == Some(&b'-')
}

fn function(call: ScalarFunction, scope: &Scope<'_>, place: &str) -> Result<Expr, Refused> {
    let name = call.func.name().to_owned();
    if !FUNCTIONS.contains(&name.as_str()) {
        return Err(Refused::new(Rule::Function, format!("`{name}`")));
    }
    let refused = || Refused::new(Rule::Expression, format!("`{name}`"));
    let first = call.args.first();
    match name.as_str() {
        "date_part" => {
            let part = first.is_some_and(|part| matches!(part, Expr::Literal(..)));
            let of = call.args.get(1).and_then(|of| scope.type_of(of));
            let dated = matches!(of, Some(DataType::Date32 | DataType::Timestamp(..)));
            if !(part && dated) {
                return Err(refused());
            }
        }
        // A count of letters that is stated and not negative.
        "substr" | "left" | "right" => {
            let count = |e: &Expr| matches!(e, Expr::Literal(ScalarValue::Int64(Some(n)), _) if (0..=10_000).contains(n));
            if !call.args.iter().skip(1).all(count) {
                return Err(refused());
            }
        }
        _ => {}
    }
    let mut args = Vec::new();
    for arg in call.args {
        let arg = computed(arg, scope, place)?;
        let number = NUMERIC.contains(&name.as_str());
        args.push(if number { try_cast(arg, DataType::Float64) } else { arg });
    }
    Ok(Expr::ScalarFunction(ScalarFunction { func: call.func, args }))
}

/// `key IN (SELECT key FROM …)`: both are keys of resources that have rows, which are of one person each. By
/// what many people share, all of them would be in or out for what one has.
fn membership(found: InSubquery, scope: &Scope<'_>, place: &str) -> Result<InSubquery, Refused> {
    let refused = || Refused::new(Rule::Subquery, place);
    let Scope::Rows(columns, _) = scope else { return Err(refused()) };
    let Expr::Column(column) = found.expr.as_ref() else { return Err(refused()) };
    let identifies =
        |origin: Option<&Origin>| origin.and_then(Origin::leaf).is_some_and(|leaf| leaf.personal);
    if !identifies(columns.get(column)) || !found.subquery.outer_ref_columns.is_empty() {
        return Err(refused());
    }
    let inner = walk(&found.subquery.subquery)?;
    let shown = found.subquery.subquery.schema().columns();
    let [key] = shown.as_slice() else { return Err(refused()) };
    if !identifies(inner.columns.get(key)) {
        return Err(refused());
    }
    let plan = Projection::try_new(vec![Expr::Column(key.clone())], Arc::new(inner.plan))
        .map_err(|error| Refused::planning(&error))?;
    let subquery = Subquery {
        subquery: Arc::new(LogicalPlan::Projection(plan)),
        outer_ref_columns: Vec::new(),
        spans: found.subquery.spans,
    };
    Ok(InSubquery { subquery, ..found })
}
