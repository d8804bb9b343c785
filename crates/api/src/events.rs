//! The longitudinal record as server-sent events, for programs.
//!
//! `sources` lists the institutions; `resource` carries one resource with its source; `status`
//! says how a source ended; `slow` marks the soft deadline; `end` is last.

use std::convert::Infallible;

use app::records::longitudinal::{Arrival, Asked};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;

/// The events of a question under way.
pub fn stream(asked: Asked) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let sources: Vec<_> = asked
        .sources
        .iter()
        .map(|source| json!({"organisation": source.org, "name": source.name, "url": source.base_url}))
        .collect();
    let orgs: Vec<String> = asked.sources.iter().map(|source| source.org.clone()).collect();
    let head = json!({"requestId": asked.request_id, "sources": sources});
    let first = stream::iter([Event::default().event("sources").data(head.to_string())]);
    let rest = asked.flat_map(move |arrival| stream::iter(events(&orgs, arrival)));
    let last = stream::iter([Event::default().event("end").data("{}")]);
    Sse::new(first.chain(rest).chain(last).map(Ok)).keep_alive(KeepAlive::default())
}

fn events(orgs: &[String], arrival: Arrival) -> Vec<Event> {
    let org = |source: usize| orgs.get(source).map_or("", String::as_str);
    match arrival {
        Arrival::Resources { source, resources } => resources
            .iter()
            .map(|resource| {
                let head = json!(org(source));
                let data =
                    format!("{{\"source\":{head},\"resource\":{}}}", one_line(resource.text()));
                Event::default().event("resource").data(data)
            })
            .collect(),
        Arrival::Ended { status, handling } => {
            let data = json!({
                "source": org(status.source), "status": status.state.code(),
                "expected": status.expected, "notes": status.notes, "handling": handling,
            });
            vec![Event::default().event("status").data(data.to_string())]
        }
        Arrival::SoftDeadline => vec![Event::default().event("slow").data("{}")],
    }
}

/// Line breaks of a JSON text stand between tokens only, so a space says the same.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
