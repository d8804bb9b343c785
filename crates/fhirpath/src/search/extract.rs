//! Running the plans of a resource type over a resource.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use fhir::definitions::Type;
use fhir::{Resource, Value};

use super::plan::{Plan, Route};
use super::shape::Shape;
use super::{IndexEntry, IndexValue, ParamNumber, ParamType, SearchParam};
use crate::{Env, Expr, Item};

/// Values of one parameter are compared one by one up to this number, and by hash beyond.
const FEW: usize = 16;

/// What to do for each parameter of a resource type.
#[derive(Debug)]
pub(super) struct Extraction {
    params: Vec<ParamPlan>,
}

#[derive(Debug)]
struct ParamPlan {
    number: ParamNumber,
    param_type: ParamType,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Walks(Vec<(Route, Shape)>),
    Expression(Box<Expr>),
}

impl Extraction {
    pub(super) fn new(params: &[SearchParam], type_of: &'static Type) -> Self {
        let plan = |param: &SearchParam| {
            // Nothing to compare by itself; the first needs several values at once.
            if matches!(param.param_type, ParamType::Composite | ParamType::Special) {
                return None;
            }
            let shaped = |route: Route| {
                let shape = Shape::of(param.param_type, route.type_of);
                (shape != Shape::None).then_some((route, shape))
            };
            let work = match Plan::new(&param.parsed()?, type_of)? {
                Plan::Walks(routes) => Work::Walks(routes.into_iter().filter_map(shaped).collect()),
                Plan::Expression(expr) => Work::Expression(expr),
            };
            Some(ParamPlan { number: param.number, param_type: param.param_type, work })
        };
        Self { params: params.iter().filter_map(plan).collect() }
    }
}

/// Collects the entries of all parameters, in the order of the parameters.
pub(super) fn extract(extraction: &Extraction, resource: &Resource) -> Vec<IndexEntry> {
    let mut found = Entries { list: Vec::with_capacity(32), start: 0, seen: HashMap::new() };
    for param in &extraction.params {
        found.begin();
        let mut emit = |value: IndexValue| found.push(param.number, value);
        match &param.work {
            Work::Walks(routes) => {
                for (route, shape) in routes {
                    route.walk(resource.root(), &mut |value| shape.emit(value, &mut emit));
                }
            }
            Work::Expression(expr) => evaluate(expr, param.param_type, resource, &mut emit),
        }
    }
    found.list
}

/// An expression that cannot be evaluated on the resource selects nothing.
fn evaluate(
    expr: &Expr,
    param_type: ParamType,
    resource: &Resource,
    emit: &mut dyn FnMut(IndexValue),
) {
    let env = Env::new(0).with_resource(resource);
    for item in expr.evaluate_resource(&env).unwrap_or_default() {
        match item {
            Item::Node(node) => {
                let value: Option<Value<'_>> = node.value();
                let shape = Shape::of(param_type, node.type_of());
                value.into_iter().for_each(|value| shape.emit(value, emit));
            }
            Item::Boolean(truth) if param_type == ParamType::Token => {
                emit(IndexValue::Token { system: None, code: Some(truth.to_string()), text: None })
            }
            _ => {}
        }
    }
}

/// Entries without duplicates.
struct Entries {
    list: Vec<IndexEntry>,
    /// Where the entries of the current parameter start.
    start: usize,
    /// Hashes of the current parameter's values, once there are many.
    seen: HashMap<u64, Vec<usize>>,
}

impl Entries {
    fn begin(&mut self) {
        self.start = self.list.len();
        self.seen.clear();
    }

    fn push(&mut self, param: ParamNumber, value: IndexValue) {
        let held = self.list.get(self.start..).unwrap_or_default();
        if held.len() < FEW {
            if held.iter().any(|entry| entry.value == value) {
                return;
            }
        } else {
            if self.seen.is_empty() {
                for (at, entry) in held.iter().enumerate() {
                    self.seen.entry(hash(&entry.value)).or_default().push(at);
                }
            }
            let places = self.seen.entry(hash(&value)).or_default();
            if places.iter().any(|&at| held.get(at).is_some_and(|entry| entry.value == value)) {
                return;
            }
            places.push(held.len());
        }
        self.list.push(IndexEntry { param, value });
    }
}

/// Equal values have equal hashes. Floats that are equal have the same text, except zeros.
fn hash(value: &IndexValue) -> u64 {
    let mut hasher = DefaultHasher::new();
    let bits = |value: f64| (value + 0.0).to_bits();
    match value {
        IndexValue::Token { system, code, text } => (system, code, text).hash(&mut hasher),
        IndexValue::String(text) | IndexValue::Uri(text) => text.hash(&mut hasher),
        IndexValue::Reference { resource_type, id, url, identifier } => {
            (resource_type, id, url, identifier).hash(&mut hasher);
        }
        IndexValue::Date { start_ms, end_ms } => (start_ms, end_ms).hash(&mut hasher),
        IndexValue::Number { low, high, value } => {
            (bits(*low), bits(*high), bits(*value)).hash(&mut hasher);
        }
        IndexValue::Quantity { low, high, value, system, code, unit } => {
            (bits(*low), bits(*high), bits(*value), system, code, unit).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fhir::definitions::definitions;

    use super::super::Registry;
    use super::*;

    /// Names every expression that is more than a path, every type of element that has no values
    /// for the kind of its parameter, and every parameter that can select nothing.
    #[test]
    fn every_parameter_is_planned() {
        let (mut expressions, mut unshaped) = (BTreeSet::new(), BTreeSet::new());
        let mut empty = BTreeSet::new();
        for &name in fhir::resource_types() {
            let type_of = definitions().get(name).unwrap();
            for param in Registry::r4().of_type(name) {
                let Some(expr) = param.parsed() else { continue };
                if matches!(param.param_type, ParamType::Composite | ParamType::Special) {
                    continue;
                }
                match Plan::new(&expr, type_of) {
                    Some(Plan::Walks(routes)) => {
                        let mut any = false;
                        for route in routes {
                            let shape = Shape::of(param.param_type, route.type_of);
                            any |= shape != Shape::None;
                            if shape == Shape::None {
                                let element = route.type_of.name;
                                unshaped.insert(format!("{:?} {element}", param.param_type));
                            }
                        }
                        if !any {
                            empty.insert(format!("{name} {}", param.code));
                        }
                    }
                    Some(Plan::Expression(_)) => {
                        expressions.insert(param.expression.unwrap().to_owned());
                    }
                    None => {
                        empty.insert(format!("{name} {}", param.code));
                    }
                }
            }
        }
        let shown = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
        assert_eq!(
            shown(expressions),
            [
                "Bundle.entry[0].resource",
                "Patient.deceased.exists() and Patient.deceased != false",
                "QuestionnaireResponse.item.where(hasExtension('http://hl7.org/fhir/\
                 StructureDefinition/questionnaireresponse-isSubject')).answer.value\
                 .ofType(Reference)",
            ]
        );
        // An age is no date, a text is no date, and a document in place is no reference.
        assert_eq!(
            shown(unshaped),
            ["Date Age", "Date Range", "Date string", "Reference Attachment"]
        );
        // Published for patients, but its expression speaks of another type.
        assert_eq!(shown(empty), ["Patient part-agree"]);
    }
}
