//! Data sets: registered from a table or by SQL over the records, made anew, removed.

use app::catalog::{self as sets, About, Dataset};
use app::{App, Error};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use fhir::time::instant;
use serde::Deserialize;
use serde_json::{Value, json};
use statistics::{Dictionary, csv};

use super::{Answer, body};
use crate::auth::By;

/// Most bytes of a table.
const MAX_TABLE: usize = 64 * 1024 * 1024;

/// The routes under `/research`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/datasets", get(list))
        .route("/datasets/{name}", put(register).delete(remove))
        .route("/datasets/{name}/refresh", post(refresh))
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

async fn list(State(app): State<App>, By(caller): By) -> Answer {
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
    Path(name): Path<String>,
    By(caller): By,
    content: Body,
) -> Answer {
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

async fn refresh(State(app): State<App>, Path(name): Path<String>, By(caller): By) -> Answer {
    let made = sets::anew::refresh(&app, &caller, &name).await?;
    Ok(Json(set(&made)).into_response())
}

async fn remove(State(app): State<App>, Path(name): Path<String>, By(caller): By) -> Answer {
    app.run(move |app| sets::remove(app, &caller, &name)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
