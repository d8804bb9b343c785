//! Introspection (GraphQL, October 2021, section 4): what can be asked, for tools that read it. It
//! concerns nobody's record, so it is answered without looking at the store and leaves no entry in
//! the audit.

mod model;

use std::fmt::Write as _;

use fhir::json::quote;
use fhirpath::search::Registry;
use model::{Described, DirectiveOf, Member, Model, Ref, directives};

use super::budget::{MAX_DEPTH, MAX_FIELDS};
use super::directives::kept;
use super::query::{Field as Asked, Plan, Selection, Set, fault, short};
use super::values::Given;
use super::{Answer, Fault, Focus};
use crate::{Error, Kind};

/// Longest answer, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Whether a query asks for the schema and for nothing else.
pub fn is_asked(plan: &Plan<'_, '_>) -> bool {
    let is_meta = |selection: &Selection<'_>| match selection {
        Selection::Field(field) => matches!(field.name, "__schema" | "__type" | "__typename"),
        _ => false,
    };
    let asks = |selection: &Selection<'_>| match selection {
        Selection::Field(field) => field.name != "__typename",
        _ => false,
    };
    plan.set.items.iter().all(is_meta) && plan.set.items.iter().any(asks)
}

/// Answers a query for which [`is_asked`] holds.
pub fn answer(plan: &Plan<'_, '_>, focus: &Focus, registry: &Registry) -> Answer {
    let root = match focus {
        Focus::System => "Query".to_owned(),
        Focus::Resource(key) => key.resource_type.to_owned(),
    };
    let model = Model::new(registry);
    let directives = directives();
    let mut teller = Teller {
        plan,
        model: &model,
        directives: &directives,
        root,
        fields: 0,
        out: String::new(),
    };
    match teller.object(Node::Root, &[plan.set], 0) {
        Ok(()) => Answer { data: Some(teller.out), has_data: true, faults: Vec::new() },
        Err(fault) => Answer::refused(vec![*fault]),
    }
}

type Told = std::result::Result<(), Box<Fault>>;

/// What fields are selected from.
#[derive(Clone, Copy)]
enum Node<'m> {
    Root,
    Schema,
    Type(&'m Ref),
    /// A type by its name, which need not exist.
    Named(&'m str),
    Field(&'m Member),
    Input(&'m Member),
    Directive(&'m DirectiveOf),
}

impl Node<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Root => "Query",
            Self::Schema => "__Schema",
            Self::Type(_) | Self::Named(_) => "__Type",
            Self::Field(_) => "__Field",
            Self::Input(_) => "__InputValue",
            Self::Directive(_) => "__Directive",
        }
    }
}

struct Teller<'a, 'p, 'q> {
    plan: &'a Plan<'p, 'q>,
    model: &'a Model,
    directives: &'a [DirectiveOf],
    root: String,
    fields: usize,
    out: String,
}

/// A field with everything that is selected under its name in the answer.
type Group<'a, 'q> = (&'q str, &'a Asked<'q>, Vec<&'a Set<'q>>);

impl<'a, 'p: 'a, 'q> Teller<'a, 'p, 'q> {
    fn object(&mut self, node: Node<'_>, sets: &[&'a Set<'q>], depth: usize) -> Told {
        if depth > MAX_DEPTH {
            let message = format!("fields are nested more than {MAX_DEPTH} deep");
            return Err(Box::new(Fault::new(Error::new(Kind::TooCostly, message))));
        }
        let mut groups: Vec<Group<'a, 'q>> = Vec::new();
        for set in sets {
            self.collect(node, set, &mut Vec::new(), &mut groups)?;
        }
        self.out.push('{');
        for (at, (key, field, sets)) in groups.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.out.push_str(&quote(key));
            self.out.push(':');
            self.field(node, field, sets, depth)?;
            if self.out.len() > MAX_BYTES {
                let message = "the answer is too long; ask for less of the schema";
                return Err(Box::new(Fault::new(Error::new(Kind::TooCostly, message))));
            }
        }
        self.out.push('}');
        Ok(())
    }

    fn collect(
        &mut self,
        node: Node<'_>,
        set: &'a Set<'q>,
        seen: &mut Vec<&'q str>,
        groups: &mut Vec<Group<'a, 'q>>,
    ) -> Told {
        for selection in &set.items {
            let directives = match selection {
                Selection::Field(field) => &field.directives,
                Selection::FragmentSpread(spread) => &spread.directives,
                Selection::InlineFragment(fragment) => &fragment.directives,
            };
            if !kept(directives, &self.plan.variables).map_err(|e| Box::new(Fault::new(e)))? {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let key = field.alias.unwrap_or(field.name);
                    match groups.iter_mut().find(|(known, ..)| *known == key) {
                        Some((_, _, sets)) => sets.push(&field.selection_set),
                        None => groups.push((key, field, vec![&field.selection_set])),
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let on = fragment.type_condition.as_ref();
                    let on = on.map(|graphql_parser::query::TypeCondition::On(name)| *name);
                    if on.is_none_or(|on| on == node.name()) {
                        self.collect(node, &fragment.selection_set, seen, groups)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name;
                    let plan = self.plan;
                    let Some(fragment) = plan.fragments.get(name) else {
                        let message = format!("there is no fragment `{}`", short(name));
                        return Err(Box::new(fault(spread.position, "value", message)));
                    };
                    if !seen.contains(&name) && fragment.on == node.name() {
                        seen.push(name);
                        self.collect(node, fragment.set, seen, groups)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(
        &mut self,
        node: Node<'_>,
        field: &'a Asked<'q>,
        sets: &[&'a Set<'q>],
        depth: usize,
    ) -> Told {
        self.fields += 1;
        if depth == 0 && self.fields > MAX_FIELDS {
            let message = format!("a query may have at most {MAX_FIELDS} fields");
            return Err(Box::new(fault(field.position, "too-costly", message)));
        }
        if field.name == "__typename" {
            let name = if matches!(node, Node::Root) { &self.root } else { node.name() };
            let name = quote(name);
            self.out.push_str(&name);
            return Ok(());
        }
        match node {
            Node::Root => self.of_root(field, sets, depth),
            Node::Schema => self.of_schema(field, sets, depth),
            Node::Type(Ref::Named(name)) => self.of_type(name, field, sets, depth),
            Node::Named(name) => self.of_type(name, field, sets, depth),
            Node::Type(wrapped) => self.of_wrapped(wrapped, field, sets, depth),
            Node::Field(member) | Node::Input(member) => {
                self.of_member(node, member, field, sets, depth)
            }
            Node::Directive(directive) => self.of_directive(directive, field, sets, depth),
        }
    }

    fn unknown(node: Node<'_>, field: &Asked<'_>) -> Box<Fault> {
        let message = format!("`{}` has no field `{}`", node.name(), short(field.name));
        Box::new(fault(field.position, "not-supported", message))
    }

    fn nodes<'n>(
        &mut self,
        nodes: impl IntoIterator<Item = Node<'n>>,
        sets: &[&'a Set<'q>],
        depth: usize,
    ) -> Told {
        self.out.push('[');
        for (at, node) in nodes.into_iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.object(node, sets, depth + 1)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn of_root(&mut self, field: &'a Asked<'q>, sets: &[&'a Set<'q>], depth: usize) -> Told {
        match field.name {
            "__schema" => self.object(Node::Schema, sets, depth + 1),
            "__type" => {
                let given = field.arguments.iter().find(|(name, _)| *name == "name");
                let given = given.and_then(|(_, value)| Given::read(value, &self.plan.variables));
                let name = given.and_then(|given| given.text()).ok_or_else(|| {
                    Box::new(fault(field.position, "required", "`__type` needs `name`"))
                })?;
                if self.model.types.contains_key(&name) {
                    self.object(Node::Named(&name), sets, depth + 1)
                } else {
                    self.out.push_str("null");
                    Ok(())
                }
            }
            _ => Err(Self::unknown(Node::Root, field)),
        }
    }

    fn of_schema(&mut self, field: &'a Asked<'q>, sets: &[&'a Set<'q>], depth: usize) -> Told {
        match field.name {
            "queryType" => {
                let root = self.root.clone();
                self.object(Node::Named(&root), sets, depth + 1)
            }
            "mutationType" | "subscriptionType" => {
                self.out.push_str("null");
                Ok(())
            }
            "description" => {
                self.out.push_str("\"FHIR R4 resources of this node\"");
                Ok(())
            }
            "types" => {
                let model = self.model;
                self.nodes(model.types.keys().map(|name| Node::Named(name)), sets, depth)
            }
            "directives" => {
                let directives = self.directives;
                self.nodes(directives.iter().map(Node::Directive), sets, depth)
            }
            _ => Err(Self::unknown(Node::Schema, field)),
        }
    }

    fn of_type(
        &mut self,
        name: &str,
        field: &'a Asked<'q>,
        sets: &[&'a Set<'q>],
        depth: usize,
    ) -> Told {
        let model = self.model;
        let known = model.types.get(name);
        let has_fields = known.is_some_and(|known| known.kind != "SCALAR");
        match (field.name, known) {
            ("kind", Some(known)) => self.out.push_str(&quote(known.kind)),
            ("name", _) => self.out.push_str(&quote(name)),
            ("fields", Some(known)) if has_fields => {
                return self.nodes(known.fields.iter().map(Node::Field), sets, depth);
            }
            ("interfaces", Some(Described { kind: "OBJECT", interfaces, .. })) => {
                return self.nodes(interfaces.iter().map(|name| Node::Named(name)), sets, depth);
            }
            ("interfaces", Some(Described { kind: "INTERFACE", .. })) => self.out.push_str("[]"),
            ("possibleTypes", Some(Described { kind: "INTERFACE", possible, .. })) => {
                return self.nodes(possible.iter().map(|name| Node::Named(name)), sets, depth);
            }
            (
                "fields" | "interfaces" | "possibleTypes" | "enumValues" | "inputFields" | "ofType"
                | "description" | "specifiedByURL" | "specifiedByUrl",
                _,
            ) => self.out.push_str("null"),
            ("isOneOf", _) => self.out.push_str("false"),
            _ => return Err(Self::unknown(Node::Named(name), field)),
        }
        Ok(())
    }

    fn of_wrapped(
        &mut self,
        wrapped: &Ref,
        field: &'a Asked<'q>,
        sets: &[&'a Set<'q>],
        depth: usize,
    ) -> Told {
        let (kind, inner) = match wrapped {
            Ref::List(inner) => ("LIST", inner),
            Ref::NonNull(inner) => ("NON_NULL", inner),
            Ref::Named(name) => return self.of_type(name, field, sets, depth),
        };
        match field.name {
            "kind" => self.out.push_str(&quote(kind)),
            "ofType" => return self.object(Node::Type(inner), sets, depth + 1),
            "name" | "fields" | "interfaces" | "possibleTypes" | "enumValues" | "inputFields"
            | "description" | "specifiedByURL" | "specifiedByUrl" => self.out.push_str("null"),
            "isOneOf" => self.out.push_str("false"),
            _ => return Err(Self::unknown(Node::Type(wrapped), field)),
        }
        Ok(())
    }

    fn of_member(
        &mut self,
        node: Node<'_>,
        member: &Member,
        field: &'a Asked<'q>,
        sets: &[&'a Set<'q>],
        depth: usize,
    ) -> Told {
        match (field.name, node) {
            ("name", _) => self.out.push_str(&quote(&member.name)),
            ("type", _) => return self.object(Node::Type(&member.of), sets, depth + 1),
            ("args", Node::Field(_)) => {
                return self.nodes(member.arguments.iter().map(Node::Input), sets, depth);
            }
            ("isDeprecated", _) => self.out.push_str("false"),
            ("description" | "deprecationReason", _) | ("defaultValue", Node::Input(_)) => {
                self.out.push_str("null");
            }
            _ => return Err(Self::unknown(node, field)),
        }
        Ok(())
    }

    fn of_directive(
        &mut self,
        directive: &DirectiveOf,
        field: &'a Asked<'q>,
        sets: &[&'a Set<'q>],
        depth: usize,
    ) -> Told {
        match field.name {
            "name" => self.out.push_str(&quote(directive.name)),
            "description" => self.out.push_str(&quote(directive.description)),
            "isRepeatable" => self.out.push_str("false"),
            "locations" => {
                let everywhere = matches!(directive.name, "skip" | "include");
                let places: &[&str] = match everywhere {
                    true => &["FIELD", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"],
                    false => &["FIELD"],
                };
                let _ = write!(self.out, "{places:?}");
            }
            "args" => {
                return self.nodes(directive.arguments.iter().map(Node::Input), sets, depth);
            }
            _ => return Err(Self::unknown(Node::Directive(directive), field)),
        }
        Ok(())
    }
}
