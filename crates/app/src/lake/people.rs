//! Whom the tables show: whoever takes part in research at this moment, with all of their record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::lake::Snapshot;
use fhir::Id;
use store::Seq;

use super::Open;
use crate::consent::research::{Participants, Regime, participants};
use crate::{App, Result};

/// The tables of whoever is in research now, the last change that may have changed a row of them,
/// and the mark of who that is. Blocks.
pub(super) fn show(app: &App, open: &Open) -> Result<(Arc<Snapshot>, Seq, Arc<str>)> {
    // Held while it is asked who is in, so that nobody shows what held earlier.
    let mut shown = open.people.lock();
    let now = participants(app)?;
    if !shown.as_ref().is_some_and(|before| Arc::ptr_eq(before, &now)) {
        match now.regime() {
            Regime::OptOut => open.lake.leave_out(now.apart().map(Id::as_str)),
            Regime::OptIn => open.lake.let_in(now.apart().map(Id::as_str)),
        }
        *shown = Some(now.clone());
    }
    let moved = open.moved.load(Ordering::Acquire);
    Ok((open.lake.snapshot(), moved, marked(app, &now)))
}

/// What tells who is in research now from who was at another moment. Blocks.
pub(crate) fn mark(app: &App) -> Result<Arc<str>> {
    Ok(marked(app, &participants(app)?))
}

fn marked(app: &App, now: &Arc<Participants>) -> Arc<str> {
    let mut known = app.lake().mark.lock();
    if let Some((of, mark)) = &*known
        && Arc::ptr_eq(of, now)
    {
        return mark.clone();
    }
    let mut ids: Vec<&str> = now.apart().map(Id::as_str).collect();
    ids.sort_unstable();
    let regime: &[u8] = match now.regime() {
        Regime::OptOut => b"opt-out",
        Regime::OptIn => b"opt-in",
    };
    let ids = ids.join(" ");
    let hash = crypto::hash::sha256_of_parts(&[regime, b"/", ids.as_bytes()]);
    let mark: Arc<str> = crypto::hash::hex(&hash).into();
    *known = Some((now.clone(), mark.clone()));
    mark
}
