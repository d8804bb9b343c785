//! The store's pages under the newest key: taken up by a node that serves as soon as there is one,
//! and at the terminal where none does.
//!
//! Nothing is sent from the terminal to the node: `keys/sealed.json` has changed, so the node looks.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use store_sql::sqlite::{self, Form, PageKey, Rekeyed, SqliteStore};
use tokio::sync::watch;

use crate::command::say;
use crate::config::Config;
use crate::keys::ring::{BOX, Ring};
use crate::stores::{Folder, Location};
use crate::wiring::{Fault, system_clock};

/// How often a node looks whether its keys have changed.
const LOOK: Duration = Duration::from_secs(1);
/// How long it waits after a failure.
const AGAIN: Duration = Duration::from_secs(60);
/// How long the terminal waits for the node to begin.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long it waits between two looks.
const GLANCE: Duration = Duration::from_millis(200);

/// The store of a node that serves, and the key of its pages.
pub struct Pages {
    store: Arc<SqliteStore>,
    key: PageKey,
    keys: PathBuf,
}

impl Pages {
    /// Those of the store of the node in `folder`, which `key` has opened.
    pub fn new(store: Arc<SqliteStore>, key: PageKey, folder: &Path) -> Self {
        Self { store, key, keys: folder.join("keys") }
    }

    /// Encrypts the store anew whenever there is a newer key, until the node stops; then it goes on
    /// after the next start.
    pub async fn follow(mut self, mut stopped: watch::Receiver<bool>) {
        let mut seen = None;
        let mut wait = LOOK;
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = LOOK;
            let now = changed(&self.keys.join(BOX));
            if now == seen {
                continue;
            }
            let stop = stopped.clone();
            let work = move || {
                let done = self.take_up(&|| !*stop.borrow());
                (self, done)
            };
            let Ok((pages, done)) = tokio::task::spawn_blocking(work).await else { return };
            self = pages;
            match done {
                Ok(()) => seen = now,
                Err(_) if *stopped.borrow() => return,
                Err(error) => {
                    tracing::error!(%error, "the store was not encrypted anew; it is tried again");
                    wait = AGAIN;
                }
            }
        }
    }

    /// Takes up the newest key where it is another one.
    fn take_up(&mut self, goes_on: &dyn Fn() -> bool) -> Result<(), Fault> {
        let ring = Ring::open(&self.keys)?;
        let newest = ring.and_then(|ring| ring.page_keys().into_iter().next());
        let Some(newest) = newest.filter(|newest| !newest.is(&self.key)) else { return Ok(()) };
        tracing::info!("the store is being encrypted under a new key; the node serves on");
        let done = self.store.rekey(newest.clone(), &mut |_, _| goes_on())?;
        self.key = newest;
        let (pages, pause) = (done.pages, done.pause.as_millis());
        tracing::info!(pages, pause_ms = pause, "the store is encrypted under the newest key");
        Ok(())
    }
}

/// When a file was changed last.
fn changed(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|data| data.modified()).ok()
}

/// Sees to it, at the terminal, that the store of the node in `dir` is encrypted under the newest key:
/// does it, or waits until the node that serves has done it.
pub fn finish(dir: &Path, quiet: bool) -> Result<(), Fault> {
    let config = Config::read(dir)?;
    let Location::Folder(store) = config.location(dir)? else {
        return Err("the pages of a PostgreSQL are the server's to encrypt".into());
    };
    match sqlite::form(&store.path)? {
        Form::Absent => {
            say("there is no store yet; it will be encrypted when it is made");
            return Ok(());
        }
        Form::Plain => {
            return Err("the store is not encrypted yet; use `consilium store seal`".into());
        }
        Form::Sealed => {}
    }
    if store.is_up_to_date()? {
        say("the store is encrypted under the newest key");
        return Ok(());
    }
    let (bytes, _) = sqlite::sizes(&store.path);
    let megabytes = bytes.div_ceil(1_000_000);
    say(&format!(
        "the store has {megabytes} MB; as much more of the disk is needed until it is done"
    ));
    let bar = bar(quiet);
    let done = if sqlite::is_in_use(&store.path) {
        await_node(&store, &bar)
    } else {
        at_once(&store, config.fhir_base(), &bar).map(Some)
    };
    bar.finish_and_clear();
    if let Some(Rekeyed { pages, .. }) = done? {
        say(&format!("{pages} pages are copied"));
    }
    say("the store is encrypted under the newest key, and the old file is removed");
    say("copies of the old one (snapshots of the disk, backups) are as they were: remove them");
    Ok(())
}

fn at_once(store: &Folder, base: String, bar: &ProgressBar) -> Result<Rekeyed, Fault> {
    let newest = store.keys.first().cloned().ok_or("the node has no keys for data")?;
    let (opened, _) = store.open(system_clock(), Some(base))?;
    Ok(opened.rekey(newest, &mut |copied, all| {
        bar.set_length(all);
        bar.set_position(copied);
        true
    })?)
}

/// Waits for the node that serves.
fn await_node(store: &Folder, bar: &ProgressBar) -> Result<Option<Rekeyed>, Fault> {
    let mut last = Instant::now();
    let mut before = 0;
    loop {
        std::thread::sleep(GLANCE);
        if store.is_up_to_date()? {
            return Ok(None);
        }
        let (whole, copied) = sqlite::sizes(&store.path);
        bar.set_length(whole / 4096);
        bar.set_position(copied / 4096);
        if copied != before {
            (last, before) = (Instant::now(), copied);
        } else if last.elapsed() > PATIENCE {
            return Err("the program that has the store open does not take up the new key; its \
                        log says why. It will at its next start, or stop it and use `consilium \
                        store seal`"
                .into());
        }
    }
}

fn bar(quiet: bool) -> ProgressBar {
    let bar = ProgressBar::no_length();
    if quiet || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} pages  {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
