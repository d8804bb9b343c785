//! The doors for researchers' own programs: `/research/programs`.

use app::App;
use app::Error;
use app::programs::{self, Described};
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::research::{MAX_PROGRAM, MAX_PROGRAM_MEMORY, ProgramOutput};

use super::Answer;
use crate::auth::By;

/// Instructions of a program in a round where the application says nothing.
const FUEL: u64 = 1_000_000_000;
/// Bytes of memory of a program where the application says nothing.
const MEMORY: u64 = MAX_PROGRAM_MEMORY / 4;

/// The routes under `/research`.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/programs", post(upload)).route("/programs/{hash}", get(bytes))
}

/// A program in an application.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    hash: String,
    #[serde(default)]
    variables: Vec<String>,
    rows: u32,
    outputs: Vec<Output>,
    #[serde(default = "fuel")]
    fuel: u64,
    #[serde(default = "memory")]
    memory: u64,
}

/// A sum that it may ask for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    name: String,
    #[serde(default = "one")]
    length: u32,
    #[serde(default)]
    is_count: bool,
    bound: f64,
}

const fn fuel() -> u64 {
    FUEL
}

const fn memory() -> u64 {
    MEMORY
}

const fn one() -> u32 {
    1
}

impl From<Named> for programs::Draft {
    fn from(named: Named) -> Self {
        let output = |one: Output| {
            let Output { name, length, is_count, bound } = one;
            ProgramOutput { name, length, is_count, bound }
        };
        let Named { hash, variables, rows, outputs, fuel, memory } = named;
        let outputs = outputs.into_iter().map(output).collect();
        Self { hash, variables, rows, outputs, fuel, memory }
    }
}

async fn upload(State(app): State<App>, By(caller): By, content: Body) -> Answer {
    let content = to_bytes(content, MAX_PROGRAM).await.map_err(|_| {
        Error::invalid("too-long", format!("a program has at most {MAX_PROGRAM} bytes"))
    })?;
    let made = app.run(move |app| programs::upload(app, &caller, &content)).await?;
    Ok((StatusCode::CREATED, Json(described(&made))).into_response())
}

fn described(program: &Described) -> Value {
    json!({
        "hash": program.hash, "bytes": program.bytes, "name": program.name,
        "version": program.version, "variables": program.variables, "rounds": program.rounds,
    })
}

async fn bytes(State(app): State<App>, Path(hash): Path<String>, By(caller): By) -> Answer {
    let name = format!("attachment; filename=\"{hash}.wasm\"");
    let found = app.run(move |app| programs::bytes(app, &caller, &hash)).await?;
    let kind = (header::CONTENT_TYPE, "application/wasm".to_owned());
    Ok(([kind, (header::CONTENT_DISPOSITION, name)], found).into_response())
}
