//! The value that an operation brings, and how it fits the element it is meant for.

use std::borrow::Cow;

use fhir::definitions::{Element, ElementType, Kind as TypeKind, System, Type, definitions};
use fhir::tree::Tree;
use fhir::{Kind, Value};

use super::PatchFault;

/// What the part `value` of an operation holds.
pub(super) enum Given<'a> {
    /// A value of a type, and what stands beside a primitive.
    Typed { type_of: &'static Type, value: Option<Value<'a>>, sibling: Option<Value<'a>> },
    /// The elements of a structure that has no type of its own.
    Parts(Vec<(Cow<'a, str>, Given<'a>)>),
    /// A resource.
    Resource(Value<'a>),
}

/// An element as JSON holds it: the value, and for a primitive the object beside it.
#[derive(Default)]
pub(super) struct Pair<'a> {
    pub value: Option<Tree<'a>>,
    pub sibling: Option<Tree<'a>>,
}

impl<'a> Given<'a> {
    /// Reads a part of a Parameters resource.
    pub(super) fn read(part: Value<'a>) -> Result<Self, Cow<'static, str>> {
        let owner = definitions().get("Parameters.parameter").ok_or("no definitions")?;
        let mut found = None;
        for member in part.members() {
            let name = member.name();
            let given = match name.as_ref() {
                "name" | "id" | "_name" | "extension" => continue,
                "part" => {
                    let parts = member.value.items().map(|inner| {
                        let name = inner.str_at("name").ok_or("a part has no `name`")?;
                        Ok((name, Self::read(inner)?))
                    });
                    Self::Parts(parts.collect::<Result<_, Cow<'static, str>>>()?)
                }
                "resource" => Self::Resource(member.value),
                name => {
                    let plain = name.strip_prefix('_').unwrap_or(name);
                    let Some((_, choice)) = owner.member(plain) else {
                        return Err("a part has a member that Parameters do not have".into());
                    };
                    let sibling = choice.sibling.and_then(|name| part.get(name));
                    let value = part.get(plain);
                    if plain != name && value.is_some() {
                        continue;
                    }
                    Self::Typed { type_of: choice.type_of(), value, sibling }
                }
            };
            if found.replace(given).is_some() {
                return Err("a part has more than one value".into());
            }
        }
        found.ok_or_else(|| "a part has no value".into())
    }

    /// The value as one of an element's types, `choices`: the very type where the element has it,
    /// else one that holds the same kind of text or is derived from it.
    pub(super) fn fit(
        &self,
        element: &'static Element,
        choices: &'static [ElementType],
    ) -> Result<(&'static ElementType, Pair<'a>), PatchFault> {
        let wrong = || PatchFault::WrongType { element: element.path, expected: expected(choices) };
        match self {
            Self::Typed { type_of, value, sibling } => {
                let exact = choices.iter().find(|choice| choice.id == type_of.id);
                let near = || choices.iter().find(|choice| is_near(choice.type_of(), type_of));
                let choice = exact.or_else(near).ok_or_else(wrong)?;
                if !value.is_none_or(|value| holds(choice.type_of(), value)) {
                    return Err(wrong());
                }
                let pair =
                    Pair { value: value.map(Tree::Written), sibling: sibling.map(Tree::Written) };
                Ok((choice, pair))
            }
            Self::Resource(value) => {
                let fits = |c: &&ElementType| c.type_of().kind == TypeKind::Resource;
                let choice = choices.iter().find(fits).ok_or_else(wrong)?;
                Ok((choice, Pair { value: Some(Tree::Written(*value)), sibling: None }))
            }
            Self::Parts(parts) => {
                let fits = |choice: &&ElementType| {
                    matches!(choice.type_of().kind, TypeKind::Complex | TypeKind::Backbone)
                };
                let mut fitting = choices.iter().filter(fits);
                let choice = fitting.next().ok_or_else(wrong)?;
                if fitting.next().is_some() {
                    return Err(wrong());
                }
                let value = Some(object(choice.type_of(), parts)?);
                Ok((choice, Pair { value, sibling: None }))
            }
        }
    }
}

/// The element that a name means for a type, with the choices of type that the name leaves.
/// `value`, `value[x]` and `valueQuantity` are understood.
pub(super) fn named(
    owner: &'static Type,
    name: &str,
) -> Result<(&'static Element, &'static [ElementType]), PatchFault> {
    let plain = name.strip_suffix("[x]").unwrap_or(name);
    if let Some(element) = owner.element(plain) {
        return Ok((element, &element.types));
    }
    match owner.member(name) {
        Some((element, choice)) => Ok((element, std::slice::from_ref(choice))),
        None => Err(PatchFault::NoElement {
            owner: owner.name,
            name: name.chars().filter(|c| !c.is_control()).take(64).collect(),
        }),
    }
}

/// Puts a structure together from its parts.
fn object<'a>(
    owner: &'static Type,
    parts: &[(Cow<'a, str>, Given<'a>)],
) -> Result<Tree<'a>, PatchFault> {
    let mut found: Vec<(&'static Element, &'static ElementType, Vec<Pair<'a>>)> = Vec::new();
    for (name, given) in parts {
        let (element, choices) = named(owner, name)?;
        let (choice, pair) = given.fit(element, choices)?;
        match found.iter_mut().find(|(known, ..)| std::ptr::eq(*known, element)) {
            Some((_, first, list)) if element.max != Some(1) && std::ptr::eq(*first, choice) => {
                list.push(pair);
            }
            Some(_) => return Err(PatchFault::Present(element.path)),
            None => found.push((element, choice, vec![pair])),
        }
    }
    let mut object = Tree::Object(Vec::new());
    for (element, choice, list) in found {
        put(&mut object, element, choice, list);
    }
    Ok(object)
}

/// Writes the occurrences of an element into the object that holds them; takes the members away
/// where nothing is left.
pub(super) fn put<'a>(
    holder: &mut Tree<'a>,
    element: &Element,
    choice: &ElementType,
    list: Vec<Pair<'a>>,
) {
    let (values, siblings): (Vec<_>, Vec<_>) =
        list.into_iter().map(|pair| (pair.value, pair.sibling)).unzip();
    let mut side = |name: &'static str, trees: Vec<Option<Tree<'a>>>| {
        if trees.iter().all(Option::is_none) {
            holder.take(name);
            return;
        }
        let mut trees = trees.into_iter().map(|tree| tree.unwrap_or_else(Tree::null));
        let whole = if element.max == Some(1) {
            trees.next().unwrap_or_else(Tree::null)
        } else {
            Tree::Array(trees.collect())
        };
        holder.set(name.into(), whole);
    };
    side(choice.member, values);
    if let Some(name) = choice.sibling {
        side(name, siblings);
    }
}

/// Whether a value of the type `given` may stand where `wanted` is asked for: both are written
/// alike, or one is derived from the other.
fn is_near(wanted: &Type, given: &Type) -> bool {
    match (wanted.system, given.system) {
        (Some(wanted), Some(given)) => written_as(wanted) == written_as(given),
        _ => wanted.is_a(given.id) || given.is_a(wanted.id),
    }
}

/// Numbers with a fraction and without are not written alike.
fn written_as(system: System) -> (Kind, bool) {
    match system {
        System::Boolean => (Kind::Bool, false),
        System::Integer => (Kind::Number, false),
        System::Decimal => (Kind::Number, true),
        System::String | System::Date | System::DateTime | System::Time => (Kind::String, false),
    }
}

/// Whether JSON holds a value of the type like this.
fn holds(type_of: &Type, value: Value<'_>) -> bool {
    match type_of.system {
        Some(system) => value.kind() == written_as(system).0,
        None => value.kind() == Kind::Object,
    }
}

fn expected(choices: &[ElementType]) -> String {
    let names: Vec<_> = choices
        .iter()
        .map(|choice| match choice.type_of().kind {
            TypeKind::Backbone => "parts".to_owned(),
            TypeKind::Resource => "a resource".to_owned(),
            _ => format!("`{}`", choice.name()),
        })
        .take(8)
        .collect();
    let more = if choices.len() > names.len() { " and others" } else { "" };
    format!("{}{more}", names.join(", "))
}
