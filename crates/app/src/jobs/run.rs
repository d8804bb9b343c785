//! What a piece of work sees of the job it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fhir::Id;
use serde_json::Value;

use super::folder::Folder;
use super::{Job, Progress};
use crate::{Caller, Error};

/// Why a piece of work did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The node stops; the work goes on after the next start.
    Stopped,
    /// The owner has cancelled it.
    Cancelled,
    /// It failed for good.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The result of a piece of work or of a part of one.
pub type Outcome<T> = std::result::Result<T, Ended>;

/// What is known of a running job while it runs.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub cancelled: AtomicBool,
    pub done: AtomicU64,
    pub total: AtomicU64,
}

/// One run of a job.
#[derive(Debug)]
pub struct Run {
    id: Id,
    caller: Caller,
    request: Value,
    folder: Folder,
    live: Arc<Live>,
    stopping: Arc<AtomicBool>,
}

const CHECKPOINT: &str = "checkpoint.json";

impl Run {
    /// A run of `job` whose files are in `folder`.
    pub(super) fn new(
        job: &Job,
        folder: Folder,
        live: Arc<Live>,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        let (caller, request) = (job.caller(), job.request.clone());
        Self { id: job.id.clone(), caller, request, folder, live, stopping }
    }

    /// The job.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Who ordered it, as they were then.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What was ordered.
    pub fn request(&self) -> &Value {
        &self.request
    }

    /// The folder of its files: what is kept between runs, and below `out/` what the owner may
    /// download once the job is done.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// An error where the work must end. To be asked at least once a second.
    pub fn check(&self) -> Outcome<()> {
        if self.live.cancelled.load(Ordering::Relaxed) {
            return Err(Ended::Cancelled);
        }
        if self.stopping.load(Ordering::Relaxed) {
            return Err(Ended::Stopped);
        }
        Ok(())
    }

    /// Says how far the work is.
    pub fn progress(&self, progress: Progress) {
        self.live.done.store(progress.done, Ordering::Relaxed);
        self.live.total.store(progress.total, Ordering::Relaxed);
    }

    /// What the last run saved with [`Run::save`].
    pub fn checkpoint(&self) -> Outcome<Option<Value>> {
        match self.folder.read(CHECKPOINT) {
            Ok(text) => Ok(serde_json::from_slice(&text).map(Some).map_err(|e| {
                Error::internal(format!("the checkpoint of a job cannot be read: {e}"))
            })?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &error).into()),
        }
    }

    /// Saves where to go on after a restart; durable on return. Files that it speaks of must be
    /// durable before.
    pub fn save(&self, checkpoint: &Value) -> Outcome<()> {
        let saved = self.folder.write(CHECKPOINT, checkpoint.to_string().as_bytes());
        Ok(saved.map_err(|e| failed("written", &e))?)
    }
}

/// A fault of the disk.
pub(crate) fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::internal(format!("a file of a job cannot be {what}: {error}"))
}
