//! SQL over the records, of which aggregates over people are shown.

use app::workspace::{self, NamedColumn, Values, View};
use app::{App, Error};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use fhir::time::instant;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, MAX_SMALL, body};
use crate::auth::By;

/// The routes of the workspace.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/views", get(views)).route("/projects/{id}/sql", post(ask))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    sql: String,
}

async fn views(State(app): State<App>, By(caller): By) -> Answer {
    let found = app.run(move |app| workspace::views(app, &caller)).await?;
    Ok(Json(json!({"views": found.iter().map(view).collect::<Vec<_>>()})).into_response())
}

fn view(view: &View) -> Value {
    let columns = view.columns.iter().map(
        |(name, kind, identifier)| json!({"name": name, "type": kind, "identifier": identifier}),
    );
    json!({"name": view.name, "columns": columns.collect::<Vec<_>>()})
}

async fn ask(
    State(app): State<App>,
    Path(id): Path<String>,
    By(caller): By,
    content: Body,
) -> Answer {
    let Ask { sql } = body(content, MAX_SMALL).await?;
    if sql.len() > workspace::MAX_QUERY_BYTES {
        let most = workspace::MAX_QUERY_BYTES;
        return Err(Error::invalid("too-long", format!("a query has at most {most} bytes")).into());
    }
    let answer = workspace::ask(&app, &caller, &id, &sql).await?;
    Ok(Json(json!({
        "columns": answer.frame.columns.iter().map(column).collect::<Vec<_>>(),
        "rows": answer.frame.rows, "min_cell": answer.min_cell,
        "as_of": answer.as_of_ms.map(instant),
    }))
    .into_response())
}

fn column(column: &NamedColumn) -> Value {
    let values = match &column.values {
        Values::Booleans(values) => json!(values),
        Values::Integers(values) => json!(values),
        Values::Numbers(values) => json!(values),
        Values::Texts(values) => json!(values),
    };
    json!({"name": column.name, "values": values})
}
