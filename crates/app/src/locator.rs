//! Finding a patient without telling everybody: members publish encodings of their patients to a
//! few locators, and an asker learns from them which few nodes are worth a `$match`
//! (`docs/adr/0017-record-locator.md`).
//!
//! * [`committee`] says who locates for whom, and who keeps which key: the same at every member.
//! * [`keys`] gets and gives the keys, [`publish`] publishes this node's patients, [`held`] is what
//!   this node holds of others, in memory only, [`answer`] answers, [`ask`] asks.
//! * [`status`] is what the operator sees of it.

pub mod answer;
pub mod ask;
pub mod committee;
pub(crate) mod encoding;
pub mod held;
pub mod keys;
pub mod publish;
pub mod status;

use std::collections::{BTreeMap, HashMap};

use matching::clk::Epsilon;
use parking_lot::{Mutex, RwLock};
use wire::OrgId;

/// What the operator sets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Whether and how this node takes part.
    pub mode: Mode,
    /// ε of the noise in what this node publishes and asks.
    pub epsilon: Epsilon,
    /// How alike two encodings must be for a node to be asked: Dice's coefficient, 0.5 to 1.
    pub dice: f64,
}

/// How a node takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It publishes its patients and asks locators.
    #[default]
    On,
    /// It publishes nothing, so that others ask it directly; it asks locators.
    Refuse,
    /// It publishes nothing and asks every member directly.
    Off,
}

impl Default for Rules {
    /// On, ε = 3, Dice at least [`STANDARD_DICE`].
    fn default() -> Self {
        Self { mode: Mode::On, epsilon: Epsilon::STANDARD, dice: STANDARD_DICE }
    }
}

/// The standard bound of Dice's coefficient: chosen for recall, by `cargo run --release -p
/// consilium-matching --example locate`.
pub const STANDARD_DICE: f64 = 0.75;

/// What a running node knows of the locators; nothing of it is ever on disk.
#[derive(Default)]
pub struct State {
    keys: Mutex<HashMap<(OrgId, u64), keys::Kept>>,
    held: RwLock<held::Held>,
    published: Mutex<BTreeMap<(u64, OrgId), publish::Published>>,
    questions: Mutex<answer::Questions>,
    lately: Mutex<ask::Lately>,
}
