//! History over HTTP, of one resource, of a type, or of everything.

use app::records::bundle::query_pairs;
use app::records::history::{self, From, HistoryRequest, MAX_COUNT};
use app::records::search::DEFAULT_COUNT;
use app::{App, Caller, Error};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use store::{HistoryOf, Seq};

use super::{Answered, Asked, answer, key, known_type};

/// `GET _history`.
pub async fn of_system(
    State(app): State<App>,
    Asked(caller): Asked,
    RawQuery(query): RawQuery,
) -> Answered {
    answered(app, caller, HistoryOf::System, "_history".into(), query).await
}

/// `GET [type]/_history`.
pub async fn of_type(
    State(app): State<App>,
    Asked(caller): Asked,
    Path(kind): Path<String>,
    RawQuery(query): RawQuery,
) -> Answered {
    let kind = known_type(&kind)?;
    answered(app, caller, HistoryOf::Type(kind), format!("{kind}/_history"), query).await
}

/// `GET [type]/[id]/_history`.
pub async fn of_instance(
    State(app): State<App>,
    Asked(caller): Asked,
    Path((kind, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answered {
    let key = key(&kind, &id)?;
    let path = format!("{}/{}/_history", key.resource_type, key.id);
    answered(app, caller, HistoryOf::Instance(key), path, query).await
}

/// A request as its parameters ask for it, with those that later pages keep.
struct Turned {
    request: HistoryRequest,
    kept: Vec<(String, String)>,
}

fn read(of: HistoryOf, query: &str) -> Result<Turned, Error> {
    let (count, from) = (DEFAULT_COUNT, From::Newest(Seq::MAX));
    let mut request = HistoryRequest { of, since_ms: 0, at_ms: None, count, from };
    let (mut is_ascending, mut place) = (false, None);
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in query_pairs(query) {
        if value.is_empty() {
            continue;
        }
        let bad = || Error::invalid("value", format!("`{name}` has a value that cannot be read"));
        if kept.iter().any(|(known, _)| *known == name) {
            return Err(Error::invalid("value", format!("`{name}` is given more than once")));
        }
        match name.as_str() {
            "_format" | "_pretty" => continue,
            "_summary" | "_elements" => {}
            "_count" => {
                request.count = value.parse::<usize>().map_err(|_| bad())?.min(MAX_COUNT);
            }
            "_since" => request.since_ms = fhir::time::parse(&value).ok_or_else(bad)?.start_ms,
            "_at" => {
                let (start, end) = period(&value).ok_or_else(bad)?;
                request.at_ms = Some((start, end));
            }
            "_sort" => match value.as_str() {
                "-_lastUpdated" => {}
                "_lastUpdated" => is_ascending = true,
                _ => {
                    let message = "`_sort` of a history is `_lastUpdated` or `-_lastUpdated`";
                    return Err(Error::invalid("not-supported", message));
                }
            },
            "_place" => {
                place = Some(value);
                continue;
            }
            _ => {
                let name: String = name.chars().take(40).collect();
                let message = format!("history does not know the parameter `{name}`");
                return Err(Error::invalid("not-supported", message));
            }
        }
        kept.push((name, value));
    }
    let bad = || Error::invalid("value", "`_place` has a value that cannot be read");
    request.from = match (is_ascending, place) {
        (false, None) => request.from,
        (true, None) => From::Oldest { after: 0, until: Seq::MAX },
        (_, Some(place)) => turned(is_ascending, &place).ok_or_else(bad)?,
    };
    Ok(Turned { request, kept })
}

/// Where a page begins, out of a link.
fn turned(is_ascending: bool, place: &str) -> Option<From> {
    match (is_ascending, place.split_once('-')) {
        (false, None) => Some(From::Newest(place.parse().ok()?)),
        (true, Some((after, until))) => {
            Some(From::Oldest { after: after.parse().ok()?, until: until.parse().ok()? })
        }
        _ => None,
    }
}

/// The same for a link.
fn place(from: From) -> String {
    match from {
        From::Newest(before) => before.to_string(),
        From::Oldest { after, until } => format!("{after}-{until}"),
    }
}

/// First and last millisecond of `_at`: a date, or the open time of a prefix before one.
fn period(value: &str) -> Option<(i64, i64)> {
    let (prefix, date) = match value.get(..2) {
        Some(prefix) if prefix.bytes().all(|b| b.is_ascii_lowercase()) => value.split_at(2),
        _ => ("eq", value),
    };
    let span = fhir::time::parse(date)?;
    let last = span.end_ms - 1;
    Some(match prefix {
        "eq" => (span.start_ms, last),
        "ge" => (span.start_ms, i64::MAX),
        "gt" | "sa" => (span.end_ms, i64::MAX),
        "le" => (i64::MIN, last),
        "lt" | "eb" => (i64::MIN, span.start_ms - 1),
        _ => return None,
    })
}

async fn answered(
    app: App,
    caller: Caller,
    of: HistoryOf,
    path: String,
    query: Option<String>,
) -> Answered {
    let query = query.unwrap_or_default();
    let Turned { request, kept } = read(of, &query)?;
    let link = move |from: Option<From>| {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(&kept);
        if let Some(from) = from {
            pairs.append_pair("_place", &place(from));
        }
        let pairs = pairs.finish();
        if pairs.is_empty() { path.clone() } else { format!("{path}?{pairs}") }
    };
    let body = app
        .run(move |app| {
            let page = history::history(app, &caller, &request)?;
            let is_first = |from: &From| {
                matches!(from, From::Newest(Seq::MAX) | From::Oldest { until: Seq::MAX, .. })
            };
            let own = Some(request.from).filter(|from| !is_first(from));
            Ok(answer::history(app, &page, &link(own), page.next.map(|at| link(Some(at)))))
        })
        .await?;
    Ok(answer::json(StatusCode::OK, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_have_a_prefix() {
        let day = 24 * 3600 * 1000;
        for (text, expected) in [
            ("1970-01-02", Some((day, 2 * day - 1))),
            ("ge1970-01-02", Some((day, i64::MAX))),
            ("gt1970-01-02", Some((2 * day, i64::MAX))),
            ("lt1970-01-02", Some((i64::MIN, day - 1))),
            ("le1970-01-02", Some((i64::MIN, 2 * day - 1))),
            ("ap1970-01-02", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(period(text), expected, "{text}");
        }
    }
}
