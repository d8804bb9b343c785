//! Types, their elements, and how JSON members lead to them.

use super::{Definitions, definitions};

/// Identifies a [`Type`] within the definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub(super) u16);

/// What sort of type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A single value with an id and extensions: `date`.
    Primitive,
    /// A data type with elements: `HumanName`.
    Complex,
    /// The structure of one element of another type: `Patient.contact`.
    Backbone,
    /// A resource.
    Resource,
}

/// The types of values in FHIRPath that primitives of FHIR become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// `boolean`
    Boolean,
    /// `string` and all that is written like one
    String,
    /// `integer` and what is derived from it
    Integer,
    /// `decimal`
    Decimal,
    /// `date`
    Date,
    /// `dateTime` and `instant`
    DateTime,
    /// `time`
    Time,
}

/// A type of FHIR.
pub struct Type {
    /// Its id.
    pub id: TypeId,
    /// Its name; for [`Kind::Backbone`] the path of the element.
    pub name: &'static str,
    /// What sort it is.
    pub kind: Kind,
    /// Whether only types derived from it occur.
    pub is_abstract: bool,
    /// What every instance must fulfil.
    pub constraints: Vec<&'static Constraint>,
    /// The regular expression for the text of a primitive.
    pub regex: Option<&'static str>,
    /// What the value of a primitive is in FHIRPath; `None` for other kinds.
    pub system: Option<System>,
    pub(super) elements: Vec<Element>,
    /// By name.
    pub(super) members: Vec<Member>,
    /// The type it is derived from, that one's, and so on.
    pub(super) ancestors: Vec<TypeId>,
}

/// One element of a type.
#[derive(Debug)]
pub struct Element {
    /// Name in FHIRPath: `value` for `value[x]`.
    pub name: &'static str,
    /// Path as published: `Observation.value[x]`.
    pub path: &'static str,
    /// Whether its name in JSON ends in the type of the value.
    pub is_choice: bool,
    /// How often it must occur at least.
    pub min: u32,
    /// How often it may occur; `None` for no limit.
    pub max: Option<u32>,
    /// The types its values may have, in published order.
    pub types: Vec<ElementType>,
    /// What each value must fulfil, those of its type included.
    pub constraints: Vec<&'static Constraint>,
    /// The value set its codes are bound to.
    pub binding: Option<Binding>,
    /// Whether it changes the meaning of what it is part of.
    pub is_modifier: bool,
    /// Whether it belongs to a summary.
    pub is_summary: bool,
}

/// A type that an element's values may have.
#[derive(Debug)]
pub struct ElementType {
    /// The name in JSON: `valueQuantity`, or just the element's name where there is no choice.
    pub member: &'static str,
    /// For primitives, the name in JSON of the object that holds id and extensions: `_birthDate`.
    pub sibling: Option<&'static str>,
    /// The type; for an element with a structure of its own, that structure.
    pub id: TypeId,
    /// Resource types (or addresses of other profiles) that a reference may point to.
    pub targets: Vec<&'static str>,
    /// Profiles that the value must fulfil.
    pub profiles: Vec<&'static str>,
}

/// Where a name in JSON leads: element and choice of type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub name: &'static str,
    pub element: u16,
    pub choice: u16,
}

/// Severity of a broken constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The instance is not valid.
    Error,
    /// The instance is valid, but not good practice.
    Warning,
}

/// A rule in FHIRPath.
#[derive(Debug)]
pub struct Constraint {
    /// Its short name: `pat-1`.
    pub key: &'static str,
    /// What it means when it is broken.
    pub severity: Severity,
    /// The rule in words.
    pub human: &'static str,
    /// The rule in FHIRPath; a few are published without.
    pub expression: Option<&'static str>,
}

/// How firmly a value set is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Codes must be of the value set.
    Required,
    /// Codes must be of the value set where it has one that fits.
    Extensible,
    /// Codes should be of the value set.
    Preferred,
    /// The value set shows what is meant.
    Example,
}

/// The value set of an element.
#[derive(Debug)]
pub struct Binding {
    /// How firmly it is bound.
    pub strength: Strength,
    /// Canonical address of the value set, with version.
    pub value_set: &'static str,
}

impl TypeId {
    /// Its place in [`Definitions::types`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl std::fmt::Debug for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Type {
    /// The elements in published order, inherited ones included.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The element with a FHIRPath name.
    pub fn element(&self, name: &str) -> Option<&Element> {
        self.elements.iter().find(|element| element.name == name)
    }

    /// What a JSON member of this name is: `valueQuantity` is the element `value` with the type
    /// `Quantity`. Names with an underscore for the id and extensions of primitives are not known
    /// here.
    pub fn member(&self, name: &str) -> Option<(&Element, &ElementType)> {
        let (_, element, choice) = self.member_at(name)?;
        Some((element, choice))
    }

    /// The same, with the element's place in [`Type::elements`].
    pub fn member_at(&self, name: &str) -> Option<(usize, &Element, &ElementType)> {
        let at = self.members.binary_search_by(|member| member.name.cmp(name)).ok()?;
        let member = self.members.get(at)?;
        let place = usize::from(member.element);
        let element = self.elements.get(place)?;
        Some((place, element, element.types.get(usize::from(member.choice))?))
    }

    /// The type it is derived from, that one's, and so on up to `Element` or `Resource`.
    pub fn ancestors(&self) -> impl Iterator<Item = &'static Type> {
        self.ancestors.iter().map(|&id| definitions().by_id(id))
    }

    /// Whether it is the other type or derived from it.
    pub fn is_a(&self, other: TypeId) -> bool {
        self.id == other || self.ancestors.contains(&other)
    }

    /// Whether a resource can have it as `resourceType`.
    pub fn is_concrete_resource(&self) -> bool {
        self.kind == Kind::Resource && !self.is_abstract
    }
}

impl ElementType {
    /// The type.
    pub fn type_of(&self) -> &'static Type {
        definitions().by_id(self.id)
    }

    /// The type's name.
    pub fn name(&self) -> &'static str {
        self.type_of().name
    }
}

impl Definitions {
    /// Whether the type named `name` is the other type or derived from it.
    pub fn is_a(&self, name: &str, other: &str) -> bool {
        match (self.get(name), self.get(other)) {
            (Some(one), Some(other)) => one.is_a(other.id),
            _ => false,
        }
    }
}
