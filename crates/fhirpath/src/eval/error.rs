//! Limits and errors of an evaluation.

use crate::item::Item;

/// The most items a collection may hold.
pub const MAX_ITEMS: usize = 200_000;
/// The most steps (items visited, items compared) of one evaluation.
pub const MAX_STEPS: u64 = 20_000_000;

/// The most bytes of text that an evaluation makes for one collection.
pub const MAX_TEXT_BYTES: usize = 1 << 24;
/// Bytes of text made that count as one step: an evaluation makes at most 160 MB in all.
pub(super) const BYTES_A_STEP: usize = 8;

/// Why an evaluation ended without a result. Messages name functions, elements and types, never
/// content of the resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// Several items where one was expected.
    #[error("`{0}` takes one item, not several")]
    NotSingle(&'static str),
    /// An operand or argument of the wrong type.
    #[error("`{operation}` does not take {given}")]
    WrongType {
        /// Function or operator.
        operation: &'static str,
        /// What it was given instead.
        given: String,
    },
    /// A type that neither FHIR R4 nor FHIRPath has.
    #[error("there is no type `{0}`")]
    UnknownType(String),
    /// An element that the type does not have (strict evaluation only).
    #[error("`{type_name}` has no element `{name}`")]
    UnknownElement {
        /// The type.
        type_name: String,
        /// The element.
        name: String,
    },
    /// A `%name` that the environment does not define.
    #[error("there is no variable `%{0}`")]
    UnknownVariable(String),
    /// A function whose work needs more than the resource, such as a terminology service.
    #[error("`{0}` is not supported")]
    Unsupported(&'static str),
    /// An argument that the function cannot work with.
    #[error("`{function}`: {reason}")]
    Argument {
        /// The function.
        function: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The evaluation went over [`MAX_ITEMS`], [`MAX_STEPS`] or [`MAX_TEXT_BYTES`].
    #[error("the expression takes too many steps or makes too large a collection")]
    TooLarge,
}

/// A step to an element that the type does not have.
pub(super) fn unknown_element(type_name: &str, name: &str) -> EvalError {
    EvalError::UnknownElement { type_name: type_name.into(), name: name.into() }
}

/// An operand of a type that the operation does not take.
pub(crate) fn wrong_type(operation: &'static str, item: &Item<'_>) -> EvalError {
    let (namespace, name) = item.type_name();
    EvalError::WrongType { operation, given: format!("`{namespace}.{name}`") }
}
