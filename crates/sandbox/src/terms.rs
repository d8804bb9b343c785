//! What a question says of the run of a program: the same for everybody who takes part.

use serde::{Deserialize, Serialize};
use statistics::{Dictionary, Entry, Kind, Variable};

use crate::limits::{
    MOST_CALLS, MOST_ENTRIES, MOST_FUEL, MOST_MEMORY, MOST_PARAMETERS, MOST_VARIABLE_NAME,
    MOST_VARIABLES,
};
use crate::program::Program;
use crate::refused::Refused;
use crate::world::{Form, NamedVariable, Setting};

/// A question that a program answers. It is signed as a whole; every number in it can change what comes
/// of a run, so none is left to a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The hash of the program, as [`Program::hash`] gives it.
    pub program: String,
    /// The variables of the data set that the program may be given.
    pub dictionary: Dictionary,
    /// Most rows that one site may have.
    pub most_rows: u32,
    /// Rows of one call of `contribute`: the rows of a site are dealt into blocks of so many, each
    /// goes to a call of its own, and the vectors are added. One row then changes one block's vector
    /// alone, whatever the program does ([`crate::sensitivity`]). So many that [`MOST_CALLS`] calls do for
    /// `most_rows`. Absent: one call sees all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_rows: Option<u32>,
    /// What the question says to the program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub parameters: String,
    /// Fuel of one `start` or `next`, and of all calls of `contribute` for one round together.
    pub fuel: u64,
    /// Bytes of memory of one call.
    pub memory: u64,
    /// What the program may ask for, as it was declared to those who approved it: an entry of a round has
    /// the name of one of these, is a count where it is one, is no longer, and one site gives no more than its
    /// bound, over all calls together.
    pub outputs: Vec<Entry>,
}

impl Terms {
    /// Checks the terms against the limits and the program against the terms.
    ///
    /// # Errors
    /// [`Refused::Hash`], [`Refused::Terms`], [`Refused::Variables`].
    pub fn check(&self, program: &Program) -> Result<(), Refused> {
        if self.program != program.hash() {
            return Err(Refused::Hash);
        }
        let is_named = |one: &Variable| (1..=MOST_VARIABLE_NAME).contains(&one.name.len());
        let variables = &self.dictionary.variables;
        if variables.is_empty()
            || variables.len() > MOST_VARIABLES
            || !variables.iter().all(is_named)
        {
            return Err(Refused::Terms("variables"));
        }
        if self.most_rows == 0 || self.block_rows == Some(0) || self.most_calls() > MOST_CALLS {
            return Err(Refused::Terms("rows"));
        }
        if self.parameters.len() > MOST_PARAMETERS {
            return Err(Refused::Terms("parameters"));
        }
        if !(1..=MOST_FUEL).contains(&self.fuel) {
            return Err(Refused::Terms("fuel"));
        }
        if !(1..=MOST_MEMORY).contains(&self.memory) {
            return Err(Refused::Terms("memory"));
        }
        if !(1..=MOST_ENTRIES).contains(&self.outputs.len()) {
            return Err(Refused::Terms("outputs"));
        }
        self.given(program).map(drop)
    }

    /// Whether what one site gives for this entry was declared, with this bound over all its calls.
    pub(crate) fn declares(&self, entry: &Entry, bound: f64) -> bool {
        self.outputs.iter().any(|one| {
            one.name == entry.name
                && one.is_count == entry.is_count
                && entry.length <= one.length
                && bound <= one.bound
        })
    }

    /// Rows of one call at most.
    pub(crate) fn call_rows(&self) -> u32 {
        self.block_rows.map_or(self.most_rows, |rows| rows.min(self.most_rows))
    }

    /// Calls of `contribute` that one site makes in one round at most.
    pub(crate) fn most_calls(&self) -> u32 {
        self.block_rows.map_or(1, |rows| self.most_rows.div_ceil(rows.max(1)))
    }

    /// The variables whose columns the program is given, in order: those that it needs, or all if it
    /// names none.
    pub(crate) fn given(&self, program: &Program) -> Result<Vec<&Variable>, Refused> {
        let needs = &program.description().variables;
        if needs.is_empty() {
            return Ok(self.dictionary.variables.iter().collect());
        }
        let find = |need: &crate::world::Need| {
            let found = self.dictionary.variable(&need.name).ok_or(Refused::Variables)?;
            match (&found.kind, need.form) {
                (Kind::Number { .. }, Form::Number) | (Kind::Category { .. }, Form::Category) => {
                    Ok(found)
                }
                _ => Err(Refused::Variables),
            }
        };
        needs.iter().map(find).collect()
    }

    /// What every call is told.
    pub(crate) fn setting(&self, program: &Program) -> Result<Setting, Refused> {
        Ok(Setting {
            parameters: self.parameters.clone(),
            variables: self.given(program)?.into_iter().map(NamedVariable::from).collect(),
            most_rows: self.call_rows(),
        })
    }
}
