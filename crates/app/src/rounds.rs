//! Questions that are answered in rounds over many institutions, none of which shows a row.
//!
//! Whoever asks coordinates ([`lead`]); everybody who takes part calls the coordinator ([`part`]),
//! gives its part of each round as a holder ([`site`]) or adds as one of two aggregators ([`adder`]).
//! The coordinator answers calls from a board ([`board`]) and calls nobody.

mod adder;
pub mod ask;
pub mod asked;
pub mod board;
mod desk;
mod exchange;
mod giving;
mod inquiry;
mod lead;
mod noise;
mod overlap;
mod pair;
pub mod part;
mod past;
mod payment;
mod replay;
mod site;
mod task;
pub mod used;
mod withdraw;

pub use exchange::exchange;
pub use part::run;
pub use withdraw::withdraw;

use tokio::sync::watch;

/// The side space of questions, sums and what was given.
pub(crate) const SPACE: &str = "rounds";
/// Most questions that a coordinator keeps open.
pub const MOST_OPEN: usize = 100;

/// What a node keeps of questions while it runs.
pub struct State {
    pub(crate) board: board::Board,
    pub(crate) adders: adder::Adders,
    pub(crate) replays: replay::Replays,
    /// Held while a share of a sum is written, so that no two are audited beside each other unseen.
    pub(crate) giving: parking_lot::Mutex<()>,
    /// Rung when other nodes should be called now.
    nudges: watch::Sender<u64>,
    /// Rung when there are questions to lead.
    opened: watch::Sender<u64>,
    /// Rung when a question has ended.
    ended: watch::Sender<u64>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            board: board::Board::default(),
            adders: adder::Adders::default(),
            replays: replay::Replays::default(),
            giving: parking_lot::Mutex::default(),
            nudges: watch::channel(0).0,
            opened: watch::channel(0).0,
            ended: watch::channel(0).0,
        }
    }
}

impl State {
    /// What there is for others to do.
    pub fn board(&self) -> &board::Board {
        &self.board
    }

    /// Has the other nodes called now: for news of projects, and to tell decisions.
    pub fn nudge(&self) {
        self.nudges.send_modify(|count| *count += 1);
    }

    pub(crate) fn end(&self) {
        self.ended.send_modify(|count| *count += 1);
    }

    fn open(&self) {
        self.opened.send_modify(|count| *count += 1);
    }
}
