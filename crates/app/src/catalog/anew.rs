//! Making data sets of the records anew: when somebody has decided otherwise about research, before
//! anything is answered from it; when the records have changed, now and then; and when an operator asks.

use std::time::Duration;

use statistics::{Dictionary, Frame};
use store::Transaction;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::register::check;
use super::{Dataset, Draft, columns, query};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::records::write::retry;
use crate::{App, Caller, Error, Kind, Result, lake};

/// How often it is looked which are out of date.
const EVERY: Duration = Duration::from_secs(60);
/// How long one stays although the records have changed, in milliseconds: 15 minutes.
pub const STAYS_MS: i64 = 15 * 60 * 1000;

/// Makes those anew that are out of date, until the node stops.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            _ = every.tick() => {}
        }
        if let Err(error) = app.run(refresh_due).await {
            tracing::error!(reason = %error.message, "data sets could not be looked after");
        }
    }
}

/// Makes those anew that are out of date now. Blocks.
///
/// Errors: those of the store. What cannot be made anew is logged, and stays for as long as nobody decides
/// otherwise about research.
pub fn refresh_due(app: &App) -> Result<()> {
    let Some(moved) = app.lake().moved() else { return Ok(()) };
    let sets = columns::described(&*app.store().snapshot()?)?;
    for set in sets {
        let Some(made) = &set.made else { continue };
        let is_old = made.seq < moved && made.tried_ms + STAYS_MS <= app.now_ms();
        if (is_old || !is_current(app, &set)?)
            && let Err(error) = made_anew(app, &set.name, None)
        {
            tracing::warn!(
                dataset = %set.name, reason = %error.message, "a data set cannot be made anew"
            );
            tried(app, &set.name)?;
        }
    }
    Ok(())
}

/// Makes a data set anew out of the records as they are. For operators. Waits until the lake has
/// followed.
///
/// Errors: [`Kind::NotFound`], [`Kind::Conflict`] for one that was handed in as a table, and those of
/// [`query::register`].
pub async fn refresh(app: &App, caller: &Caller, name: &str) -> Result<Dataset> {
    let (by, action) = (caller.clone(), Action::of(policy::Action::ManageDatasets));
    app.run(move |app| authorise(app, &by, action)).await?;
    lake::current(app).await?;
    let (by, name) = (caller.clone(), name.to_owned());
    app.run(move |app| made_anew(app, &name, Some(&by))).await
}

/// The dictionary of a data set and the columns of these variables, for the engines. Nobody is in them
/// who is not in research now: one of the records is made anew first where that has changed. Blocks.
///
/// Errors: [`Kind::NotFound`] for an unknown data set; those of [`query::register`] where it has to be
/// made anew and cannot be.
pub(crate) fn rows(app: &App, name: &str, variables: &[String]) -> Result<(Dictionary, Frame)> {
    let mut snapshot = app.store().snapshot()?;
    let mut set = columns::description(&*snapshot, name)?.ok_or_else(Error::not_found)?;
    if !is_current(app, &set)? {
        drop(snapshot);
        made_anew(app, name, None)?;
        snapshot = app.store().snapshot()?;
        set = columns::description(&*snapshot, name)?.ok_or_else(Error::not_found)?;
    }
    let rows = columns::rows(&*snapshot, &set, variables)?;
    Ok((set.dictionary, rows))
}

/// Whether whoever is in it is in research now, and nobody else is.
fn is_current(app: &App, set: &Dataset) -> Result<bool> {
    let Some(made) = &set.made else { return Ok(true) };
    Ok(made.mark == *lake::mark(app)?)
}

/// Replaces the rows in one transaction.
fn made_anew(app: &App, name: &str, by: Option<&Caller>) -> Result<Dataset> {
    retry(|| {
        let snapshot = app.store().snapshot()?;
        let before = columns::description(&*snapshot, name)?.ok_or_else(Error::not_found)?;
        let Some(made) = &before.made else {
            let message = "the data set was handed in as a table; hand it in anew";
            return Err(Error::new(Kind::Conflict, message));
        };
        let (rows, made) = query::rows(app, &before.dictionary, &made.sql)?;
        let Dataset { name, title, dictionary, .. } = before.clone();
        let draft = Draft { name, title, dictionary, rows };
        check(&draft)?;
        let set = Dataset {
            rows: draft.rows.rows(),
            since_ms: app.now_ms(),
            made: Some(made),
            ..before.clone()
        };
        let mut side = columns::removals(&*snapshot, &before)?;
        side.extend(columns::writes(&set, &draft.rows)?);
        let event = match by {
            Some(caller) => Event::by(caller, Pattern::Configure),
            None => Event::by_node(Pattern::Configure),
        };
        let note = format!("a data set for research is made anew: {}", set.name);
        let guards = vec![columns::is_still(&*snapshot, &set.name)?];
        let writes = vec![event.note(note).write(app)?];
        app.store().commit(Transaction { guards, side, writes })?;
        Ok(set)
    })
}

/// Notes that it was tried, so that what fails is not tried at every look.
fn tried(app: &App, name: &str) -> Result<()> {
    let snapshot = app.store().snapshot()?;
    let Some(mut set) = columns::description(&*snapshot, name)? else { return Ok(()) };
    let Some(made) = &mut set.made else { return Ok(()) };
    made.tried_ms = app.now_ms();
    let guards = vec![columns::is_still(&*snapshot, name)?];
    let side = vec![columns::describe(&set)?];
    match app.store().commit(Transaction { guards, side, ..Transaction::default() }) {
        // Somebody has replaced it meanwhile.
        Ok(_) | Err(store::StoreError::GuardFailed) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
