//! The rules of a published type, parsed once.

use fhir::definitions::{Constraint, Element, Type};

use crate::invariant::Invariant;

/// What instances of a type must fulfil beyond their structure.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Rules of the type and of those it is derived from.
    pub own: Vec<Invariant>,
    /// For each element of the type, rules that its values' types do not have.
    pub elements: Vec<Vec<Invariant>>,
}

impl Shape {
    /// Parses the rules of a type.
    pub fn new(type_of: &'static Type) -> Self {
        let own = of_type(type_of).into_iter().filter_map(Invariant::published).collect();
        let elements = type_of.elements().iter().map(of_element).collect();
        Self { own, elements }
    }
}

fn of_type(type_of: &'static Type) -> Vec<&'static Constraint> {
    let mut found: Vec<&'static Constraint> = Vec::new();
    for one in std::iter::once(type_of).chain(type_of.ancestors()) {
        for constraint in &one.constraints {
            if !found.iter().any(|known| known.key == constraint.key) {
                found.push(constraint);
            }
        }
    }
    found
}

fn of_element(element: &'static Element) -> Vec<Invariant> {
    let known: Vec<_> =
        element.types.iter().flat_map(|choice| of_type(choice.type_of())).map(|c| c.key).collect();
    let more = element.constraints.iter().filter(|constraint| !known.contains(&constraint.key));
    more.filter_map(|constraint| Invariant::published(constraint)).collect()
}
