//! What expressions work on: elements of resources and values of FHIRPath's own types.

use std::borrow::Cow;

use fhir::definitions::{ElementType, Kind, System, Type, definitions};
use fhir::{Kind as JsonKind, Value};
use rust_decimal::Decimal;

use crate::temporal::Temporal;

/// An ordered collection, the result of every expression.
pub type Collection<'a> = Vec<Item<'a>>;

/// One item of a collection.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// An element of a resource, or a resource.
    Node(Node<'a>),
    /// `System.Boolean`
    Boolean(bool),
    /// `System.Integer`
    Integer(i64),
    /// `System.Decimal`, with its digits.
    Decimal(Decimal),
    /// `System.String`
    String(Cow<'a, str>),
    /// `System.Date`, `System.DateTime` or `System.Time`
    Temporal(Temporal),
    /// `System.Quantity`
    Quantity(Quantity<'a>),
    /// What `type()` returns.
    TypeInfo {
        /// `FHIR` or `System`
        namespace: &'static str,
        /// Name of the type.
        name: &'static str,
    },
    /// A resource of which only the type is known: what `resolve()` makes of a reference to
    /// another resource.
    Unresolved(&'static Type),
}

/// A number with a unit. An empty unit is the unit `1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity<'a> {
    /// The number.
    pub value: Decimal,
    /// UCUM code or calendar word.
    pub unit: Cow<'a, str>,
}

/// An element with what JSON holds of it: the value, and for a primitive the object beside it with
/// id and extensions. At least one of the two is there.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    value: Option<Value<'a>>,
    sibling: Option<Value<'a>>,
    type_of: &'static Type,
}

/// Only the type: what is in a record has no place in a log.
impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.type_of)
    }
}

impl<'a> Node<'a> {
    /// A resource, by its `resourceType`; `None` where FHIR R4 has no such type.
    pub fn resource(value: Value<'a>) -> Option<Self> {
        let name = value.get("resourceType")?.as_str()?;
        let type_of = definitions().get(&name).filter(|t| t.is_concrete_resource())?;
        Some(Self { value: Some(value), sibling: None, type_of })
    }

    /// An element of a known type: its JSON value and, for a primitive, the object beside it.
    /// `None` where neither is there.
    pub fn element(
        value: Option<Value<'a>>,
        sibling: Option<Value<'a>>,
        type_of: &'static Type,
    ) -> Option<Self> {
        (value.is_some() || sibling.is_some()).then_some(Self { value, sibling, type_of })
    }

    /// The element's type.
    pub fn type_of(&self) -> &'static Type {
        self.type_of
    }

    /// The JSON value; `None` for a primitive that has only an id or extensions.
    pub fn value(&self) -> Option<Value<'a>> {
        self.value
    }

    /// For a primitive, the object with its id and extensions.
    pub fn sibling(&self) -> Option<Value<'a>> {
        self.sibling
    }

    /// Calls `visit` with every child element called `name` (in FHIRPath: `value`, not
    /// `valueString`). Returns whether the type has such an element.
    pub fn for_each_child(&self, name: &str, visit: &mut dyn FnMut(Node<'a>)) -> bool {
        let Some(element) = self.type_of.element(name) else { return false };
        for choice in &element.types {
            self.for_each_of(choice, visit);
        }
        true
    }

    /// Calls `visit` with the children that have one of an element's types.
    pub(crate) fn for_each_of(&self, choice: &ElementType, visit: &mut dyn FnMut(Node<'a>)) {
        let Some(holder) = self.holder() else { return };
        let value = holder.get(choice.member);
        children(choice.type_of(), value, sibling(holder, choice), visit);
    }

    /// Calls `visit` with all child elements in the order of the JSON text.
    pub fn for_each(&self, visit: &mut dyn FnMut(Node<'a>)) {
        let Some(holder) = self.holder() else { return };
        for member in holder.members() {
            let name = member.name();
            if let Some((_, choice)) = self.type_of.member(&name) {
                let sibling = sibling(holder, choice);
                children(choice.type_of(), Some(member.value), sibling, visit);
            } else if let Some(plain) = name.strip_prefix('_') {
                // Where the value is there too, it has brought its sibling along.
                let choice = self.type_of.member(plain).map(|(_, choice)| choice);
                if let Some(choice) = choice.filter(|c| holder.get(c.member).is_none()) {
                    children(choice.type_of(), None, Some(member.value), visit);
                }
            }
        }
    }

    /// The object that holds the child elements.
    fn holder(&self) -> Option<Value<'a>> {
        if self.type_of.kind == Kind::Primitive { self.sibling } else { self.value }
    }

    /// Whether it is of a type that [`Node::to_system`] converts, but without a value that it
    /// could convert: a primitive with nothing but extensions, a Quantity with a comparator.
    pub(crate) fn is_hollow(&self) -> bool {
        (self.type_of.system.is_some() || self.is_quantity()) && self.to_system().is_none()
    }

    fn is_quantity(&self) -> bool {
        definitions().get("Quantity").is_some_and(|quantity| self.type_of.is_a(quantity.id))
    }

    /// Whether it is a primitive that has a value.
    pub fn has_value(&self) -> bool {
        self.type_of.kind == Kind::Primitive && self.value.is_some()
    }

    /// The value of a primitive, or of a Quantity, as FHIRPath's own type. `None` for other
    /// types, and where the text is no value of the type.
    pub fn to_system(self) -> Option<Item<'a>> {
        let Some(system) = self.type_of.system else { return self.to_quantity() };
        let value = self.value?;
        let text = || value.as_str();
        Some(match system {
            System::Boolean => Item::Boolean(value.as_bool()?),
            System::Integer => Item::Integer(value.as_number()?.parse().ok()?),
            System::Decimal => Item::Decimal(decimal(value.as_number()?)?),
            System::String => Item::String(text()?),
            System::Date => Item::Temporal(Temporal::date(&text()?)?),
            System::DateTime => Item::Temporal(Temporal::date_time(&text()?)?),
            System::Time => Item::Temporal(Temporal::time(&text()?)?),
        })
    }

    /// A FHIR Quantity as FHIRPath's (FHIR R4, "Using FHIRPath in FHIR": quantities). A coded
    /// unit of another system than UCUM keeps the system in front.
    fn to_quantity(self) -> Option<Item<'a>> {
        if !self.is_quantity() {
            return None;
        }
        let object = self.value?;
        let value = decimal(object.get("value")?.as_number()?)?;
        if object.get("comparator").is_some() {
            return None;
        }
        let ucum = object.get("system").is_some_and(|s| s.is_str("http://unitsofmeasure.org"));
        let unit = match object.str_at("code") {
            Some(code) if ucum => code,
            // Compares with itself, since no unit of UCUM is written like this.
            Some(code) => {
                Cow::Owned(format!("{}|{code}", object.str_at("system").unwrap_or_default()))
            }
            None => object.str_at("unit").unwrap_or_default(),
        };
        // Codes for calendar durations mean the calendar's (FHIR R4, same place).
        let unit = match unit.as_ref() {
            "a" if ucum => Cow::Borrowed("year"),
            "mo" if ucum => Cow::Borrowed("month"),
            _ => unit,
        };
        Some(Item::Quantity(Quantity { value, unit }))
    }

    /// Whether both are the same place in the same document.
    pub(crate) fn is_same(&self, other: &Node<'a>) -> bool {
        let place = |value: Option<Value<'a>>| {
            value.map(|value| (std::ptr::from_ref(value.document()), value.index()))
        };
        place(self.value) == place(other.value) && place(self.sibling) == place(other.sibling)
    }

    /// A number for a place in a document, for sets of places.
    pub(crate) fn place(&self) -> (usize, u32) {
        let value = self.value.or(self.sibling);
        value.map_or((0, 0), |v| (std::ptr::from_ref(v.document()).addr(), v.index()))
    }
}

/// What stands beside a primitive member of an object.
fn sibling<'a>(holder: Value<'a>, choice: &ElementType) -> Option<Value<'a>> {
    choice.sibling.filter(|_| holder.document().has_siblings()).and_then(|name| holder.get(name))
}

/// Pairs the values of a member with those of its sibling and gives each its type.
fn children<'a>(
    type_of: &'static Type,
    value: Option<Value<'a>>,
    sibling: Option<Value<'a>>,
    visit: &mut dyn FnMut(Node<'a>),
) {
    let null = |value: &Value<'a>| value.kind() != JsonKind::Null;
    let mut one = |value: Option<Value<'a>>, sibling: Option<Value<'a>>| {
        let (value, sibling) = (value.filter(null), sibling.filter(null));
        let type_of = match value {
            Some(value) if type_of.kind == Kind::Resource => {
                Node::resource(value).map_or(type_of, |node| node.type_of)
            }
            _ => type_of,
        };
        if value.is_some() || sibling.is_some() {
            visit(Node { value, sibling, type_of });
        }
    };
    let array = |value: Option<Value<'a>>| value.is_some_and(|v| v.kind() == JsonKind::Array);
    if !array(value) && !array(sibling) {
        return one(value, sibling);
    }
    let mut siblings = sibling.into_iter().flat_map(|list| list.items());
    for value in value.into_iter().flat_map(|list| list.items()) {
        one(Some(value), siblings.next());
    }
    for sibling in siblings {
        one(None, Some(sibling));
    }
}

impl<'a> Item<'a> {
    /// The item as a value of FHIRPath's own types: primitives and Quantities are converted, other
    /// elements have none.
    pub fn to_system(&self) -> Option<Item<'a>> {
        match self {
            Item::Node(node) => node.to_system(),
            Item::Unresolved(_) => None,
            other => Some(other.clone()),
        }
    }

    /// The text of a string or of a primitive that is written like one.
    pub fn as_text(&self) -> Option<Cow<'a, str>> {
        match self.to_system()? {
            Item::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean.
    pub fn as_boolean(&self) -> Option<bool> {
        match self.to_system()? {
            Item::Boolean(value) => Some(value),
            _ => None,
        }
    }

    /// Namespace and name of the type.
    pub fn type_name(&self) -> (&'static str, &'static str) {
        match self {
            Item::Node(node) => ("FHIR", published_name(node.type_of)),
            Item::Unresolved(type_of) => ("FHIR", type_of.name),
            Item::Boolean(_) => ("System", "Boolean"),
            Item::Integer(_) => ("System", "Integer"),
            Item::Decimal(_) => ("System", "Decimal"),
            Item::String(_) => ("System", "String"),
            Item::Temporal(temporal) => ("System", temporal.type_name()),
            Item::Quantity(_) => ("System", "Quantity"),
            Item::TypeInfo { .. } => ("System", "TypeInfo"),
        }
    }
}

/// Structures inside other types go by the type they are derived from.
fn published_name(type_of: &'static Type) -> &'static str {
    match type_of.kind {
        Kind::Backbone => type_of.ancestors().next().map_or(type_of.name, |base| base.name),
        _ => type_of.name,
    }
}

/// Reads digits as JSON writes them, exponents included; `None` beyond 28 digits.
pub(crate) fn decimal(digits: &str) -> Option<Decimal> {
    if digits.contains(['e', 'E']) {
        Decimal::from_scientific(digits).ok()
    } else {
        Decimal::from_str_exact(digits).ok()
    }
}
