//! The schema as GraphQL describes schemas, made from the definitions.
//!
//! Types are those of [`super::super::schema`]. The searches that start from a resource
//! (`ObservationList` inside of a Patient) are left out: each of 146 types has 292 of them, and
//! a schema with all their arguments would be some 100 MB. They are answered all the same.

use std::collections::BTreeMap;

use fhir::definitions::{Element, ElementType, Kind, Type, definitions};
use fhirpath::search::Registry;

use crate::records::graphql::schema::{Field, Of};

/// A type as a field refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ref {
    /// By its name.
    Named(String),
    /// A list.
    List(Box<Ref>),
    /// Never null.
    NonNull(Box<Ref>),
}

/// A field or an argument of one.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its arguments; an argument has none.
    pub arguments: Vec<Member>,
    /// What it leads to.
    pub of: Ref,
}

/// A type.
#[derive(Clone, Debug)]
pub struct Described {
    /// `OBJECT`, `INTERFACE` or `SCALAR`.
    pub kind: &'static str,
    /// Its fields; a scalar has none.
    pub fields: Vec<Member>,
    /// The types that an interface stands for.
    pub possible: Vec<String>,
    /// The interfaces of an object.
    pub interfaces: Vec<String>,
}

/// A directive with its arguments and places.
#[derive(Clone, Debug)]
pub struct DirectiveOf {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Its arguments.
    pub arguments: Vec<Member>,
}

/// Every type by name.
#[derive(Debug)]
pub struct Model {
    /// The types.
    pub types: BTreeMap<String, Described>,
}

fn named(name: &str) -> Ref {
    Ref::Named(name.to_owned())
}

fn list(of: Ref) -> Ref {
    Ref::List(Box::new(of))
}

fn argument(name: &str, of: Ref) -> Member {
    Member { name: name.to_owned(), arguments: Vec::new(), of }
}

/// The scalar of a primitive type: GraphQL's own where it has the same values.
fn scalar(primitive: &str) -> &str {
    match primitive {
        "boolean" => "Boolean",
        "integer" | "positiveInt" | "unsignedInt" => "Int",
        "decimal" => "Float",
        "string" => "String",
        "id" => "ID",
        other => other,
    }
}

/// The directives that queries may have.
pub fn directives() -> Vec<DirectiveOf> {
    let when = || vec![argument("if", Ref::NonNull(Box::new(named("Boolean"))))];
    let path = vec![argument("path", Ref::NonNull(Box::new(named("String"))))];
    let of = |name, description, arguments| DirectiveOf { name, description, arguments };
    vec![
        of("skip", "leaves the field out where the argument is true", when()),
        of("include", "leaves the field out where the argument is false", when()),
        of("flatten", "what is inside takes the place of the field", Vec::new()),
        of("first", "only the first value", Vec::new()),
        of("singleton", "one value and no list", Vec::new()),
        of("slice", "each value under a name of its own", path),
    ]
}

impl Model {
    /// The schema, whose searches have the parameters of `registry`.
    pub fn new(registry: &Registry) -> Self {
        let mut model = Self { types: BTreeMap::new() };
        for name in ["Boolean", "Int", "Float", "String", "ID"] {
            model.scalar(name);
        }
        for kind in ["number", "date", "string", "token", "reference", "composite", "quantity"] {
            model.scalar(kind);
        }
        for kind in ["uri", "special"] {
            model.scalar(kind);
        }
        let mut resources = Vec::new();
        let mut query = Vec::new();
        for known in definitions().types() {
            if known.is_concrete_resource() {
                resources.push(known.name.to_owned());
                query.extend(searches(registry, known));
                model.page(known);
            }
            if known.kind == Kind::Primitive {
                model.scalar(scalar(known.name));
            } else if let Of::Type(known) = Of::of_type(known) {
                model.object(known);
            }
        }
        let fields = vec![argument("resourceType", named("code"))];
        let (kind, interfaces) = ("INTERFACE", Vec::new());
        let resource = Described { kind, fields, possible: resources, interfaces };
        model.types.insert("Resource".into(), resource);
        model.add("Query".into(), query, Vec::new());
        model
    }

    fn scalar(&mut self, name: &str) {
        let (fields, possible, interfaces) = (Vec::new(), Vec::new(), Vec::new());
        let described = Described { kind: "SCALAR", fields, possible, interfaces };
        self.types.insert(name.to_owned(), described);
    }

    fn add(&mut self, name: String, fields: Vec<Member>, interfaces: Vec<String>) {
        let described = Described { kind: "OBJECT", fields, possible: Vec::new(), interfaces };
        self.types.insert(name, described);
    }

    fn object(&mut self, known: &'static Type) {
        if known.is_abstract && known.kind == Kind::Resource {
            return;
        }
        let mut fields = Vec::new();
        let mut interfaces = Vec::new();
        if known.kind == Kind::Resource {
            fields.push(argument("resourceType", named("code")));
            interfaces.push("Resource".to_owned());
        }
        for element in known.elements() {
            for choice in &element.types {
                fields.extend(members(element, choice));
            }
        }
        if known.name == "Reference" {
            let arguments =
                vec![argument("optional", named("Boolean")), argument("type", named("code"))];
            fields.push(Member { name: "resource".into(), arguments, of: named("Resource") });
        }
        self.add(Of::Type(known).name(), fields, interfaces);
    }

    /// A page of a search and one match of it.
    fn page(&mut self, known: &'static Type) {
        let edge = format!("{}Edge", known.name);
        let mut fields: Vec<Member> = ["count", "offset", "pagesize"]
            .into_iter()
            .map(|name| argument(name, named("Int")))
            .collect();
        fields
            .extend(["first", "previous", "next", "last"].map(|name| argument(name, named("ID"))));
        fields.push(argument("edges", list(named(&edge))));
        self.add(format!("{}Connection", known.name), fields, Vec::new());
        let fields = vec![
            argument("mode", named("code")),
            argument("score", named("Float")),
            argument("resource", named(known.name)),
        ];
        self.add(edge, fields, Vec::new());
    }
}

/// The fields of an element under one of its types: the value, and what stands beside it.
fn members(element: &'static Element, choice: &'static ElementType) -> Vec<Member> {
    let of = choice.type_of();
    let repeats = element.max != Some(1);
    let wrap = |inner: Ref| if repeats { list(inner) } else { inner };
    let field = Field::Element(element, choice);
    let (inner, arguments) = match field.of() {
        None => (named(scalar(of.name)), Vec::new()),
        Some(inner) => {
            let arguments = if repeats { choosing(of) } else { Vec::new() };
            (named(&inner.name()), arguments)
        }
    };
    let value = Member { name: choice.member.to_owned(), arguments, of: wrap(inner) };
    let beside = choice.sibling.map(|sibling| argument(sibling, wrap(named("Element"))));
    std::iter::once(value).chain(beside).collect()
}

/// The arguments by which one chooses among the values of an element.
fn choosing(of: &'static Type) -> Vec<Member> {
    let mut arguments = vec![
        argument("fhirpath", named("String")),
        argument("_offset", named("Int")),
        argument("_count", named("Int")),
    ];
    for element in of.elements() {
        for choice in &element.types {
            let simple = choice.type_of();
            let known = arguments.iter().any(|known| known.name == choice.member);
            if simple.kind == Kind::Primitive && simple.name != "xhtml" && !known {
                arguments.push(argument(choice.member, list(named(scalar(simple.name)))));
            }
        }
    }
    arguments
}

/// What the base offers for a type of resources.
fn searches(registry: &Registry, known: &'static Type) -> Vec<Member> {
    let id = argument("id", Ref::NonNull(Box::new(named("ID"))));
    let one = Member { name: known.name.to_owned(), arguments: vec![id], of: named(known.name) };
    let mut arguments = vec![
        argument("_count", named("Int")),
        argument("_offset", named("Int")),
        argument("_sort", list(named("String"))),
        argument("_filter", list(named("String"))),
        argument("fhirpath", named("String")),
    ];
    for param in registry.of_type(known.name).iter() {
        let name = param.code.replace('-', "_");
        if arguments.iter().any(|argument| argument.name == name) || NOT_HERE.contains(&&*name) {
            continue;
        }
        arguments.push(argument(&name, list(named(param.param_type.code()))));
    }
    let found = Member {
        name: format!("{}List", known.name),
        arguments: arguments.clone(),
        of: list(named(known.name)),
    };
    arguments.push(argument("_cursor", named("ID")));
    let page = Member {
        name: format!("{}Connection", known.name),
        arguments,
        of: named(&format!("{}Connection", known.name)),
    };
    vec![one, found, page]
}

/// Parameters whose words GraphQL has other means for.
const NOT_HERE: [&str; 3] = ["_has", "_type", "_contained"];
