//! Running the plans of a resource type over a resource.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use fhir::definitions::Type;
use fhir::{Resource, Value};

use super::plan::{Plan, Route};
use super::shape::Shape;
use super::trie::{End, Trie};
use super::{IndexEntry, IndexValue, ParamNumber, ParamType, Registry, SearchParam};
use crate::{Env, Expr, Item};

/// The most values of one composite parameter that are kept of one resource.
const MOST_COMPOSED: usize = 1000;

/// Values of one parameter are compared one by one up to this number, and by hash beyond.
const FEW: usize = 16;

/// What to do for each parameter of a resource type.
#[derive(Debug)]
pub(super) struct Extraction {
    params: Vec<ParamPlan>,
    /// The walks of all of them.
    trie: Trie,
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
    /// For each way to an element, the ways on to the values of each part.
    Composite(Vec<(Route, Vec<Part>)>),
}

/// The values of one part of a composite parameter.
#[derive(Clone, Debug)]
struct Part {
    /// Walked from the resource and not from the element.
    from_resource: bool,
    routes: Vec<(Route, Shape)>,
}

impl Extraction {
    /// What to do for some parameters of a type.
    pub(super) fn new<'p>(
        params: impl IntoIterator<Item = &'p SearchParam>,
        type_of: &'static Type,
    ) -> Self {
        let plan = |param: &SearchParam| {
            let parsed = param.parsed()?;
            let planned = Plan::new(&parsed, type_of)?;
            let work = match planned {
                Plan::Walks(routes) if param.param_type == ParamType::Composite => {
                    Work::Composite(composed(param, routes, type_of)?)
                }
                Plan::Walks(routes) => Work::Walks(shaped(param.param_type, routes)),
                Plan::Expression(_) if param.param_type == ParamType::Composite => return None,
                Plan::Expression(expr) => Work::Expression(expr),
            };
            Some(ParamPlan { number: param.number, param_type: param.param_type, work })
        };
        let params: Vec<ParamPlan> = params.into_iter().filter_map(plan).collect();
        let trie = Trie::new(params.iter().enumerate().flat_map(|(at, param)| {
            let routes: Vec<&Route> = match &param.work {
                Work::Walks(routes) => routes.iter().map(|(route, _)| route).collect(),
                Work::Composite(elements) => elements.iter().map(|(route, _)| route).collect(),
                Work::Expression(_) => Vec::new(),
            };
            routes.into_iter().enumerate().map(move |(own, route)| ((at, own), route))
        }));
        Self { params, trie }
    }

    /// Calls `emit` for every value, with the place of its parameter and of the walk to it.
    fn run(&self, resource: &Resource, emit: &mut dyn FnMut(End, IndexValue)) {
        let root = resource.root();
        for (at, param) in self.params.iter().enumerate() {
            if let Work::Expression(expr) = &param.work {
                evaluate(expr, param.param_type, resource, &mut |value| emit((at, 0), value));
            }
        }
        self.trie.walk(root, &mut |end, value| {
            let (at, own) = end;
            match self.params.get(at).map(|param| &param.work) {
                Some(Work::Walks(routes)) => {
                    if let Some((_, shape)) = routes.get(own) {
                        shape.emit(value, &mut |value| emit(end, value));
                    }
                }
                Some(Work::Composite(elements)) => {
                    if let Some((_, parts)) = elements.get(own) {
                        combine(parts, value, root, &mut |value| emit(end, value));
                    }
                }
                Some(Work::Expression(_)) | None => {}
            }
        });
    }
}

/// Those routes that end where there is something to compare.
fn shaped(param_type: ParamType, routes: Vec<Route>) -> Vec<(Route, Shape)> {
    let shaped = |route: Route| {
        let shape = Shape::of(param_type, route.type_of);
        (shape != Shape::None).then_some((route, shape))
    };
    routes.into_iter().filter_map(shaped).collect()
}

/// The parts behind each element of a composite parameter; `None` where a part is more than a path.
fn composed(
    param: &SearchParam,
    routes: Vec<Route>,
    resource: &'static Type,
) -> Option<Vec<(Route, Vec<Part>)>> {
    let mut found = Vec::new();
    for route in routes {
        let mut parts = Vec::with_capacity(param.components.len());
        for component in &param.components {
            // One expression is published with a type that does not exist.
            let text = component.expression.replace("as(DateTime)", "as(dateTime)");
            let (from_resource, text) = match text.strip_prefix("%resource.") {
                Some(rest) => (true, rest),
                None => (false, text.as_str()),
            };
            let start = if from_resource { resource } else { route.type_of };
            let routes = match Plan::new(&Expr::parse(text).ok()?, start)? {
                Plan::Walks(routes) => shaped(component.param_type, routes),
                Plan::Expression(_) => return None,
            };
            parts.push(Part { from_resource, routes });
        }
        found.push((route, parts));
    }
    Some(found)
}

/// A value as part of a composite: modifiers do not go with those, so texts of codes are left out.
fn comparable(value: IndexValue) -> Option<IndexValue> {
    match value {
        IndexValue::Typed { .. } | IndexValue::Token { system: None, code: None, .. } => None,
        IndexValue::Token { system, code, .. } => {
            Some(IndexValue::Token { system, code, text: None })
        }
        other => Some(other),
    }
}

/// Every combination of one value for each part, where each has one.
fn combine(
    parts: &[Part],
    element: Value<'_>,
    resource: Value<'_>,
    emit: &mut dyn FnMut(IndexValue),
) {
    // What a part is lacking is mostly its last: the value of a type that is not there.
    let mut all: Vec<Vec<IndexValue>> = Vec::with_capacity(parts.len());
    for part in parts.iter().rev() {
        let mut values = Vec::new();
        let start = if part.from_resource { resource } else { element };
        for (route, shape) in &part.routes {
            let mut keep = |value| values.extend(comparable(value));
            route.walk(start, &mut |value| shape.emit(value, &mut keep));
        }
        if values.is_empty() {
            return;
        }
        all.push(values);
    }
    let mut combined: Vec<Vec<IndexValue>> = vec![Vec::with_capacity(parts.len())];
    for values in all.iter().rev() {
        let longer = combined.iter().flat_map(|held| {
            values.iter().map(|value| {
                let mut held = held.clone();
                held.push(value.clone());
                held
            })
        });
        combined = longer.take(MOST_COMPOSED).collect();
    }
    combined.into_iter().for_each(|values| emit(IndexValue::Composite(values)));
}

/// Collects the entries of all parameters, in the order of the parameters.
pub(super) fn extract(
    extraction: &Extraction,
    resource: &Resource,
    registry: &Registry,
) -> Vec<IndexEntry> {
    let mut values: Vec<(End, IndexValue)> = Vec::with_capacity(48);
    extraction.run(resource, &mut |end, value| values.push((end, value)));
    values.sort_by_key(|(end, _)| *end);
    let list = Vec::with_capacity(values.len());
    let mut found = Entries { list, start: 0, seen: HashMap::new(), registry };
    let mut current = None;
    for ((at, _), value) in values {
        if current != Some(at) {
            found.begin();
            current = Some(at);
        }
        if let Some(param) = extraction.params.get(at) {
            found.push(param.number, value);
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
struct Entries<'r> {
    registry: &'r Registry,
    list: Vec<IndexEntry>,
    /// Where the entries of the current parameter start.
    start: usize,
    /// Hashes of the current parameter's values, once there are many.
    seen: HashMap<u64, Vec<usize>>,
}

impl Entries<'_> {
    fn begin(&mut self) {
        self.start = self.list.len();
        self.seen.clear();
    }

    fn push(&mut self, param: ParamNumber, mut value: IndexValue) {
        self.bring_home(&mut value);
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

impl Entries<'_> {
    /// An absolute reference to the server's own resource is the same as a relative one.
    fn bring_home(&self, value: &mut IndexValue) {
        match value {
            IndexValue::Reference { resource_type: Some(kind), id: Some(id), url, .. } => {
                let local = url.as_deref().and_then(|url| self.registry.local(url));
                if local.and_then(|path| path.split_once('/')) == Some((kind, id)) {
                    *url = None;
                }
            }
            IndexValue::Composite(values) => {
                values.iter_mut().for_each(|value| self.bring_home(value));
            }
            _ => {}
        }
    }
}

/// Equal values have equal hashes. Floats that are equal have the same text, except zeros.
fn hash(value: &IndexValue) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(value, &mut hasher);
    hasher.finish()
}

fn feed(value: &IndexValue, hasher: &mut DefaultHasher) {
    let bits = |value: f64| (value + 0.0).to_bits();
    match value {
        IndexValue::Token { system, code, text } => (system, code, text).hash(hasher),
        IndexValue::Typed { system, code, value } => (system, code, value).hash(hasher),
        IndexValue::String(text) | IndexValue::Uri(text) => text.hash(hasher),
        IndexValue::Reference { resource_type, id, url, version, identifier } => {
            (resource_type, id, url, version, identifier).hash(hasher);
        }
        IndexValue::Date { start_ms, end_ms } => (start_ms, end_ms).hash(hasher),
        IndexValue::Number { low, high, value } => {
            (bits(*low), bits(*high), bits(*value)).hash(hasher);
        }
        IndexValue::Quantity { low, high, value, system, code, unit } => {
            (bits(*low), bits(*high), bits(*value), system, code, unit).hash(hasher);
        }
        IndexValue::Composite(values) => values.iter().for_each(|value| feed(value, hasher)),
        IndexValue::Position { latitude, longitude } => {
            (bits(*latitude), bits(*longitude)).hash(hasher);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fhir::definitions::definitions;

    use super::super::Registry;
    use super::*;

    /// Every published composite parameter is planned with a way to each of its parts.
    #[test]
    fn every_composite_is_planned() {
        for &name in fhir::resource_types() {
            let type_of = definitions().get(name).unwrap();
            for param in Registry::r4().of_type(name) {
                if param.param_type != ParamType::Composite {
                    continue;
                }
                let planned = Extraction::new([param], type_of);
                let Some(ParamPlan { work: Work::Composite(elements), .. }) =
                    planned.params.first()
                else {
                    panic!("{name} {} is not planned", param.code);
                };
                for (_, parts) in elements {
                    let whole = parts.iter().all(|part| !part.routes.is_empty());
                    assert!(parts.len() >= 2 && whole, "{name} {}", param.code);
                }
            }
        }
    }

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
                        expressions.insert(param.expression.as_deref().unwrap().to_owned());
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
