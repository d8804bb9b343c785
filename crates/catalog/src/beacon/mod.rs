//! GA4GH Beacon v2.1: the bodies that a Beacon answers with, and the requests that it takes.
//!
//! Data sets are shown as the catalogue describes them. Of individuals nothing but whether there are any,
//! or about how many, is ever said: a count is a [`crate::NoisyCount`], and "exists" means that it reached its
//! threshold, so that nobody can ask whether one person is in (Shringarpure and Bustamante, "Privacy Risks
//! from Genomic Data-Sharing Beacons", AJHG 97:631, 2015). The application answers a [`BeaconRequest`]: it
//! decides who may ask, spends the budget, counts the [`Condition`]s and writes down that it was asked.
//!
//! Source: Beacon v2.1.1, framework and default model (GA4GH, github.com/ga4gh-beacon/beacon-v2).

mod answer;
mod condition;
mod error;
mod filter;
mod informational;
mod request;
mod terms;

pub use answer::{boolean_or_count, datasets, handover};
pub use condition::{Comparison, Condition, conditions, is_asked_for};
pub use error::BeaconError;
pub use filter::{Filter, Operator};
pub use informational::{configuration, entry_types, info, map, service_info};
pub use request::{BeaconRequest, Include, Pagination};
pub use terms::filtering_terms;

use serde_json::{Value as Json, json};

use crate::description::Agent;
use crate::words::{Instant, Iri};

/// The version of the interface.
pub const API_VERSION: &str = "v2.1.1";
/// Most bytes of a request.
pub const MOST_BODY: usize = 64 * 1024;
/// Most filters of a request.
pub const MOST_FILTERS: usize = 20;
/// Most characters of an id or value in a request.
pub const MOST_WORD: usize = 200;
/// Most entries of a page.
pub const MOST_PAGE: u32 = 1_000;
/// Entries of a page if the request does not say.
pub const PAGE: u32 = 10;

/// A Beacon.
#[derive(Clone, Debug, PartialEq)]
pub struct Beacon {
    /// Its id, a host name backwards: `org.example.hospital`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Whose it is.
    pub organization: Agent,
    /// The language of what people read.
    pub language: String,
    /// The address that its paths are below, without a slash at the end.
    pub url: Iri,
    /// Where people read about it.
    pub welcome: Iri,
    /// Where a project is applied for.
    pub apply: Iri,
    /// The version of the program.
    pub version: String,
    /// Whether it is in use or a trial.
    pub environment: Environment,
    /// Who may ask.
    pub security: Security,
    /// The most that it says of individuals.
    pub finest: Granularity,
    /// Since when it is there.
    pub created: Instant,
    /// When its catalogue last changed.
    pub updated: Instant,
}

/// Whether a Beacon is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// In use.
    Production,
    /// For tests.
    Test,
}

/// Who may ask a Beacon for individuals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Everybody.
    Public,
    /// Whoever has signed in.
    Registered,
    /// People with a permission.
    Controlled,
}

/// How much an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Granularity {
    /// Whether there are any.
    Boolean,
    /// About how many.
    Count,
    /// Everything. Of individuals never given.
    Record,
}

impl Granularity {
    /// As Beacon writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Count => "count",
            Self::Record => "record",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// Data sets.
    Dataset,
    /// People in them.
    Individual,
}

impl Entry {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Dataset, Self::Individual];

    /// As Beacon writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Individual => "individual",
        }
    }

    /// Its path below the Beacon.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Dataset => "datasets",
            Self::Individual => "individuals",
        }
    }

    /// The name of the schema of its records.
    #[must_use]
    pub fn schema(self) -> &'static str {
        match self {
            Self::Dataset => "ga4gh-beacon-dataset-v2.0.0",
            Self::Individual => "ga4gh-beacon-individual-v2.0.0",
        }
    }
}

/// What informational answers say of themselves.
fn informational_meta(beacon: &Beacon, schemas: Json) -> Json {
    json!({"beaconId": beacon.id, "apiVersion": API_VERSION, "returnedSchemas": schemas})
}
