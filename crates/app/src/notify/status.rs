//! What a subscriber may ask: how a subscription stands, what it told so far, and a token for a
//! websocket.

use fhir::Id;
use serde_json::Value;
use store::{Key, Method, Snapshot, Stored};

use super::bundle::{self, Event as Told, Kind as Why, Said};
use super::channel::{TOKEN_MS, Token};
use super::definition::{Channel, Content, Definition, Status, Style};
use super::log::{self, Delivered, Matched};
use super::work::{caller as subscriber, disclosure, is_inside, number_of, numbered};
use crate::audit::Event;
use crate::audit::event::Pattern;
use crate::authorise::{Action, Permit, authorise, by_a_person};
use crate::records::{in_scope, parse};
use crate::{App, Caller, Error, Kind, Result};

/// Most subscriptions of one answer.
const MAX_LISTED: usize = 1_000;
/// Most events of one answer to `$events`; the client asks for the rest.
pub const MAX_EVENTS: u64 = 1_000;

/// A subscription with its figures.
pub(super) struct Known {
    pub(super) definition: Definition,
    pub(super) matched: Matched,
    delivered: Delivered,
}

/// A subscription that exists and that the caller may see.
pub(super) fn known(snapshot: &dyn Snapshot, permit: &Permit, id: &Id) -> Result<Option<Known>> {
    let key = Key { resource_type: "Subscription", id: id.clone() };
    let stored = snapshot.read(&key)?.filter(|stored| stored.method != Method::Delete);
    let Some(stored) = stored else { return Ok(None) };
    let resource = parse(&stored)?;
    if !in_scope(&resource, permit.scope()) {
        return Ok(None);
    }
    let Ok(definition) = Definition::read(&resource, stored.version) else { return Ok(None) };
    let matched = log::matched(snapshot, id)?.unwrap_or_default();
    let delivered = log::delivered(snapshot, id)?.under(definition.status);
    Ok(Some(Known { definition, matched, delivered }))
}

/// The status of subscriptions: of these, or of all that the caller may see, at most 1,000;
/// `statuses` keeps those in one of these states (empty: any). Each with its id.
pub fn status(
    app: &App,
    caller: &Caller,
    ids: &[Id],
    statuses: &[Status],
) -> Result<Vec<(Id, Value)>> {
    let permit = authorise(app, caller, Action::reading("Subscription"))?;
    let snapshot = app.store().snapshot()?;
    let ids: Vec<Id> = match ids {
        [] => log::every(&*snapshot)?.into_iter().map(|(id, _)| id).collect(),
        some => some.to_vec(),
    };
    let mut list = Vec::new();
    let mut patients = Vec::new();
    for id in ids {
        if list.len() == MAX_LISTED {
            break;
        }
        let Some(known) = known(&*snapshot, &permit, &id)? else { continue };
        if !statuses.is_empty() && !statuses.contains(&known.definition.status) {
            continue;
        }
        patients.extend(known.definition.patient.clone());
        let said = said(&known, Why::QueryStatus, Content::IdOnly);
        list.push((id, bundle::status(app, &said, &[])));
    }
    drop(snapshot);
    app.audit(Event::by(caller, Pattern::Query).patients(patients).query("Subscription/$status"))?;
    Ok(list)
}

fn said(known: &Known, kind: Why, content: Content) -> Said<'_> {
    Said {
        definition: &known.definition,
        status: known.definition.status,
        events: known.matched.events,
        kind,
        content,
        error: known.delivered.error.as_deref(),
    }
}

/// Which events are asked for again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replay {
    /// The first, from 1.
    pub since: Option<u64>,
    /// The last.
    pub until: Option<u64>,
    /// How much to say of each; what the subscription asks for unless stated.
    pub content: Option<Content>,
}

/// Events of a subscription again, as a Bundle: at most [`MAX_EVENTS`] of them, oldest first.
///
/// Errors: [`Kind::NotFound`] for a subscription that does not exist or may not be seen,
/// [`Kind::Forbidden`] where the caller may not read what it tells of.
pub fn events(app: &App, caller: &Caller, id: &Id, replay: Replay) -> Result<String> {
    let permit = authorise(app, caller, Action::reading("Subscription"))?;
    let snapshot = app.store().snapshot()?;
    let known = known(&*snapshot, &permit, id)?.ok_or_else(Error::not_found)?;
    let content = replay.content.unwrap_or(match known.definition.style {
        Style::Backport(content) => content,
        Style::Plain { payload: true } => Content::Full,
        Style::Plain { payload: false } => Content::Empty,
    });
    let from = replay.since.unwrap_or(1).max(1);
    let to = replay.until.unwrap_or(u64::MAX).min(known.matched.events);
    let to = to.min(from.saturating_add(MAX_EVENTS - 1));
    let mut told = Vec::new();
    if from <= to {
        let seqs = log::events(&*snapshot, id, from, to)?;
        let numbers = numbered(from, &seqs);
        for stored in snapshot.load(&seqs)? {
            let Some(number) = number_of(&numbers, stored.seq) else { continue };
            let permit = authorise(app, caller, Action::reading(stored.key.resource_type))?;
            if is_inside(&*snapshot, &stored, permit.scope())? {
                told.push(Told { number, stored });
            }
        }
    }
    drop(snapshot);
    let event = match content {
        Content::Empty => Event::by(caller, Pattern::Query),
        _ => disclosure(caller, &known.definition, &told)?,
    };
    app.audit(event.query(format!("Subscription/{id}/$events")))?;
    Ok(bundle::notification(app, &said(&known, Why::QueryEvent, content), &told))
}

/// A token for a websocket.
#[derive(Clone, Debug)]
pub struct Binding {
    /// To be sent as `bind-with-token <token>`.
    pub token: String,
    /// When it ends, milliseconds since the Unix epoch.
    pub expires_ms: i64,
    /// The subscriptions it is good for.
    pub subscriptions: Vec<Id>,
}

/// A token that binds a websocket to the caller's own subscriptions `ids`.
pub fn binding(app: &App, caller: &Caller, ids: Vec<Id>) -> Result<Binding> {
    by_a_person(app, caller, policy::Action::Read)?;
    let permit = authorise(app, caller, Action::reading("Subscription"))?;
    let snapshot = app.store().snapshot()?;
    if ids.is_empty() || ids.len() > MAX_LISTED {
        return Err(Error::invalid("required", "name the subscriptions by the parameter `id`"));
    }
    for id in &ids {
        let known = known(&*snapshot, &permit, id)?;
        let known = known.filter(|known| known.definition.owner == caller.user.id);
        let definition = known.ok_or_else(Error::not_found)?.definition;
        if definition.channel != Channel::Websocket {
            return Err(Error::new(
                Kind::Unprocessable,
                "a token is for subscriptions whose `channel.type` is websocket",
            ));
        }
    }
    drop(snapshot);
    let now = app.now_ms();
    let (token, expires_ms) = (app.new_token(), now.saturating_add(TOKEN_MS));
    let mut event = Event::by(caller, Pattern::Read).note("a token for a websocket");
    for id in &ids {
        event = event.data(format!("Subscription/{id}"));
    }
    app.audit(event)?;
    let meaning = Token { subscriptions: ids.clone(), expires_ms, account: caller.user.id.clone() };
    if !app.notify().keep(token.clone(), meaning, now) {
        return Err(Error::new(Kind::Busy, "too many tokens are given out; try again later"));
    }
    Ok(Binding { token, expires_ms, subscriptions: ids })
}

/// The handshake that a websocket is greeted with for one of `account`'s subscriptions; `None`
/// where the subscription or the account is gone.
pub fn greeting(app: &App, account: &str, id: &Id) -> Result<Option<String>> {
    let snapshot = app.store().snapshot()?;
    let key = Key { resource_type: "Subscription", id: id.clone() };
    let live = |stored: &Stored| stored.method != Method::Delete;
    let Some(stored) = snapshot.read(&key)?.filter(live) else { return Ok(None) };
    let definition = Definition::read(&parse(&stored)?, stored.version)?;
    let ended = definition.status == Status::Off || definition.owner != account;
    if ended || subscriber(app, &definition)?.is_none() {
        return Ok(None);
    }
    let matched = log::matched(&*snapshot, id)?.unwrap_or_default();
    let delivered = log::delivered(&*snapshot, id)?;
    let known = Known { definition, matched, delivered };
    let content = match known.definition.style {
        Style::Backport(content) => content,
        Style::Plain { .. } => Content::Empty,
    };
    Ok(Some(bundle::notification(app, &said(&known, Why::Handshake, content), &[])))
}
