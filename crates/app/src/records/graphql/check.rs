//! Whether a query can be answered at all: every field, argument, fragment, directive and variable
//! is known before anything is touched (FHIR R4, GraphQL, "Error Handling").

use fhirpath::search::Registry;

use super::budget::{MAX_DEPTH, MAX_FAULTS, MAX_FIELDS};
use super::query::{Field as Asked, Plan, Selection, Set, Value, fault, short};
use super::schema::{Field, Of, resource_type};
use super::values::Given;
use super::{Fault, Focus, Step, arguments, directives, listing};
use crate::Error;

/// What is wrong with a query.
pub fn check(plan: &Plan<'_, '_>, focus: &Focus, registry: &Registry) -> Vec<Fault> {
    let of = match focus {
        Focus::System => Some(Of::Query),
        Focus::Resource(key) => resource_type(key.resource_type).map(Of::Type),
    };
    let Some(of) = of else { return vec![Fault::new(Error::not_found())] };
    let mut checker = Checker {
        plan,
        registry,
        faults: Vec::new(),
        path: Vec::new(),
        spreads: Vec::new(),
        fields: 0,
    };
    checker.set(of, plan.set);
    checker.faults.truncate(MAX_FAULTS);
    checker.faults
}

/// The variables that a value uses.
pub fn variables_of<'v>(value: &'v Value<'_>) -> Vec<&'v str> {
    match value {
        Value::Variable(name) => vec![name],
        Value::List(items) => items.iter().flat_map(variables_of).collect(),
        Value::Object(members) => members.values().flat_map(variables_of).collect(),
        _ => Vec::new(),
    }
}

struct Checker<'p, 'q> {
    plan: &'p Plan<'p, 'q>,
    registry: &'p Registry,
    faults: Vec<Fault>,
    path: Vec<Step>,
    /// The fragments that are open.
    spreads: Vec<&'q str>,
    fields: usize,
}

impl<'p, 'q> Checker<'p, 'q> {
    fn fault(&mut self, at: graphql_parser::Pos, code: &'static str, message: String) {
        let path = self.path.clone();
        self.faults.push(Fault { path, ..fault(at, code, message) });
    }

    fn refuse(&mut self, at: graphql_parser::Pos, error: Error) {
        let (at, path) = (Some((at.line, at.column)), self.path.clone());
        self.faults.push(Fault { error, at, path });
    }

    /// Whether it is pointless to go on.
    fn is_over(&self) -> bool {
        self.faults.len() >= MAX_FAULTS || self.fields > MAX_FIELDS
    }

    fn is_declared(&self, name: &str) -> bool {
        self.plan.declared.contains(name)
    }

    fn set(&mut self, of: Of, set: &'p Set<'q>) {
        for selection in &set.items {
            if self.is_over() {
                return;
            }
            match selection {
                Selection::Field(field) => self.field(of, field),
                Selection::InlineFragment(fragment) => {
                    self.directives(&fragment.directives, false);
                    let on = fragment.type_condition.as_ref();
                    let on = on.map(|graphql_parser::query::TypeCondition::On(name)| *name);
                    self.fragment(of, on, &fragment.selection_set, fragment.position);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives, false);
                    let name = spread.fragment_name;
                    let Some(fragment) = self.plan.fragments.get(name) else {
                        let message = format!("there is no fragment `{}`", short(name));
                        self.fault(spread.position, "value", message);
                        continue;
                    };
                    if self.spreads.contains(&name) {
                        let message = format!("the fragment `{}` leads to itself", short(name));
                        self.fault(spread.position, "value", message);
                        continue;
                    }
                    self.spreads.push(name);
                    self.fragment(of, Some(fragment.on), fragment.set, spread.position);
                    self.spreads.pop();
                }
            }
        }
    }

    fn fragment(&mut self, of: Of, on: Option<&str>, set: &'p Set<'q>, at: graphql_parser::Pos) {
        match on.map_or(Some(of), |on| of.narrowed(on)) {
            Some(of) => self.set(of, set),
            None => {
                let on = short(on.unwrap_or_default());
                let message = format!("`{}` is never of the type `{on}`", of.name());
                self.fault(at, "value", message);
            }
        }
    }

    fn directives(
        &mut self,
        list: &[graphql_parser::query::Directive<'q, &'q str>],
        on_field: bool,
    ) {
        let plan = self.plan;
        let declared = |name: &str| plan.declared.contains(name);
        let found = directives::check(list, on_field, &plan.variables, &declared);
        let path = &self.path;
        self.faults.extend(found.into_iter().map(|fault| Fault { path: path.clone(), ..fault }));
    }

    fn field(&mut self, of: Of, field: &'p Asked<'q>) {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            let message = format!("a query may have at most {MAX_FIELDS} fields");
            self.fault(field.position, "too-costly", message);
            return;
        }
        self.path.push(Step::Name(short(field.alias.unwrap_or(field.name))));
        if self.path.len() > MAX_DEPTH {
            let message = format!("fields may be nested at most {MAX_DEPTH} deep");
            self.fault(field.position, "too-costly", message);
        } else {
            self.directives(&field.directives, true);
            self.known(of, field);
        }
        self.path.pop();
    }

    fn known(&mut self, of: Of, field: &'p Asked<'q>) {
        let mut kinds = of.fields(field.name);
        if kinds.is_empty() {
            let message = match field.name {
                "__schema" | "__type" => "ask for the schema in a query of its own".to_owned(),
                name => format!("`{}` has no field `{}`", of.name(), short(name)),
            };
            self.fault(field.position, "not-supported", message);
            return;
        }
        if kinds.len() == 1 {
            let kind = kinds.remove(0);
            self.field_as(of, kind, field);
            return;
        }
        // A resource of whatever type: one kind of field under this name must do. Of those that
        // do not, the one that gets furthest tells what is wrong.
        let before = self.faults.len();
        let mut told: Vec<Fault> = Vec::new();
        let depth = |faults: &[Fault]| faults.first().map_or(0, |fault| fault.path.len());
        for kind in kinds {
            self.field_as(of, kind, field);
            if self.faults.len() == before {
                return;
            }
            let found = self.faults.split_off(before);
            if depth(&found) > depth(&told) {
                told = found;
            }
            if self.is_over() {
                break;
            }
        }
        self.faults.extend(told);
    }

    fn field_as(&mut self, of: Of, kind: Field, field: &'p Asked<'q>) {
        for (name, value) in &field.arguments {
            for variable in variables_of(value) {
                if !self.is_declared(variable) {
                    let message = format!("the variable `${}` is not declared", short(variable));
                    self.fault(field.position, "value", message);
                }
            }
            if let Err(error) = self.argument(of, kind, field.name, name) {
                self.refuse(field.position, error);
            }
        }
        if let Err(error) = self.required(of, kind, field) {
            self.refuse(field.position, error);
        }
        let name = short(field.name);
        match self.inside(kind, field) {
            Ok(Some(_)) if field.selection_set.items.is_empty() => {
                let message = format!("say which fields of `{name}` are wanted");
                self.fault(field.position, "required", message);
            }
            Ok(Some(inner)) => self.set(inner, &field.selection_set),
            Ok(None) if !field.selection_set.items.is_empty() => {
                let message = format!("`{name}` is a simple value and has no fields");
                self.fault(field.position, "value", message);
            }
            Ok(None) => {}
            Err(error) => self.refuse(field.position, error),
        }
    }

    /// The type inside a field; `resource(type: …)` names its own.
    fn inside(&self, kind: Field, field: &Asked<'q>) -> Result<Option<Of>, Error> {
        if !matches!(kind, Field::Target) {
            return Ok(kind.of());
        }
        let given = field.arguments.iter().find(|(name, _)| *name == "type");
        let given = given.and_then(|(_, value)| Given::read(value, &self.plan.variables));
        let Some(given) = given.filter(|given| *given != Given::Null) else {
            return Ok(Some(Of::Resource));
        };
        let known = given.text().and_then(|name| resource_type(&name));
        let known = known.ok_or_else(|| {
            Error::invalid("value", "`type` takes the name of a resource type of FHIR R4")
        })?;
        Ok(Some(Of::Type(known)))
    }

    fn argument(&self, of: Of, kind: Field, field: &str, name: &str) -> Result<(), Error> {
        let unknown = || {
            let message = format!("`{}` has no argument `{}`", short(field), short(name));
            Err(Error::invalid("not-supported", message))
        };
        let is_reverse = of != Of::Query;
        match kind {
            Field::One(_) if name == "id" => Ok(()),
            Field::Target if matches!(name, "optional" | "type") => Ok(()),
            Field::List(known) => arguments::check(self.registry, known, name, false, is_reverse),
            Field::Connection(known) => {
                arguments::check(self.registry, known, name, true, is_reverse)
            }
            Field::Element(..) => match kind.of() {
                Some(Of::Type(known)) => listing::check(known, name),
                Some(_) if matches!(name, "fhirpath" | "_offset" | "_count") => Ok(()),
                _ => unknown(),
            },
            _ => unknown(),
        }
    }

    fn required(&self, of: Of, kind: Field, field: &Asked<'q>) -> Result<(), Error> {
        let needed = match kind {
            Field::One(_) => "id",
            Field::List(_) | Field::Connection(_) if of != Of::Query => "_reference",
            _ => return Ok(()),
        };
        if field.arguments.iter().any(|(name, _)| *name == needed) {
            return Ok(());
        }
        let message = format!("`{}` needs the argument `{needed}`", short(field.name));
        Err(Error::invalid("required", message))
    }
}
