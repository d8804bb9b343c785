//! Values of arguments and variables.

use std::collections::HashMap;

use fhir::{Document, Kind as JsonKind};
use graphql_parser::query::{Type, VariableDefinition};

use super::Fault;
use super::query::{Value, fault, short};
use crate::{Error, Result};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number with its digits.
    Number(String),
    /// A string or the name of an enumeration's value.
    Text(String),
    /// A list.
    List(Vec<Given>),
    /// An object; no argument takes one.
    Object,
}

/// The values of variables; those that were not given and have no default are absent.
pub type Variables = HashMap<String, Given>;

impl Given {
    /// A value out of the query; `None` for a variable without value, which leaves the argument
    /// out.
    pub fn read(value: &Value<'_>, variables: &Variables) -> Option<Self> {
        Some(match value {
            Value::Variable(name) => return variables.get(*name).cloned(),
            Value::Int(number) => Self::Number(number.as_i64().unwrap_or_default().to_string()),
            Value::Float(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Enum(name) => Self::Text((*name).to_owned()),
            Value::Boolean(truth) => Self::Bool(*truth),
            Value::Null => Self::Null,
            Value::List(items) => Self::List(
                items.iter().map(|v| Self::read(v, variables).unwrap_or(Self::Null)).collect(),
            ),
            Value::Object(_) => Self::Object,
        })
    }

    /// A value out of JSON.
    fn json(value: fhir::Value<'_>) -> Self {
        match value.kind() {
            JsonKind::Array => Self::List(value.items().map(Self::json).collect()),
            JsonKind::Object => Self::Object,
            JsonKind::Number => Self::Number(value.raw().to_owned()),
            JsonKind::Bool => Self::Bool(value.raw() == "true"),
            JsonKind::String => Self::Text(value.as_str().unwrap_or_default().into_owned()),
            JsonKind::Null => Self::Null,
        }
    }

    /// The text of a simple value.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Number(text) | Self::Text(text) => Some(text.clone()),
            Self::Null | Self::List(_) | Self::Object => None,
        }
    }

    /// The texts of a simple value or of a list of such.
    pub fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::List(items) => items.iter().map(Self::text).collect(),
            one => Some(vec![one.text()?]),
        }
    }

    /// The whole number that argument `name` has.
    pub fn number(&self, name: &str) -> Result<usize> {
        let number = match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        };
        number
            .ok_or_else(|| Error::invalid("value", format!("`{name}` takes a whole number from 0")))
    }

    /// The truth that argument `name` has.
    pub fn truth(&self, name: &str) -> Result<bool> {
        match self {
            Self::Bool(truth) => Ok(*truth),
            _ => Err(Error::invalid("value", format!("`{name}` is `true` or `false`"))),
        }
    }
}

/// The values of the declared variables: what was given, else the default (GraphQL, October 2021,
/// 6.1.2). A variable that no operation declares is refused.
pub fn variables<'a>(
    definitions: &[VariableDefinition<'a, &'a str>],
    given: Option<&str>,
    declared: &[&str],
) -> std::result::Result<Variables, Vec<Fault>> {
    let refuse = |message: &str| vec![Fault::new(Error::invalid("value", message))];
    let text = given.map(str::trim).filter(|text| !text.is_empty() && *text != "null");
    let document = Document::parse(text.unwrap_or("{}"))
        .map_err(|_| refuse("`variables` is not valid JSON"))?;
    if document.root().kind() != JsonKind::Object {
        return Err(refuse("`variables` is a JSON object"));
    }
    let mut faults = Vec::new();
    for member in document.root().members() {
        if !declared.contains(&member.name().as_ref()) {
            let message = format!("the query has no variable `${}`", short(&member.name()));
            faults.push(Fault::new(Error::invalid("not-supported", message)));
        }
    }
    let mut values = Variables::new();
    for definition in definitions {
        let name = short(definition.name);
        let value = match document.root().get(definition.name) {
            Some(value) => Some(Given::json(value)),
            None => definition.default_value.as_ref().and_then(|v| Given::read(v, &values)),
        };
        match fitted(value, &definition.var_type) {
            Ok(Some(value)) => {
                values.insert(definition.name.to_owned(), value);
            }
            Ok(None) => {}
            Err(wanted) => {
                let message = format!("the variable `${name}` takes {wanted}");
                faults.push(fault(definition.position, "value", message));
            }
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

/// The value as its declared type has it, or what that type takes. Types beyond GraphQL's own
/// (`code`, `date`) take any simple value.
fn fitted<'a>(
    value: Option<Given>,
    declared: &Type<'a, &'a str>,
) -> std::result::Result<Option<Given>, &'static str> {
    match (declared, value) {
        (Type::NonNullType(_), None | Some(Given::Null)) => Err("a value"),
        (_, None) => Ok(None),
        (Type::NonNullType(inner), value) => fitted(value, inner),
        (_, Some(Given::Null)) => Ok(Some(Given::Null)),
        (Type::ListType(inner), Some(Given::List(items))) => {
            let items =
                items.into_iter().map(|item| Ok(fitted(Some(item), inner)?.unwrap_or(Given::Null)));
            Ok(Some(Given::List(items.collect::<std::result::Result<_, &'static str>>()?)))
        }
        (Type::ListType(inner), Some(one)) => {
            Ok(fitted(Some(one), inner)?.map(|one| Given::List(vec![one])))
        }
        (Type::NamedType(name), Some(value)) => {
            let (fits, wanted) = match *name {
                "Boolean" => (matches!(value, Given::Bool(_)), "`true` or `false`"),
                "Int" => {
                    let whole = matches!(&value, Given::Number(n) if n.parse::<i64>().is_ok());
                    (whole, "a whole number")
                }
                "Float" => (matches!(value, Given::Number(_)), "a number"),
                "String" => (matches!(value, Given::Text(_)), "a string"),
                "ID" => (matches!(value, Given::Text(_) | Given::Number(_)), "a string"),
                _ => (!matches!(value, Given::List(_) | Given::Object), "a simple value"),
            };
            if fits { Ok(Some(value)) } else { Err(wanted) }
        }
    }
}
