//! Why a query is not answered: a rule and a place, never a value.

use std::fmt;

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

/// A rule that a query breaks, or a limit that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The text is no SQL.
    Syntax,
    /// One statement that reads, and nothing else.
    OneQuery,
    /// The text has more words or operators than allowed.
    QuerySize,
    /// A table, column or function that there is not.
    Unknown,
    /// Types or parts of the query do not go together.
    Plan,
    /// The time is up.
    Time,
    /// It would take more memory than a query may.
    Memory,
    /// The answer has more rows than a query may have.
    Rows,
    /// It could not be carried out.
    Failed,
    /// Only aggregates over people are shown.
    NotAggregated,
    /// An aggregate that carries the value of a single row, or is not known to carry none.
    SingleValue,
    /// Window functions show rows.
    Window,
    /// `DISTINCT` shows values; group by them.
    Distinct,
    /// Unions, intersections and differences.
    SetOperation,
    /// Queries that call themselves.
    Recursive,
    /// Aggregates of aggregates.
    Nested,
    /// An order below an aggregate.
    Order,
    /// `LIMIT` or `OFFSET` below an aggregate.
    Limit,
    /// Totals beside their parts give away parts that are left out.
    GroupingSets,
    /// Groups by what tells who somebody is.
    GroupIdentifier,
    /// Groups by exact numbers or moments, which are nearly unique; make bands of them.
    GroupUnique,
    /// A condition on what tells who somebody is.
    Identifier,
    /// An argument of an aggregate that may single out rows: only columns, years and moments of them, and
    /// the sum or difference of two such.
    Argument,
    /// A join that is not by equal columns, or keeps rows of nobody.
    Join,
    /// A join that could repeat the rows of both sides, and so multiply what one person has.
    JoinRows,
    /// The aggregates of one query have too many different conditions.
    Conditions,
    /// A subquery other than `key IN (SELECT key …)`.
    Subquery,
    /// Something that is read which is no table of the lake.
    Source,
    /// A function that researchers do not have.
    Function,
    /// An expression that researchers do not have.
    Expression,
    /// Beside earlier answers it would show too few people.
    Differencing,
    /// More groups were shown than can be looked at together.
    Groups,
}

impl Rule {
    /// The rule's name, as it is shown and counted.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::OneQuery => "one_query",
            Self::QuerySize => "query_size",
            Self::Unknown => "unknown",
            Self::Plan => "plan",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Rows => "rows",
            Self::Failed => "failed",
            Self::NotAggregated => "not_aggregated",
            Self::SingleValue => "single_value",
            Self::Window => "window",
            Self::Distinct => "distinct",
            Self::SetOperation => "set_operation",
            Self::Recursive => "recursive",
            Self::Nested => "nested",
            Self::Order => "order",
            Self::Limit => "limit",
            Self::GroupingSets => "grouping_sets",
            Self::GroupIdentifier => "group_identifier",
            Self::GroupUnique => "group_unique",
            Self::Identifier => "identifier",
            Self::Argument => "argument",
            Self::Join => "join",
            Self::JoinRows => "join_rows",
            Self::Conditions => "conditions",
            Self::Subquery => "subquery",
            Self::Source => "source",
            Self::Function => "function",
            Self::Expression => "expression",
            Self::Differencing => "differencing",
            Self::Groups => "groups",
        }
    }

    /// The rule in a sentence.
    fn says(self) -> &'static str {
        match self {
            Self::Syntax => "this is no SQL",
            Self::OneQuery => "one query that only reads is allowed",
            Self::QuerySize => "the query is too long or too deep",
            Self::Unknown => "there is no such table, column or function",
            Self::Plan => "parts of the query do not go together",
            Self::Time => "the query took too long",
            Self::Memory => "the query needs too much memory",
            Self::Rows => "the answer has too many rows",
            Self::Failed => "the query could not be carried out",
            Self::NotAggregated => "only aggregates are shown",
            Self::SingleValue => "this aggregate may show the value of a single row",
            Self::Window => "window functions show rows",
            Self::Distinct => "DISTINCT shows values; use GROUP BY",
            Self::SetOperation => "set operations are not allowed; ask two questions",
            Self::Recursive => "recursive queries are not allowed",
            Self::Nested => "aggregates of aggregates are not allowed",
            Self::Order => "ORDER BY belongs to the answer, not below an aggregate",
            Self::Limit => "LIMIT and OFFSET belong to the answer, not below an aggregate",
            Self::GroupingSets => "totals beside their parts are not allowed",
            Self::GroupIdentifier => "grouping by who somebody is is not allowed",
            Self::GroupUnique => "exact numbers and moments are nearly unique; group by bands",
            Self::Identifier => "conditions on who somebody is are not allowed",
            Self::Argument => {
                "an aggregate takes a column, the year of a date, or the sum or difference of two such; \
                 compute with constants outside of it: `2020 - avg(…)`"
            }
            Self::Join => "tables are joined by equal columns, as inner or left joins",
            Self::JoinRows => {
                "one side of a join has at most one row for each value of the joined column: \
                 `encounter` by its `encounter_key`, or `(SELECT DISTINCT key FROM …)`; \
                 for a condition use `key IN (SELECT key FROM …)`"
            }
            Self::Conditions => {
                "the aggregates of one query have at most six different conditions, where each \
                 FILTER and each column that may be missing is one; ask several questions"
            }
            Self::Subquery => {
                "the only subquery is `key IN (SELECT key FROM …)`, by the key of a table: of patients, encounters and others"
            }
            Self::Source => "only tables of the lake are read",
            Self::Function => "this function is not allowed",
            Self::Expression => "this expression is not allowed",
            Self::Differencing => {
                "beside answers that were given earlier, here or in other projects, it would show \
                 too few people"
            }
            Self::Groups => {
                "more different groups of these rows were shown within a year than can be looked at \
                 together; ask for groups that were shown, or for sums of them"
            }
        }
    }
}

/// A query that is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    /// The rule.
    pub rule: Rule,
    /// Where: a clause, or a name from the query. Never a value.
    pub place: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}, {}: {}", self.rule.name(), self.place, self.rule.says())
    }
}

impl Refused {
    pub(crate) fn new(rule: Rule, place: impl Into<String>) -> Self {
        Self { rule, place: place.into() }
    }

    /// What went wrong before any row was read. Texts of the engine are not handed on: they quote
    /// what stands in the query.
    pub(crate) fn planning(error: &DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::SQL(..) => Self::new(Rule::Syntax, "query"),
            DataFusionError::SchemaError(inner, _) => match inner.as_ref() {
                SchemaError::FieldNotFound { field, .. } => {
                    Self::new(Rule::Unknown, name(&field.name))
                }
                SchemaError::AmbiguousReference { field } => {
                    Self::new(Rule::Plan, name(&field.name))
                }
                _ => Self::new(Rule::Plan, "query"),
            },
            DataFusionError::Plan(text) if text.starts_with("table '") => {
                let named = text.split('\'').nth(1).unwrap_or_default();
                Self::new(Rule::Unknown, name(named.rsplit('.').next().unwrap_or_default()))
            }
            DataFusionError::Plan(text) if text.starts_with("Invalid function") => {
                Self::new(Rule::Unknown, name(text.split('\'').nth(1).unwrap_or_default()))
            }
            _ => Self::new(Rule::Plan, "query"),
        }
    }

    /// What went wrong while rows were read.
    pub(crate) fn running(error: &DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::new(Rule::Memory, "query"),
            _ => Self::new(Rule::Failed, "query"),
        }
    }
}

/// A name from the query, where it has the form of one.
pub(super) fn name(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain && !text.is_empty() && text.len() <= 64 { format!("`{text}`") } else { "query".into() }
}
