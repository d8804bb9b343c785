//! Reading a query: text to tree, which operation, its fragments and the values of its variables.

use std::collections::{HashMap, HashSet};

use graphql_parser::Pos;
use graphql_parser::query::{
    self as tree, Definition, Directive, OperationDefinition, TypeCondition, VariableDefinition,
};

use super::values::{Variables, variables};
use super::{Fault, Request};
use crate::Error;

pub type Document<'q> = tree::Document<'q, &'q str>;
pub type Set<'q> = tree::SelectionSet<'q, &'q str>;
pub type Selection<'q> = tree::Selection<'q, &'q str>;
pub type Field<'q> = tree::Field<'q, &'q str>;
pub type Value<'q> = tree::Value<'q, &'q str>;
pub type Argument<'q> = (&'q str, Value<'q>);

/// A named fragment.
#[derive(Debug)]
pub struct Fragment<'p, 'q> {
    /// The type it is about.
    pub on: &'q str,
    /// What it selects.
    pub set: &'p Set<'q>,
}

/// What is to be run.
#[derive(Debug)]
pub struct Plan<'p, 'q> {
    /// What the operation selects.
    pub set: &'p Set<'q>,
    /// The fragments by name.
    pub fragments: HashMap<&'q str, Fragment<'p, 'q>>,
    /// The values of the variables.
    pub variables: Variables,
    /// The variables that the operation declares.
    pub declared: HashSet<&'q str>,
}

/// An operation as far as it matters here.
struct Operation<'p, 'q> {
    name: Option<&'q str>,
    variables: &'p [VariableDefinition<'q, &'q str>],
    directives: &'p [Directive<'q, &'q str>],
    set: &'p Set<'q>,
}

/// Reads the text. The parser bounds how deep it nests.
pub fn parse(text: &str) -> Result<Document<'_>, Box<Fault>> {
    tree::parse_query::<&str>(text).map_err(|error| {
        // The parser's own words repeat parts of the query, which may be personal.
        let shown = error.to_string();
        let place = shown.split_once("error at ").and_then(|(_, rest)| rest.lines().next());
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let at = place
            .and_then(|place| place.split_once(':'))
            .and_then(|(line, column)| Some((number(line)?, number(column)?)));
        let too_deep = shown.contains("Recursion limit");
        let message = if too_deep {
            "the query is nested too deep".to_owned()
        } else {
            match at {
                Some((line, column)) => {
                    format!("the query is not valid GraphQL at line {line}, column {column}")
                }
                None => "the query is not valid GraphQL".to_owned(),
            }
        };
        Box::new(Fault { at, ..Fault::new(Error::invalid("structure", message)) })
    })
}

/// A fault of the query at a place in it.
pub fn fault(at: Pos, code: &'static str, message: impl Into<String>) -> Fault {
    Fault { at: Some((at.line, at.column)), ..Fault::new(Error::invalid(code, message)) }
}

/// A name out of a query, short enough to be repeated in a message.
pub fn short(name: &str) -> String {
    name.chars().take(60).collect()
}

impl<'p, 'q> Plan<'p, 'q> {
    /// Chooses the operation and takes in what was given for its variables.
    pub fn of(document: &'p Document<'q>, request: &Request) -> Result<Self, Vec<Fault>> {
        let mut fragments = HashMap::new();
        let mut operations: Vec<Operation<'p, 'q>> = Vec::new();
        let mut faults = Vec::new();
        for definition in &document.definitions {
            match definition {
                Definition::Operation(operation) => match read(operation) {
                    Ok(operation) => operations.push(operation),
                    Err(fault) => faults.push(*fault),
                },
                Definition::Fragment(fragment) => {
                    let TypeCondition::On(on) = &fragment.type_condition;
                    if let Some(directive) = fragment.directives.first() {
                        faults.push(not_here(directive));
                    }
                    let known = Fragment { on, set: &fragment.selection_set };
                    if fragments.insert(fragment.name, known).is_some() {
                        let name = short(fragment.name);
                        let message = format!("there are several fragments named `{name}`");
                        faults.push(fault(fragment.position, "duplicate", message));
                    }
                }
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let operation = choose(&operations, request.operation.as_deref()).map_err(|f| vec![*f])?;
        faults.extend(operation.directives.iter().map(not_here));
        let declared: Vec<&str> =
            operations.iter().flat_map(|o| o.variables).map(|variable| variable.name).collect();
        let given = request.variables.as_deref();
        match variables(operation.variables, given, &declared) {
            Ok(variables) if faults.is_empty() => {
                let declared = operation.variables.iter().map(|variable| variable.name).collect();
                Ok(Self { set: operation.set, fragments, variables, declared })
            }
            Ok(_) => Err(faults),
            Err(more) => {
                faults.extend(more);
                Err(faults)
            }
        }
    }
}

fn not_here<'q>(directive: &Directive<'q, &'q str>) -> Fault {
    let message = format!("the directive `@{}` cannot be used here", short(directive.name));
    fault(directive.position, "not-supported", message)
}

fn read<'p, 'q>(
    operation: &'p OperationDefinition<'q, &'q str>,
) -> Result<Operation<'p, 'q>, Box<Fault>> {
    let refuse = |position| {
        let message = "only queries are offered; write through the FHIR REST interactions";
        Err(Box::new(fault(position, "not-supported", message)))
    };
    match operation {
        OperationDefinition::SelectionSet(set) => {
            Ok(Operation { name: None, variables: &[], directives: &[], set })
        }
        OperationDefinition::Query(query) => Ok(Operation {
            name: query.name,
            variables: &query.variable_definitions,
            directives: &query.directives,
            set: &query.selection_set,
        }),
        OperationDefinition::Mutation(mutation) => refuse(mutation.position),
        OperationDefinition::Subscription(subscription) => refuse(subscription.position),
    }
}

fn choose<'o, 'p, 'q>(
    operations: &'o [Operation<'p, 'q>],
    name: Option<&str>,
) -> Result<&'o Operation<'p, 'q>, Box<Fault>> {
    let refuse = |message: String| Box::new(Fault::new(Error::invalid("value", message)));
    let name = name.filter(|name| !name.is_empty());
    match (name, operations) {
        (None, [one]) => Ok(one),
        (None, []) => Err(refuse("the query has no operation".into())),
        (None, _) => {
            Err(refuse("there are several operations; name one by `operationName`".into()))
        }
        (Some(name), _) => {
            let mut named = operations.iter().filter(|operation| operation.name == Some(name));
            match (named.next(), named.next()) {
                (Some(one), None) => Ok(one),
                (None, _) => Err(refuse(format!("there is no operation `{}`", short(name)))),
                _ => Err(refuse(format!("there are several operations `{}`", short(name)))),
            }
        }
    }
}
