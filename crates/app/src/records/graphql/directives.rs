//! Directives: `@skip` and `@include` of GraphQL, and those by which FHIR flattens an answer.

use std::rc::Rc;

use fhirpath::Expr;
use graphql_parser::query::Directive as Tree;

use super::query::{fault, short};
use super::values::{Given, Variables};
use super::{Fault, check::variables_of};
use crate::{Error, Result};

type Directive<'q> = Tree<'q, &'q str>;

/// How the values of a field are put into the answer.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// `@flatten`: what is inside takes the field's place.
    pub flatten: bool,
    /// `@first`: only the first value.
    pub first: bool,
    /// `@singleton`: one value and no list.
    pub singleton: bool,
    /// `@slice`: each value under a name of its own.
    pub slice: Option<Slice>,
}

/// What is added to the name of a sliced value.
#[derive(Clone, Debug)]
pub enum Slice {
    /// Its place among the values.
    Index,
    /// What an expression says of it.
    Path(Rc<Expr>),
}

/// Whether `@skip` and `@include` leave it in.
pub fn kept(directives: &[Directive<'_>], variables: &Variables) -> Result<bool> {
    for directive in directives {
        let wanted = match directive.name {
            "skip" => false,
            "include" => true,
            _ => continue,
        };
        let given = directive.arguments.iter().find(|(name, _)| *name == "if");
        let given = given.and_then(|(_, value)| Given::read(value, variables));
        let truth = given.ok_or_else(|| {
            Error::invalid("required", format!("`@{}` needs `if`", directive.name))
        })?;
        if truth.truth("if")? != wanted {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The shape that the directives of a field give its values.
pub fn shape(directives: &[Directive<'_>], variables: &Variables) -> Result<Shape> {
    let mut shape = Shape::default();
    for directive in directives {
        match directive.name {
            "flatten" => shape.flatten = true,
            "first" => shape.first = true,
            "singleton" => shape.singleton = true,
            "slice" => {
                let given = directive.arguments.iter().find(|(name, _)| *name == "path");
                let given = given.and_then(|(_, value)| Given::read(value, variables)?.text());
                let path =
                    given.ok_or_else(|| Error::invalid("required", "`@slice` needs `path`"))?;
                shape.slice = Some(match path.trim() {
                    "$index" => Slice::Index,
                    path => Slice::Path(Rc::new(expression("path", path)?)),
                });
            }
            _ => {}
        }
    }
    if shape.first && shape.slice.is_some() {
        return Err(Error::invalid("value", "`@first` and `@slice` do not go together"));
    }
    Ok(shape)
}

/// The FHIRPath expression that argument `name` has.
pub fn expression(name: &str, text: &str) -> Result<Expr> {
    Expr::parse(text).map_err(|e| {
        Error::invalid("value", format!("the expression of `{name}` is not valid: {e}"))
    })
}

/// What is wrong with the directives of a field, or of a fragment (which takes `@skip` and
/// `@include` only).
pub fn check(
    directives: &[Directive<'_>],
    on_field: bool,
    variables: &Variables,
    declared: &dyn Fn(&str) -> bool,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for directive in directives {
        let argument = match directive.name {
            "skip" | "include" => Some("if"),
            "slice" if on_field => Some("path"),
            "flatten" | "first" | "singleton" if on_field => None,
            other => {
                let message = format!("the directive `@{}` cannot be used here", short(other));
                faults.push(fault(directive.position, "not-supported", message));
                continue;
            }
        };
        for (name, value) in &directive.arguments {
            if Some(*name) != argument {
                let message = format!("`@{}` has no argument `{}`", directive.name, short(name));
                faults.push(fault(directive.position, "not-supported", message));
            }
            for variable in variables_of(value).into_iter().filter(|name| !declared(name)) {
                let message = format!("the variable `${}` is not declared", short(variable));
                faults.push(fault(directive.position, "value", message));
            }
        }
    }
    if faults.is_empty() {
        let wrong = kept(directives, variables).err().or(shape(directives, variables).err());
        if let (Some(error), Some(directive)) = (wrong, directives.first()) {
            let at = Some((directive.position.line, directive.position.column));
            faults.push(Fault { at, ..Fault::new(error) });
        }
    }
    faults
}
