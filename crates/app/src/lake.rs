//! The lake of this institution: tables of views over its records, kept current from the change feed.
//!
//! A task of the node opens it and follows ([`run`]); everything in it can be made again from the
//! records. Whoever asks it comes through [`look`], which first has the tables show whoever is in research
//! at this moment and nobody else. What is about no patient, about several, or governs access is not in it.

pub mod export;
mod follow;
mod people;
mod place;

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ::lake::{Engine, Lake, Limits, Snapshot};
use parking_lot::{Mutex, RwLock};
use store::Seq;
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError, watch};

use crate::consent::research::Participants;
use crate::workspace::shown::Shown;
use crate::{App, Error, Kind, Result};

pub use follow::run;
pub use place::Place;

pub(crate) use people::mark;

/// Queries of researchers: one that is answered, and those that wait for it.
const AT_ONCE: usize = 4;
/// How long the tables are held of which a researcher's query was answered.
const HELD_MS: i64 = 24 * 60 * 60 * 1000;
/// How long one query may take.
const QUERY_TIME: Duration = Duration::from_secs(30);
/// How long somebody waits until the lake shows what is committed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a node keeps of its lake while it runs.
pub struct State {
    place: Option<Place>,
    open: RwLock<Option<Arc<Open>>>,
    /// The last change that queries see; rung whenever it moves.
    shown: watch::Sender<Seq>,
    /// The mark of who is in research, and for whom it was worked out.
    mark: Mutex<Option<(Arc<Participants>, Arc<str>)>>,
    asking: Semaphore,
    /// What researchers were shown by SQL.
    pub(crate) shown_by_sql: Shown,
    /// Held while a data set is made anew, so that those who wait for it do not all make it.
    pub(crate) making: Mutex<()>,
}

/// A lake that is open.
pub(crate) struct Open {
    lake: Lake,
    pub(crate) engine: Engine,
    /// The types of resources that its views read.
    kinds: HashSet<&'static str>,
    /// The last change that may have changed a row.
    moved: AtomicU64,
    /// Whether it had once followed to the end since it was opened: before, whole kinds of records may be
    /// missing.
    is_whole: AtomicBool,
    /// Held as long as the lake is open.
    _lock: File,
    /// For whom the tables are shown.
    people: Mutex<Option<Arc<Participants>>>,
    /// The tables as they were when a researcher's query was answered, and when that was.
    held: Mutex<Option<(i64, Arc<Snapshot>)>>,
    /// How often files were written anew without the rows of the purged.
    scrubs: AtomicU64,
}

/// The tables at one moment.
pub(crate) struct Look {
    pub(crate) open: Arc<Open>,
    pub(crate) snapshot: Arc<Snapshot>,
    /// The last change that may have changed a row.
    pub(crate) moved: Seq,
    /// Tells who was in research ([`mark`]).
    pub(crate) mark: Arc<str>,
    /// How often rows of the purged had been taken out before.
    scrubs: u64,
}

/// How large a lake is, and how far it has followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Rows, those of patients who are left out included.
    pub rows: u64,
    /// Rows that nobody sees any more, and that are in the files or in memory still.
    pub gone: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Changes of the feed that are not in it yet.
    pub behind: u64,
    /// Tables that are built from the start.
    pub rebuilding: Vec<String>,
}

impl State {
    /// The lake at a place; nowhere, it stays closed.
    pub(crate) fn new(place: Option<Place>) -> Self {
        Self {
            place,
            open: RwLock::default(),
            shown: watch::channel(0).0,
            mark: Mutex::default(),
            asking: Semaphore::new(AT_ONCE),
            shown_by_sql: Shown::default(),
            making: Mutex::default(),
        }
    }

    fn open(&self) -> Result<Arc<Open>> {
        match (&*self.open.read(), &self.place) {
            (Some(open), _) => Ok(Arc::clone(open)),
            (None, Some(_)) => {
                Err(Error::new(Kind::Busy, "the lake is not open yet; try again shortly"))
            }
            (None, None) => {
                let message = "this institution keeps no lake; its operator can switch it on";
                Err(Error::new(Kind::Conflict, message))
            }
        }
    }

    /// The last change that may have changed a row; `None` while the lake cannot be asked.
    pub(crate) fn moved(&self) -> Option<Seq> {
        let open = self.open.read();
        let whole = open.as_ref().filter(|open| open.is_whole.load(Ordering::Acquire));
        whole.map(|open| open.moved.load(Ordering::Acquire))
    }

    /// Leave to ask, as long as the returned value lives.
    ///
    /// Errors: where as many ask as may.
    pub(crate) fn ask(&self) -> std::result::Result<SemaphorePermit<'_>, TryAcquireError> {
        self.asking.try_acquire()
    }
}

impl Open {
    fn new(lake: Lake, kinds: HashSet<&'static str>, lock: File) -> std::io::Result<Self> {
        Ok(Self {
            engine: Engine::new(limits())?,
            kinds,
            moved: AtomicU64::new(lake.position()),
            is_whole: AtomicBool::new(false),
            _lock: lock,
            people: Mutex::default(),
            held: Mutex::default(),
            scrubs: AtomicU64::new(0),
            lake,
        })
    }

    /// The tables of the first query that was answered within a day, and when that was.
    pub(crate) fn held(&self, now_ms: i64) -> Option<(i64, Arc<Snapshot>)> {
        let mut held = self.held.lock();
        if held.as_ref().is_some_and(|(at, _)| now_ms.saturating_sub(*at) > HELD_MS) {
            *held = None;
        }
        held.clone()
    }

    /// Holds no tables with rows of the purged.
    fn let_go(&self) {
        let mut held = self.held.lock();
        self.scrubs.fetch_add(1, Ordering::AcqRel);
        *held = None;
    }
}

impl Look {
    /// Holds these tables, of which a query was answered, where none are held.
    pub(crate) fn hold(&self, now_ms: i64) {
        let mut held = self.open.held.lock();
        if self.open.scrubs.load(Ordering::Acquire) == self.scrubs {
            held.get_or_insert_with(|| (now_ms, Arc::clone(&self.snapshot)));
        }
    }
}

/// What one query may take.
fn limits() -> Limits {
    Limits { time: QUERY_TIME, ..Limits::default() }
}

/// The tables as they are, of whoever is in research at this moment. Blocks.
///
/// Errors: [`Kind::Busy`] while the lake is not open yet, or has not yet followed the records to their end
/// since it was opened; [`Kind::Conflict`] where there is none.
pub(crate) fn look(app: &App) -> Result<Look> {
    let open = app.lake().open()?;
    if !open.is_whole.load(Ordering::Acquire) {
        let newest = *app.store().watch().borrow();
        if open.lake.applied() < newest {
            let message = "the lake is still being built from the records; try again later";
            return Err(Error::new(Kind::Busy, message));
        }
        open.is_whole.store(true, Ordering::Release);
    }
    let scrubs = open.scrubs.load(Ordering::Acquire);
    let (snapshot, moved, mark) = people::show(app, &open)?;
    Ok(Look { open, snapshot, moved, mark, scrubs })
}

/// Waits until queries see everything that is committed now.
///
/// Errors: [`Kind::Busy`] where that takes more than half a minute, [`Kind::Conflict`] where there is no
/// lake.
pub async fn current(app: &App) -> Result<()> {
    if app.lake().place.is_none() {
        app.lake().open()?;
    }
    let newest = *app.store().watch().borrow();
    let mut shown = app.lake().shown.subscribe();
    let reached = tokio::time::timeout(PATIENCE, shown.wait_for(|seq| *seq >= newest)).await;
    match reached {
        Ok(Ok(_)) => Ok(()),
        _ => Err(Error::new(Kind::Busy, "the lake is still being built; try again later")),
    }
}

/// How it is with the lake; `None` while it is closed. For whoever operates the node, who was
/// authorised.
pub(crate) fn status(app: &App) -> Option<Status> {
    let open = app.lake().open().ok()?;
    let size = open.lake.size();
    let newest = *app.store().watch().borrow();
    Some(Status {
        rows: size.rows as u64,
        gone: size.gone as u64,
        disk_bytes: size.disk_bytes,
        memory_bytes: size.memory_bytes,
        behind: newest.saturating_sub(open.lake.applied()),
        rebuilding: open.lake.rebuilding(),
    })
}
