//! Changes to the tree of a resource.

use fhir::definitions::{Element, ElementType, Kind as TypeKind};
use fhir::tree::Tree;

use super::PatchFault;
use super::place::{Place, Spot, Step};
use super::value::{Given, Pair, named, put};

/// A resource in the course of one operation.
pub(super) struct Change<'a> {
    root: Tree<'a>,
}

type Done = Result<(), PatchFault>;

impl<'a> Change<'a> {
    pub(super) fn new(root: Tree<'a>) -> Self {
        Self { root }
    }

    pub(super) fn into_text(self) -> String {
        self.root.to_text()
    }

    /// Adds a child element to the element at `place`: behind the others of its list, or at
    /// `at` of a list that has none yet.
    pub(super) fn add(
        &mut self,
        place: &Place,
        name: &str,
        given: &Given<'a>,
        at: Option<usize>,
    ) -> Done {
        let (element, choices) = named(place.type_of, name)?;
        let (choice, pair) = given.fit(element, choices)?;
        let Some(spot) = &place.spot else {
            return append(&mut self.root, element, choice, pair, at);
        };
        let holder = find(&mut self.root, &spot.holder)?;
        let mut list = read(holder, spot.element, spot.choice);
        let own = list.get_mut(spot.at.unwrap_or(0)).ok_or(PatchFault::NoTarget)?;
        // The children of a primitive are in the object beside it.
        let inner = if place.type_of.kind == TypeKind::Primitive {
            own.sibling.get_or_insert_with(|| Tree::Object(Vec::new()))
        } else {
            own.value.as_mut().ok_or(PatchFault::NoTarget)?
        };
        append(inner, element, choice, pair, at)?;
        put(holder, spot.element, spot.choice, list);
        Ok(())
    }

    /// Puts a value into the list of `spot`.
    pub(super) fn insert(&mut self, spot: &Spot, at: usize, given: &Given<'a>) -> Done {
        let (_, pair) = given.fit(spot.element, std::slice::from_ref(spot.choice))?;
        let holder = find(&mut self.root, &spot.holder)?;
        let mut list = read(holder, spot.element, spot.choice);
        list.insert(at.min(list.len()), pair);
        put(holder, spot.element, spot.choice, list);
        Ok(())
    }

    /// Takes an element away, and whatever is left empty by that.
    pub(super) fn delete(&mut self, spot: &Spot) -> Done {
        let holder = find(&mut self.root, &spot.holder)?;
        let mut list = read(holder, spot.element, spot.choice);
        let at = spot.at.unwrap_or(0);
        if at >= list.len() {
            return Err(PatchFault::NoTarget);
        }
        list.remove(at);
        put(holder, spot.element, spot.choice, list);
        prune(&mut self.root, &spot.holder);
        Ok(())
    }

    /// Replaces an element with what stands beside it. An element with a choice of types may
    /// change its type.
    pub(super) fn replace(&mut self, spot: &Spot, given: &Given<'a>) -> Done {
        let (choice, pair) = given.fit(spot.element, &spot.element.types)?;
        let holder = find(&mut self.root, &spot.holder)?;
        if !std::ptr::eq(choice, spot.choice) {
            put(holder, spot.element, spot.choice, Vec::new());
            put(holder, spot.element, choice, vec![pair]);
            return Ok(());
        }
        let mut list = read(holder, spot.element, spot.choice);
        *list.get_mut(spot.at.unwrap_or(0)).ok_or(PatchFault::NoTarget)? = pair;
        put(holder, spot.element, spot.choice, list);
        Ok(())
    }

    /// Moves an element within its list; `destination` counts without the element itself.
    pub(super) fn shift(&mut self, spot: &Spot, source: usize, destination: usize) -> Done {
        let holder = find(&mut self.root, &spot.holder)?;
        let mut list = read(holder, spot.element, spot.choice);
        if source >= list.len() {
            return Err(PatchFault::NoTarget);
        }
        let pair = list.remove(source);
        list.insert(destination.min(list.len()), pair);
        put(holder, spot.element, spot.choice, list);
        Ok(())
    }
}

/// Adds an occurrence of an element to the object that is to hold it.
fn append<'a>(
    holder: &mut Tree<'a>,
    element: &'static Element,
    choice: &'static ElementType,
    pair: Pair<'a>,
    at: Option<usize>,
) -> Done {
    let present = element.types.iter().find(|other| !read(holder, element, other).is_empty());
    if let Some(present) = present.filter(|p| element.max == Some(1) || !std::ptr::eq(*p, choice)) {
        return Err(PatchFault::Present(present.member));
    }
    let mut list = read(holder, element, choice);
    if at.is_some_and(|at| at > list.len()) {
        return Err(PatchFault::NoPlace { part: "index", length: list.len() });
    }
    if element.max == Some(1) && at.is_some() {
        return Err(PatchFault::NoList);
    }
    list.push(pair);
    put(holder, element, choice, list);
    Ok(())
}

/// The occurrences of an element in the object that holds it.
fn read<'a>(holder: &mut Tree<'a>, element: &Element, choice: &ElementType) -> Vec<Pair<'a>> {
    let mut side = |name: Option<&'static str>| -> Vec<Option<Tree<'a>>> {
        let Some(tree) = name.and_then(|name| holder.get_mut(name)) else { return Vec::new() };
        let given = |tree: Tree<'a>| if tree.is_null() { None } else { Some(tree) };
        match tree.items_mut() {
            Some(items) if element.max != Some(1) => items.iter().cloned().map(given).collect(),
            _ => vec![given(tree.clone())],
        }
    };
    let mut values = side(Some(choice.member));
    let mut siblings = side(choice.sibling);
    let length = values.len().max(siblings.len());
    values.resize_with(length, || None);
    siblings.resize_with(length, || None);
    values.into_iter().zip(siblings).map(|(value, sibling)| Pair { value, sibling }).collect()
}

fn find<'t, 'a>(root: &'t mut Tree<'a>, steps: &[Step]) -> Result<&'t mut Tree<'a>, PatchFault> {
    steps.iter().try_fold(root, |tree, step| {
        let inner = match step {
            Step::Member(name) => tree.get_mut(name),
            Step::Item(at) => tree.items_mut().and_then(|items| items.get_mut(*at)),
        };
        inner.ok_or(PatchFault::NoTarget)
    })
}

/// Takes away objects and arrays on the way to `steps` that are empty: FHIR has none.
fn prune(root: &mut Tree<'_>, steps: &[Step]) {
    for end in (1..=steps.len()).rev() {
        let Some((last, before)) = steps.get(..end).and_then(|s| s.split_last()) else { return };
        let Ok(holder) = find(root, before) else { return };
        let beside = matches!(before.last(), Some(Step::Member(name)) if name.starts_with('_'));
        match last {
            Step::Member(name) => {
                let Some(tree) = holder.get_mut(name) else { return };
                if !is_empty(tree) {
                    return;
                }
                holder.take(name);
            }
            Step::Item(at) => {
                let Some(items) = holder.items_mut() else { return };
                let Some(item) = items.get_mut(*at) else { return };
                if !is_empty(item) {
                    return;
                }
                // What stands beside other items must not change its place.
                if beside { *item = Tree::null() } else { drop(items.remove(*at)) }
            }
        }
    }
}

fn is_empty(tree: &mut Tree<'_>) -> bool {
    if let Some(members) = tree.members_mut() {
        return members.is_empty();
    }
    tree.items_mut().is_some_and(|items| items.iter().all(Tree::is_null))
}
