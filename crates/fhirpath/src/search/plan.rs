//! From a search expression to direct walks over JSON.
//!
//! Nearly all published search expressions are paths with a few kinds of filters, and the type of
//! the resource is known. So every choice of type is resolved beforehand, each possible way
//! becomes a [`Route`], and following one allocates nothing. What is more than a path is evaluated
//! as FHIRPath.

use fhir::Value;
use fhir::definitions::{Kind, Type, definitions};

use crate::Expr;
use crate::ast::{Ast, Literal, Operator, Specifier, TypeTest};
use crate::functions::Function;
use crate::reference::Target;

/// The ways from a resource of one type to the values of one parameter.
#[derive(Debug)]
pub(super) enum Plan {
    /// Direct walks, in published order.
    Walks(Vec<Route>),
    /// An expression that is more than a path.
    Expression(Box<Expr>),
}

/// One way to elements of one type.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) steps: Vec<Step>,
    pub type_of: &'static Type,
}

/// One step of a walk.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// To a member, and to each item where it is an array.
    Member(&'static str),
    /// Goes on only where a member holds the text.
    Equals(&'static str, String),
    /// Goes on only where a reference points to the type.
    PointsTo(&'static str),
}

/// Why there are no routes.
enum Obstacle {
    /// The expression is about other resource types.
    Foreign,
    /// The expression is more than a path.
    Complex,
}

impl Plan {
    /// Plans an expression for one resource type; `None` where it says nothing about it.
    pub(super) fn new(expr: &Expr, resource: &'static Type) -> Option<Self> {
        let mut routes = Vec::new();
        let mut concerned = false;
        for branch in branches(&expr.ast) {
            match follow(branch, resource) {
                Ok(found) => routes.extend(found),
                Err(Obstacle::Foreign) => continue,
                Err(Obstacle::Complex) => return Some(Plan::Expression(Box::new(expr.clone()))),
            }
            concerned = true;
        }
        concerned.then_some(Plan::Walks(routes))
    }
}

/// The operands of a union, however deep.
fn branches(ast: &Ast) -> Vec<&Ast> {
    match ast {
        Ast::Binary { operator: Operator::Union, left, right } => {
            let mut found = branches(left);
            found.extend(branches(right));
            found
        }
        other => vec![other],
    }
}

fn follow(ast: &Ast, resource: &'static Type) -> Result<Vec<Route>, Obstacle> {
    match ast {
        Ast::Member { input: None, name, named_type: true } => match definitions().get(name) {
            Some(named) if resource.is_a(named.id) => {
                Ok(vec![Route { steps: Vec::new(), type_of: resource }])
            }
            _ => Err(Obstacle::Foreign),
        },
        Ast::Member { input, name, .. } => {
            let routes = follow_input(input.as_deref(), resource)?;
            let mut found = Vec::new();
            for route in routes {
                route.member(name, &mut found)?;
            }
            Ok(found)
        }
        Ast::TypeTest { input, test: TypeTest::As | TypeTest::OfType, specifier } => {
            let mut routes = follow_input(input.as_deref(), resource)?;
            if routes.iter().any(|route| route.type_of.is_abstract) {
                return Err(Obstacle::Complex);
            }
            routes.retain(|route| is_cast(route.type_of, specifier));
            Ok(routes)
        }
        Ast::Call { input, function: Function::Where, args, .. } => {
            let routes = follow_input(input.as_deref(), resource)?;
            let criterion = args.first().ok_or(Obstacle::Complex)?;
            routes.into_iter().map(|route| route.filtered(criterion)).collect()
        }
        Ast::Call { input, function: Function::Extension, args, .. } => {
            let Some(Ast::Literal(Literal::Text(url))) = args.first() else {
                return Err(Obstacle::Complex);
            };
            let mut found = Vec::new();
            for route in follow_input(input.as_deref(), resource)? {
                route.member("extension", &mut found)?;
            }
            for route in &mut found {
                route.steps.push(Step::Equals("url", url.clone()));
            }
            Ok(found)
        }
        _ => Err(Obstacle::Complex),
    }
}

fn follow_input(input: Option<&Ast>, resource: &'static Type) -> Result<Vec<Route>, Obstacle> {
    match input {
        Some(input) => follow(input, resource),
        None => Ok(vec![Route { steps: Vec::new(), type_of: resource }]),
    }
}

/// As in evaluation: a primitive must have exactly the type.
fn is_cast(type_of: &'static Type, specifier: &Specifier) -> bool {
    let named = definitions().get(&specifier.name);
    match type_of.kind {
        Kind::Primitive => type_of.name == specifier.name,
        _ => named.is_some_and(|named| type_of.is_a(named.id)),
    }
}

impl Route {
    /// One route more for each type that the element may have.
    fn member(self, name: &str, found: &mut Vec<Route>) -> Result<(), Obstacle> {
        // What an abstract type holds is only known when it is there.
        if self.type_of.is_abstract || self.type_of.kind == Kind::Primitive {
            return Err(Obstacle::Complex);
        }
        let Some(element) = self.type_of.element(name) else {
            // Definitions of guides name a choice as JSON does: `extension.valueDateTime`.
            if let Some((_, choice)) = self.type_of.member(name) {
                let mut steps = self.steps;
                steps.push(Step::Member(choice.member));
                found.push(Route { steps, type_of: choice.type_of() });
            }
            return Ok(());
        };
        for choice in &element.types {
            let mut steps = self.steps.clone();
            steps.push(Step::Member(choice.member));
            found.push(Route { steps, type_of: choice.type_of() });
        }
        Ok(())
    }

    /// The route with a filter behind it: `resolve() is Type` or `member = 'text'`.
    fn filtered(mut self, criterion: &Ast) -> Result<Route, Obstacle> {
        let step = match criterion {
            Ast::TypeTest { input: Some(input), test: TypeTest::Is, specifier } => {
                let Ast::Call { input: None, function: Function::Resolve, .. } = input.as_ref()
                else {
                    return Err(Obstacle::Complex);
                };
                Step::PointsTo(fhir::resource_type(&specifier.name).ok_or(Obstacle::Complex)?)
            }
            Ast::Binary { operator: Operator::Equal, left, right } => {
                let (Ast::Member { input: None, name, .. }, Ast::Literal(Literal::Text(text))) =
                    (left.as_ref(), right.as_ref())
                else {
                    return Err(Obstacle::Complex);
                };
                let element = self.type_of.element(name).ok_or(Obstacle::Complex)?;
                match element.types.as_slice() {
                    [only] if element.max == Some(1) && only.type_of().system.is_some() => {
                        Step::Equals(only.member, text.clone())
                    }
                    _ => return Err(Obstacle::Complex),
                }
            }
            _ => return Err(Obstacle::Complex),
        };
        self.steps.push(step);
        Ok(self)
    }

    /// Calls `visit` with every value at the end of the route.
    pub(super) fn walk<'a>(&self, resource: Value<'a>, visit: &mut dyn FnMut(Value<'a>)) {
        walk(&self.steps, resource, visit);
    }
}

fn walk<'a>(steps: &[Step], value: Value<'a>, visit: &mut dyn FnMut(Value<'a>)) {
    let Some((step, rest)) = steps.split_first() else {
        if value.kind() != fhir::Kind::Null {
            visit(value);
        }
        return;
    };
    match step {
        Step::Member(name) => {
            for item in value.get(name).into_iter().flat_map(Value::each) {
                walk(rest, item, visit);
            }
        }
        test if passes(test, value) => walk(rest, value, visit),
        _ => {}
    }
}

/// Whether a value passes a step that leads nowhere else.
pub(super) fn passes(step: &Step, value: Value<'_>) -> bool {
    match step {
        Step::Member(_) => false,
        Step::Equals(name, text) => value.get(name).is_some_and(|member| member.is_str(text)),
        Step::PointsTo(resource_type) => points_to(value) == Some(resource_type),
    }
}

/// The type that a Reference or uri points to, from its text or else from `Reference.type`.
fn points_to(value: Value<'_>) -> Option<&'static str> {
    let text = value.as_str().or_else(|| value.str_at("reference"));
    let known = text.and_then(|text| Target::parse(&text).resource_type);
    known.or_else(|| fhir::resource_type(&value.str_at("type")?))
}
