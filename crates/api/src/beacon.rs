//! GA4GH Beacon v2.1 under `/beacon`.
//!
//! What it says of itself and of data sets is read by whoever may read the catalogue. Individuals are
//! asked for by researchers with a second factor at most an hour old; the answer says whether there are
//! any, or about how many, with noise.

use app::catalog::beacon::{self, Answer as Answered, Page};
use app::{App, Error, Kind};
use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use catalog::beacon::{BeaconError, BeaconRequest, Entry, MOST_BODY};
use serde_json::Value;

use crate::auth::{self, Client};
use crate::outcome::{Failure, status};
use crate::research::catalog::reader;

/// The routes under `/beacon`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/beacon", get(about))
        .route("/beacon/info", get(about))
        .route("/beacon/service-info", get(service))
        .route("/beacon/configuration", get(configuration))
        .route("/beacon/entry_types", get(entry_types))
        .route("/beacon/map", get(map))
        .route("/beacon/filtering_terms", get(terms))
        .route("/beacon/datasets", get(datasets).post(post_datasets))
        .route("/beacon/datasets/{id}", get(dataset))
        .route("/beacon/datasets/{id}/individuals", get(of_dataset).post(post_of_dataset))
        .route("/beacon/individuals", get(individuals).post(post_individuals))
        .with_state(app)
}

/// A refusal in the words of Beacon, or of HTTP where somebody has to prove who they are first.
enum Refused {
    Beacon(BeaconError),
    Http(Failure),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error.kind {
            Kind::Unauthenticated | Kind::StepUp { .. } | Kind::Internal | Kind::Busy => {
                Self::Http(Failure(error))
            }
            _ => Self::Beacon(BeaconError {
                status: status(&error.kind).0.as_u16(),
                message: error.message,
            }),
        }
    }
}

impl From<Failure> for Refused {
    fn from(Failure(error): Failure) -> Self {
        error.into()
    }
}

impl From<BeaconError> for Refused {
    fn from(error: BeaconError) -> Self {
        Self::Beacon(error)
    }
}

/// Makes the answer of a handler, whatever came of it.
async fn answered(app: &App, made: Result<Value, Refused>) -> Response {
    match made {
        Ok(body) => Json(body).into_response(),
        Err(Refused::Http(failure)) => failure.into_response(),
        Err(Refused::Beacon(error)) => {
            let status = StatusCode::from_u16(error.status);
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            match app.run(beacon::beacon).await {
                Ok(beacon) => (status, Json(error.body(&beacon))).into_response(),
                Err(failed) => Failure(failed).into_response(),
            }
        }
    }
}

async fn said(app: App, client: Client, headers: HeaderMap, page: Page) -> Response {
    let made = async {
        let reader = reader(&app, &headers, client).await?;
        Ok(app.run(move |app| beacon::page(app, reader.as_ref(), page)).await?)
    };
    answered(&app, made.await).await
}

async fn about(State(app): State<App>, client: Client, headers: HeaderMap) -> Response {
    said(app, client, headers, Page::Info).await
}

async fn service(State(app): State<App>, client: Client, headers: HeaderMap) -> Response {
    said(app, client, headers, Page::ServiceInfo).await
}

async fn configuration(State(app): State<App>, client: Client, headers: HeaderMap) -> Response {
    said(app, client, headers, Page::Configuration).await
}

async fn entry_types(State(app): State<App>, client: Client, headers: HeaderMap) -> Response {
    said(app, client, headers, Page::EntryTypes).await
}

async fn map(State(app): State<App>, client: Client, headers: HeaderMap) -> Response {
    said(app, client, headers, Page::Map).await
}

/// A request as a GET writes it.
fn from_query(entry: Entry, query: Option<String>) -> Result<BeaconRequest, BeaconError> {
    let query = query.unwrap_or_default();
    if query.len() > MOST_BODY {
        return Err(BeaconError::invalid("the parameters are too long"));
    }
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    BeaconRequest::from_parameters(entry, pairs)
}

/// A request as a POST writes it, read once it is known who sends it.
async fn from_body(entry: Entry, body: Body) -> Result<BeaconRequest, BeaconError> {
    let bytes = to_bytes(body, MOST_BODY).await;
    let bytes = bytes
        .map_err(|_| BeaconError::invalid(format!("a request has at most {MOST_BODY} bytes")))?;
    BeaconRequest::from_body(entry, &bytes)
}

/// How a request is written.
enum Written {
    Query(Option<String>),
    Body(Body),
}

impl Written {
    async fn read(self, entry: Entry) -> Result<BeaconRequest, BeaconError> {
        match self {
            Self::Query(query) => from_query(entry, query),
            Self::Body(body) => from_body(entry, body).await,
        }
    }
}

async fn terms(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let made = async {
        let reader = reader(&app, &headers, client).await?;
        let request = from_query(Entry::Individual, query)?;
        Ok(app.run(move |app| beacon::terms(app, reader.as_ref(), &request)).await?)
    };
    answered(&app, made.await).await
}

async fn told(
    app: App,
    client: Client,
    headers: HeaderMap,
    written: Written,
    name: Option<String>,
) -> Response {
    let made = async {
        let reader = reader(&app, &headers, client).await?;
        let request = written.read(Entry::Dataset).await?;
        let work =
            move |app: &App| beacon::datasets(app, reader.as_ref(), &request, name.as_deref());
        Ok(app.run(work).await?)
    };
    answered(&app, made.await).await
}

async fn datasets(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    told(app, client, headers, Written::Query(query), None).await
}

async fn post_datasets(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    told(app, client, headers, Written::Body(body), None).await
}

async fn dataset(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    told(app, client, headers, Written::Query(query), Some(id)).await
}

async fn counted(
    app: App,
    client: Client,
    headers: HeaderMap,
    written: Written,
    name: Option<String>,
) -> Response {
    let made = async {
        // A cookie alone asks by GET only, so that no other site's form spends anybody's budget.
        let reading = matches!(written, Written::Query(_));
        let caller = auth::caller(&app, &headers, client, reading).await?;
        let request = written.read(Entry::Individual).await?;
        let work = move |app: &App| -> Answered {
            beacon::individuals(app, &caller, &request, name.as_deref())
        };
        Ok(app.run(work).await??)
    };
    answered(&app, made.await).await
}

async fn individuals(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    counted(app, client, headers, Written::Query(query), None).await
}

async fn post_individuals(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    counted(app, client, headers, Written::Body(body), None).await
}

async fn of_dataset(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    counted(app, client, headers, Written::Query(query), Some(id)).await
}

async fn post_of_dataset(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Body,
) -> Response {
    counted(app, client, headers, Written::Body(body), Some(id)).await
}
