//! Cohorts: criteria asked of this institution or of the network, and what of the budget is left.

use app::cohorts::{
    self, Answer as Counted, Asked, Institution, Plan, Reach, Row, Shown, Standing,
};
use app::{App, Error};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use fhir::time::instant;
use population::criteria::Cohort;
use population::distinct;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, MAX_SMALL, MICRO, body, epsilon};
use crate::auth::{self, By, Client};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/cohorts", post(count)).route("/budget", get(budget))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    cohort: Value,
    #[serde(default)]
    scope: Scope,
    #[serde(default = "one")]
    epsilon: f64,
    /// Whether only the cost and the errors are told; nothing is counted or spent.
    #[serde(default)]
    dry: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Scope {
    #[default]
    Own,
    Network,
}

fn one() -> f64 {
    1.0
}

/// Criteria come by POST, for they do not fit into an address; yet a page's cookie does, as for reading.
async fn count(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    content: Body,
) -> Answer {
    let caller = auth::caller(&app, &headers, client, true).await?;
    let given: Ask = body(content, MAX_SMALL).await?;
    let cohort = Cohort::parse(&given.cohort.to_string())
        .map_err(|fault| Error::invalid("value", fault.to_string()).at(fault.path))?;
    if !(0.1..=1_000.0).contains(&given.epsilon) {
        return Err(Error::invalid("value", "`epsilon` is from 0.1 to 1000").into());
    }
    let reach = match given.scope {
        Scope::Own => Reach::Own,
        Scope::Network => Reach::Network,
    };
    let micro_epsilon = (given.epsilon * MICRO).round() as u64;
    let asked = Asked { cohort, micro_epsilon, reach };
    if given.dry {
        let plan = app.run(move |app| cohorts::plan(app, &caller, &asked)).await?;
        return Ok(Json(planned(&plan)).into_response());
    }
    let answer = cohorts::ask(&app, caller, asked).await?;
    Ok(Json(counted(&answer)).into_response())
}

async fn budget(State(app): State<App>, By(caller): By) -> Answer {
    let left = app.run(move |app| cohorts::standing(app, &caller)).await?;
    Ok(Json(standing(&left)).into_response())
}

pub(super) fn standing(left: &Standing) -> Value {
    json!({
        "left": epsilon(left.left), "of": epsilon(left.of),
        "everybody": {"left": epsilon(left.everybody_left), "of": epsilon(left.everybody_of)},
        "until": instant(left.until_ms),
    })
}

fn row(row: &Row) -> Value {
    match row {
        Row::Everybody => json!({"row": "everybody"}),
        Row::Entered => json!({"row": "entered"}),
        Row::Step(label) => json!({"row": "step", "label": label}),
    }
}

fn shown(people: Shown) -> Value {
    match people {
        Shown::About(people) => json!({"people": people}),
        Shown::FewerThan(least) => json!({"fewer_than": least}),
    }
}

/// Both as one object.
fn with(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}

fn planned(plan: &Plan) -> Value {
    let lines = plan.lines.iter().map(|(line, error)| with(row(line), json!({"error": error})));
    json!({
        "sentences": plan.sentences, "epsilon": epsilon(plan.micro_epsilon),
        "institutions": plan.sites, "steps": lines.collect::<Vec<_>>(),
        "distinct_error": plan.distinct_error, "budget": standing(&plan.budget),
    })
}

fn counted(answer: &Counted) -> Value {
    let lines = answer
        .lines
        .iter()
        .map(|line| with(with(row(&line.row), shown(line.people)), json!({"error": line.error})));
    let distinct = answer.distinct.as_ref().map(|distinct| match distinct {
        distinct::Answer::FewerThan(least) => json!({"fewer_than": least}),
        distinct::Answer::About(estimate) => json!({
            "people": estimate.people, "standard_error": estimate.standard_error,
            "low": estimate.low, "high": estimate.high, "sum": estimate.sum,
            "institutions": estimate.sites,
        }),
    });
    json!({
        "sentences": answer.sentences, "epsilon": epsilon(answer.micro_epsilon),
        "steps": lines.collect::<Vec<_>>(), "distinct": distinct,
        "institutions": answer.institutions.iter().map(institution).collect::<Vec<_>>(),
        "budget": standing(&answer.budget),
    })
}

fn institution(one: &Institution) -> Value {
    let mut out = json!({"id": one.org, "name": one.name, "status": one.status.word()});
    if let Some((reason, message)) = &one.reason {
        out["reason"] = json!(reason);
        out["message"] = json!(message);
    }
    if let Some(counted_ms) = one.counted_ms {
        out["counted"] = json!(instant(counted_ms));
        out["again"] = json!(one.again);
        out["steps"] = one.people.iter().map(|people| shown(*people)).collect();
    }
    out
}
