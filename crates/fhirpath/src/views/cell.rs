//! One value of a row.

use std::borrow::Cow;
use std::fmt::Write as _;

use fhir::Kind;
use fhir::json::quote;

use crate::item::{Item, Node};

/// One value of a row; texts are borrowed from the resource where they stand there unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number with the digits it was written with.
    Number(Cow<'a, str>),
    /// Text; dates and times in the form of FHIR.
    Text(Cow<'a, str>),
    /// A structure, as JSON.
    Json(&'a str),
    /// The values of a column that holds lists.
    List(Vec<Cell<'a>>),
}

impl<'a> Cell<'a> {
    /// The cell of an item; `None` for one that no table can hold: a resource of which only the
    /// type is known.
    pub(super) fn of(item: &Item<'a>) -> Option<Self> {
        Some(match item {
            Item::Node(node) => Self::of_node(node),
            Item::Boolean(value) => Self::Boolean(*value),
            Item::Integer(value) => Self::Number(value.to_string().into()),
            Item::Decimal(value) => Self::Number(value.to_string().into()),
            Item::String(text) => Self::Text(text.clone()),
            Item::Temporal(temporal) => Self::Text(temporal.to_string().into()),
            Item::Quantity(quantity) => {
                Self::Text(format!("{} '{}'", quantity.value, quantity.unit).into())
            }
            Item::TypeInfo { name, .. } => Self::Text((*name).into()),
            Item::Unresolved(_) => return None,
        })
    }

    pub(super) fn of_node(node: &Node<'a>) -> Self {
        let Some(value) = node.value() else { return Self::Null };
        match value.kind() {
            Kind::Null => Self::Null,
            Kind::Bool => Self::Boolean(value.as_bool().unwrap_or_default()),
            Kind::Number => Self::Number(value.raw().into()),
            Kind::String => Self::Text(value.as_str().unwrap_or_default()),
            Kind::Array | Kind::Object => Self::Json(value.raw()),
        }
    }

    /// Appends the cell as JSON.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => out.push_str(&quote(text)),
            Self::Json(json) => out.push_str(json),
            Self::List(cells) => {
                out.push('[');
                for (at, cell) in cells.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    cell.write_json(out);
                }
                out.push(']');
            }
        }
    }

    /// The cell as text: nothing for null, lists as JSON.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Null => Cow::Borrowed(""),
            Self::Boolean(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Number(text) | Self::Text(text) => Cow::Borrowed(text),
            Self::Json(json) => Cow::Borrowed(json),
            Self::List(_) => {
                let mut out = String::new();
                self.write_json(&mut out);
                Cow::Owned(out)
            }
        }
    }
}

/// Appends a row as a JSON object; `names` are the names of its cells in JSON form, see
/// [`json_names`].
pub(super) fn write_row(names: &[String], row: &[Cell<'_>], out: &mut String) {
    out.push('{');
    for (at, (name, cell)) in names.iter().zip(row).enumerate() {
        if at > 0 {
            out.push(',');
        }
        let _ = write!(out, "{name}:");
        cell.write_json(out);
    }
    out.push('}');
}
