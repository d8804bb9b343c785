//! Where an element that FHIRPath found is in the JSON text.

use fhir::definitions::{Element, ElementType, Kind as TypeKind, Type, definitions};
use fhir::{Kind, Resource, Value};

use crate::item::Node;

/// One step down in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Member(String),
    Item(usize),
}

/// An element that was found.
#[derive(Debug)]
pub(super) struct Place {
    pub type_of: &'static Type,
    /// Where it is; `None` for the resource as a whole.
    pub spot: Option<Spot>,
}

/// A place of an element in the object that holds it.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    /// The way to the object that holds the element's members.
    pub holder: Vec<Step>,
    pub element: &'static Element,
    pub choice: &'static ElementType,
    /// Its place in the list, where the element repeats.
    pub at: Option<usize>,
}

impl Place {
    /// The place of a node; `None` where it is not of this resource.
    pub(super) fn of(resource: &Resource, node: &Node<'_>) -> Option<Self> {
        let value = node.value().or(node.sibling())?;
        if !std::ptr::eq(value.document(), resource.document()) {
            return None;
        }
        let type_of = node.type_of();
        let root = resource.root();
        if value.index() == root.index() {
            return Some(Self { type_of, spot: None });
        }
        let owner = definitions().get(resource.type_name())?;
        let spot = locate(root, owner, value.index())?;
        Some(Self { type_of, spot: Some(spot) })
    }
}

impl Spot {
    /// Whether the other spot is in the same list.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        std::ptr::eq(self.choice, other.choice) && self.holder == other.holder
    }

    /// How many elements its list has.
    pub(super) fn length(&self, resource: &Resource) -> usize {
        let holder = self.holder.iter().try_fold(resource.root(), |value, step| match step {
            Step::Member(name) => value.get(name),
            Step::Item(at) => value.items().nth(*at),
        });
        let count = |name: &str| holder.and_then(|h| h.get(name)).map_or(0, |l| l.items().count());
        count(self.choice.member).max(self.choice.sibling.map_or(0, count))
    }
}

/// Goes down from `root` to the value with a number. Numbers follow the order of the text, so at
/// each level it is within the last value that does not begin behind it.
fn locate(root: Value<'_>, owner: &'static Type, target: u32) -> Option<Spot> {
    let mut holder = Vec::new();
    let (mut value, mut owner) = (root, owner);
    loop {
        let member = value.members().take_while(|m| m.value.index() <= target).last()?;
        let name = member.name();
        let plain = match owner.member(&name) {
            Some(found) => Ok(found),
            None => Err(owner.member(name.strip_prefix('_')?)?),
        };
        let (Ok((element, choice)) | Err((element, choice))) = plain;
        let mut inner = member.value;
        let mut at = None;
        if inner.kind() == Kind::Array {
            let (place, item) =
                inner.items().enumerate().take_while(|(_, item)| item.index() <= target).last()?;
            (inner, at) = (item, Some(place));
        }
        if inner.index() == target {
            return Some(Spot { holder, element, choice, at });
        }
        holder.push(Step::Member(name.into_owned()));
        holder.extend(at.map(Step::Item));
        owner = choice.type_of();
        if owner.kind == TypeKind::Resource {
            owner = definitions().get(&inner.str_at("resourceType")?)?;
        }
        value = inner;
    }
}
