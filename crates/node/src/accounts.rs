//! `consilium account`: accounts at the command line, of a node that runs and of one that does not.
//!
//! A node that runs has its store to itself, so it is asked by an order in its folder
//! ([`crate::members::order`]). Its answer may hold a password: it is sealed under the node's key, which
//! whoever asked has to open anyway.

mod carry_out;
mod task;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command::say;
use crate::config::Config;
use crate::members::{self, Order};
use crate::stores::Location;
use crate::wiring::{Fault, open, system_clock};

pub use carry_out::carry_out;
pub use task::Task;

/// How long a node that runs is waited for: it may be busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it is waited for whether one runs at all, where the store would let two in.
const KNOCK: Duration = Duration::from_secs(3);

/// What is asked about accounts, here or of a node that runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Asked {
    /// Make an account.
    Add {
        /// Name to sign in with.
        username: String,
        /// Name to show.
        name: String,
        /// Code of the role.
        role: String,
        /// The Patient's id.
        patient: Option<String>,
        /// `Practitioner/x`.
        practitioner: Option<String>,
        /// The specialty.
        specialty: Option<String>,
    },
    /// List accounts.
    List {
        /// Words of the username or the name.
        search: String,
        /// Code of the role.
        role: Option<String>,
    },
    /// Show one.
    Show {
        /// Which.
        username: String,
    },
    /// Change one.
    Change {
        /// Which.
        username: String,
        /// Code of the new role.
        role: Option<String>,
        /// The Patient's id.
        patient: Option<String>,
        /// `Practitioner/x`.
        practitioner: Option<String>,
        /// The specialty, empty for none.
        specialty: Option<String>,
        /// Whether signing in is forbidden.
        disabled: Option<bool>,
    },
    /// Give one back.
    Recover {
        /// Which.
        username: String,
        /// Whether a secret for one-time codes is made.
        one_time_codes: bool,
    },
    /// Link one to an account at an outside provider.
    Link {
        /// Which.
        username: String,
        /// The provider.
        provider: String,
        /// The account there.
        subject: String,
    },
    /// Remove such links.
    Unlink {
        /// Which.
        username: String,
        /// The provider.
        provider: String,
    },
}

/// Carries out a task.
pub fn run(task: Task) -> Result<(), Fault> {
    let (dir, asked) = task::asked(task);
    for line in told(&dir, asked)?.lines() {
        say(line);
    }
    Ok(())
}

/// What comes of it, at the node that runs or here.
fn told(dir: &Path, asked: Asked) -> Result<String, Fault> {
    // A server lets two in, and a node that runs would not learn of what another has changed.
    let lets_two_in = matches!(Config::read(dir)?.location(dir)?, Location::Postgres(_));
    if lets_two_in && let Some(told) = ordered(dir, &asked, KNOCK)? {
        return Ok(told);
    }
    match open(dir, system_clock()) {
        Ok(node) => Ok(carry_out(&node.app, asked)?),
        Err(error) if error.to_string().contains("is open already") => {
            let told = ordered(dir, &asked, PATIENCE)?;
            told.ok_or_else(|| "the node runs and does not answer; look at its log".into())
        }
        Err(error) => Err(error),
    }
}

fn ordered(dir: &Path, asked: &Asked, patience: Duration) -> Result<Option<String>, Fault> {
    match members::confidential(dir, &Order::Account { asked: asked.clone() }, patience)? {
        Some(answer) if answer.done => Ok(Some(answer.message)),
        Some(answer) => Err(answer.message.into()),
        None => Ok(None),
    }
}
