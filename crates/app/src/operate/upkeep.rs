//! Who may remove data for good, and how it is recorded.

use policy::Role;

use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise, role};
use crate::{App, Caller, Result};

/// Privacy officers, by what lets them review; operators, by what lets them operate; and whoever
/// is at the node's own terminal (`None`), who has its files anyway.
pub(crate) fn authorise_upkeep(app: &App, caller: Option<&Caller>) -> Result<()> {
    let Some(caller) = caller else { return Ok(()) };
    let action = match role(caller)? {
        Role::PrivacyOfficer => policy::Action::Review,
        _ => policy::Action::Operate,
    };
    authorise(app, caller, Action::of(action)).map(|_| ())
}

/// The beginning of the entry.
pub(super) fn event(caller: Option<&Caller>, pattern: Pattern) -> Event<'_> {
    match caller {
        Some(caller) => Event::by(caller, pattern),
        None => Event::by_node(pattern),
    }
}
