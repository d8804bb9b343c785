//! What can be asked of what: the fields of FHIR's types as the GraphQL schema that is published
//! with FHIR R4 has them, out of the definitions.

use fhir::definitions::{Element, ElementType, Kind, Type, definitions};

/// A type that fields are selected from.
#[derive(Clone, Copy, Debug)]
pub enum Of {
    /// The base.
    Query,
    /// A data type, a part of a type or a resource.
    Type(&'static Type),
    /// A resource of whatever type.
    Resource,
    /// A page of a search for resources of a type.
    Connection(&'static Type),
    /// One match on such a page.
    Edge(&'static Type),
}

/// The links of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// To the first page.
    First,
    /// To the page before.
    Previous,
    /// To the page behind.
    Next,
    /// To the last page.
    Last,
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub enum Field {
    /// `__typename`
    TypeName,
    /// `resourceType`
    ResourceType,
    /// An element of the type.
    Element(&'static Element, &'static ElementType),
    /// The id and extensions of a primitive element: `_birthDate`.
    Beside(&'static Element, &'static str),
    /// The resource that a Reference leads to.
    Target,
    /// A resource by its id.
    One(&'static Type),
    /// Resources by a search.
    List(&'static Type),
    /// Resources by a search, page by page.
    Connection(&'static Type),
    /// How many match.
    Count,
    /// How many come before this page.
    Offset,
    /// How many a page has.
    PageSize,
    /// A cursor for another page.
    Link(Link),
    /// The matches of the page.
    Edges(&'static Type),
    /// How an entry came into the answer.
    Mode,
    /// How well it matches.
    Score,
    /// The match.
    Match(&'static Type),
}

impl PartialEq for Of {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Query, Self::Query) | (Self::Resource, Self::Resource) => true,
            (Self::Type(one), Self::Type(other))
            | (Self::Connection(one), Self::Connection(other))
            | (Self::Edge(one), Self::Edge(other)) => one.id == other.id,
            _ => false,
        }
    }
}

/// The type of resources called `name`.
pub fn resource_type(name: &str) -> Option<&'static Type> {
    definitions().get(name).filter(|known| known.is_concrete_resource())
}

impl Of {
    /// A type of the definitions.
    pub fn of_type(known: &'static Type) -> Self {
        match known.name {
            "Resource" | "DomainResource" => Self::Resource,
            _ => Self::Type(known),
        }
    }

    /// The name in the schema: `Patient.contact` is `PatientContact` there.
    pub fn name(self) -> String {
        match self {
            Self::Query => "Query".into(),
            Self::Resource => "Resource".into(),
            Self::Type(known) => type_name(known),
            Self::Connection(known) => format!("{}Connection", known.name),
            Self::Edge(known) => format!("{}Edge", known.name),
        }
    }

    /// Whether what is of this type is also of the type named by a fragment.
    pub fn is(self, condition: &str) -> bool {
        match self {
            Self::Type(known) => {
                known.name == condition
                    || type_name(known) == condition
                    || known.ancestors().any(|ancestor| ancestor.name == condition)
            }
            _ => self.name() == condition,
        }
    }

    /// The type inside a fragment on `condition`; `None` where nothing of this type can be of that
    /// one.
    pub fn narrowed(self, condition: &str) -> Option<Self> {
        match self {
            Self::Resource if matches!(condition, "Resource" | "DomainResource") => Some(self),
            Self::Resource => resource_type(condition).map(Self::Type),
            _ => self.is(condition).then_some(self),
        }
    }

    /// The field called `name`; for [`Of::Resource`] see [`Of::fields`].
    pub fn field(self, name: &str) -> Option<Field> {
        if name == "__typename" {
            return Some(Field::TypeName);
        }
        match self {
            Self::Query => by_search(name).or_else(|| resource_type(name).map(Field::One)),
            Self::Resource => (name == "resourceType").then_some(Field::ResourceType),
            Self::Type(known) => of_type(known, name),
            Self::Connection(known) => Some(match name {
                "count" => Field::Count,
                "offset" => Field::Offset,
                "pagesize" => Field::PageSize,
                "first" => Field::Link(Link::First),
                "previous" => Field::Link(Link::Previous),
                "next" => Field::Link(Link::Next),
                "last" => Field::Link(Link::Last),
                "edges" => Field::Edges(known),
                _ => return None,
            }),
            Self::Edge(known) => Some(match name {
                "mode" => Field::Mode,
                "score" => Field::Score,
                "resource" => Field::Match(known),
                _ => return None,
            }),
        }
    }

    /// What a field may be: one, or for a resource of whatever type one for each kind of field
    /// that resources have under this name.
    pub fn fields(self, name: &str) -> Vec<Field> {
        if let Some(field) = self.field(name) {
            return vec![field];
        }
        let mut found: Vec<Field> = Vec::new();
        if matches!(self, Self::Resource) {
            let types = fhir::resource_types().iter().filter_map(|name| resource_type(name));
            for field in types.filter_map(|known| of_type(known, name)) {
                let of = field.of();
                if !found.iter().any(|known| known.of() == of && known.is_list() == field.is_list())
                {
                    found.push(field);
                }
            }
        }
        found
    }
}

impl Field {
    /// The type that it leads to; `None` for a value without fields.
    pub fn of(self) -> Option<Of> {
        match self {
            Self::Element(_, choice) => {
                let known = choice.type_of();
                (known.kind != Kind::Primitive).then(|| Of::of_type(known))
            }
            Self::Beside(..) => definitions().get("Element").map(Of::Type),
            Self::Target => Some(Of::Resource),
            Self::One(known) | Self::List(known) | Self::Match(known) => Some(Of::Type(known)),
            Self::Connection(known) => Some(Of::Connection(known)),
            Self::Edges(known) => Some(Of::Edge(known)),
            _ => None,
        }
    }

    /// Whether it can have several values.
    pub fn is_list(self) -> bool {
        match self {
            Self::Element(element, _) | Self::Beside(element, _) => element.max != Some(1),
            Self::List(_) | Self::Edges(_) => true,
            _ => false,
        }
    }

    /// What kind of value it has, to tell whether values can be put together.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Element(_, choice) => choice.name(),
            Self::Beside(..) => "Element",
            Self::One(known) | Self::List(known) | Self::Match(known) => known.name,
            Self::Target => "Resource",
            Self::Connection(_) => "Connection",
            Self::Edges(_) => "Edge",
            Self::Count | Self::Offset | Self::PageSize => "integer",
            Self::Score => "decimal",
            Self::TypeName | Self::ResourceType | Self::Link(_) | Self::Mode => "string",
        }
    }
}

fn of_type(known: &'static Type, name: &str) -> Option<Field> {
    if let Some((element, choice)) = known.member(name) {
        return Some(Field::Element(element, choice));
    }
    if let Some(plain) = name.strip_prefix('_') {
        let (element, choice) = known.member(plain)?;
        return choice.sibling.map(|sibling| Field::Beside(element, sibling));
    }
    match name {
        "resource" if known.name == "Reference" => Some(Field::Target),
        "resourceType" if known.kind == Kind::Resource => Some(Field::ResourceType),
        _ if known.kind == Kind::Resource => by_search(name),
        _ => None,
    }
}

fn by_search(name: &str) -> Option<Field> {
    if let Some(known) = name.strip_suffix("List").and_then(resource_type) {
        return Some(Field::List(known));
    }
    name.strip_suffix("Connection").and_then(resource_type).map(Field::Connection)
}

fn type_name(known: &Type) -> String {
    known
        .name
        .split('.')
        .enumerate()
        .map(|(at, part)| {
            let mut letters = part.chars();
            match letters.next() {
                Some(first) if at > 0 => first.to_uppercase().chain(letters).collect(),
                _ => part.to_owned(),
            }
        })
        .collect()
}
