//! Data sets, projects and questions, for the programs of researchers, stewards and operators.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /research/datasets` | | the data sets of this institution |
//! | `PUT /research/datasets/{name}` | `{"title", "csv", "dictionary"?, "about"?}` or `{"title", "sql", "dictionary", "about"?}` | the data set |
//! | `PUT /research/datasets/{name}/twin` | `{"epsilon", "rows"?, "whole"?}` | its synthetic twin, drawn now or before |
//! | `DELETE /research/datasets/{name}/twin` | | |
//! | `POST /research/datasets/{name}/refresh` | | the data set, made anew by its SQL |
//! | `DELETE /research/datasets/{name}` | | |
//! | `GET /research/views` | | the tables that can be asked by SQL |
//! | `POST /research/projects/{id}/sql` | `{"sql"}` | columns, of groups of enough people |
//! | `GET /research/projects` | | the projects that concern this institution |
//! | `POST /research/projects` | an application; with `amends`, of a change to an earlier project | `{"id"}` |
//! | `DELETE /research/projects/{id}` | | takes an own project back, for good |
//! | `GET /research/council` | | the projects that ask this institution's data, and what the patient council says |
//! | `POST /research/council/{id}` | `{"say": "agree" or "object", "conditions"?}` | |
//! | `POST /research/projects/{id}/decision` | `{"choice", "reason"}` | |
//! | `GET /research/projects/{id}/questions` | | what was asked in it, without answers |
//! | `POST /research/projects/{id}/questions` | a question, and `"noise": {"epsilon"}` where the project has a budget | `{"id"}` |
//! | the same with `"dry": true` | | what it would cost, what is left, and how exact it would be |
//! | `GET /research/questions/{id}?wait=s` | | what it asks, how it stands, the answer, and `release`, by which it is cited |
//! | `DELETE /research/questions/{id}` | | withdraws an own question that has not ended |
//! | `GET /research/outputs` | | answers on their way out, for those who decide about them |
//! | `GET /research/outputs/{question}` | | one of them, with its evidence and the whole answer |
//! | `POST /research/outputs/{question}/decision` | `{"choice", "reason"}` | |
//! | `POST /research/outputs/{question}/publications` | `{"title", "address"}` | |
//! | `GET /research/releases/{id}` | | a released answer as it was signed |
//! | `GET /research/releases/{id}/crate` | | the same as a Five Safes RO-Crate, a ZIP archive |
//! | `GET /research/catalog` and below | | see [`catalog`] |
//! | `POST /research/cohorts` | criteria, `{"cohort", "scope"?, "epsilon"?, "dry"?}` | noisy counts, step by step |
//! | `GET /research/budget` | | what the own account may still learn here by counting |
//! | `POST /research/programs` | a WebAssembly component | its hash, and what it says of itself |
//! | `GET /research/programs/{hash}` | | its bytes |
//! | `POST /research/extracts` | an order | `{"id"}` |
//! | `GET /research/extracts/{id}` | | how it stands, and its files |
//! | `GET /research/extracts/{id}/files/{name}` | | a file |
//! | `DELETE /research/extracts/{id}` | | |
//!
//! How many `rows` a data set has is exact for operators; others are told a rounded number with noise, and
//! 0 where there are fewer than ten. Every institution declares the same dictionary for its part of a
//! data set; without one it is made of the columns. With `sql` the rows are made of the records, over the
//! tables of `/research/views`. With `wait`, at most 60, the reply is kept back until the question has
//! ended.

mod archive;
pub(crate) mod catalog;
mod cohorts;
mod council;
mod datasets;
mod extracts;
mod programs;
mod projects;
mod questions;
mod releases;
mod workspace;

use app::{App, Error};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wire::research::Privacy;

use crate::outcome::Failure;

/// Most bytes of anything but tables, orders and programs.
const MAX_SMALL: usize = 256 * 1024;
/// Millionths.
const MICRO: f64 = 1e6;

type Answer = Result<Response, Failure>;

/// The routes under `/research`.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(datasets::routes())
        .merge(projects::routes())
        .merge(council::routes())
        .merge(questions::routes())
        .merge(releases::routes())
        .merge(cohorts::routes())
        .merge(programs::routes())
        .merge(extracts::routes())
        .merge(workspace::routes())
        .merge(catalog::routes())
        .with_state(app)
}

/// What may be learned, as people write it.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Epsilon {
    epsilon: f64,
}

impl From<Epsilon> for Privacy {
    fn from(Epsilon { epsilon }: Epsilon) -> Self {
        // What is no size of a number becomes zero or the greatest, which nothing allows.
        Self { micro_epsilon: (epsilon * MICRO).round() as u64 }
    }
}

/// Millionths, as people read them.
fn epsilon(micro: u64) -> f64 {
    micro as f64 / MICRO
}

/// The body, read once it is known who sends it.
async fn body<T: DeserializeOwned>(body: Body, most: usize) -> Result<T, Failure> {
    let bytes: Bytes = to_bytes(body, most)
        .await
        .map_err(|_| Error::invalid("too-long", format!("the body has at most {most} bytes")))?;
    Ok(serde_json::from_slice(&bytes).map_err(|e| Error::invalid("structure", e.to_string()))?)
}
