//! Resources and Bundles as responses, spliced from stored text.

use app::records::bundle::Answer;
use app::records::history::HistoryPage;
use app::records::search::Page;
use app::records::write::Written;
use app::{App, Error};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fhir::json::quote;
use jiff::Timestamp;
use store::query::Total;
use store::{Method, Stored};

use super::prefer::Return;
use crate::outcome::{FHIR_JSON, outcome, status};

/// A FHIR JSON body with a status.
pub fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, FHIR_JSON), (header::CACHE_CONTROL, "no-store")], body)
        .into_response()
}

/// A time as HTTP writes it (RFC 9110, section 5.6.7), whole seconds of GMT.
pub fn http_date(ms: i64) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The first millisecond of a time as HTTP writes it.
fn from_http_date(text: &str) -> Option<i64> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(time.timestamp().as_millisecond())
}

/// When the version that an answer shows was committed, milliseconds since the Unix epoch: a header
/// has whole seconds only.
#[derive(Clone, Copy, Debug)]
pub struct UpdatedMs(pub i64);

/// The answer with the headers that name a version.
pub fn versioned(mut response: Response, version: u64, last_updated_ms: i64) -> Response {
    response.extensions_mut().insert(UpdatedMs(last_updated_ms));
    let headers = response.headers_mut();
    let values = [
        (header::ETAG, format!("W/\"{version}\"")),
        (header::LAST_MODIFIED, http_date(last_updated_ms)),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// One version of a resource, or 304 where the client has it already.
pub fn resource(stored: Stored, request: &HeaderMap) -> Response {
    let (version, updated) = (stored.version, stored.last_updated_ms);
    let response = if is_known(version, updated, request) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        json(StatusCode::OK, stored.text)
    };
    versioned(response, version, updated)
}

/// Whether the client says that it has this version: by tag, or else by time (RFC 9110, section
/// 13.2.2). HTTP knows whole seconds only.
fn is_known(version: u64, updated_ms: i64, request: &HeaderMap) -> bool {
    if let Some(known) = request.get(header::IF_NONE_MATCH) {
        let Ok(known) = known.to_str() else { return false };
        let tag = format!("\"{version}\"");
        return known.trim() == "*"
            || known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag);
    }
    let since = request.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    since.and_then(from_http_date).is_some_and(|since| updated_ms / 1000 <= since / 1000)
}

/// The answer to a create or update.
pub fn written(app: &App, written: &Written, text: Option<String>, wish: Return) -> Response {
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    let body = match wish {
        Return::Minimal => String::new(),
        Return::Representation => text.unwrap_or_default(),
        Return::Outcome => said(written),
    };
    let mut response = versioned(json(status, body), written.version, written.last_updated_ms);
    if let Ok(location) = HeaderValue::from_str(&location(app, written)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// What a write did, in words.
fn said(written: &Written) -> String {
    let what = match (written.changed, written.created) {
        (false, _) => "found",
        (true, true) => "created",
        (true, false) => "stored",
    };
    information(&format!("{what} as version {}", written.version))
}

fn location(app: &App, written: &Written) -> String {
    let key = &written.key;
    let base = &app.org().base_url;
    format!("{base}/fhir/{}/{}/_history/{}", key.resource_type, key.id, written.version)
}

/// An OperationOutcome that only informs.
pub fn information(text: &str) -> String {
    issue("information", "informational", text)
}

/// An OperationOutcome about something that did not stop the answer.
pub fn warning(code: &str, text: &str) -> String {
    issue("warning", code, text)
}

fn issue(severity: &str, code: &str, text: &str) -> String {
    format!(
        "{{\"resourceType\":\"OperationOutcome\",\"issue\":[{{\"severity\":\"{severity}\",\
         \"code\":\"{code}\",\"diagnostics\":{}}}]}}",
        quote(text)
    )
}

fn link(relation: &str, url: &str) -> String {
    format!("{{\"relation\":{},\"url\":{}}}", quote(relation), quote(url))
}

/// A searchset.
pub fn searchset(app: &App, page: &Page) -> String {
    let base = format!("{}/fhir", app.org().base_url);
    let place = if page.path.is_empty() { String::new() } else { format!("/{}", page.path) };
    let mut links = vec![];
    let turn = |token: &str, offset: usize| format!("{base}/_page/{token}.{offset}.{}", page.count);
    match (&page.token, page.offset) {
        (Some(token), 1..) => links.push(link("self", &turn(token, page.offset))),
        _ => links.push(link("self", &format!("{base}{place}{}", query(page)))),
    }
    if let Some(token) = &page.token {
        links.push(link("first", &turn(token, 0)));
        if page.offset > 0 {
            links.push(link("previous", &turn(token, page.offset.saturating_sub(page.count))));
        }
        let next = page.offset + page.count;
        if (next as u64) < page.total {
            links.push(link("next", &turn(token, next)));
        }
    }
    let mut entries = String::new();
    for (list, mode) in [(&page.matches, "match"), (&page.included, "include")] {
        for stored in list {
            push_entry(&mut entries, &base, stored, &format!("\"search\":{{\"mode\":\"{mode}\"}}"));
        }
    }
    let entries =
        if entries.is_empty() { String::new() } else { format!(",\"entry\":[{entries}]") };
    let total = match page.search.total {
        Some(Total::None) => String::new(),
        _ => format!("\"total\":{},", page.total),
    };
    format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"searchset\",{total}\"link\":[{}]{entries}}}",
        links.join(",")
    )
}

fn query(page: &Page) -> String {
    let mut serializer = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &page.search.used {
        serializer.append_pair(name, value);
    }
    let query = serializer.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// Adds a match of a searchset to a list of entries.
pub fn push_match(entries: &mut String, base: &str, stored: &Stored) {
    push_entry(entries, base, stored, "\"search\":{\"mode\":\"match\"}");
}

/// Adds an entry to a list of entries, behind a comma where one is needed. `base` is the address of the FHIR service, `rest` what
/// stands beside the resource.
fn push_entry(out: &mut String, base: &str, stored: &Stored, rest: &str) {
    if !matches!(out.as_bytes().last(), None | Some(b'[' | b',')) {
        out.push(',');
    }
    let url = format!("{base}/{}/{}", stored.key.resource_type, stored.key.id);
    out.push_str("{\"fullUrl\":");
    out.push_str(&quote(&url));
    if !stored.text.is_empty() {
        out.push_str(",\"resource\":");
        out.push_str(&stored.text);
    }
    out.push(',');
    out.push_str(rest);
    out.push('}');
}

/// A history Bundle. `path` is what was asked for, below the base.
pub fn history(app: &App, page: &HistoryPage, path: &str, next: Option<String>) -> String {
    let total = page.total.map_or(String::new(), |total| format!("\"total\":{total},"));
    let base = format!("{}/fhir", app.org().base_url);
    let mut entries = String::new();
    for stored in &page.versions {
        let url = match stored.method {
            Method::Post => stored.key.resource_type.to_owned(),
            _ => format!("{}/{}", stored.key.resource_type, stored.key.id),
        };
        let (method, status) = match stored.method {
            Method::Post => ("POST", "201 Created"),
            Method::Put if stored.version == 1 => ("PUT", "201 Created"),
            Method::Put => ("PUT", "200 OK"),
            Method::Delete => ("DELETE", "204 No Content"),
        };
        let rest = format!(
            "\"request\":{{\"method\":\"{method}\",\"url\":{}}},\"response\":{{\"status\":\"{status}\",\
             \"etag\":\"W/\\\"{}\\\"\",\"lastModified\":\"{}\"}}",
            quote(&url),
            stored.version,
            fhir::time::instant(stored.last_updated_ms)
        );
        push_entry(&mut entries, &base, stored, &rest);
    }
    let mut links = vec![link("self", &format!("{base}/{path}"))];
    links.extend(next.map(|next| link("next", &format!("{base}/{next}"))));
    let entries =
        if entries.is_empty() { String::new() } else { format!(",\"entry\":[{entries}]") };
    format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"history\",{total}\"link\":[{}]{entries}}}",
        links.join(",")
    )
}

/// One entry of a transaction-response; reads are answered elsewhere.
pub fn response_entry(app: &App, answer: &Answer, resource: Option<&str>, wish: Return) -> String {
    let resource = resource.map_or(String::new(), |text| format!("\"resource\":{text},"));
    match answer {
        Answer::Written(w) => {
            let status = if w.created { "201 Created" } else { "200 OK" };
            let outcome = match wish {
                Return::Outcome => format!(",\"outcome\":{}", said(w)),
                _ => String::new(),
            };
            format!(
                "{{{resource}\"response\":{{\"status\":\"{status}\",\"location\":{},\
                 \"etag\":\"W/\\\"{}\\\"\",\"lastModified\":\"{}\"{outcome}}}}}",
                quote(&location(app, w)),
                w.version,
                fhir::time::instant(w.last_updated_ms)
            )
        }
        Answer::Deleted(_) => "{\"response\":{\"status\":\"204 No Content\"}}".into(),
        Answer::Get { .. } => "{\"response\":{\"status\":\"200 OK\"}}".into(),
    }
}

/// An entry that was refused.
pub fn failed_entry(error: &Error) -> String {
    let (status, _) = status(&error.kind);
    format!(
        "{{\"response\":{{\"status\":{},\"outcome\":{}}}}}",
        quote(&status.to_string()),
        outcome(error)
    )
}
