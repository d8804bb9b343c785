//! Projects as they stand, read once and held until one of them changes, so that the calls of members
//! cost no walk over the store.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::shelf::{self, Known};
use crate::{App, Result};

/// The projects, as far as they are held. [`Held::changed`] follows every write of one.
#[derive(Default)]
pub(crate) struct Held {
    inner: Mutex<Inner>,
    /// Held while this institution, or its patient council, decides.
    turns: Mutex<()>,
    /// Held while a decision is taken down, of whomever: what follows from all of them is found once.
    taking: Mutex<()>,
}

#[derive(Default)]
struct Inner {
    /// How often they have changed.
    changes: u64,
    all: Option<Arc<Vec<Known>>>,
}

impl Held {
    /// After a project was written: the next who asks reads again.
    pub(super) fn changed(&self) {
        let mut inner = self.inner.lock();
        inner.changes += 1;
        inner.all = None;
    }

    /// Whoever holds it decides alone.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turns.lock()
    }

    /// Whoever holds it takes a decision down alone.
    pub(super) fn taking(&self) -> MutexGuard<'_, ()> {
        self.taking.lock()
    }
}

/// All projects.
pub(crate) fn all(app: &App) -> Result<Arc<Vec<Known>>> {
    let held = &app.projects().inner;
    let changes = {
        let inner = held.lock();
        if let Some(all) = &inner.all {
            return Ok(all.clone());
        }
        inner.changes
    };
    let all = Arc::new(shelf::all(&*app.store().snapshot()?)?);
    let mut inner = held.lock();
    // What changed while it was read may be missing from it.
    if inner.changes == changes {
        inner.all = Some(all.clone());
    }
    Ok(all)
}
