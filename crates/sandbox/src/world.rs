//! The types of `wit/analysis.wit`, as the host holds them.

use statistics::{Column, Kind, Variable};
use wasmtime::component::{ComponentType, Lift, Lower};

/// The name under which a program exports its functions.
pub(crate) const PROGRAM: &str = "consilium:analysis/program@1.0.0";

/// What the values of a variable are.
#[derive(ComponentType, Lift, Debug, Clone, Copy, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub enum Form {
    /// Numbers.
    #[component(name = "number")]
    Number,
    /// One of some levels.
    #[component(name = "category")]
    Category,
}

/// A variable that a program needs.
#[derive(ComponentType, Lift, Debug, Clone, PartialEq, Eq)]
#[component(record)]
pub struct Need {
    /// Its name in the question's data set.
    #[component(name = "name")]
    pub name: String,
    /// What its values must be.
    #[component(name = "form")]
    pub form: Form,
}

/// What a program says of itself.
#[derive(ComponentType, Lift, Debug, Clone, PartialEq, Eq)]
#[component(record)]
pub struct Description {
    /// Its name.
    #[component(name = "name")]
    pub name: String,
    /// Its version.
    #[component(name = "version")]
    pub version: String,
    /// The variables that it needs; empty if it works on those that the question names.
    #[component(name = "variables")]
    pub variables: Vec<Need>,
    /// Most rounds that it may ask for.
    #[component(name = "most-rounds")]
    pub most_rounds: u32,
}

/// Why a program gives nothing, by its own word.
#[derive(ComponentType, Lift, Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[component(enum)]
#[repr(u8)]
pub enum Fault {
    /// The parameters or variables are not what it can work with.
    #[component(name = "setting")]
    #[error("it cannot work with the parameters or variables")]
    Setting,
    /// The state is none of its own.
    #[component(name = "state")]
    #[error("the state is none of its own")]
    State,
    /// A column holds what the method cannot take.
    #[component(name = "values")]
    #[error("the method cannot take the values")]
    Values,
    /// Too little data.
    #[component(name = "too-few")]
    #[error("there is too little data")]
    TooFew,
    /// No estimate.
    #[component(name = "no-estimate")]
    #[error("the estimates do not settle")]
    NoEstimate,
    /// Another reason.
    #[component(name = "other")]
    #[error("for another reason")]
    Other,
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Bounds {
    #[component(name = "min")]
    min: Option<f64>,
    #[component(name = "max")]
    max: Option<f64>,
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum VariableKind {
    #[component(name = "number")]
    Number(Bounds),
    #[component(name = "category")]
    Category(Vec<String>),
}

#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct NamedVariable {
    #[component(name = "name")]
    name: String,
    #[component(name = "kind")]
    kind: VariableKind,
}

impl From<&Variable> for NamedVariable {
    fn from(variable: &Variable) -> Self {
        let kind = match &variable.kind {
            Kind::Number { min, max } => VariableKind::Number(Bounds { min: *min, max: *max }),
            Kind::Category { levels } => VariableKind::Category(levels.clone()),
        };
        Self { name: variable.name.clone(), kind }
    }
}

/// What is the same in every call of a question.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct Setting {
    #[component(name = "parameters")]
    pub parameters: String,
    #[component(name = "variables")]
    pub variables: Vec<NamedVariable>,
    #[component(name = "most-rows")]
    pub most_rows: u32,
}

/// An entry of a layout as the program gave it, unchecked.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct RawEntry {
    #[component(name = "name")]
    pub name: String,
    #[component(name = "length")]
    pub length: u32,
    #[component(name = "bound")]
    pub bound: f64,
    #[component(name = "is-count")]
    pub is_count: bool,
}

/// A round as the program gave it, unchecked.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct RawRound {
    #[component(name = "state")]
    pub state: Vec<u8>,
    #[component(name = "layout")]
    pub layout: Vec<RawEntry>,
}

/// What the program makes of a round, unchecked.
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum RawStep {
    #[component(name = "ask")]
    Ask(RawRound),
    #[component(name = "done")]
    Done(String),
}

/// The values of one variable, one for each row.
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(crate) enum Values<'a> {
    #[component(name = "numbers")]
    Numbers(&'a [Option<f64>]),
    #[component(name = "levels")]
    Levels(&'a [Option<u32>]),
}

impl<'a> Values<'a> {
    /// Some rows of a column: those of one call.
    pub fn of(column: &'a Column, rows: std::ops::Range<usize>) -> Option<Self> {
        Some(match column {
            Column::Number(values) => Self::Numbers(values.get(rows)?),
            Column::Category(values) => Self::Levels(values.get(rows)?),
        })
    }
}
