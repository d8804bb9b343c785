//! Whether a subscriber may know of a change at all: events are numbered, so one that is withheld
//! from the subscriber must not get a number, or the gap would tell of it.

use std::collections::HashMap;

use store::{Snapshot, Stored};

use super::definition::Definition;
use super::work::{caller, is_inside};
use crate::authorise::{Action, Scope, permitted};
use crate::{App, Result};

/// Owner of a subscription, its purpose, and the type of a resource.
type Reading = (String, String, &'static str);

/// What subscribers may read, remembered for one step along the feed.
#[derive(Debug, Default)]
pub(super) struct Readers {
    /// `None` where nothing may be read: that is found out, and told, when it is delivered.
    scopes: HashMap<Reading, Option<Scope>>,
}

impl Readers {
    /// Whether patients let the subscriber know of a change. What the store holds must not be older
    /// than the change.
    pub(super) fn may_know(
        &mut self,
        app: &App,
        snapshot: &dyn Snapshot,
        definition: &Definition,
        stored: &Stored,
    ) -> Result<bool> {
        if !app.withheld().is_anything(app)? {
            return Ok(true);
        }
        let kind = stored.key.resource_type;
        let reading = (definition.owner.clone(), definition.purpose.clone(), kind);
        if !self.scopes.contains_key(&reading) {
            let reader = caller(app, definition)?;
            let permit = reader.and_then(|reader| permitted(app, &reader, Action::reading(kind)));
            let scope = permit.map(|permit| permit.scope().clone());
            self.scopes.insert(reading.clone(), scope);
        }
        match self.scopes.get(&reading) {
            Some(Some(scope)) => is_inside(snapshot, stored, scope),
            _ => Ok(true),
        }
    }
}
