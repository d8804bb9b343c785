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
mod extracts;
mod programs;
mod workspace;

use std::time::Duration;

use app::catalog::{self as sets, About, Dataset};
use app::projects::{self, Choice, Ended, Known, Verdict};
use app::release::{self, Output, Publication};
use app::rounds::ask;
use app::rounds::asked::{self, Asked, State as Stands};
use app::{App, Error};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use fhir::time::instant;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use statistics::{Dictionary, Question, csv};
use wire::OrgId;
use wire::research::{Privacy, ReleaseRule, Researcher};

use crate::auth::{self, Client};
use crate::outcome::Failure;

/// Most bytes of a table.
const MAX_TABLE: usize = 64 * 1024 * 1024;
/// Most bytes of anything else.
const MAX_SMALL: usize = 256 * 1024;
/// Millionths.
const MICRO: f64 = 1e6;
/// Longest wait for an answer, in seconds.
const MAX_WAIT_S: u64 = 60;

type Answer = Result<Response, Failure>;

/// The routes under `/research`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/datasets", get(datasets))
        .route("/datasets/{name}", put(register).delete(remove))
        .route("/datasets/{name}/refresh", post(refresh))
        .route("/projects", get(list).post(apply))
        .route("/projects/{id}", delete(end))
        .route("/projects/{id}/decision", post(decide))
        .merge(council::routes())
        .route("/projects/{id}/questions", get(questions).post(question))
        .route("/questions/{id}", get(standing).delete(withdraw))
        .route("/outputs", get(outputs))
        .route("/outputs/{question}", get(output))
        .route("/outputs/{question}/decision", post(decide_output))
        .route("/outputs/{question}/publications", post(publish))
        .route("/releases/{id}", get(released))
        .route("/releases/{id}/crate", get(packed))
        .merge(cohorts::routes())
        .merge(programs::routes())
        .merge(extracts::routes())
        .merge(workspace::routes())
        .merge(catalog::routes())
        .with_state(app)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    title: String,
    #[serde(default)]
    csv: Option<String>,
    #[serde(default)]
    sql: Option<String>,
    #[serde(default)]
    dictionary: Option<Dictionary>,
    #[serde(default)]
    about: About,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    title: String,
    purpose: String,
    #[serde(default)]
    researchers: Vec<Researcher>,
    holders: Vec<OrgId>,
    aggregators: [OrgId; 2],
    dataset: String,
    analyses: Vec<String>,
    #[serde(default)]
    programs: Vec<programs::Named>,
    #[serde(default)]
    amends: Option<String>,
    min_sites: u32,
    min_rows: u32,
    #[serde(default)]
    release: ReleaseRule,
    #[serde(default)]
    privacy: Option<Epsilon>,
    days: u32,
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

/// What stands beside a question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    #[serde(default)]
    noise: Option<Epsilon>,
    #[serde(default)]
    dry: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decide {
    choice: Choice,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    embargo_days: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecideOutput {
    choice: release::Choice,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    #[serde(default)]
    wait: u64,
}

/// The body, read once it is known who sends it.
async fn body<T: DeserializeOwned>(body: Body, most: usize) -> Result<T, Failure> {
    let bytes: Bytes = to_bytes(body, most)
        .await
        .map_err(|_| Error::invalid("too-long", format!("the body has at most {most} bytes")))?;
    Ok(serde_json::from_slice(&bytes).map_err(|e| Error::invalid("structure", e.to_string()))?)
}

async fn datasets(State(app): State<App>, client: Client, headers: HeaderMap) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let found = app.run(move |app| sets::list(app, &caller)).await?;
    Ok(Json(json!({"datasets": found.iter().map(set).collect::<Vec<_>>()})).into_response())
}

fn set(set: &Dataset) -> Value {
    json!({
        "name": set.name, "title": set.title, "dictionary": set.dictionary, "rows": set.rows,
        "since": instant(set.since_ms), "sql": set.made.as_ref().map(|made| &made.sql),
    })
}

async fn register(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(name): Path<String>,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let given: Register = body(content, MAX_TABLE).await?;
    let Register { title, csv, sql, dictionary, about } = given;
    let made = match (csv, sql, dictionary) {
        (Some(text), None, dictionary) => {
            let is_declared = dictionary.is_some();
            let work = move |app: &App| {
                let (dictionary, rows) = csv::read_as(&text, dictionary.as_ref())
                    .map_err(|e| Error::invalid("value", e.to_string()))?;
                let draft = sets::Draft { name, title, dictionary, rows };
                match is_declared {
                    true => sets::register_about(app, &caller, draft, about),
                    false => sets::register_undeclared(app, &caller, draft, about),
                }
            };
            app.run(work).await?
        }
        (None, Some(sql), Some(dictionary)) => {
            let draft = sets::query::Draft { name, title, dictionary, sql, about };
            sets::query::register(&app, Some(&caller), draft).await?
        }
        _ => {
            let message = "hand in `csv`, or `sql` with a `dictionary`";
            return Err(Error::invalid("structure", message).into());
        }
    };
    Ok(Json(set(&made)).into_response())
}

async fn refresh(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let made = sets::anew::refresh(&app, &caller, &name).await?;
    Ok(Json(set(&made)).into_response())
}

async fn remove(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    app.run(move |app| sets::remove(app, &caller, &name)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn list(State(app): State<App>, client: Client, headers: HeaderMap) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let found = app.run(move |app| projects::list(app, &caller)).await?;
    Ok(Json(json!({"projects": found.iter().map(project).collect::<Vec<_>>()})).into_response())
}

fn project(known: &Known) -> Value {
    let decisions = known.decisions.values().map(|decision| {
        json!({
            "by": decision.holder, "choice": decision.choice, "reason": decision.reason,
            "embargo_days": decision.embargo_days, "steward": decision.steward,
            "council": decision.council, "at": instant(decision.at),
        })
    });
    let ended = known.ended.as_ref().map(|ended| match ended {
        Ended::Withdrawn => json!({"by": "withdrawal"}),
        Ended::Amended(id) => json!({"by": "amendment", "project": id}),
    });
    json!({
        "id": known.id, "application": known.project, "ended": ended, "decisions": decisions.collect::<Vec<_>>(),
        "waits": known.parties().iter().filter(|org| !known.decisions.contains_key(*org)).collect::<Vec<_>>(),
    })
}

async fn apply(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let given: Apply = body(content, MAX_SMALL).await?;
    let draft = projects::Draft {
        amends: given.amends,
        title: given.title,
        purpose: given.purpose,
        researchers: given.researchers,
        holders: given.holders,
        aggregators: given.aggregators,
        dataset: given.dataset,
        analyses: given.analyses,
        programs: given.programs.into_iter().map(Into::into).collect(),
        min_sites: given.min_sites,
        min_rows: given.min_rows,
        release: given.release,
        privacy: given.privacy.map(Into::into),
        days: given.days,
    };
    let id = app.run(move |app| projects::apply(app, &caller, draft)).await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

async fn decide(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let Decide { choice, reason, embargo_days } = body(content, MAX_SMALL).await?;
    let verdict = Verdict { choice, reason, embargo_days };
    app.run(move |app| projects::decide(app, &caller, &id, &verdict)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn end(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    app.run(move |app| projects::end(app, &caller, &id, "")).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn questions(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let found = app.run(move |app| asked::list(app, &caller, &id)).await?;
    Ok(Json(json!({"questions": found.iter().map(asked_as).collect::<Vec<_>>()})).into_response())
}

fn asked_as(asked: &Asked) -> Value {
    let state = match asked.state {
        Stands::InProgress => "in-progress",
        Stands::Answered => "answered",
        Stands::Failed => "failed",
        Stands::Checking => "checking",
        Stands::KeptBack => "kept-back",
        Stands::Withheld => "withheld",
    };
    let mut out = json!({
        "id": asked.id, "project": asked.project, "analysis": asked.analysis,
        "made": instant(asked.made), "rounds": asked.rounds, "state": state,
    });
    if let Some(micro) = asked.micro_epsilon {
        out["epsilon"] = (micro as f64 / MICRO).into();
    }
    out
}

async fn question(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let mut given: Map<String, Value> = body(content, MAX_SMALL).await?;
    let beside = ["noise", "dry"].into_iter().filter_map(|name| given.remove_entry(name)).collect();
    let unread = |e: serde_json::Error| Error::invalid("structure", e.to_string());
    let Beside { noise, dry } = serde_json::from_value(Value::Object(beside)).map_err(unread)?;
    let asked: Question = serde_json::from_value(Value::Object(given)).map_err(unread)?;
    let noise = noise.map(Privacy::from);
    if dry {
        let work = move |app: &App| ask::plan(app, &caller, &id, &asked, noise);
        return Ok(Json(planned(&app.run(work).await?)).into_response());
    }
    let id = app.run(move |app| ask::ask_with(app, &caller, &id, &asked, noise)).await?;
    Ok((StatusCode::CREATED, Json(json!({"id": id}))).into_response())
}

fn planned(plan: &ask::Plan) -> Value {
    let epsilon = |micro: u64| micro as f64 / MICRO;
    json!({
        "epsilon": epsilon(plan.micro_epsilon), "sensitivity": plan.sensitivity,
        "within": plan.within,
        "project": {"left": epsilon(plan.left), "of": epsilon(plan.of)},
        "here": plan.here.as_ref().map(cohorts::standing),
    })
}

async fn standing(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(Wait { wait }): Query<Wait>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let patience = Duration::from_secs(wait.min(MAX_WAIT_S));
    let (by, of, reader) = (caller.clone(), id.clone(), caller.clone());
    let what = app.run(move |app| asked::asked(app, &by, &of)).await?;
    let standing = match tokio::time::timeout(patience, ask::ended(&app, &caller, &id)).await {
        Ok(ended) => ended?,
        Err(_) => app.run(move |app| ask::standing(app, &caller, &id)).await?,
    };
    let (state, name, value) = match &standing.end {
        None => ("in-progress", "", Value::Null),
        Some(ask::End::Answered(answer)) => ("answered", "answer", json!(answer)),
        Some(ask::End::Failed(reason)) => ("failed", "reason", json!(reason)),
        Some(ask::End::Checking(reasons)) => ("checking", "reasons", json!(reasons)),
        Some(ask::End::KeptBack(until)) => ("kept-back", "until", json!(instant(*until))),
        Some(ask::End::Withheld(reason)) => ("withheld", "reason", json!(reason)),
    };
    let mut out = asked_as(&what);
    out["state"] = state.into();
    out["rounds"] = standing.rounds.into();
    out["missing"] = json!(standing.missing);
    if !value.is_null() {
        out[name] = value;
    }
    if state == "answered" {
        let of = what.id;
        if let Some(id) = app.run(move |app| release::cited(app, &reader, &of)).await? {
            out["release"] = json!(id);
        }
    }
    Ok(Json(out).into_response())
}

async fn withdraw(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    app.run(move |app| app::rounds::withdraw(app, &caller, &id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn outputs(State(app): State<App>, client: Client, headers: HeaderMap) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let found = app.run(move |app| release::list(app, &caller)).await?;
    Ok(Json(json!({"outputs": found.iter().map(shown).collect::<Vec<_>>()})).into_response())
}

fn shown(output: &Output) -> Value {
    let checks = output.checks.iter().map(|check| {
        json!({
            "by": check.name, "release": check.release, "reason": check.reason,
            "at": instant(check.at_ms),
        })
    });
    json!({
        "question": output.question, "project": output.project, "state": output.state,
        "reasons": output.reasons, "checks": checks.collect::<Vec<_>>(),
        "reduced": output.reduced, "publications": output.publications,
        "made": instant(output.made_ms),
    })
}

async fn output(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(question): Path<String>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let (output, answer) = app.run(move |app| release::one(app, &caller, &question)).await?;
    let mut out = shown(&output);
    out["findings"] = json!(output.findings);
    out["rules"] = json!(output.rules);
    out["answer"] = json!(answer);
    Ok(Json(out).into_response())
}

async fn decide_output(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(question): Path<String>,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let DecideOutput { choice, reason } = body(content, MAX_SMALL).await?;
    let work = move |app: &App| release::decide(app, &caller, &question, choice, &reason);
    Ok(Json(shown(&app.run(work).await?)).into_response())
}

async fn publish(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(question): Path<String>,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, false).await?;
    let given: Publication = body(content, MAX_SMALL).await?;
    let work = move |app: &App| release::publish(app, &caller, &question, given);
    Ok(Json(shown(&app.run(work).await?)).into_response())
}

async fn released(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let (sealed, release) = app.run(move |app| release::released(app, &caller, &id)).await?;
    Ok(Json(json!({"id": sealed.id(), "sealed": sealed, "release": release})).into_response())
}

async fn packed(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let work = move |app: &App| {
        let files = release::packed(app, &caller, &id)?;
        archive::zip(&files).ok_or_else(|| Error::internal("a crate is too large for its archive"))
    };
    let archive = app.run(work).await?;
    let named = "attachment; filename=\"crate.zip\"";
    let headers = [(header::CONTENT_TYPE, "application/zip"), (header::CONTENT_DISPOSITION, named)];
    Ok((headers, archive).into_response())
}
