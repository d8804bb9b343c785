//! Reading the operations out of a Parameters resource.

use std::borrow::Cow;

use fhir::{Kind, Resource, Value};

use super::value::Given;
use super::{MAX_OPERATIONS, PatchError};

/// One operation.
pub(super) struct Operation<'a> {
    pub path: Cow<'a, str>,
    pub action: Action<'a>,
}

/// What an operation does.
pub(super) enum Action<'a> {
    Add { name: Cow<'a, str>, value: Given<'a> },
    Insert { index: usize, value: Given<'a> },
    Delete,
    Replace { value: Given<'a> },
    Move { source: usize, destination: usize },
}

impl Action<'_> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Insert { .. } => "insert",
            Self::Delete => "delete",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
        }
    }
}

type Fault = Cow<'static, str>;

/// Reads all operations.
pub(super) fn read(parameters: &Resource) -> Result<Vec<Operation<'_>>, PatchError> {
    if parameters.type_name() != "Parameters" {
        return Err(PatchError::NotAPatch("it must be a Parameters resource".into()));
    }
    let listed: Vec<_> =
        parameters.get("parameter").into_iter().flat_map(|list| list.items()).collect();
    if listed.len() > MAX_OPERATIONS {
        return Err(PatchError::NotAPatch("more than 1000 operations".into()));
    }
    let read = listed.into_iter().enumerate().map(|(at, parameter)| {
        operation(parameter).map_err(|reason| {
            PatchError::NotAPatch(format!("parameter {}: {reason}", at + 1).into())
        })
    });
    read.collect()
}

/// The parts that an operation may have.
#[derive(Default)]
struct Parts<'a> {
    kind: Option<Value<'a>>,
    path: Option<Value<'a>>,
    name: Option<Value<'a>>,
    value: Option<Value<'a>>,
    index: Option<Value<'a>>,
    source: Option<Value<'a>>,
    destination: Option<Value<'a>>,
}

fn operation(parameter: Value<'_>) -> Result<Operation<'_>, Fault> {
    if !parameter.get("name").is_some_and(|name| name.is_str("operation")) {
        return Err("`name` must be `operation`".into());
    }
    let mut parts = Parts::default();
    for part in parameter.get("part").into_iter().flat_map(|list| list.items()) {
        let name = part.str_at("name").ok_or("a part has no `name`")?;
        let slot = match name.as_ref() {
            "type" => &mut parts.kind,
            "path" => &mut parts.path,
            "name" => &mut parts.name,
            "value" => &mut parts.value,
            "index" => &mut parts.index,
            "source" => &mut parts.source,
            "destination" => &mut parts.destination,
            other => {
                let shown: String = other.chars().filter(|c| !c.is_control()).take(64).collect();
                return Err(format!("there is no part `{shown}`").into());
            }
        };
        if slot.replace(part).is_some() {
            return Err(format!("the part `{name}` occurs twice").into());
        }
    }
    let path = text(parts.path, "path")?;
    let kind = text(parts.kind, "type")?;
    let action = match kind.as_ref() {
        "add" => Action::Add {
            name: text(parts.name.take(), "name")?,
            value: given(parts.value.take())?,
        },
        "insert" => Action::Insert {
            index: number(parts.index.take(), "index")?,
            value: given(parts.value.take())?,
        },
        "delete" => Action::Delete,
        "replace" => Action::Replace { value: given(parts.value.take())? },
        "move" => Action::Move {
            source: number(parts.source.take(), "source")?,
            destination: number(parts.destination.take(), "destination")?,
        },
        _ => return Err("`type` must be `add`, `insert`, `delete`, `replace` or `move`".into()),
    };
    let unused = [
        ("name", parts.name),
        ("value", parts.value),
        ("index", parts.index),
        ("source", parts.source),
        ("destination", parts.destination),
    ];
    match unused.iter().find(|(_, part)| part.is_some()) {
        Some((name, _)) => Err(format!("`{}` takes no part `{name}`", action.name()).into()),
        None => Ok(Operation { path, action }),
    }
}

/// The text of a part, whatever type of text it has.
fn text<'a>(part: Option<Value<'a>>, name: &str) -> Result<Cow<'a, str>, Fault> {
    let part = part.ok_or_else(|| format!("the part `{name}` is missing"))?;
    let value = ["valueString", "valueCode", "valueUri", "valueMarkdown", "valueId"]
        .iter()
        .find_map(|member| part.str_at(member));
    value.ok_or_else(|| format!("the part `{name}` must have a `valueString`").into())
}

/// The number of a part.
fn number(part: Option<Value<'_>>, name: &str) -> Result<usize, Fault> {
    let part = part.ok_or_else(|| format!("the part `{name}` is missing"))?;
    let value = ["valueInteger", "valueUnsignedInt", "valuePositiveInt"]
        .iter()
        .find_map(|member| part.get(member)?.as_number()?.parse().ok());
    value.ok_or_else(|| format!("the part `{name}` must have a `valueInteger` from 0").into())
}

fn given(part: Option<Value<'_>>) -> Result<Given<'_>, Fault> {
    let part = part.ok_or("the part `value` is missing")?;
    if part.kind() != Kind::Object {
        return Err("a part must be an object".into());
    }
    Given::read(part)
}
