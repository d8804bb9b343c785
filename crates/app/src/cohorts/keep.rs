//! Keeps the people current: built when somebody asks for the first time, then along the change feed.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::people::{Medications, People, Record};
use super::token::TokenMaker;
use crate::{App, Error, Kind, Result};

/// Changes within this time are taken together.
const TOGETHER: Duration = Duration::from_millis(20);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(5);
/// Everybody is read anew after this time: what nobody uses any more is given up, and codes are counted again.
const ANEW_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a question waits for people who are being read for the first time, and for late changes.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(2));

/// Keeps the people current until the node stops.
pub async fn run(app: App, mut stopped: watch::Receiver<bool>) {
    let mut wanted = app.cohorts().wanted.subscribe();
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => return,
        _ = wanted.wait_for(|wanted| *wanted) => {}
    }
    let mut written = app.store().watch();
    loop {
        written.mark_unchanged();
        let flag = stopped.clone();
        let kept = app.run(move |app| keep(app, &|| *flag.borrow())).await;
        let pause = match kept {
            Ok(()) => TOGETHER,
            Err(error) => {
                tracing::error!(reason = %error.message, "people could not be read for cohorts");
                PAUSE
            }
        };
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = sleep(pause) => {}
        }
        if pause == PAUSE {
            continue;
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            changed = written.changed() => if changed.is_err() { return },
        }
    }
}

/// Brings the people up to this moment. Blocks.
fn keep(app: &App, stop: &dyn Fn() -> bool) -> Result<()> {
    let state = app.cohorts();
    let known = state.people.read().as_ref().map(|people| (people.seq, people.built_ms));
    let changed = match known {
        Some((seq, built_ms)) if app.now_ms().saturating_sub(built_ms) < ANEW_MS => {
            People::changed(app, seq)?
        }
        _ => None,
    };
    let seq = match changed {
        None => {
            let Some((people, choices)) = People::build(app, stop)? else { return Ok(()) };
            let seq = people.seq;
            *state.people.write() = Some(people);
            *state.choices.write() = choices.into();
            seq
        }
        Some((touched, seq)) => {
            let (maker, medications) = (TokenMaker::new(app)?, Medications::default());
            let read_ms = app.now_ms();
            let snapshot = app.store().snapshot()?;
            for id in touched {
                let record = Record::read(&*snapshot, &id, &medications)?;
                let mut people = state.people.write();
                if let Some(people) = people.as_mut() {
                    people.take(&id, record.as_ref(), &maker)?;
                }
            }
            if let Some(people) = state.people.write().as_mut() {
                (people.seq, people.read_ms) = (seq, read_ms);
            }
            seq
        }
    };
    state.reached.send_replace(Some(seq));
    Ok(())
}

/// Waits until the people are there, and a moment for what was written just now. It takes no lock of the people: a count
/// may hold that for seconds.
///
/// Errors: [`Kind::Busy`] while they are read for the first time.
pub(super) async fn ready(app: &App) -> Result<()> {
    let state = app.cohorts();
    state.wanted.send_replace(true);
    let newest = app.store().newest().record();
    let mut reached = state.reached.subscribe();
    let patience = if reached.borrow().is_some() { PATIENCE.1 } else { PATIENCE.0 };
    let come = reached.wait_for(|seq| seq.is_some_and(|seq| seq >= newest));
    let is_late = timeout(patience, come).await.is_err();
    let are_there = state.reached.borrow().is_some();
    if is_late && !are_there { Err(not_yet()) } else { Ok(()) }
}

pub(super) fn not_yet() -> Error {
    let message = "the people here are being read for the first time; ask again in a minute";
    Error::new(Kind::Busy, message)
}
