//! One delivery: may the subscriber still read this? Then the audit, then the notification, and
//! only after the receiver's acknowledgement the cursor moves.

use std::sync::Arc;
use std::time::Duration;

use federation::notify::{Deliver, Letter, Method as HttpMethod, Parcel, Request, SendError};
use fhir::edit::Edits;
use fhir::json::quote;
use fhir::{Document, Id, Resource, xml};
use store::{Expect, Key, Method, Seq, Snapshot, Stored, Transaction, Write};

use super::bundle::{self, Event as Told, Kind as Why, Said};
use super::definition::{Channel, Content, Definition, Status, Style};
use super::log::{self, Delivered};
use super::resend::{self, Again};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Scope, authorise};
use crate::records::{in_scope, parse, patients_of};
use crate::{App, Caller, Error, Kind, Result, User};

/// The pause after the first failure, in milliseconds; it doubles with each further one.
pub const FIRST_PAUSE_MS: i64 = 5_000;
/// The longest pause, in milliseconds.
pub const LONGEST_PAUSE_MS: i64 = 60 * 60 * 1000;
/// How long deliveries may fail before the subscription is given up, in milliseconds: three days.
pub const GIVE_UP_MS: i64 = 3 * 24 * 60 * 60 * 1000;
/// Bytes of resources after which a notification is closed although more events wait.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Versions that are loaded at once.
const PIECE: usize = 50;

/// What is to be done for a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// See whether the receiver is there, and begin.
    Handshake,
    /// Tell of events, by their numbers.
    Events {
        /// The first.
        from: u64,
        /// The last that may go along.
        to: u64,
    },
    /// Tell once more of events.
    Again {
        /// All that are asked for.
        again: Again,
        /// The last that may go along.
        to: u64,
    },
    /// Show that this node is there.
    Heartbeat,
    /// The time of the subscription is over.
    End,
}

/// One delivery to be made.
#[derive(Clone, Debug)]
pub struct Job {
    /// The subscription.
    pub id: Id,
    /// What it asks for.
    pub definition: Arc<Definition>,
    /// How far delivery has come.
    pub delivered: Delivered,
    /// Number of its last event.
    pub events: u64,
    /// What is to be done.
    pub work: Work,
}

/// How a delivery ended.
#[derive(Clone, Debug)]
pub struct Done {
    /// The subscription.
    pub id: Id,
    /// How far delivery has come.
    pub delivered: Delivered,
    /// The new state of the subscription and the version of it that was looked at.
    pub status: Option<(u64, Status)>,
    /// What was to be sent again, and what is left of it.
    pub again: Option<(Again, Option<Again>)>,
}

/// What is handed over.
enum Prepared {
    Send {
        parcel: Parcel,
        upto: Option<u64>,
    },
    Socket {
        text: String,
        upto: Option<u64>,
    },
    /// There is nothing to send: the state changes at once.
    Become(Status, Option<String>),
}

/// How the handing over went.
enum Outcome {
    Arrived {
        upto: Option<u64>,
    },
    Failed {
        reason: String,
        for_good: bool,
    },
    /// Nobody listens at the websocket; nothing is wrong.
    Missed,
    Become(Status, Option<String>),
}

/// Carries out a job.
pub async fn carry_out<D: Deliver>(app: App, deliver: Arc<D>, job: Job) -> Done {
    let id = job.id.clone();
    let timeout = Duration::from_millis(u64::try_from(job.definition.timeout_ms).unwrap_or(0));
    let prepared = {
        let mut job = job.clone();
        app.run(move |app| prepare(app, &mut job).map(|prepared| (prepared, job))).await
    };
    let (prepared, job) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return postponed(&app, job, &error),
    };
    let outcome = match prepared {
        Prepared::Become(status, error) => Outcome::Become(status, error),
        Prepared::Send { parcel, upto } => match deliver.send(parcel, timeout).await {
            Ok(()) => Outcome::Arrived { upto },
            Err(error) => Outcome::Failed {
                for_good: matches!(error, SendError::Refused(_)),
                reason: error.to_string(),
            },
        },
        Prepared::Socket { text, upto } => {
            if app.notify().send(&id, text, timeout).await {
                Outcome::Arrived { upto }
            } else {
                app.notify().hang_up(&id);
                Outcome::Missed
            }
        }
    };
    let kept = job.clone();
    match app.run(move |app| settle(app, job, outcome)).await {
        Ok(done) => done,
        Err(error) => postponed(&app, kept, &error),
    }
}

/// The node itself failed: the same again a little later.
fn postponed(app: &App, job: Job, error: &Error) -> Done {
    tracing::error!(subscription = %job.id, reason = %error.message, "a notification is put off");
    let due_ms = app.now_ms().saturating_add(FIRST_PAUSE_MS);
    let delivered = Delivered { due_ms, ..job.delivered };
    Done { id: job.id, delivered, status: None, again: None }
}

/// The subscriber as a caller; `None` once the account has ended.
pub(super) fn caller(app: &App, definition: &Definition) -> Result<Option<Caller>> {
    let account = app.identity().accounts().get(&definition.owner);
    let account = account.map_err(|e| Error::internal(e.to_string()))?;
    let Some(account) = account.filter(|account| !account.disabled) else { return Ok(None) };
    if account.patient != definition.patient {
        return Ok(None);
    }
    Ok(Some(Caller {
        user: User {
            id: account.id,
            role: account.role.code().to_owned(),
            name: account.display_name,
            patient: account.patient,
            practitioner: account.practitioner,
            acting: None,
            amr: Vec::new(),
            auth_time_ms: app.now_ms(),
            mfa_time_ms: None,
        },
        purpose: definition.purpose.clone(),
        evidence: None,
        request_id: app.new_id().to_string(),
        address: format!("Subscription/{}", definition.id),
        granted: None,
    }))
}

/// Checks, records and writes what is to be sent.
fn prepare(app: &App, job: &mut Job) -> Result<Prepared> {
    if job.work == Work::End {
        return Ok(Prepared::Become(Status::Off, None));
    }
    let Some(caller) = caller(app, &job.definition)? else {
        let reason = "the account of the subscriber has ended or is disabled";
        return Ok(Prepared::Become(Status::Off, Some(reason.into())));
    };
    match job.work {
        Work::Handshake => {
            let has_handshake = matches!(job.definition.channel, Channel::RestHook(_))
                && matches!(job.definition.style, Style::Backport(_));
            if !has_handshake {
                return Ok(Prepared::Become(Status::Active, None));
            }
            hand_over(app, job, Why::Handshake, &[], None)
        }
        Work::Events { from, to } | Work::Again { again: Again { from, .. }, to } => {
            match told(app, &caller, job, from, to) {
                Ok((events, upto)) => {
                    record(app, &caller, job, &events, upto)?;
                    hand_over(app, job, Why::Event, &events, Some(upto))
                }
                Err(error) if matches!(error.kind, Kind::Forbidden | Kind::StepUp { .. }) => {
                    let reason =
                        format!("the subscriber may no longer read this: {}", error.message);
                    Ok(Prepared::Become(Status::Error, Some(reason)))
                }
                Err(error) => Err(error),
            }
        }
        Work::Heartbeat | Work::End => hand_over(app, job, Why::Heartbeat, &[], None),
    }
}

/// The events of a notification and the number of the last one.
fn told(app: &App, caller: &Caller, job: &Job, from: u64, to: u64) -> Result<(Vec<Told>, u64)> {
    let snapshot = app.store().snapshot()?;
    let seqs = log::events(&*snapshot, &job.id, from, to)?;
    let (mut told, mut upto, mut bytes) = (Vec::new(), from, 0);
    let mut allowed: Vec<(&'static str, Scope)> = Vec::new();
    for piece in numbered(from, &seqs).chunks(PIECE) {
        let wanted: Vec<Seq> = piece.iter().map(|(_, seq)| *seq).collect();
        for stored in snapshot.load(&wanted)? {
            let Some(number) = number_of(piece, stored.seq) else { continue };
            let kind = stored.key.resource_type;
            if !allowed.iter().any(|(known, _)| *known == kind) {
                let permit = authorise(app, caller, Action::reading(kind))?;
                allowed.push((kind, permit.scope().clone()));
            }
            let scope = allowed.iter().find(|(known, _)| *known == kind).map(|(_, scope)| scope);
            bytes += stored.text.len();
            if bytes > MAX_BYTES && !told.is_empty() {
                return Ok((told, upto));
            }
            upto = number;
            if scope.is_some_and(|scope| is_inside(&*snapshot, &stored, scope).unwrap_or(false)) {
                told.push(Told { number, stored });
            }
        }
    }
    // Purged events at the end are told by leaving them behind.
    Ok((told, upto.max(from.saturating_add(seqs.len() as u64).saturating_sub(1))))
}

/// Sequence numbers with the numbers of their events.
pub(super) fn numbered(from: u64, seqs: &[Seq]) -> Vec<(u64, Seq)> {
    (from..).zip(seqs.iter().copied()).collect()
}

/// The event of a sequence number. What was purged from the store leaves a gap and moves nothing.
pub(super) fn number_of(numbered: &[(u64, Seq)], seq: Seq) -> Option<u64> {
    let at = numbered.binary_search_by_key(&seq, |(_, seq)| *seq).ok()?;
    numbered.get(at).map(|(number, _)| *number)
}

/// Whether a change is inside what the subscriber may read; a deletion is where the version before
/// it was.
pub(super) fn is_inside(snapshot: &dyn Snapshot, stored: &Stored, scope: &Scope) -> Result<bool> {
    if scope.own().is_none() && !scope.is_by_item() {
        return Ok(true);
    }
    let version = match stored.method {
        Method::Delete => snapshot.vread(&stored.key, stored.version.saturating_sub(1))?,
        _ => Some(stored.clone()),
    };
    match version.filter(|version| version.method != Method::Delete) {
        Some(version) => Ok(in_scope(&parse(&version)?, scope)),
        None => Ok(false),
    }
}

/// Commits the disclosure to the audit before anything is sent. What is sent again because it was
/// not acknowledged is recorded once; what the subscriber asked for again, each time.
fn record(app: &App, caller: &Caller, job: &mut Job, events: &[Told], upto: u64) -> Result<()> {
    let is_new = job.delivered.audited < upto;
    if !job.definition.discloses() || !(is_new || matches!(job.work, Work::Again { .. })) {
        return Ok(());
    }
    job.delivered.audited = job.delivered.audited.max(upto);
    let event = disclosure(caller, &job.definition, events)?;
    app.store().commit(Transaction {
        guards: Vec::new(),
        writes: vec![event.write(app)?],
        side: vec![log::write_delivered(&job.id, &job.delivered)],
    })?;
    Ok(())
}

/// The audit entry of events that are told to a subscriber.
pub(super) fn disclosure<'a>(
    caller: &'a Caller,
    definition: &Definition,
    events: &[Told],
) -> Result<Event<'a>> {
    let mut event = Event::by(caller, Pattern::Disclose)
        .note("notification of a subscription")
        .data(format!("Subscription/{}", definition.id));
    for told in events {
        let key = &told.stored.key;
        event = event.data(format!("{}/{}", key.resource_type, key.id));
        if told.stored.method != Method::Delete {
            event = event.patients(patients_of(&parse(&told.stored)?));
        }
    }
    Ok(event)
}

/// Puts a notification into the form of its channel.
fn hand_over(
    app: &App,
    job: &Job,
    kind: Why,
    events: &[Told],
    upto: Option<u64>,
) -> Result<Prepared> {
    match in_form(app, job, kind, events, upto) {
        Ok(prepared) => Ok(prepared),
        // It will not be otherwise later: what is stored is final.
        Err(NotXml(reason)) => {
            let reason = format!("a notification cannot be written as xml: {reason}");
            Ok(Prepared::Become(Status::Error, Some(reason)))
        }
    }
}

/// Why a notification cannot be written as XML.
struct NotXml(String);

/// A JSON text in the form that the subscriber asked for.
fn written(definition: &Definition, json: String) -> std::result::Result<String, NotXml> {
    if !definition.is_xml() {
        return Ok(json);
    }
    let document = Document::parse(json).map_err(|e| NotXml(e.to_string()))?;
    xml::write(document.root(), xml::Layout::Compact).map_err(|e| NotXml(e.to_string()))
}

fn in_form(
    app: &App,
    job: &Job,
    kind: Why,
    events: &[Told],
    upto: Option<u64>,
) -> std::result::Result<Prepared, NotXml> {
    let definition = &job.definition;
    let content = match definition.style {
        Style::Plain { .. } => Content::Empty,
        Style::Backport(content) => content,
    };
    let text = || {
        // What is said of the number of events fits what is told in the same notification.
        let said = Said {
            definition,
            status: match kind {
                Why::Handshake => Status::Requested,
                _ => Status::Active,
            },
            events: job.events,
            kind,
            content,
            error: None,
        };
        written(definition, bundle::notification(app, &said, events))
    };
    Ok(match &definition.channel {
        Channel::Websocket => Prepared::Socket { text: text()?, upto },
        Channel::Mail(to) => {
            let letter = Letter {
                to: to.clone(),
                subject: format!("News from {}", app.org().name),
                text: letter(app, definition, events.len()),
                attachment: match content != Content::Empty && kind == Why::Event {
                    true => Some((definition.media_type.clone(), text()?)),
                    false => None,
                },
            };
            Prepared::Send { parcel: Parcel::Mail(letter), upto }
        }
        Channel::RestHook(endpoint) => {
            let headers = definition.headers.clone();
            let (method, url, body) = match (definition.style, events.first()) {
                (Style::Backport(_), _) => {
                    let body = Some((definition.media_type.clone(), text()?));
                    (HttpMethod::Post, endpoint.clone(), body)
                }
                (Style::Plain { payload: true }, Some(event)) => {
                    let key = &event.stored.key;
                    let base = endpoint.trim_end_matches('/');
                    let url = format!("{base}/{}/{}", key.resource_type, key.id);
                    let text = written(definition, event.stored.text.clone())?;
                    let body = (definition.media_type.clone(), text);
                    (HttpMethod::Put, url, Some(body))
                }
                (Style::Plain { .. }, _) => (HttpMethod::Post, endpoint.clone(), None),
            };
            Prepared::Send { parcel: Parcel::Http(Request { method, url, headers, body }), upto }
        }
    })
}

/// What a person reads: how much is new and where, never what.
fn letter(app: &App, definition: &Definition, events: usize) -> String {
    let org = app.org();
    let news = match events {
        0 => "Your subscription is alive; there is nothing new.".to_owned(),
        1 => "There is one new event for your subscription.".to_owned(),
        many => format!("There are {many} new events for your subscription."),
    };
    format!("{news}\n\n{}/fhir/Subscription/{}\n\n{}\n", org.base_url, definition.id, org.name)
}

/// Writes down how a delivery ended.
fn settle(app: &App, job: Job, outcome: Outcome) -> Result<Done> {
    let now = app.now_ms();
    let mut delivered = job.delivered.clone();
    let (mut status, mut again) = (None, None);
    match outcome {
        Outcome::Arrived { upto } => {
            let mut acked = upto.unwrap_or(delivered.acked);
            if let Work::Again { again: asked, .. } = job.work {
                again = upto.map(|upto| (asked, upto));
                // Where it goes on into what is new, that has arrived, too.
                let joins = asked.from <= delivered.acked.saturating_add(1);
                acked = if joins { acked.max(delivered.acked) } else { delivered.acked };
            }
            delivered = Delivered {
                acked,
                audited: delivered.audited,
                last_ms: now,
                ..Delivered::default()
            };
            if job.work == Work::Handshake {
                status = Some((Status::Active, None));
            }
        }
        Outcome::Missed => {}
        Outcome::Become(becomes, error) => {
            delivered.last_ms = now;
            delivered.dead = becomes == Status::Error;
            delivered.error.clone_from(&error);
            status = Some((becomes, error));
        }
        Outcome::Failed { reason, for_good } => {
            delivered.attempts = delivered.attempts.saturating_add(1);
            let since = *delivered.failing_since_ms.get_or_insert(now);
            delivered.due_ms = now.saturating_add(pause_ms(delivered.attempts));
            delivered.error = Some(reason.clone());
            let over = now.saturating_sub(since) >= GIVE_UP_MS;
            if for_good || over || job.work == Work::Handshake {
                delivered.dead = true;
                tracing::warn!(subscription = %job.id, %reason, "a subscription is given up");
                status = Some((Status::Error, Some(reason)));
            } else {
                tracing::info!(
                    subscription = %job.id, %reason, attempts = delivered.attempts,
                    "a notification was not acknowledged"
                );
            }
        }
    }
    let mut writes = Vec::new();
    if let Some((becomes, error)) = &status {
        writes = become_(app, &job.definition, *becomes, error.as_deref())?;
    }
    let side = vec![log::write_delivered(&job.id, &delivered)];
    let mut transaction = Transaction { guards: Vec::new(), writes, side: side.clone() };
    if let Some((asked, upto)) = again {
        let (guard, left) = resend::arrived(&job.id, asked, upto);
        transaction.guards.push(guard);
        transaction.side.push(left);
    }
    match app.store().commit(transaction) {
        Ok(_) => {}
        // The subscriber has just changed the Subscription, or asked anew for what is to be sent
        // again: what they wrote stands.
        Err(store::StoreError::Conflict { .. }) => {
            app.store().commit(Transaction { side, ..Transaction::default() })?;
            status = None;
        }
        Err(error) => return Err(error.into()),
    }
    let version = job.definition.version;
    let again = again.map(|(asked, upto)| (asked, asked.after(upto)));
    let status = status.map(|(status, _)| (version, status));
    Ok(Done { id: job.id, delivered, status, again })
}

/// The pause after so many failures: 5 s, 10 s, 20 s … one hour.
fn pause_ms(attempts: u32) -> i64 {
    let doublings = attempts.saturating_sub(1).min(20);
    FIRST_PAUSE_MS.saturating_mul(1 << doublings).min(LONGEST_PAUSE_MS)
}

/// The writes that give a Subscription its new state; none where it is gone or was changed.
pub(crate) fn become_(
    app: &App,
    definition: &Definition,
    status: Status,
    error: Option<&str>,
) -> Result<Vec<Write>> {
    let key = Key { resource_type: "Subscription", id: definition.id.clone() };
    let stored = app.store().snapshot()?.read(&key)?;
    let stored = stored.filter(|s| s.method != Method::Delete && s.version == definition.version);
    let Some(stored) = stored else { return Ok(Vec::new()) };
    let resource = parse(&stored)?;
    let mut edits = Edits::default();
    edits.set(resource.root(), "status", &quote(status.code()), "resourceType");
    match error {
        Some(error) => edits.set(resource.root(), "error", &quote(error), "reason"),
        None => edits.remove(resource.root(), "error"),
    }
    let changed = Resource::parse(edits.apply(resource.text()))
        .map_err(|e| Error::internal(format!("a Subscription cannot be changed: {e}")))?;
    let event = Event::by_node(Pattern::Update)
        .note(format!("the subscription is now {}", status.code()))
        .patients(definition.patient.clone())
        .data(format!("Subscription/{}", definition.id));
    let expect = Expect::Version(stored.version);
    Ok(vec![Write::Put { key, resource: changed, expect, method: Method::Put }, event.write(app)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let pauses: Vec<i64> = (1..=12).map(|n| pause_ms(n) / 1000).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        assert_eq!(pause_ms(u32::MAX), LONGEST_PAUSE_MS);
    }
}
