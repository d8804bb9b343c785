//! Flat tables out of resources: SQL on FHIR v2 ViewDefinitions.
//!
//! [`View::compile`] checks a ViewDefinition once and parses every path in it; [`View::rows`]
//! hands out the rows of one resource, one at a time, without copying the resource. Cross joins
//! are walked and never held, so memory stays flat whatever a view multiplies, and time is bounded
//! by [`MAX_STEPS`].
//!
//! Source: SQL on FHIR 2.1.0-pre, StructureDefinition ViewDefinition, "processing algorithm".

mod cell;
mod compile;
mod constants;
mod rows;
mod tree;
mod types;

use std::ops::Range;

pub use cell::Cell;
pub use compile::{InvalidView, MAX_COLUMNS, MAX_NESTING, MAX_SELECTS};
pub use rows::{MAX_STEPS, RowError};
pub use types::ColumnType;

use self::tree::Tree;
use crate::Expr;

/// A ViewDefinition, compiled.
///
/// ```
/// use consilium_fhirpath::views::View;
///
/// let view = fhir::Document::parse(
///     r#"{"resource":"Patient","select":[{"forEach":"name","column":[{"name":"family","path":"family"}]}]}"#,
/// )?;
/// let view = View::compile(view.root())?;
/// let patient = fhir::Resource::parse(
///     r#"{"resourceType":"Patient","name":[{"family":"Lovelace"},{"family":"King"}]}"#,
/// )?;
/// let mut rows = Vec::new();
/// view.rows(&patient, 0, &mut |row| {
///     rows.push(row[0].to_text().into_owned());
///     std::ops::ControlFlow::Continue(())
/// })?;
/// assert_eq!(rows, ["Lovelace", "King"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct View {
    resource_type: &'static str,
    name: Option<String>,
    conditions: Vec<Expr>,
    selects: Vec<Select>,
    columns: Vec<Column>,
}

/// One column of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the view declares it.
    pub column_type: ColumnType,
    /// Whether it holds lists.
    pub collection: bool,
}

/// One `select`: what it iterates over, the columns of its own, and what is joined to them.
#[derive(Clone, Debug)]
struct Select {
    iterate: Iterate,
    /// Columns whose paths are plain steps.
    plain: Tree,
    /// The same columns one by one, for what is no element.
    plain_paths: Vec<Path>,
    /// The other columns.
    columns: Vec<Path>,
    joined: Vec<Joined>,
    /// Places in the row of all columns, nested ones included.
    places: Range<usize>,
    /// Those of them whose path is `%rowIndex`.
    numbered: Vec<usize>,
}

/// What a select is joined with.
#[derive(Clone, Debug)]
enum Joined {
    Select(Box<Select>),
    /// The branches of `unionAll`, which share their places in the row.
    Union(Vec<Select>),
}

#[derive(Clone, Debug)]
enum Iterate {
    Once,
    Each(Expr),
    EachOrNull(Expr),
    Repeat(Vec<Expr>),
}

/// How a column is filled.
#[derive(Clone, Debug)]
struct Path {
    place: usize,
    expression: Expr,
    collection: bool,
}

impl View {
    /// The type of the resources that it makes rows of.
    pub fn resource_type(&self) -> &'static str {
        self.resource_type
    }

    /// The view's `name`, where it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The columns in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}
