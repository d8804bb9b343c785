//! What an app's token must allow for an action: policy judges the user, this judges the grant
//! (SMART App Launch 2.2, scopes).

use oauth::{Permission, Permissions};

/// What the scopes of an app must say; a person who is signed in needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// At least one of these letters for a type, be it for some resources only; those are then
    /// all that the permit reaches.
    Some(&'static str, Permissions),
    /// This letter for something of at least one type; what has it is all that the permit reaches.
    Somewhere(Permission),
    /// Each of these letters for every resource of a type (`*` for all types).
    All(&'static str, Permissions),
    /// Reading and searching of at least one type in full: the door asks
    /// [`super::Scope::gives_all_of`] for each.
    Export,
    /// A person: no scope says it, so no app may do it.
    Person,
}

impl Needs {
    /// The type that it is about, `*` for all; nothing for what no resource stands for.
    pub fn kind(self) -> Option<&'static str> {
        match self {
            Self::Some(kind, _) | Self::All(kind, _) => Some(kind),
            Self::Somewhere(_) | Self::Export => Some("*"),
            Self::Person => None,
        }
    }

    /// One letter for a type by its name; for `*`, and for a name that is none, all there is.
    pub fn one(resource_type: &str, letter: Permission) -> Self {
        Self::any(resource_type, Permissions::NONE.with(letter))
    }

    /// One of several letters for a type.
    pub fn any(resource_type: &str, letters: Permissions) -> Self {
        match fhir::resource_type(resource_type) {
            Some(kind) => Self::Some(kind, letters),
            None => Self::All("*", letters),
        }
    }
}
