//! The one machine of a node: programs run on it one after the other, against a clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use sandbox::{Machine, Program, Refused};
use statistics::Failure;

use crate::{Error, Kind};

/// How often the clock of the machine goes on while a program runs.
const TICK: Duration = Duration::from_millis(100);
/// Ticks that one call of a program has: 30 seconds.
pub(super) const TICKS: u64 = 300;
/// How long a run waits for the runs before it.
const QUEUE: Duration = Duration::from_secs(60);
/// Most programs that are held compiled for their next run; the one used longest ago goes first.
const MOST_LOADED: usize = 4;

/// What a node keeps of programs while it runs. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct State(Arc<Mutex<Held>>);

/// The machine, and what is compiled for it.
#[derive(Default)]
pub(super) struct Held {
    machine: Option<Machine>,
    loaded: VecDeque<Program>,
}

/// Why a program does not run. The words are fixed: none of them is a program's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stopped {
    /// Others run, for longer than it waits.
    #[error("other programs run on this node; try again later")]
    Busy,
    /// The store does not answer.
    #[error("the programs of this node cannot be read")]
    Unread,
    /// Its bytes are not here.
    #[error("the bytes of the program are not here")]
    Absent,
    /// It says other things of itself than the project.
    #[error("the program is not what the project says of it")]
    Other,
    /// It failed over the rows of this institution as often as it may.
    #[error("the program has failed here too often")]
    Failed,
    /// A rule of the sandbox.
    #[error("{0}")]
    Refused(#[from] Refused),
}

impl Stopped {
    /// As other analyses say why a question has no answer.
    pub fn failure(&self) -> Failure {
        Failure::Question(self.to_string())
    }

    /// Whether it is nothing about the program: it may run another time.
    pub const fn is_for_now(&self) -> bool {
        matches!(self, Self::Busy | Self::Unread)
    }
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Busy => Self::new(Kind::Busy, stopped.to_string()),
            Stopped::Unread => Self::internal(stopped.to_string()),
            _ => Self::invalid("value", stopped.to_string()),
        }
    }
}

impl State {
    /// Does `work` while nothing else is done with programs on this node, with the machine's clock going.
    /// Blocks.
    pub(super) fn alone<T>(
        &self,
        work: impl FnOnce(&mut Held) -> Result<T, Stopped>,
    ) -> Result<T, Stopped> {
        let mut held = self.0.try_lock_for(QUEUE).ok_or(Stopped::Busy)?;
        let machine = held.machine()?;
        let (done, is_done) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let clock = move || {
                while is_done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    machine.tick();
                }
            };
            let clock =
                thread::Builder::new().name("programs".to_owned()).spawn_scoped(scope, clock);
            clock.map_err(|_| Stopped::Busy)?;
            let out = work(&mut held);
            // The clock ends with its channel, also where the work does not come back.
            drop(done);
            out
        })
    }
}

impl Held {
    fn machine(&mut self) -> Result<Machine, Refused> {
        if self.machine.is_none() {
            self.machine = Some(Machine::new()?);
        }
        self.machine.clone().ok_or(Refused::Machine)
    }

    /// The program of this hash, where it is compiled.
    pub fn loaded(&mut self, hash: &str) -> Option<Program> {
        let at = self.loaded.iter().position(|one| one.hash() == hash)?;
        let program = self.loaded.remove(at)?;
        self.loaded.push_back(program.clone());
        Some(program)
    }

    /// Checks and compiles a program.
    pub fn load(&mut self, bytes: &[u8]) -> Result<Program, Refused> {
        if let Some(program) = self.loaded(&sandbox::hash(bytes)) {
            return Ok(program);
        }
        let program = Program::load(&self.machine()?, bytes, TICKS)?;
        if self.loaded.len() >= MOST_LOADED {
            self.loaded.pop_front();
        }
        self.loaded.push_back(program.clone());
        Ok(program)
    }
}
