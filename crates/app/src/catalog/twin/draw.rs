//! Drawing a twin: it is paid for in the ledger before any noise is drawn, and kept before anybody can read it.
//!
//! What was paid is kept with the offer, in the transaction that writes the ledger and the audit entry. A node that
//! stops between paying and keeping draws when it is next looked after, and does not pay again.

use privacy::budget::Cost;
use privacy::twin::{Twin, measure};
use rand::RngExt as _;
use store::{SideWrite, Snapshot, Transaction};

use super::kept::{self, Drawn, Kept};
use super::offer::MOST_ROWS;
use super::table::{self, counts, csv, written};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::budget::{self, Payment};
use crate::catalog::counted::NoiseKey;
use crate::catalog::{Dataset, anew, columns, document};
use crate::records::write::retry;
use crate::{App, Caller, Error, Kind, Result};

/// Rows that are shown with what is told of a twin.
const SHOWN: usize = 5;

/// Draws the twin of a data set where one is due. Blocks.
///
/// Errors: [`crate::Kind::Forbidden`] where the privacy budget does not cover it, those of [`table::of`] and of
/// [`anew::current`]. What was paid stays paid.
pub(super) fn draw(app: &App, name: &str, by: Option<&Caller>) -> Result<()> {
    let _one = app.catalogue().drawing.lock();
    retry(|| {
        let (set, snapshot) = anew::current(app, name)?;
        let kept = Kept::read(&*snapshot, name)?;
        match kept.is_due(&set, app.now_ms()) {
            true => drawn(app, &set, &*snapshot, kept, by),
            false => Ok(()),
        }
    })
}

fn drawn(
    app: &App,
    set: &Dataset,
    snapshot: &dyn Snapshot,
    mut kept: Kept,
    by: Option<&Caller>,
) -> Result<()> {
    let Some(offer) = kept.offer.clone() else { return Ok(()) };
    let micro_epsilon = offer.micro_epsilon();
    let table = table::of(set, &offer)?;
    let names: Vec<String> = set.dictionary.variables.iter().map(|one| one.name.clone()).collect();
    let rows = columns::rows(snapshot, set, &names)?;
    let digest = crypto::hash::hex(&columns::digest(set, &rows)?);
    if let Some(last) = kept.drawn.as_mut().filter(|last| last.digest == digest) {
        // The rows were made anew and are the same.
        last.since_ms = set.since_ms;
        return keep(app, set, snapshot, &kept, Vec::new());
    }
    let key = NoiseKey::of(app)?;
    if kept.paid != Some(micro_epsilon) {
        kept.paid = Some(micro_epsilon);
        pay(app, set, snapshot, &kept, by)?;
    }
    // The noise is that of these rows in these cells at this cost: drawn again, it is the same.
    let cells = serde_json::to_vec(&table).map_err(|e| Error::internal(e.to_string()))?;
    let cost = micro_epsilon.to_le_bytes();
    let mut rng = key.generator(&[set.name.as_bytes(), &cells, &cost, digest.as_bytes()]);
    let cost = Cost::Pure { micro_epsilon };
    let measured = measure(&table, &counts(&table, &rows)?, cost, 1, &mut rng).map_err(faulty)?;
    drop(rows);
    let twin = Twin::fit(&table, &measured).map_err(faulty)?;
    let wanted = offer.rows.unwrap_or_else(|| twin.total()).clamp(1, MOST_ROWS);
    let made = twin.rows(wanted, rng.random()).map_err(faulty)?;
    let head = document::head(&set.dictionary);
    let (text, rows) = csv(head, written(&set.dictionary, &table, &made));
    let shown = made.get(..rows.min(SHOWN)).unwrap_or_default();
    let name_of = |place: usize| table.columns().get(place).map(|column| column.name.clone());
    kept.paid = None;
    kept.tried_ms = None;
    kept.drawn = Some(Drawn {
        micro_epsilon,
        rows: rows as u64,
        at_ms: app.now_ms(),
        dictionary: set.dictionary.clone(),
        pairs: measured
            .pairs()
            .filter_map(|(one, other)| Some((name_of(one)?, name_of(other)?)))
            .collect(),
        deviations: measured.deviations(),
        first: written(&set.dictionary, &table, shown).collect(),
        bytes: text.len() as u64,
        sha256: crypto::hash::hex(&crypto::sha256(text.as_bytes())),
        since_ms: set.since_ms,
        digest,
    });
    let side = kept::text_writes(snapshot, &set.name, &text)?;
    // Somebody may have decided otherwise about research since the rows were read: drawn anew it is without them, and
    // is not paid for again.
    if anew::stands(app, &set.name)? != Some(set.since_ms) {
        let message = "who is in research has changed meanwhile; try again";
        return Err(Error::new(Kind::Conflict, message));
    }
    keep(app, set, snapshot, &kept, side)
}

/// Pays out of what may be learned of the people here, with the entry in the audit and the note that it is paid, in one
/// transaction.
fn pay(
    app: &App,
    set: &Dataset,
    snapshot: &dyn Snapshot,
    kept: &Kept,
    by: Option<&Caller>,
) -> Result<()> {
    let micro_epsilon = kept.paid.unwrap_or_default();
    let event = match by {
        Some(caller) => Event::by(caller, Pattern::Configure),
        None => Event::by_node(Pattern::Configure),
    };
    let epsilon = micro_epsilon as f64 / 1e6;
    let note = format!("a synthetic twin is drawn at ε = {epsilon}: {}", set.name);
    let event = event.note(note);
    let question = format!("twin of {}", set.name);
    budget::everybody_pays(app, &question, micro_epsilon, |Payment { guard, mut side }| {
        let guards = vec![guard, columns::is_still(snapshot, &set.name)?];
        side.push(kept.write(&set.name)?);
        let writes = vec![event.write(app)?];
        app.store().commit(Transaction { guards, side, writes })?;
        Ok(())
    })
}

fn keep(
    app: &App,
    set: &Dataset,
    snapshot: &dyn Snapshot,
    kept: &Kept,
    mut side: Vec<SideWrite>,
) -> Result<()> {
    // A twin would stay without its data set where that was removed meanwhile.
    let guards = vec![columns::is_still(snapshot, &set.name)?];
    side.push(kept.write(&set.name)?);
    app.store().commit(Transaction { guards, side, ..Transaction::default() })?;
    Ok(())
}

fn faulty(error: privacy::twin::TwinError) -> Error {
    Error::internal(error.to_string())
}

/// Draws the twins that are due. What cannot be drawn is logged, and tried again after an hour. Blocks.
///
/// Errors: those of the store.
pub(in crate::catalog) fn draw_due(app: &App) -> Result<()> {
    let all = {
        let snapshot = app.store().snapshot()?;
        let mut due = Vec::new();
        for (name, kept) in Kept::all(&*snapshot)? {
            let set = columns::description(&*snapshot, &name)?;
            let now_ms = app.now_ms();
            if set.is_some_and(|set| kept.is_due(&set, now_ms)) && !kept.rests(now_ms) {
                due.push(name);
            }
        }
        due
    };
    for name in all {
        if let Err(error) = draw(app, &name, None) {
            tracing::warn!(dataset = %name, reason = %error.message, "a twin cannot be drawn");
            tried(app, &name)?;
        }
    }
    Ok(())
}

/// Notes that it was tried, so that what fails is not tried at every look.
fn tried(app: &App, name: &str) -> Result<()> {
    let _one = app.catalogue().drawing.lock();
    let snapshot = app.store().snapshot()?;
    let mut kept = Kept::read(&*snapshot, name)?;
    if kept.offer.is_none() {
        return Ok(());
    }
    kept.tried_ms = Some(app.now_ms());
    let guards = vec![kept::is_still(&*snapshot, name)?];
    let side = vec![kept.write(name)?];
    match app.store().commit(Transaction { guards, side, ..Transaction::default() }) {
        // The data set was removed meanwhile.
        Ok(_) | Err(store::StoreError::GuardFailed) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
