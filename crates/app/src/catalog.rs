//! Data sets that an institution keeps for research: what they hold, and their rows.
//!
//! A data set is a table of people without names: a registry, the outcome of a study, or what SQL makes
//! of the records ([`query`]). Its description is a `Library`; its rows are kept beside, column by column,
//! and no door gives them out. Questions of approved projects are answered from them ([`crate::rounds`]).
//!
//! The catalogue tells of them: in words ([`About`]), in counts with noise that are drawn once
//! (`counted`), to the members of the network, who tell back ([`network`]), and to programs of others as
//! documents ([`publish`]) and as a Beacon ([`beacon`]). Where the holder says so there is a synthetic twin ([`twin`]).

mod about;
pub mod anew;
pub mod beacon;
mod columns;
mod counted;
mod described;
mod document;
mod institution;
mod library;
pub mod network;
pub mod publish;
pub mod query;
mod register;
mod rules;
mod told;
pub mod twin;

pub use about::About;
pub use network::{Held, Listing, State, Teller, listing, refresh, run};
pub use register::{Draft, register, register_about, register_undeclared, remove};
pub use rules::{AccessBody, Rules};
pub use told::answer;

pub(crate) use anew::rows;
pub(crate) use library::is_reserved;

use statistics::Dictionary;
use store::Seq;

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
    /// Whether its dictionary was handed in. One that was made of the rows tells of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declared: bool,
    /// How it was made of the records, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
}

impl Dataset {
    /// Whether its dictionary was made of its rows: its bounds and levels are then values of people, told
    /// to nobody elsewhere and not asked with noise.
    pub(crate) fn is_of_rows(&self) -> bool {
        !self.declared && self.made.is_none()
    }
}

/// How a data set was made of the records.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Made {
    /// Over the views of the lake.
    pub sql: String,
    /// The last change of the records that may have changed a row.
    pub seq: Seq,
    /// Tells who was in research.
    pub mark: String,
    /// When it was tried last, in milliseconds since the Unix epoch.
    pub tried_ms: i64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_from_before_there_was_sql_is_read() {
        let text = r#"{"name":"trial","title":"A trial","dictionary":{"variables":[
            {"name":"age","kind":"number","min":18.0,"max":110.0}]},"rows":80,"since_ms":1700000000000}"#;
        let set: Dataset = serde_json::from_str(text).unwrap();
        assert_eq!((set.rows, set.declared, &set.made), (80, false, &None));
        assert!(!serde_json::to_string(&set).unwrap().contains("made"));
    }
}
