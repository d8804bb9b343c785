//! A synthetic twin of a data set: rows that look like its own and belong to nobody ([`privacy::twin`]), so that analyses
//! are written and tried outside before a project asks the data set itself.
//!
//! There is one where the holder says so ([`offer()`]). It is drawn once, out of the rows of people who are in research at
//! that time, at a cost that the institution's privacy ledger bears for everybody; everybody is given the same text. When
//! the rows are others, it is drawn and paid anew after 30 days. Why it works this way is in
//! [ADR 31](../../../../docs/adr/0031-synthetic-twins.md).

mod draw;
mod kept;
mod offer;
mod table;

pub(super) use draw::draw_due;
pub use kept::Drawn;
pub use offer::Offer;

use kept::Kept;
use store::{Guard, SideWrite, Snapshot, Transaction};

use super::columns;
use super::publish::admit;
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::records::write::retry;
use crate::{App, Caller, Error, Result};

/// Says that there shall be a twin of a data set, and draws it where none was drawn of its rows. For operators, and the
/// node itself (`None`). Blocks.
///
/// Errors: [`crate::Kind::NotFound`] for an unknown data set, [`crate::Kind::Invalid`] where no twin can be made of its
/// dictionary; [`crate::Kind::Forbidden`] where the privacy budget does not cover it: the offer stays, and is
/// tried again.
pub fn offer(app: &App, caller: Option<&Caller>, name: &str, offer: &Offer) -> Result<Drawn> {
    if let Some(caller) = caller {
        authorise(app, caller, Action::of(policy::Action::ManageDatasets))?;
    }
    offer.check()?;
    let note = format!("a synthetic twin is offered at ε = {}: {name}", offer.epsilon);
    change(app, caller, name, &note, |snapshot, kept| {
        let set = columns::description(snapshot, name)?.ok_or_else(Error::not_found)?;
        table::of(&set, offer)?;
        let is_new = kept.offer.as_ref() != Some(offer);
        kept.offer = Some(offer.clone());
        Ok(is_new)
    })?;
    draw::draw(app, name, caller)?;
    of(app, name)?.ok_or_else(Error::not_found)
}

/// Says that there shall be no twin of a data set any more. The last one stays where it is, so that offering it again
/// shows the same. For operators. Blocks.
///
/// Errors: [`crate::Kind::NotFound`] where none is offered.
pub fn withdraw(app: &App, caller: &Caller, name: &str) -> Result<()> {
    authorise(app, caller, Action::of(policy::Action::ManageDatasets))?;
    let note = format!("a synthetic twin is offered no longer: {name}");
    change(app, Some(caller), name, &note, |_, kept| {
        kept.offer.take().map(|_| true).ok_or_else(Error::not_found)
    })
}

/// Changes what is kept, with an entry in the audit, unless `edit` says that nothing is new.
fn change(
    app: &App,
    caller: Option<&Caller>,
    name: &str,
    note: &str,
    edit: impl Fn(&dyn Snapshot, &mut Kept) -> Result<bool>,
) -> Result<()> {
    let _one = app.catalogue().drawing.lock();
    retry(|| {
        let snapshot = app.store().snapshot()?;
        let mut kept = Kept::read(&*snapshot, name)?;
        if !edit(&*snapshot, &mut kept)? {
            return Ok(());
        }
        let event = match caller {
            Some(caller) => Event::by(caller, Pattern::Configure),
            None => Event::by_node(Pattern::Configure),
        };
        let guards = vec![columns::is_still(&*snapshot, name)?, kept::is_still(&*snapshot, name)?];
        let side = vec![kept.write(name)?];
        let writes = vec![event.note(note).write(app)?];
        app.store().commit(Transaction { guards, side, writes })?;
        Ok(())
    })
}

/// The twin of a data set, where one is offered and was drawn.
pub(super) fn of(app: &App, name: &str) -> Result<Option<Drawn>> {
    shown(&*app.store().snapshot()?, name)
}

fn shown(snapshot: &dyn Snapshot, name: &str) -> Result<Option<Drawn>> {
    let kept = Kept::read(snapshot, name)?;
    Ok(kept.drawn.filter(|_| kept.offer.is_some()))
}

/// What is told of the twin of a data set. For who may read the catalogue.
///
/// Errors: [`crate::Kind::NotFound`] where there is none.
pub fn about(app: &App, reader: Option<&Caller>, name: &str) -> Result<Drawn> {
    admit(app, reader)?;
    of(app, name)?.ok_or_else(Error::not_found)
}

/// The twin of a data set as comma-separated values, the same for everybody. For who may read the catalogue; who took it
/// is in the audit.
///
/// Errors: [`crate::Kind::NotFound`] where there is none.
pub fn csv(app: &App, reader: Option<&Caller>, name: &str) -> Result<String> {
    admit(app, reader)?;
    let snapshot = app.store().snapshot()?;
    shown(&*snapshot, name)?.ok_or_else(Error::not_found)?;
    let text = kept::text(&*snapshot, name)?;
    drop(snapshot);
    // What is public may be had by everybody, and would fill the audit.
    if let Some(caller) = reader {
        let note = format!("the synthetic twin of a data set is taken: {name}");
        app.audit(Event::by(caller, Pattern::Query).note(note))?;
    }
    Ok(text)
}

/// The writes that take a twin away with its data set.
pub(super) fn removals(snapshot: &dyn Snapshot, name: &str) -> Result<Vec<SideWrite>> {
    let mut side = kept::text_removals(snapshot, name)?;
    side.push(kept::removal(name));
    Ok(side)
}

/// What a transaction rests on that takes a twin away: that it is as it was read.
pub(super) fn is_still(snapshot: &dyn Snapshot, name: &str) -> Result<Guard> {
    kept::is_still(snapshot, name)
}
