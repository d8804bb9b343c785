//! One question to many peers: what arrives is yielded as it arrives, and no peer can delay or
//! break the answers of the others.
//!
//! Each peer is asked in a task of its own that ends in a bounded channel. After the soft deadline
//! one event lists who is still outstanding; after the hard deadline those are cut off and stand as
//! timed out, or as partial where something had arrived. Every peer ends with exactly one
//! [`PeerEvent::End`]. Dropping the stream cancels everything.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until};
use wire::{Frame, Head, OrgId, Raw, RecordStatus, Refusal, SourceStatus};

use crate::ask::AskError;
use crate::reply::Reply;

/// Events of one peer that may wait for the reader.
const CHANNEL: usize = 32;
/// Peers that are asked at the same time; more start as others end.
const AT_ONCE: usize = 256;

/// When patience ends, counted from the start.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// When the reader is told who is still outstanding.
    pub soft: Duration,
    /// When the rest is cut off.
    pub hard: Duration,
}

impl Default for Deadlines {
    /// 2 seconds and 10 seconds.
    fn default() -> Self {
        Self { soft: Duration::from_secs(2), hard: Duration::from_secs(10) }
    }
}

/// What asking one peer came to.
#[derive(Debug)]
pub enum Answer {
    /// A stream of frames that is to be read.
    Records(Box<Reply>),
    /// It is settled without one, for instance because the peer does not know the patient.
    Settled(PeerEnd),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum FanEvent {
    /// With one peer.
    Peer {
        /// Which peer.
        org: OrgId,
        /// What.
        event: PeerEvent,
    },
    /// The soft deadline has passed, and these are still outstanding.
    SoftDeadline {
        /// Who is outstanding.
        outstanding: Vec<OrgId>,
    },
}

/// What a peer sent.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerEvent {
    /// The head of its answer.
    Head(Head),
    /// One resource.
    Resource(Raw),
    /// How its answer ended; the last event of each peer.
    End(PeerEnd),
}

/// How the answer of one peer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerEnd {
    /// How it stands as a source.
    pub status: SourceStatus,
    /// How many resources came.
    pub resources: u64,
    /// How many it said would come, if it said so.
    pub expected: Option<u64>,
    /// Whether it holds something back and lets that be known.
    pub withheld_known: bool,
    /// Sentences for the reader.
    pub notes: Vec<String>,
    /// How what it sent must be handled.
    pub handling: Option<wire::Handling>,
    /// Its refusal, if it refused.
    pub refusal: Option<Refusal>,
}

impl PeerEnd {
    /// An end with nothing but a status.
    pub fn plain(status: SourceStatus) -> Self {
        Self {
            status,
            resources: 0,
            expected: None,
            withheld_known: false,
            notes: Vec::new(),
            handling: None,
            refusal: None,
        }
    }

    fn of_error(error: &AskError, begun: bool) -> Self {
        let refusal = match error {
            AskError::Refused(refusal) => Some(refusal.clone()),
            _ => None,
        };
        Self { notes: vec![error.to_string()], refusal, ..Self::plain(error.status(begun)) }
    }
}

/// The stream of events; ends after the last peer's end.
#[derive(Debug)]
pub struct FanOut {
    sources: Vec<Source>,
    next: usize,
    soft: Option<Pin<Box<Sleep>>>,
    hard: Option<Pin<Box<Sleep>>>,
    // Aborts what still runs when the stream is dropped.
    tasks: JoinSet<()>,
}

/// What has come from one peer so far.
#[derive(Debug)]
struct Source {
    org: OrgId,
    /// `None` after its end.
    events: Option<mpsc::Receiver<PeerEvent>>,
    expected: Option<u64>,
    resources: u64,
}

/// Asks all `peers` at once. `ask` is called for each with the hard deadline, which it passes on to
/// `Peers::ask`; what it returns is read to its end here. Call inside a tokio runtime.
pub fn fan_out<F, Fut>(peers: Vec<OrgId>, deadlines: Deadlines, ask: F) -> FanOut
where
    F: Fn(OrgId, Instant) -> Fut,
    Fut: Future<Output = Result<Answer, AskError>> + Send + 'static,
{
    let start = Instant::now();
    let (soft, hard) = (start + deadlines.soft, start + deadlines.hard);
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    let source = |org: OrgId| {
        let (sender, events) = mpsc::channel(CHANNEL);
        tasks.spawn(run(Arc::clone(&turns), ask(org.clone(), hard), sender));
        Source { org, events: Some(events), expected: None, resources: 0 }
    };
    let sources = peers.into_iter().map(source).collect();
    let timer = |at| Some(Box::pin(sleep_until(at)));
    FanOut { sources, next: 0, soft: timer(soft), hard: timer(hard), tasks }
}

async fn run(
    turns: Arc<Semaphore>,
    answer: impl Future<Output = Result<Answer, AskError>>,
    events: mpsc::Sender<PeerEvent>,
) {
    let Ok(_turn) = turns.acquire().await else { return };
    let end = match answer.await {
        Ok(Answer::Settled(end)) => Some(end),
        Ok(Answer::Records(reply)) => forward(*reply, &events).await,
        Err(error) => Some(PeerEnd::of_error(&error, false)),
    };
    if let Some(end) = end {
        // Fails only where nobody listens any more.
        let _ = events.send(PeerEvent::End(end)).await;
    }
}

/// Passes frames on until the end; `None` where nobody listens any more.
async fn forward(mut reply: Reply, events: &mpsc::Sender<PeerEvent>) -> Option<PeerEnd> {
    let mut begun = false;
    loop {
        let event = match reply.next_frame().await {
            Ok(Some(Frame::Head(head))) => PeerEvent::Head(head),
            Ok(Some(Frame::Resource(resource))) => PeerEvent::Resource(resource),
            Ok(Some(Frame::End(end))) => {
                let status = match end.status {
                    RecordStatus::Answered => SourceStatus::Answered,
                    RecordStatus::Withheld => SourceStatus::Withheld,
                    RecordStatus::NoMatch => SourceStatus::NoMatch,
                    RecordStatus::Partial => SourceStatus::Partial,
                };
                return Some(PeerEnd {
                    withheld_known: end.withheld_known,
                    notes: end.notes,
                    handling: end.handling,
                    ..PeerEnd::plain(status)
                });
            }
            Ok(None) => return Some(PeerEnd::of_error(&AskError::Incomplete, begun)),
            Err(error) => return Some(PeerEnd::of_error(&error, begun)),
        };
        begun = true;
        events.send(event).await.ok()?;
    }
}

impl Stream for FanOut {
    type Item = FanEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<FanEvent>> {
        let this = &mut *self;
        if has_passed(&mut this.hard, cx) {
            this.tasks.abort_all();
            // Nobody can be outstanding after this.
            this.soft = None;
        }
        if has_passed(&mut this.soft, cx) {
            let open = this.sources.iter().filter(|s| s.events.is_some());
            let outstanding: Vec<_> = open.map(|s| s.org.clone()).collect();
            if !outstanding.is_empty() {
                return Poll::Ready(Some(FanEvent::SoftDeadline { outstanding }));
            }
        }
        // Round robin, so that a peer that sends without pause cannot starve the others.
        let is_cut = this.hard.is_none();
        for _ in 0..this.sources.len() {
            let at = this.next;
            this.next = (at + 1) % this.sources.len();
            let Some(source) = this.sources.get_mut(at) else { break };
            if let Poll::Ready(Some(event)) = source.poll(cx, is_cut) {
                return Poll::Ready(Some(FanEvent::Peer { org: source.org.clone(), event }));
            }
        }
        let done = this.sources.iter().all(|s| s.events.is_none());
        if done { Poll::Ready(None) } else { Poll::Pending }
    }
}

fn has_passed(timer: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> bool {
    let passed = timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
    if passed {
        *timer = None;
    }
    passed
}

impl Source {
    /// The next event; `None` after the end. Once cut, what has arrived is still handed out.
    fn poll(&mut self, cx: &mut Context<'_>, is_cut: bool) -> Poll<Option<PeerEvent>> {
        let Some(events) = self.events.as_mut() else { return Poll::Ready(None) };
        let event = match events.poll_recv(cx) {
            Poll::Ready(Some(event)) => event,
            Poll::Pending if !is_cut => return Poll::Pending,
            // Cut off, or its task fell over.
            Poll::Pending | Poll::Ready(None) => {
                let begun = self.expected.is_some();
                PeerEvent::End(PeerEnd::of_error(&AskError::TimedOut, begun))
            }
        };
        Poll::Ready(Some(match event {
            PeerEvent::Head(head) => {
                self.expected = Some(head.expected);
                PeerEvent::Head(head)
            }
            PeerEvent::Resource(resource) => {
                self.resources += 1;
                PeerEvent::Resource(resource)
            }
            PeerEvent::End(end) => {
                self.events = None;
                let (resources, expected) = (self.resources, self.expected.or(end.expected));
                PeerEvent::End(PeerEnd { resources, expected, ..end })
            }
        }))
    }
}
