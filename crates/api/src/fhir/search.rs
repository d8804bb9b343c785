//! Search over HTTP: by address and by form, and the pages of what was found.

use app::records::bundle::query_pairs;
use app::records::condition::Params;
use app::records::search;
use app::{App, Caller, Error, Kind};
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use fhir::Document;
use fhir::edit::Edits;
use store::query::{QueryError, parse};

use super::{Answered, Asked, answer, known_type, media, prefer, unsupported_media};

/// Parameters that steer the form of the answer and are no search criteria.
fn criteria(query: &str) -> Params {
    let mut pairs = query_pairs(query);
    pairs.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
    pairs
}

/// `GET [type]?[parameters]`.
pub async fn by_get(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    find(app, caller, &kind, query.unwrap_or_default(), &headers).await
}

/// `POST [type]/_search` with a form; parameters of the address count too.
pub async fn by_post(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let content = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let name = media::name(content.unwrap_or_default());
    if !body.is_empty() && name != "application/x-www-form-urlencoded" {
        return Ok(unsupported_media("`_search` takes `application/x-www-form-urlencoded`")
            .into_response());
    }
    let form =
        std::str::from_utf8(&body).map_err(|_| Error::invalid("value", "the form is not UTF-8"))?;
    let query = match query.filter(|query| !query.is_empty()) {
        Some(query) => format!("{query}&{form}"),
        None => form.to_owned(),
    };
    find(app, caller, &kind, query, &headers).await
}

async fn find(
    app: App,
    caller: Caller,
    kind: &str,
    query: String,
    headers: &HeaderMap,
) -> Answered {
    let kind = known_type(kind)?;
    let lenient = prefer::is_lenient(headers);
    let body = app
        .run(move |app| {
            let mut params = criteria(&query);
            let ignored = if lenient { pass_over(app, kind, &mut params) } else { Vec::new() };
            let page = search::search(app, &caller, kind, &params, &format!("{kind}?{query}"))?;
            warned(answer::searchset(app, &page), &ignored)
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

/// Takes out the parameters that nobody knows, and says which (`Prefer: handling=lenient`).
fn pass_over(app: &App, kind: &'static str, params: &mut Params) -> Vec<String> {
    let registry = app.store().registry();
    let mut ignored: Vec<String> = Vec::new();
    params.retain(|pair| {
        let one = parse(&registry, kind, std::slice::from_ref(pair));
        let unknown =
            matches!(one, Err(QueryError::Unknown { .. } | QueryError::Unsupported { .. }));
        if unknown && !ignored.contains(&pair.0) {
            ignored.push(pair.0.chars().take(40).collect());
        }
        !unknown
    });
    ignored
}

/// A searchset with an entry that names the parameters that were passed over.
fn warned(searchset: String, ignored: &[String]) -> Result<String, Error> {
    if ignored.is_empty() {
        return Ok(searchset);
    }
    let names: Vec<String> = ignored.iter().map(|name| format!("`{name}`")).collect();
    let text = format!("search parameters that are not known were ignored: {}", names.join(", "));
    let entry = format!(
        "{{\"resource\":{},\"search\":{{\"mode\":\"outcome\"}}}}",
        answer::warning("not-supported", &text)
    );
    let document = Document::parse(searchset)
        .map_err(|e| Error::internal(format!("a searchset is not valid: {e}")))?;
    let root = document.root();
    let mut edits = Edits::default();
    match root.get("entry") {
        Some(entries) => {
            let end = entries.range().end - 1;
            let comma = if entries.items().next().is_some() { "," } else { "" };
            edits.replace(end..end, format!("{comma}{entry}"));
        }
        None => edits.set(root, "entry", &format!("[{entry}]"), "link"),
    }
    Ok(edits.apply(document.text()))
}

/// `GET _page/[page]`: the links of a searchset lead here.
pub async fn turn_page(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(page): Path<String>,
) -> Answered {
    let body = app
        .run(move |app| {
            let unknown =
                || Error::new(Kind::Gone, "this page of results has expired; repeat the search");
            let mut parts = page.splitn(3, '.');
            let token = parts.next().ok_or_else(unknown)?;
            let mut number = || parts.next().and_then(|n| n.parse().ok()).ok_or_else(unknown);
            let (offset, count) = (number()?, number()?);
            let page = search::turn(app, &caller, token, offset, count)?;
            Ok(answer::searchset(app, &page))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}
