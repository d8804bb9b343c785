//! Descriptions of the node that are made from what it offers: kept, and made anew only when what
//! they are made from has changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use app::{App, Error};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fhirpath::search::Registry;
use serde_json::Value;
use store::{HistoryOf, Seq};
use terminology::Terminology;

use super::answer::http_date;

/// What a description is made from and that can change while the node runs.
#[derive(Clone)]
pub enum Sources {
    /// What searches and topics there are.
    Searches {
        /// The search parameters.
        registry: Arc<Registry>,
        /// Canonical addresses of the topics of subscriptions.
        topics: Vec<String>,
        /// The newest write of the type of resources that hold topics.
        newest: Seq,
    },
    /// What is known of terminology.
    Terms(Arc<Terminology>),
}

impl Sources {
    /// The search parameters and topics as they are now; topics are read again only where one may
    /// have been written since `before`.
    pub fn searches(app: &App, before: Option<&Self>) -> Result<Self, Error> {
        let registry = app.store().registry();
        let of = HistoryOf::Type("Basic");
        let last = app.store().snapshot()?.history(&of, Seq::MAX, 0, 1)?;
        let newest = last.first().map_or(0, |stored| stored.seq);
        let topics = match before {
            Some(Self::Searches { topics, newest: known, .. }) if *known == newest => {
                topics.clone()
            }
            _ => app::notify::canonicals(app)?,
        };
        Ok(Self::Searches { registry, topics, newest })
    }

    /// The terminology as it is now.
    pub fn terms(app: &App, _: Option<&Self>) -> Result<Self, Error> {
        app::terminology::current(app).map(Self::Terms)
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Searches { registry: one, topics, .. },
                Self::Searches { registry: other, topics: known, .. },
            ) => topics == known && (Arc::ptr_eq(one, other) || one.says_the_same(other)),
            (Self::Terms(one), Self::Terms(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// A description as it was made.
pub struct Made {
    sources: Sources,
    /// The store's newest write when it was found to be up to date.
    checked: AtomicU64,
    text: String,
    etag: String,
    /// When it became what it is, milliseconds since the Unix epoch.
    since_ms: i64,
}

/// One description.
#[derive(Default)]
pub struct Kept(Mutex<Option<Arc<Made>>>);

impl Kept {
    /// The description as it is now. `make` is called where `sources` are others than before, with
    /// the time since which it is so: `start_ms` for the first.
    pub fn now(
        &self,
        app: &App,
        start_ms: i64,
        sources: impl Fn(&App, Option<&Sources>) -> Result<Sources, Error>,
        make: impl Fn(i64) -> Result<Value, Error>,
    ) -> Result<Arc<Made>, Error> {
        let newest = *app.store().watch().borrow();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*kept
            && made.checked.load(Ordering::Relaxed) >= newest
        {
            return Ok(made.clone());
        }
        let sources = sources(app, kept.as_ref().map(|made| &made.sources))?;
        if let Some(made) = &*kept
            && made.sources.is(&sources)
        {
            made.checked.store(newest, Ordering::Relaxed);
            return Ok(made.clone());
        }
        let since_ms = if kept.is_some() { app.now_ms() } else { start_ms };
        let text = make(since_ms)?.to_string();
        let hash = crypto::sha256(text.as_bytes());
        let hash: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let (checked, etag) = (AtomicU64::new(newest), format!("W/\"{hash}\""));
        let made = Arc::new(Made { sources, checked, text, etag, since_ms });
        *kept = Some(made.clone());
        Ok(made)
    }
}

impl Made {
    /// The answer to a request: the text, or 304 where the client has it already.
    pub fn answer(&self, media_type: &'static str, request: &HeaderMap) -> Response {
        let mut response = match self.is_known(request) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(header::CONTENT_TYPE, media_type)], self.text.clone()).into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let values =
            [(header::ETAG, self.etag.clone()), (header::LAST_MODIFIED, http_date(self.since_ms))];
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }

    /// Whether the client says that it has this one (RFC 9110, section 13.1.2: weak comparison).
    fn is_known(&self, request: &HeaderMap) -> bool {
        let bare = self.etag.trim_start_matches("W/");
        request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.trim_start_matches("W/") == bare)
    }
}
