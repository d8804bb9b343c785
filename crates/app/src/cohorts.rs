//! Cohorts: how many people meet criteria, here and over the network, as noisy numbers.
//!
//! The people of this institution are kept in memory ([`population::Index`]), built when somebody asks for the
//! first time and kept current from the change feed. Who is not in research is left out of every count from the
//! moment of the decision on.
//!
//! Nothing exact leaves: the numbers of the steps and the sketch carry discrete Laplace noise, and what they cost is
//! written into this institution's ledger, in one transaction with the audit entry, before anybody is counted; the
//! answer is kept before it is given. The same question gives the same stored answer, at no further cost. Why it works
//! this way is in [ADR 25](../../../docs/adr/0025-cohorts-over-the-network.md).

mod answer;
mod ask;
mod choices;
mod count;
mod elsewhere;
mod keep;
mod people;
mod question;
mod token;
mod told;

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use store::Seq;
use tokio::sync::watch;

pub use crate::budget::{Rules, Standing, standing};
pub use answer::answer;
pub use ask::{Asked, Reach, ask, plan};
pub use choices::{Choice, choices};
pub use keep::run;
pub use told::{Answer, Institution, Line, Plan, Row, Shown, Status};

use people::People;

/// The side space of answers that were given; the ledger ([`crate::budget`]) is in it, too.
const SPACE: &str = "cohorts";
/// Numbers below this are told as "fewer than".
pub const LEAST: u64 = 10;

/// What the node remembers of it.
pub struct State {
    /// The people, once somebody has asked. A count holds it for seconds, so it is taken by what may block alone.
    people: RwLock<Option<People>>,
    /// Codes that many people here have, as of when everybody was last read.
    choices: RwLock<Arc<[Choice]>>,
    /// Whether somebody has asked.
    wanted: watch::Sender<bool>,
    /// Up to which version the people are known.
    reached: watch::Sender<Option<Seq>>,
    /// Held from paying for a question until its answer is kept: counting takes several threads.
    counting: Mutex<()>,
    /// Held from reading the ledger until the entry is committed, for cohorts and for questions in rounds.
    pub(crate) spending: Mutex<()>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            people: RwLock::default(),
            choices: RwLock::default(),
            wanted: watch::Sender::new(false),
            reached: watch::Sender::new(None),
            counting: Mutex::default(),
            spending: Mutex::default(),
        }
    }
}
