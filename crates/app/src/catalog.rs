//! Data sets that an institution keeps for research: what they hold, and their rows.
//!
//! A data set is a table of people without names: a registry, the outcome of a study. Its description
//! is a `Library`; its rows are kept beside, column by column, and no door gives them out. Questions
//! of approved projects are answered from them ([`crate::rounds`]).
//!
//! The catalogue tells of them: in words ([`About`]), in counts with noise that are drawn once
//! (`counted`), to the members of the network, who tell back ([`network`]), and to programs of others as
//! documents ([`publish`]) and as a Beacon ([`beacon`]).

mod about;
pub mod beacon;
mod columns;
mod counted;
mod described;
mod document;
mod institution;
mod library;
pub mod network;
pub mod publish;
mod register;
mod rules;
mod told;

pub use about::About;
pub use network::{Held, Listing, State, Teller, listing, refresh, run};
pub use register::{Draft, register, register_about, remove};
pub use rules::{AccessBody, Rules};
pub use told::answer;

pub(crate) use columns::rows;
pub(crate) use library::is_reserved;

use statistics::Dictionary;

use crate::authorise::{Action, authorise};
use crate::{App, Caller, Result};

/// The side space of rows and descriptions.
pub(crate) const SPACE: &str = "catalog";
/// Most data sets of an institution.
pub const MOST: usize = 1_000;
/// Most rows of a data set.
pub const MOST_ROWS: usize = 5_000_000;
/// Most variables of a data set.
pub const MOST_VARIABLES: usize = 2_000;

/// A data set.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Dataset {
    /// The name that projects use, the same at every institution that holds a part of it.
    pub name: String,
    /// For people.
    pub title: String,
    /// Its variables.
    pub dictionary: Dictionary,
    /// How many rows are here.
    pub rows: usize,
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: i64,
}

/// The data sets of this institution, by name. How many rows there are is exact for operators, who keep
/// them; others see the number with noise that the catalogue tells.
pub fn list(app: &App, caller: &Caller) -> Result<Vec<Dataset>> {
    authorise(app, caller, Action::of(policy::Action::ReadResearch))?;
    let is_keeper = caller.user.role == "operator";
    let seen = |(set, known): (Dataset, described::Described)| match is_keeper {
        true => set,
        false => Dataset { rows: known.counted.shown_rows(), ..set },
    };
    Ok(described::own(app)?.into_iter().map(seen).collect())
}
