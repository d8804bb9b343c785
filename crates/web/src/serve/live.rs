//! The record page: at once with what is here, live as other sources answer, or whole.

use std::convert::Infallible;
use std::time::Duration;

use app::records::longitudinal::{self, Arrival, Asked, Reach};
use app::{Caller, Error};
use axum::body::Body;
use axum::http::header;
use axum::response::IntoResponse;
use fhir::{Id, Resource};
use futures_util::{Stream, StreamExt, stream};
use record::{Record, SourceState, SourceStatus};
use tokio::time::{Instant, timeout_at};

use super::person;
use super::session::{Made, Visit, page};
use crate::chrome::Chrome;
use crate::clinician::from_record::{self, Assembly};
use crate::clinician::record::{self as pages, Access, Audience, DONE_EVENT, RecordView};
use crate::error::WebError;

/// Shortest time between two renderings while resources stream in.
const PAUSE: Duration = Duration::from_millis(150);
/// How long a source that has ended waits for others that end with it.
const TOGETHER: Duration = Duration::from_millis(20);

/// Whose record is shown, to whom, and on which grounds.
#[derive(Clone, Debug)]
pub struct Asking {
    /// Who asks.
    pub caller: Caller,
    /// About whom.
    pub patient: Id,
    /// For whom the page is.
    pub audience: Audience,
    /// End of an emergency access, Unix epoch milliseconds.
    pub break_glass_until_ms: Option<i64>,
}

/// A record in the making and what the page must know beside it.
struct Growing {
    record: Record,
    statuses: Vec<SourceStatus>,
    took_ms: Vec<Option<u64>>,
    /// Sources of which something could not be taken.
    short: Vec<usize>,
    asking: Asking,
    as_of_ms: i64,
    all: bool,
    started: Instant,
}

impl Growing {
    fn new(asking: Asking, sources: longitudinal::Sources, as_of_ms: i64) -> Result<Self, Error> {
        let mut sources = sources.into_iter();
        let home = sources.next().ok_or_else(|| Error::internal("a record has no home"))?;
        let mut record = Record::new(home);
        for source in sources {
            record.source(source).map_err(|e| Error::internal(e.to_string()))?;
        }
        Ok(Self {
            took_ms: vec![None; record.sources().len()],
            record,
            statuses: Vec::new(),
            short: Vec::new(),
            asking,
            as_of_ms,
            all: false,
            started: Instant::now(),
        })
    }

    fn add(&mut self, source: usize, resources: Vec<Resource>) {
        for resource in resources {
            if self.record.add(source, resource).is_err() && !self.short.contains(&source) {
                self.short.push(source);
            }
        }
    }

    fn end(&mut self, mut status: SourceStatus, now_ms: i64) {
        if status.state == SourceState::Answered && self.short.contains(&status.source) {
            status.state = SourceState::Partial;
        }
        let took = u64::try_from(self.started.elapsed().as_millis()).ok();
        if let Some(place) = self.took_ms.get_mut(status.source) {
            *place = took;
        }
        self.as_of_ms = now_ms;
        self.statuses.push(status);
    }

    fn view(&self) -> RecordView {
        let access = match self.asking.audience {
            Audience::Patient => None,
            Audience::Clinician => Some(Access {
                purpose: crate::terms::Purpose::from_code(&self.asking.caller.purpose),
                evidence: self.evidence(),
                break_glass_until_ms: self.asking.break_glass_until_ms,
            }),
        };
        from_record::view(&Assembly {
            record: &self.record,
            statuses: &self.statuses,
            took_ms: &self.took_ms,
            audience: self.asking.audience,
            patient_id: self.asking.patient.as_str(),
            access,
            // Whoever may decide about links has no record pages.
            review: None,
            as_of_ms: self.as_of_ms,
            all: self.all,
        })
    }

    /// The evidence in words: what the visit was about where the visit is on the record.
    fn evidence(&self) -> String {
        let Some(evidence) = &self.asking.caller.evidence else { return String::new() };
        let text = evidence.text();
        let Some((kind, id)) = text.split_once('/') else { return text.to_owned() };
        let mut here = self.record.items().iter().filter(|item| item.source == 0);
        here.find(|item| item.resource.type_name() == kind && item.id() == id)
            .map_or_else(|| text.to_owned(), |item| person::event(&item.resource))
    }
}

/// The page at once: what is here, every other source still being asked.
pub async fn at_once(visit: &Visit, asking: Asking) -> Made {
    let chrome = visit.chrome.clone();
    let html = visit
        .app()
        .run(move |app| {
            let (caller, patient) = (asking.caller.clone(), asking.patient.clone());
            let here = longitudinal::local(app, caller, patient)?;
            let mut growing = Growing::new(asking, here.sources, app.now_ms())?;
            growing.asking.caller.evidence = here.evidence;
            let expected = Some(here.resources.len());
            growing.add(0, here.resources);
            let notes = Vec::new();
            let status = SourceStatus { source: 0, state: SourceState::Answered, expected, notes };
            growing.end(status, app.now_ms());
            rendered(pages::render(&growing.view(), &chrome))
        })
        .await?;
    page(html)
}

/// The page of what is here alone, for somebody who acts for the patient.
pub async fn here(visit: &Visit, asking: Asking) -> Made {
    let chrome = visit.chrome.clone();
    let (_, all, _) = wanted(&chrome);
    let html = visit
        .app()
        .run(move |app| {
            let (source, resources) = app::proxies::record::here(app, &asking.caller)?;
            let mut growing = Growing::new(asking, vec![source], app.now_ms())?;
            growing.all = all;
            let expected = Some(resources.len());
            growing.add(0, resources);
            let notes = Vec::new();
            let status = SourceStatus { source: 0, state: SourceState::Answered, expected, notes };
            growing.end(status, app.now_ms());
            rendered(pages::render(&growing.view(), &chrome))
        })
        .await?;
    page(html)
}

/// The page when every source has ended.
pub async fn whole(visit: &Visit, asking: Asking, all: bool, reach: Reach) -> Made {
    let app = visit.app();
    let mut asked = ask(visit, &asking, reach).await?;
    let mut growing = Growing::new(asking, asked.sources.clone(), app.now_ms())?;
    growing.all = all;
    while let Some(arrival) = asked.next().await {
        match arrival {
            Arrival::Resources { source, resources } => growing.add(source, resources),
            Arrival::Ended { status, .. } => growing.end(status, app.now_ms()),
            Arrival::SoftDeadline => {}
        }
    }
    growing.asking.caller.evidence = asked.evidence.clone();
    let chrome = visit.chrome.clone();
    page(app.run(move |_| rendered(pages::render(&growing.view(), &chrome))).await?)
}

/// The regions of the page as server-sent events, until every source has ended.
pub async fn events(visit: &Visit, asking: Asking) -> Made {
    let asked = ask(visit, &asking, Reach::Located).await?;
    let mut growing = Growing::new(asking, asked.sources.clone(), visit.app().now_ms())?;
    growing.asking.caller.evidence = asked.evidence.clone();
    let streaming = Streaming {
        asked,
        app: visit.app().clone(),
        painter: Some(Box::new(Painter {
            growing,
            chrome: visit.chrome.clone(),
            sent: Vec::new(),
        })),
        due: None,
        next_from: Instant::now(),
        pause: PAUSE,
    };
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(written(streaming))).into_response())
}

async fn ask(visit: &Visit, asking: &Asking, reach: Reach) -> Result<Asked, Error> {
    longitudinal::ask(visit.app(), asking.caller.clone(), asking.patient.clone(), reach).await
}

fn rendered(html: Result<String, WebError>) -> Result<String, Error> {
    html.map_err(|e| Error::internal(e.to_string()))
}

/// Renders the regions and remembers what was sent of each.
struct Painter {
    growing: Growing,
    chrome: Chrome,
    sent: Vec<String>,
}

impl Painter {
    /// Events for the regions that have changed.
    fn paint(&mut self) -> Result<String, WebError> {
        let mut out = String::new();
        let fragments = pages::fragments(&self.growing.view(), &self.chrome)?;
        self.sent.resize(fragments.len(), String::new());
        for (fragment, sent) in fragments.into_iter().zip(&mut self.sent) {
            if fragment.html != *sent {
                out.push_str(&fragment.event());
                *sent = fragment.html;
            }
        }
        Ok(out)
    }
}

/// A stream of events under way. Dropping it, when the reader leaves, cancels the questions.
struct Streaming {
    asked: Asked,
    app: app::App,
    /// `None` when the stream has ended.
    painter: Option<Box<Painter>>,
    /// When what has arrived is to be rendered; `None` when nothing has.
    due: Option<Instant>,
    next_from: Instant,
    pause: Duration,
}

fn written(streaming: Streaming) -> impl Stream<Item = Result<String, Infallible>> {
    stream::unfold(streaming, |mut streaming| async move {
        let text = streaming.step().await?;
        Some((Ok(text), streaming))
    })
}

impl Streaming {
    /// The next events, `None` at the end.
    async fn step(&mut self) -> Option<String> {
        loop {
            let arrival = match self.due {
                None => self.asked.next().await,
                Some(due) if Instant::now() >= due => return self.paint(false).await,
                Some(due) => match timeout_at(due, self.asked.next()).await {
                    Ok(arrival) => arrival,
                    Err(_) => return self.paint(false).await,
                },
            };
            let Some(arrival) = arrival else { return self.paint(true).await };
            let painter = self.painter.as_mut()?;
            match arrival {
                Arrival::Resources { source, resources } => {
                    painter.growing.add(source, resources);
                    self.due = self.due.or(Some(self.next_from));
                }
                Arrival::Ended { status, .. } => {
                    painter.growing.end(status, self.app.now_ms());
                    let soon = Instant::now() + TOGETHER;
                    self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
                }
                Arrival::SoftDeadline => {}
            }
        }
    }

    /// Renders off the async threads. `last` ends the stream.
    async fn paint(&mut self, last: bool) -> Option<String> {
        let mut painter = self.painter.take()?;
        let started = Instant::now();
        let painted = self
            .app
            .run(move |_| {
                let text = rendered(painter.paint())?;
                Ok((painter, text))
            })
            .await;
        let (painter, mut text) = match painted {
            Ok(painted) => painted,
            Err(error) => {
                // The reader's script sees the stream break and offers the whole page.
                tracing::error!(reason = %error.message, "a record could not be rendered");
                return None;
            }
        };
        // A long record takes longer to render; most of the time must stay for answering others.
        self.pause = PAUSE.max(started.elapsed() * 3);
        self.next_from = Instant::now() + self.pause;
        self.due = None;
        if last {
            text.push_str(DONE_EVENT);
        } else {
            self.painter = Some(painter);
        }
        Some(text)
    }
}

/// Whether the whole page is asked for, whether with every item, and whom to ask for it.
pub fn wanted(chrome: &Chrome) -> (bool, bool, Reach) {
    let query = chrome.path.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let has = |name: &str| {
        form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == name && value == "true")
    };
    let (all, everybody) = (has("all"), has("everybody"));
    let reach = if everybody { Reach::Everybody } else { Reach::Located };
    (all || everybody || has("complete"), all, reach)
}

/// The answer of a record page, whichever way it is wanted.
pub async fn shown(visit: &Visit, asking: Asking) -> Made {
    match wanted(&visit.chrome) {
        (true, all, reach) => whole(visit, asking, all, reach).await,
        (false, ..) => at_once(visit, asking).await,
    }
}
