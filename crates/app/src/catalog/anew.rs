//! Making data sets of the records anew: when somebody has decided otherwise about research, before
//! anything is answered from it; when the records have changed, now and then; and when an operator asks.

use std::time::Duration;

use statistics::Frame;
use store::{Seq, SideWrite, Snapshot, Transaction};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::register::check;
use super::{Dataset, Draft, Made, SPACE, columns, described, query, twin};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, authorise};
use crate::records::write::retry;
use crate::{App, Caller, Error, Kind, Result, lake};

/// How often it is looked which are out of date.
const EVERY: Duration = Duration::from_secs(60);
/// How long one stays although the records have changed, in milliseconds: 15 minutes.
pub const STAYS_MS: i64 = 15 * 60 * 1000;
/// How long what the catalogue tells of the numbers of one stays, in milliseconds: 30 days. Each other number
/// of rows has noise of its own, so they are not told at every change.
const TOLD_MS: i64 = 30 * 24 * 60 * 60 * 1000;

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
        if let Err(error) = app.run(twin::draw_due).await {
            tracing::error!(reason = %error.message, "twins could not be looked after");
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
        let is_current = is_current(app, &set)?;
        if is_due(&set, made, moved, is_current, app.now_ms())
            && let Err(error) = renewed(app, &set)
        {
            tracing::warn!(
                dataset = %set.name, reason = %error.message, "a data set cannot be made anew"
            );
            tried(app, &set.name)?;
        }
    }
    Ok(())
}

/// Whether a data set is to be made anew: when somebody has decided otherwise, at once; when the records
/// have changed, or the last try was in vain, after a while.
fn is_due(set: &Dataset, made: &Made, moved: Seq, is_current: bool, now_ms: i64) -> bool {
    let rested = made.tried_ms.saturating_add(STAYS_MS) <= now_ms;
    let in_vain = made.tried_ms > set.since_ms;
    if is_current { made.seq < moved && rested } else { rested || !in_vain }
}

/// Makes a data set anew unless somebody else just has.
fn renewed(app: &App, before: &Dataset) -> Result<()> {
    let _one = app.lake().making.lock();
    let now = columns::description(&*app.store().snapshot()?, &before.name)?;
    let Some(now) = now else { return Ok(()) };
    if now == *before || !is_current(app, &now)? {
        made_anew(app, &now.name, None)?;
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
    app.run(move |app| {
        let _one = app.lake().making.lock();
        made_anew(app, &name, Some(&by))
    })
    .await
}

/// A data set and the columns of these variables, for the engines. Nobody is in them
/// who is not in research now: one of the records is made anew first where that has changed. Blocks.
///
/// Errors: [`Kind::NotFound`] for an unknown data set; those of [`query::register`] where it has to be
/// made anew and cannot be; [`Kind::Conflict`] where somebody has decided otherwise meanwhile.
pub(crate) fn rows(app: &App, name: &str, variables: &[String]) -> Result<(Dataset, Frame)> {
    let (set, snapshot) = current(app, name)?;
    let rows = columns::rows(&*snapshot, &set, variables)?;
    Ok((set, rows))
}

/// A data set as it is in a snapshot, with nobody in it who is not in research now. Blocks.
///
/// Errors: those of [`rows`].
pub(super) fn current(app: &App, name: &str) -> Result<(Dataset, Box<dyn Snapshot>)> {
    let mut snapshot = app.store().snapshot()?;
    let mut set = columns::description(&*snapshot, name)?.ok_or_else(Error::not_found)?;
    if !is_current(app, &set)? {
        drop(snapshot);
        renewed(app, &set)?;
        snapshot = app.store().snapshot()?;
        set = columns::description(&*snapshot, name)?.ok_or_else(Error::not_found)?;
        if !is_current(app, &set)? {
            let message = "somebody has decided otherwise about research meanwhile; try again";
            return Err(Error::new(Kind::Conflict, message));
        }
    }
    Ok((set, snapshot))
}

/// Since when a data set has its rows, in milliseconds since the Unix epoch, where whoever is in it is in
/// research now, and nobody else is. Blocks.
///
/// Errors: [`Kind::NotFound`] for an unknown data set.
pub(crate) fn stands(app: &App, name: &str) -> Result<Option<i64>> {
    let set = columns::description(&*app.store().snapshot()?, name)?;
    let set = set.ok_or_else(Error::not_found)?;
    Ok(is_current(app, &set)?.then_some(set.since_ms))
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
        side.extend(told(app, &*snapshot, &set, &draft.rows)?);
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

/// The writes that have the catalogue tell of a data set as it is now, where what it tells has stayed for
/// long enough.
fn told(app: &App, snapshot: &dyn Snapshot, set: &Dataset, rows: &Frame) -> Result<Vec<SideWrite>> {
    let key = format!("told/{}", set.name).into_bytes();
    let (_, known) = described::one(app, &set.name)?;
    let last = match snapshot.side(SPACE, &key)?.as_deref().map(<[u8; 8]>::try_from) {
        Some(Ok(last)) => i64::from_be_bytes(last),
        _ => known.issued_ms,
    };
    if last.saturating_add(TOLD_MS) > set.since_ms {
        return Ok(Vec::new());
    }
    let mut side = described::writes(app, snapshot, set, rows, known.about)?;
    let value = Some(set.since_ms.to_be_bytes().to_vec());
    side.push(SideWrite { space: SPACE, key, value });
    Ok(side)
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

#[cfg(test)]
mod tests {
    use statistics::Dictionary;

    use super::*;

    #[test]
    fn what_cannot_be_made_is_not_tried_at_every_look() {
        let set = |tried_ms: i64| Dataset {
            name: "people".into(),
            title: "People".into(),
            dictionary: Dictionary { variables: Vec::new() },
            rows: 0,
            since_ms: 1_000,
            declared: true,
            made: Some(Made { sql: String::new(), seq: 5, mark: String::new(), tried_ms }),
        };
        for (tried_ms, moved, is_current, now_ms, due) in [
            // Somebody decided otherwise: at once, but not again and again in vain.
            (1_000, 5, false, 1_001, true),
            (2_000, 5, false, 2_001, false),
            (2_000, 5, false, 2_000 + STAYS_MS, true),
            // The records changed: now and then.
            (1_000, 6, true, 1_001, false),
            (1_000, 6, true, 1_000 + STAYS_MS, true),
            (1_000, 5, true, 1_000 + STAYS_MS, false),
        ] {
            let set = set(tried_ms);
            let made = set.made.as_ref().unwrap();
            let told = is_due(&set, made, moved, is_current, now_ms);
            assert_eq!(told, due, "{tried_ms} {moved} {is_current} {now_ms}");
        }
    }
}
