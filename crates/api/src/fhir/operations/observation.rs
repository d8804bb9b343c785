//! `Observation/$lastn` and `Observation/$stats`.

use app::records::observations::{self, statistics};
use app::{App, Error, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use fhir::Value;

use super::Operation;
use super::parameters::{self, Parameters};
use crate::fhir::{Asked, answer};
use crate::outcome::Failure;

/// What this family offers.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        name: "lastn",
        definition: "http://hl7.org/fhir/OperationDefinition/Observation-lastn",
        types: &["Observation"],
    },
    Operation {
        name: "stats",
        definition: "http://hl7.org/fhir/OperationDefinition/Observation-stats",
        types: &["Observation"],
    },
];

const HOUR_MS: f64 = 3_600_000.0;

type Answered = std::result::Result<Response, Failure>;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/fhir/Observation/$lastn", get(lastn).post(lastn))
        .route("/fhir/Observation/$stats", get(stats).post(stats))
}

async fn lastn(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let mut pairs = parameters::pairs(query.as_deref(), &body)?;
    let mut max = 1;
    for (_, value) in pairs.extract_if(.., |(name, _)| name == "max") {
        max = value.parse().map_err(|_| Error::invalid("value", "`max` must be a number"))?;
    }
    let body = app
        .run(move |app| {
            let found = observations::last(app, &caller, &pairs, max)?;
            let base = format!("{}/fhir", app.org().base_url);
            let mut entries = String::new();
            for stored in &found {
                answer::push_match(&mut entries, &base, stored);
            }
            let total = found.len();
            if total > 0 {
                entries = format!(",\"entry\":[{entries}]");
            }
            Ok(format!(
                "{{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":{total}{entries}}}"
            ))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

async fn stats(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answered {
    let body = app
        .run(move |app| {
            let asked = asked(app, query.as_deref(), &body)?;
            let mut parameters = Vec::new();
            for found in statistics::statistics(app, &caller, &asked)? {
                let text = found.observation.to_string();
                parameters.push(format!("{{\"name\":\"statistics\",\"resource\":{text}}}"));
                parameters.extend(
                    found
                        .sources
                        .iter()
                        .map(|one| format!("{{\"name\":\"source\",\"resource\":{}}}", one.text)),
                );
            }
            let parameters = parameters.join(",");
            Ok(format!("{{\"resourceType\":\"Parameters\",\"parameter\":[{parameters}]}}"))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

fn asked(app: &App, query: Option<&str>, body: &Bytes) -> Result<statistics::Asked> {
    let (mut asked, mut codes, mut system) = (statistics::Asked::default(), Vec::new(), None);
    let simple = parameters::simple(query, body)?;
    for (name, value) in &simple.pairs {
        let bad = || Error::invalid("value", format!("`{name}` has a value that cannot be read"));
        match name.as_str() {
            "subject" => asked.subject = value.clone(),
            "code" => codes.push(value.clone()),
            "system" => system = Some(value.clone()),
            "statistic" => asked.statistics.extend(value.split(',').map(str::to_owned)),
            "include" => asked.include = value.parse().map_err(|_| bad())?,
            "limit" => asked.limit = Some(value.parse().map_err(|_| bad())?),
            "duration" => {
                let hours: f64 = value.parse().map_err(|_| bad())?;
                asked.from_ms = Some(app.now_ms().saturating_sub((hours * HOUR_MS) as i64));
            }
            _ => return Err(parameters::unknown(name)),
        }
    }
    let prefix = system.map(|system| format!("{system}|")).unwrap_or_default();
    asked.codes.extend(codes.iter().map(|code| format!("{prefix}{code}")));
    for (name, value) in simple.complex.iter().flat_map(Parameters::complex) {
        match name.as_str() {
            "coding" => asked.codes.push(token(value)),
            "period" => {
                let at = |member: &str| value.str_at(member).and_then(|t| fhir::time::parse(&t));
                asked.from_ms = at("start").map(|range| range.start_ms);
                asked.before_ms = at("end").map(|range| range.end_ms);
            }
            _ => return Err(parameters::unknown(&name)),
        }
    }
    if asked.subject.is_empty() {
        return Err(Error::invalid("required", "the parameter `subject` is missing"));
    }
    Ok(asked)
}

fn token(coding: Value<'_>) -> String {
    let code = coding.str_at("code").unwrap_or_default();
    match coding.str_at("system") {
        Some(system) => format!("{system}|{code}"),
        None => code.into_owned(),
    }
}
