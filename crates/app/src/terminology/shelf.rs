//! Where a node keeps its terminology: what was loaded from files, and with it what the store holds.

use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

use fhir::Document;
use store::Seq;
use terminology::{Layer, Terminology};

use super::posted::Posted;
use crate::{App, Result};

/// What a node knows of terminology. Made once, filled at start and whenever the files change, and
/// kept up with the store.
#[derive(Debug, Default)]
pub struct Shelf {
    state: RwLock<State>,
    /// What the store holds. Locked while it is read anew, so that one caller does it for all.
    posted: Mutex<Posted>,
}

#[derive(Debug, Default)]
struct State {
    loaded: Vec<Arc<Layer>>,
    /// Counts how often `loaded` was replaced.
    loads: u64,
    /// Without resources of the store: for callers who may see only one patient's record.
    base: Option<Arc<Terminology>>,
    whole: Option<Whole>,
}

/// The definitions with those of the store.
#[derive(Clone, Debug)]
struct Whole {
    terms: Arc<Terminology>,
    /// The store's newest write when this was found to be up to date.
    checked: Seq,
    /// [`State::loads`] when it was made.
    loads: u64,
}

impl Shelf {
    /// Puts code systems and other definitions that were loaded from files on the shelf, in place
    /// of those before. Questions that come later are answered by them.
    pub fn load(&self, layers: Vec<Arc<Layer>>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.loaded = layers;
        state.loads += 1;
        (state.base, state.whole) = (None, None);
    }

    /// All but the resources of the store.
    pub(super) fn base(&self) -> Arc<Terminology> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let loaded = with_own(&state.loaded);
        state.base.get_or_insert_with(|| Arc::new(Terminology::new(loaded))).clone()
    }

    pub(super) fn current(&self, app: &App) -> Result<Arc<Terminology>> {
        if let Some(terms) = self.ready(app) {
            return Ok(terms);
        }
        let newest_write = *app.store().watch().borrow();
        let mut posted = self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.whole();
        if let Some(whole) = known.as_ref().filter(|whole| whole.checked >= newest_write) {
            return Ok(whole.terms.clone());
        }
        let snapshot = app.store().snapshot()?;
        let checked = snapshot.seq();
        let changed = posted.follow(&*snapshot)?;
        let (mut layers, loads) = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            (with_own(&state.loaded), state.loads)
        };
        let terms = match known.filter(|known| !changed && known.loads == loads) {
            Some(known) => known.terms,
            None => match posted.layer() {
                Some(layer) => {
                    layers.push(Arc::new(layer));
                    Arc::new(Terminology::new(layers))
                }
                None => self.base(),
            },
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.loads == loads {
            state.whole = Some(Whole { terms: terms.clone(), checked, loads });
        }
        Ok(terms)
    }

    /// What [`Shelf::current`] says, where nothing has to be read for it.
    pub(super) fn ready(&self, app: &App) -> Option<Arc<Terminology>> {
        let newest_write = *app.store().watch().borrow();
        let whole = self.whole().filter(|whole| whole.checked >= newest_write)?;
        Some(whole.terms)
    }

    fn whole(&self) -> Option<Whole> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).whole.clone()
    }
}

/// The node's own code systems below the layers that were loaded.
fn with_own(loaded: &[Arc<Layer>]) -> Vec<Arc<Layer>> {
    static OWN: LazyLock<Arc<Layer>> = LazyLock::new(|| {
        let mut layer = Layer::new();
        let read = Document::parse(super::ROLES.to_owned());
        // A test reads the same text, so a faulty one is found before it is here.
        if let Ok(document) = read
            && let Err(error) = layer.add_resource(document.root())
        {
            tracing::error!(%error, "the code system of the roles cannot be read");
        }
        Arc::new(layer)
    });
    std::iter::once(OWN.clone()).chain(loaded.iter().cloned()).collect()
}
