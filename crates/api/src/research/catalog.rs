//! The catalogue for programs.
//!
//! | call | answer |
//! |---|---|
//! | `GET /research/catalog` | the network's data sets as JSON; this institution's as HealthDCAT-AP where `Accept` asks for `text/turtle` or `application/ld+json` |
//! | `GET /research/catalog.ttl` | this institution's catalogue in HealthDCAT-AP, Turtle |
//! | `GET /research/catalog.jsonld` | the same in JSON-LD |
//! | `GET /research/catalog/{name}` | one data set, at every institution that holds it |
//! | `GET /research/catalog/{name}/croissant.json` | a data set of this institution in Croissant 1.1 |
//! | `GET /research/catalog/{name}/head.csv` | the names of its variables, and no row |
//! | `GET /research/catalog/{name}/twin` | what is to be known of its synthetic twin |
//! | `GET /research/catalog/{name}/twin.csv` | the rows of the twin, the same for everybody |
//!
//! Who is signed in for research reads all of it. Where the operator has made the catalogue public,
//! everybody reads what this institution tells of its own. Operators say by `PUT /research/datasets/{name}/twin` that there
//! shall be a twin.

use std::collections::BTreeMap;

use app::catalog::twin::{self, Drawn, Offer};
use app::catalog::{self as sets, Held, Listing, publish};
use app::{App, Caller};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use fhir::time::instant;
use serde_json::{Value, json};

use super::{Answer, MAX_SMALL, epsilon};
use crate::auth::{self, By, Client};
use crate::outcome::Failure;

const TURTLE: &str = "text/turtle; charset=utf-8";
const JSON_LD: &str = "application/ld+json";
const CSV: &str = "text/csv; charset=utf-8; header=present";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/catalog", get(whole))
        .route("/catalog.ttl", get(turtle))
        .route("/catalog.jsonld", get(json_ld))
        .route("/catalog/{name}", get(one))
        .route("/catalog/{name}/croissant.json", get(croissant))
        .route("/catalog/{name}/head.csv", get(head))
        .route("/catalog/{name}/twin", get(twin_facts))
        .route("/catalog/{name}/twin.csv", get(twin_rows))
        .route("/datasets/{name}/twin", put(offer_twin).delete(withdraw_twin))
}

/// Who reads; nobody where nobody says who they are and the catalogue is public.
pub(crate) async fn reader(
    app: &App,
    headers: &HeaderMap,
    client: Client,
) -> Result<Option<Caller>, Failure> {
    let says_who = headers.contains_key(header::AUTHORIZATION) || auth::cookie(headers).is_some();
    if !says_who && publish::is_public(app) {
        return Ok(None);
    }
    auth::caller(app, headers, client, true).await.map(Some)
}

/// Whoever reads the catalogue, as [`reader`] has it.
struct Reader(Option<Caller>);

impl FromRequestParts<App> for Reader {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Ok(client) = Client::from_request_parts(parts, app).await;
        reader(app, &parts.headers, client).await.map(Self)
    }
}

/// What a reader may see: the network's catalogue, or, for nobody, the own data sets alone.
async fn listed(app: &App, reader: Option<Caller>) -> Result<Listing, Failure> {
    let work = move |app: &App| match reader {
        Some(caller) => sets::listing(app, &caller),
        None => {
            let holder = app.network().own().to_string();
            let held = |set| Held { holder: holder.clone(), is_own: true, set };
            let sets = publish::own(app, None)?.into_iter().map(held).collect();
            Ok(Listing { sets, tellers: Vec::new() })
        }
    };
    Ok(app.run(work).await?)
}

async fn whole(State(app): State<App>, headers: HeaderMap, Reader(reader): Reader) -> Answer {
    let accept = headers.get(header::ACCEPT).and_then(|text| text.to_str().ok());
    let accept = accept.unwrap_or_default().to_ascii_lowercase();
    let mut response = if accept.contains("text/turtle") {
        let text = app.run(move |app| publish::turtle(app, reader.as_ref())).await?;
        typed(TURTLE, text)
    } else if accept.contains(JSON_LD) {
        let graph = app.run(move |app| publish::json_ld(app, reader.as_ref())).await?;
        typed(JSON_LD, graph.to_string())
    } else {
        Json(body(&app, &listed(&app, reader).await?)).into_response()
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

async fn one(State(app): State<App>, Path(name): Path<String>, Reader(reader): Reader) -> Answer {
    let mut listing = listed(&app, reader).await?;
    listing.sets.retain(|held| held.set.name == name);
    if listing.sets.is_empty() {
        return Err(app::Error::not_found().into());
    }
    Ok(Json(body(&app, &listing)).into_response())
}

/// The data sets by name, each with its holders, and who has told.
fn body(app: &App, listing: &Listing) -> Value {
    let mut by_name: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for held in &listing.sets {
        by_name.entry(&held.set.name).or_default().push(holder(app, listing, held));
    }
    let datasets: Vec<Value> = by_name
        .into_iter()
        .map(|(name, holders)| json!({"name": name, "holders": holders}))
        .collect();
    let members = listing.tellers.iter().map(|teller| {
        json!({
            "institution": teller.org,
            "heard": teller.heard_ms.map(instant),
            "unreached_since": teller.unreached_ms.map(instant),
        })
    });
    json!({
        "institution": app.org().id, "datasets": datasets,
        "members": members.collect::<Vec<_>>(),
    })
}

fn holder(app: &App, listing: &Listing, held: &Held) -> Value {
    let teller = listing.tellers.iter().find(|teller| teller.org == held.holder);
    let base = match held.is_own {
        true => app.org().base_url.clone(),
        false => app.base_url_of(&held.holder),
    };
    let mut out = json!({
        "institution": held.holder,
        "heard": teller.and_then(|teller| teller.heard_ms).map(instant),
        "unreached_since": teller.and_then(|teller| teller.unreached_ms).map(instant),
        "dataset": held.set,
    });
    let base = base.trim_end_matches('/');
    if !base.is_empty() {
        let below = format!("{base}/research/catalog");
        out["documents"] = json!({
            "croissant": format!("{below}/{}/croissant.json", held.set.name),
            "health_dcat": format!("{below}.ttl"),
            "beacon": format!("{base}/beacon"),
        });
    }
    out
}

async fn turtle(State(app): State<App>, Reader(reader): Reader) -> Answer {
    let text = app.run(move |app| publish::turtle(app, reader.as_ref())).await?;
    Ok(typed(TURTLE, text))
}

async fn json_ld(State(app): State<App>, Reader(reader): Reader) -> Answer {
    let graph = app.run(move |app| publish::json_ld(app, reader.as_ref())).await?;
    Ok(typed(JSON_LD, graph.to_string()))
}

async fn croissant(
    State(app): State<App>,
    Path(name): Path<String>,
    Reader(reader): Reader,
) -> Answer {
    let body = app.run(move |app| publish::croissant(app, reader.as_ref(), &name)).await?;
    Ok(typed(::catalog::croissant::MEDIA_TYPE, body.to_string()))
}

async fn head(State(app): State<App>, Path(name): Path<String>, Reader(reader): Reader) -> Answer {
    let text = app.run(move |app| publish::head(app, reader.as_ref(), &name)).await?;
    Ok(typed(CSV, text))
}

async fn twin_facts(
    State(app): State<App>,
    Path(name): Path<String>,
    Reader(reader): Reader,
) -> Answer {
    let of = name.clone();
    let drawn = app.run(move |app| twin::about(app, reader.as_ref(), &of)).await?;
    Ok(Json(twin_of(&name, &drawn)).into_response())
}

async fn twin_rows(
    State(app): State<App>,
    Path(name): Path<String>,
    Reader(reader): Reader,
) -> Answer {
    let text = app.run(move |app| twin::csv(app, reader.as_ref(), &name)).await?;
    let named = "attachment; filename=\"twin.csv\"";
    let headers = [(header::CONTENT_TYPE, CSV), (header::CONTENT_DISPOSITION, named)];
    Ok((headers, text).into_response())
}

async fn offer_twin(
    State(app): State<App>,
    Path(name): Path<String>,
    By(caller): By,
    content: Body,
) -> Answer {
    let given: Offer = super::body(content, MAX_SMALL).await?;
    let of = name.clone();
    let drawn = app.run(move |app| twin::offer(app, Some(&caller), &of, &given)).await?;
    Ok(Json(twin_of(&name, &drawn)).into_response())
}

async fn withdraw_twin(State(app): State<App>, Path(name): Path<String>, By(caller): By) -> Answer {
    app.run(move |app| twin::withdraw(app, &caller, &name)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What is told of a twin. How far it is off from the rows is not: that would cost more. What is told instead is which
/// relations it keeps at all, and the noise on what it was made of.
fn twin_of(name: &str, drawn: &Drawn) -> Value {
    let [of_variable, of_pair] = drawn.deviations;
    json!({
        "name": name, "epsilon": epsilon(drawn.micro_epsilon), "rows": drawn.rows,
        "drawn": instant(drawn.at_ms), "dictionary": drawn.dictionary, "pairs": drawn.pairs,
        "noise": {"variable": of_variable, "pair": of_pair},
        "csv": format!("/research/catalog/{name}/twin.csv"),
        "bytes": drawn.bytes, "sha256": drawn.sha256,
    })
}

fn typed(media_type: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, media_type)], text).into_response()
}
