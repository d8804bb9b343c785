//! FHIRPath Patch (FHIR R4, "FHIRPath Patch"): changes to a resource that are written as a
//! Parameters resource.
//!
//! Operations are carried out one after the other, each on what the one before has left; all of
//! them, or none. What they do not touch stays as it is written. The type of a value must fit the
//! place where it goes; a name that is not understood is refused.

mod change;
mod operation;
mod place;
mod value;

use std::borrow::Cow;

use fhir::tree::Tree;
use fhir::{Document, Resource};

use crate::item::{Item, Node};
use crate::{Env, EvalError, Expr, ParseError};
use change::Change;
use operation::{Action, Operation};
use place::{Place, Spot};

/// The most operations that one patch may have.
pub const MAX_OPERATIONS: usize = 1_000;
/// The most bytes of resource that the operations of one patch may read together.
pub const MAX_READ_BYTES: usize = 512 << 20;

/// Why a patch was not applied. Nothing was changed. Messages name operations, elements and types,
/// never content of the resource or of the patch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The resource to patch is of no type of FHIR R4.
    #[error("there is no definition of the type of the resource to patch")]
    UnknownType,
    /// The document is no FHIRPath Patch.
    #[error("not a FHIRPath Patch: {0}")]
    NotAPatch(Cow<'static, str>),
    /// An operation could not be carried out.
    #[error("operation {number} (`{operation}`): {fault}")]
    Failed {
        /// Which one, from 1.
        number: usize,
        /// What it was to do.
        operation: &'static str,
        /// What is wrong.
        fault: PatchFault,
    },
}

/// What is wrong with an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchFault {
    /// The path is no FHIRPath expression.
    #[error("`path` is not a FHIRPath expression: {0}")]
    Path(#[from] ParseError),
    /// The path could not be evaluated.
    #[error("`path` cannot be evaluated: {0}")]
    Evaluation(#[from] EvalError),
    /// The path leads nowhere.
    #[error("there is nothing at `path`")]
    NoTarget,
    /// The path leads to several elements.
    #[error("`path` must lead to one element, not to {0}")]
    SeveralTargets(usize),
    /// The path leads to something that is no element of the resource.
    #[error("`path` must lead to elements of the resource itself")]
    Outside,
    /// The path of an insert or move does not lead to a list.
    #[error("`path` must lead to all elements of one list")]
    NoList,
    /// A place beyond the end of the list.
    #[error("`{part}` must be within the list, which has {length} elements")]
    NoPlace {
        /// `index`, `source` or `destination`.
        part: &'static str,
        /// Elements in the list.
        length: usize,
    },
    /// An element that the type does not have.
    #[error("`{owner}` has no element `{name}`")]
    NoElement {
        /// The type.
        owner: &'static str,
        /// The name.
        name: String,
    },
    /// An element that is there already and may not be there twice.
    #[error("`{0}` is there already; use `replace`")]
    Present(&'static str),
    /// A value of the wrong type.
    #[error("`{element}` takes {expected}")]
    WrongType {
        /// The element.
        element: &'static str,
        /// Types that fit.
        expected: String,
    },
    /// Something that no patch may change.
    #[error("the resource as a whole cannot be changed by a patch")]
    WholeResource,
    /// The patch is too much work, or what it makes is too deep.
    #[error("the patch makes too large or too deep a resource, or takes too much work")]
    TooLarge,
}

/// Applies the patch `parameters` to a resource and returns the text of the result; `now_ms`
/// (milliseconds since the Unix epoch) is what `now()` means in paths. That the result is valid,
/// and has the same type and id, is for the caller to see to.
pub fn apply(
    resource: &Resource,
    parameters: &Resource,
    now_ms: i64,
) -> Result<String, PatchError> {
    let operations = operation::read(parameters)?;
    if Node::resource(resource.root()).is_none() {
        return Err(PatchError::UnknownType);
    }
    let mut text = resource.text().to_owned();
    let mut budget = MAX_READ_BYTES;
    for (at, operation) in operations.iter().enumerate() {
        let step = budget
            .checked_sub(text.len())
            .ok_or(PatchFault::TooLarge)
            .and_then(|left| {
                budget = left;
                let document = Document::parse(text.as_str()).map_err(|_| PatchFault::TooLarge)?;
                let current =
                    Resource::from_document(document).map_err(|_| PatchFault::TooLarge)?;
                carry_out(&current, operation, now_ms)
            })
            .map_err(|fault| PatchError::Failed {
                number: at + 1,
                operation: operation.action.name(),
                fault,
            })?;
        if let Some(changed) = step {
            text = changed;
        }
    }
    // What the last operation made must be readable too.
    match Document::parse(text.as_str()) {
        Ok(_) => Ok(text),
        Err(_) => Err(PatchError::Failed {
            number: operations.len(),
            operation: operations.last().map_or("add", |operation| operation.action.name()),
            fault: PatchFault::TooLarge,
        }),
    }
}

/// Carries out one operation; `None` when there was nothing to do.
fn carry_out(
    resource: &Resource,
    operation: &Operation<'_>,
    now_ms: i64,
) -> Result<Option<String>, PatchFault> {
    let found = evaluate(resource, operation.path.as_ref(), now_ms)?;
    let mut change = Change::new(Tree::Written(resource.root()));
    match &operation.action {
        Action::Add { name, value } => change.add(single(&found)?, name, value, None)?,
        Action::Insert { index, value } if found.is_empty() => {
            // A list without elements is found by what would hold it.
            let (path, name) = operation.path.rsplit_once('.').ok_or(PatchFault::NoTarget)?;
            let found = evaluate(resource, path, now_ms)?;
            change.add(single(&found)?, name, value, Some(*index))?;
        }
        Action::Insert { index, value } => {
            let (spot, length) = list(resource, &found)?;
            within("index", *index, length, length + 1)?;
            change.insert(spot, *index, value)?;
        }
        Action::Delete if found.is_empty() => return Ok(None),
        Action::Delete => change.delete(spot(single(&found)?)?)?,
        Action::Replace { value } => change.replace(spot(single(&found)?)?, value)?,
        Action::Move { source, destination } => {
            let (spot, length) = list(resource, &found)?;
            within("source", *source, length, length)?;
            within("destination", *destination, length, length)?;
            change.shift(spot, *source, *destination)?;
        }
    }
    Ok(Some(change.into_text()))
}

/// Where an element is; a resource as a whole is nowhere.
fn spot(place: &Place) -> Result<&Spot, PatchFault> {
    place.spot.as_ref().ok_or(PatchFault::WholeResource)
}

fn within(
    part: &'static str,
    place: usize,
    length: usize,
    places: usize,
) -> Result<(), PatchFault> {
    if place < places { Ok(()) } else { Err(PatchFault::NoPlace { part, length }) }
}

/// Evaluates a path. Where it leads nowhere because a type has no such element, that is said.
fn evaluate(resource: &Resource, path: &str, now_ms: i64) -> Result<Vec<Place>, PatchFault> {
    let expr = Expr::parse(path)?;
    let env = Env::new(now_ms).with_resource(resource);
    let found = expr.evaluate_resource(&env)?;
    if found.is_empty() {
        let strict = Env::new(now_ms).with_resource(resource).strict();
        if let Err(error @ EvalError::UnknownElement { .. }) = expr.evaluate_resource(&strict) {
            return Err(error.into());
        }
    }
    let place = |item: &Item<'_>| match item {
        Item::Node(node) => Place::of(resource, node),
        _ => None,
    };
    found.iter().map(|item| place(item).ok_or(PatchFault::Outside)).collect()
}

/// The one element that was found.
fn single(found: &[Place]) -> Result<&Place, PatchFault> {
    match found {
        [] => Err(PatchFault::NoTarget),
        [place] => Ok(place),
        several => Err(PatchFault::SeveralTargets(several.len())),
    }
}

/// The list whose elements were found, all of them in their order: its first, and its length.
fn list<'p>(resource: &Resource, found: &'p [Place]) -> Result<(&'p Spot, usize), PatchFault> {
    let first = found.first().ok_or(PatchFault::NoTarget)?;
    let first = first.spot.as_ref().ok_or(PatchFault::NoList)?;
    let whole = found.iter().enumerate().all(|(at, place)| {
        place.spot.as_ref().is_some_and(|spot| spot.at == Some(at) && spot.is_beside(first))
    });
    let length = first.length(resource);
    if whole && length == found.len() { Ok((first, length)) } else { Err(PatchFault::NoList) }
}
