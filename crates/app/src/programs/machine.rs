//! The one machine of a node: programs run on it one after the other, against a clock. Beside the run, one
//! program at a time is compiled and asked what it is, so that what is handed in holds no question up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sandbox::{Machine, Program, Refused};

use crate::{Error, Kind};

/// How often the clock of the machine goes on while a program runs.
const TICK: Duration = Duration::from_millis(100);
/// Ticks that a program has for one call of `start` or `next`, and for all calls of `contribute` in one
/// round: 30 seconds.
pub(super) const TICKS: u64 = 300;
/// How long a run waits for the runs before it.
const QUEUE: Duration = Duration::from_secs(20);
/// Most programs that are held compiled for their next run; the one used longest ago goes first.
const MOST_LOADED: usize = 4;

/// What a node keeps of programs while it runs. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct State(Arc<Held>);

/// The machine, what is compiled for it, and whose turn it is.
#[derive(Default)]
pub(super) struct Held {
    machine: Mutex<Option<Machine>>,
    loaded: Mutex<VecDeque<Program>>,
    /// When the clock of the machine last went on.
    ticked: Mutex<Option<Instant>>,
    /// Held by whoever runs a program over sums or rows.
    runs: Mutex<()>,
    /// Held by whoever only compiles one and asks what it is.
    looks: Mutex<()>,
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
    /// Does `work` while no other program runs over sums or rows on this node, with the machine's clock
    /// going. Blocks.
    pub(super) fn alone<T>(
        &self,
        work: impl FnOnce(&Held) -> Result<T, Stopped>,
    ) -> Result<T, Stopped> {
        self.turn(&self.0.runs, work)
    }

    /// Does `work`, which does no more than compile a program and ask what it is, while no other is looked
    /// at so, with the machine's clock going. It holds up no run. Blocks.
    pub(super) fn aside<T>(
        &self,
        work: impl FnOnce(&Held) -> Result<T, Stopped>,
    ) -> Result<T, Stopped> {
        self.turn(&self.0.looks, work)
    }

    fn turn<T>(
        &self,
        turns: &Mutex<()>,
        work: impl FnOnce(&Held) -> Result<T, Stopped>,
    ) -> Result<T, Stopped> {
        let _turn = turns.try_lock_for(QUEUE).ok_or(Stopped::Busy)?;
        let held: &Held = &self.0;
        let machine = held.machine()?;
        let (done, is_done) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let clock = move || {
                while is_done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    held.tick(&machine);
                }
            };
            let clock =
                thread::Builder::new().name("programs".to_owned()).spawn_scoped(scope, clock);
            clock.map_err(|_| Stopped::Busy)?;
            let out = work(held);
            // The clock ends with its channel, also where the work does not come back.
            drop(done);
            out
        })
    }
}

impl Held {
    fn machine(&self) -> Result<Machine, Refused> {
        let mut machine = self.machine.lock();
        if machine.is_none() {
            *machine = Some(Machine::new()?);
        }
        machine.clone().ok_or(Refused::Machine)
    }

    /// Has the clock go on, where a tick has passed: it goes no faster while two have their turns.
    fn tick(&self, machine: &Machine) {
        let mut ticked = self.ticked.lock();
        if ticked.is_none_or(|at| at.elapsed() >= TICK) {
            *ticked = Some(Instant::now());
            machine.tick();
        }
    }

    /// The program of this hash, where it is compiled.
    pub fn loaded(&self, hash: &str) -> Option<Program> {
        let mut loaded = self.loaded.lock();
        let at = loaded.iter().position(|one| one.hash() == hash)?;
        let program = loaded.remove(at)?;
        loaded.push_back(program.clone());
        Some(program)
    }

    /// Checks and compiles a program.
    pub fn load(&self, bytes: &[u8]) -> Result<Program, Refused> {
        if let Some(program) = self.loaded(&sandbox::hash(bytes)) {
            return Ok(program);
        }
        let program = Program::load(&self.machine()?, bytes, TICKS)?;
        let mut loaded = self.loaded.lock();
        // It may have been compiled beside this one.
        loaded.retain(|one| one.hash() != program.hash());
        if loaded.len() >= MOST_LOADED {
            loaded.pop_front();
        }
        loaded.push_back(program.clone());
        Ok(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_in_holds_no_run_up_and_no_run_holds_it_up() {
        let state = State::default();
        let began = Instant::now();
        let looked = state.alone(|_| state.aside(|held| Ok(held.loaded("none").is_none())));
        assert_eq!(looked, Ok(true));
        let ran = state.aside(|_| state.alone(|held| Ok(held.loaded("none").is_none())));
        assert_eq!(ran, Ok(true));
        assert!(began.elapsed() < QUEUE, "neither waited for the other");
    }

    #[test]
    fn one_run_waits_for_another_no_longer_than_it_may() {
        let state = State::default();
        let second = state.alone(|_| Ok(state.alone(|_| Ok(()))));
        assert_eq!(second, Ok(Err(Stopped::Busy)));
        assert!(Stopped::Busy.is_for_now() && Stopped::Unread.is_for_now());
        assert!(!Stopped::Absent.is_for_now() && !Stopped::Failed.is_for_now());
    }

    #[test]
    fn two_turns_have_the_clock_go_no_faster_than_one() {
        let held = Held::default();
        let machine = held.machine().unwrap();
        held.tick(&machine);
        let first = *held.ticked.lock();
        held.tick(&machine);
        assert!(first.is_some_and(|at| at.elapsed() >= TICK) || *held.ticked.lock() == first);
    }
}
